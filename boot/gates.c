/*
 * See gates.h. The stubs of exceptions end at exception_entry, that of vector 0 last; those of interrupts
 * follow each other from interrupt_stubs on (kernel/arch/x86_64/entry.S, vectors.h).
 */
#include "boot/gates.h"

#include "boot/io.h"
#include "boot/load.h"
#include "boot/paging.h"
#include "kernel/arch/x86_64/vectors.h"

enum {
    MSR_STAR = 0xc0000081,
    MSR_LSTAR = 0xc0000082,
    MSR_FMASK = 0xc0000084,
    MSR_KERNEL_GS_BASE = 0xc0000102
};
enum { VECTORS = 256, BREAKPOINT = 3, OVERFLOW = 4, PRESENT_INTERRUPT_GATE = 0x8e };

struct gate {
    uint16_t offset_low, selector;
    uint8_t stack, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

extern uint64_t boot_gdt[];

struct kernel_gates kernel_gates;

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

static unsigned stub_number(unsigned vector) {
    if (vector < VECTOR_SHARED)
        return vector - VECTOR_IRQ_FIRST;
    return vector < VECTOR_LOCAL_FIRST ? STUB_SHARED : STUB_SHARED + 1 + vector % LOCAL_STUBS;
}

void gates_fill(uint64_t exception_entry, uint64_t interrupt_stubs) {
    struct gate *table = kernel_place(kernel_notes.idt);

    for (unsigned i = 0; i < EXCEPTIONS; i++)
        gate_set(&table[i], exception_entry - STUB_BYTES * (i + 1), VECTORS_FATAL >> i & 1,
                 i == BREAKPOINT || i == OVERFLOW ? 3 : 0);
    for (unsigned i = VECTOR_IRQ_FIRST; i < VECTORS; i++)
        gate_set(&table[i], interrupt_stubs + STUB_BYTES * stub_number(i), 0, 0);
    gate_set(&table[VECTOR_INT80], interrupt_stubs + STUB_BYTES * STUB_INT80, 0, 3);
}

void gates_init(void) {
    gates_fill(kernel_address(kernel_notes.exception_entry), kernel_address(kernel_notes.interrupt_stubs));
    kernel_gates = (struct kernel_gates){
        .interrupts = kernel_address(kernel_notes.idt),
        .segments = direct_map((uint64_t)(uintptr_t)boot_gdt),
        .syscall_entry = kernel_address(kernel_notes.syscall_entry),
    };
}

void gates_syscall(void) {
    write_msr(MSR_LSTAR, kernel_gates.syscall_entry);
    write_msr(MSR_STAR, (uint64_t)(USER_SS - 8) << 48 | (uint64_t)KERNEL_CS << 32);
    write_msr(MSR_FMASK, SYSCALL_FLAGS_MASK);
    write_msr(MSR_KERNEL_GS_BASE, 0);
}
