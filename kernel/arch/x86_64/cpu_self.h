/* How a CPU finds its own state: gs points at it. Included by kernel/cpu.h. */
#pragma once

static inline struct cpu *cpu_self(void) {
    struct cpu *cpu;
    __asm__("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}
