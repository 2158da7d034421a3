/* See trap.h. */
#include "boot/trap.h"

#include "boot/console.h"

enum { VECTORS = 32, ENTRY_SIZE = 16, CODE_SELECTOR = 8, PRESENT_INTERRUPT_GATE = 0x8e };

struct gate {
    uint16_t offset_low, selector;
    uint8_t stack, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct trap_frame {
    uint64_t vector, error, rip;
};

extern const char trap_entries[];
static struct gate gates[VECTORS];

_Noreturn void trap_report(const struct trap_frame *frame);

void trap_report(const struct trap_frame *frame) {
    uint64_t address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    boot_fail("exception %lu (error 0x%lx, rip 0x%lx, cr2 0x%lx) while booting", frame->vector, frame->error,
              frame->rip, address);
}

void trap_load(void) {
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof(gates) - 1, (uintptr_t)gates};

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void trap_init(void) {
    for (int i = 0; i < VECTORS; i++) {
        uint64_t entry = (uintptr_t)trap_entries + (uint64_t)i * ENTRY_SIZE;
        gates[i] = (struct gate){(uint16_t)entry,         CODE_SELECTOR,           0, PRESENT_INTERRUPT_GATE,
                                 (uint16_t)(entry >> 16), (uint32_t)(entry >> 32), 0};
    }
    trap_load();
}
