/* How a CPU finds its own state: gs points at it. Included by kernel/cpu.h. */
#pragma once

static inline struct cpu *cpu_self(void) {
    struct cpu *cpu;
    __asm__("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

/* Counts one call, and asks for a bit below 256 of the trace mask: an instruction each. */
static inline void cpu_count_call(uint64_t index) {
    __asm__ volatile("incq %%gs:%c1(, %0, 8)" : : "r"(index), "i"(CPU_CALLS) : "cc", "memory");
}
static inline __attribute__((always_inline)) bool cpu_traces(unsigned kinds) {
    bool wanted;
    __asm__ volatile("testb %b1, %%gs:%c2" : "=@ccnz"(wanted) : "i"(kinds), "i"(CPU_TRACE));
    return wanted;
}
