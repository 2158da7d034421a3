/*
 * See gates.h. In front of its entry the kernel says where the table and its stubs are, in bytes from there:
 * those of exceptions end at exception_entry, that of vector 0 last; those of interrupts follow each other
 * from interrupt_stubs on (kernel/arch/x86_64/entry.S, vectors.h).
 */
#include "boot/gates.h"

#include "boot/io.h"
#include "boot/load.h"
#include "boot/memory.h"
#include "kernel/arch/x86_64/vectors.h"

enum { MSR_STAR = 0xc0000081, MSR_FMASK = 0xc0000084, MSR_KERNEL_GS_BASE = 0xc0000102 };
enum { VECTORS = 256, BREAKPOINT = 3, OVERFLOW = 4, PRESENT_INTERRUPT_GATE = 0x8e };

struct gate {
    uint16_t offset_low, selector;
    uint8_t stack, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

static void gate_set(struct gate *gate, uint64_t entry, unsigned stack, unsigned ring) {
    *gate = (struct gate){
        .offset_low = (uint16_t)entry,
        .selector = KERNEL_CS,
        .stack = (uint8_t)stack,
        .type = (uint8_t)(PRESENT_INTERRUPT_GATE | ring << 5),
        .offset_middle = (uint16_t)(entry >> 16),
        .offset_high = (uint32_t)(entry >> 32),
    };
}

static unsigned interrupt_stub(unsigned vector) {
    if (vector < VECTOR_MESSAGE)
        return vector - VECTOR_IRQ_FIRST;
    return vector < VECTOR_LOCAL_FIRST ? STUB_MESSAGE : STUB_MESSAGE + 1 + vector % LOCAL_STUBS;
}

void gates_fill(void) {
    const struct kernel_places *places = kernel_places();
    struct gate *table = kernel_place(places->idt);
    uint64_t exceptions = boot_info.kernel_entry + (uint64_t)places->exception_entry;
    uint64_t interrupts = boot_info.kernel_entry + (uint64_t)places->interrupt_stubs;

    for (unsigned i = 0; i < VECTOR_IRQ_FIRST; i++)
        gate_set(&table[i], exceptions - STUB_BYTES * (i + 1), VECTORS_FATAL >> i & 1,
                 i == BREAKPOINT || i == OVERFLOW ? 3 : 0);
    for (unsigned i = VECTOR_IRQ_FIRST; i < VECTORS; i++)
        gate_set(&table[i], interrupts + STUB_BYTES * interrupt_stub(i), 0, 0);
    gate_set(&table[VECTOR_INT80], interrupts + STUB_BYTES * STUB_INT80, 0, 3);
}

void gates_syscall(void) {
    write_msr(MSR_STAR, (uint64_t)(USER_SS - 8) << 48 | (uint64_t)KERNEL_CS << 32);
    write_msr(MSR_FMASK, SYSCALL_FLAGS_MASK);
    write_msr(MSR_KERNEL_GS_BASE, 0);
}
