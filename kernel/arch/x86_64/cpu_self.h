/* How a CPU finds its own state: gs points at it. Included by kernel/cpu.h. */
#pragma once

static inline struct cpu *cpu_self(void) {
    struct cpu *cpu;
    __asm__("rdgsbase %0" : "=r"(cpu)); /* shorter than a load of gs:0 */
    return cpu;
}

/* Asks for a bit below 256 of the trace mask: one instruction. */
static inline __attribute__((always_inline)) bool cpu_traces(unsigned kinds) {
    bool wanted;
    __asm__ volatile("testb %b1, %%gs:%c2" : "=@ccnz"(wanted) : "i"(kinds), "i"(CPU_TRACE));
    return wanted;
}
