/* The CPU that a unit test plays. Included by kernel/cpu.h. */
#pragma once

extern _Thread_local struct cpu *host_cpu;

static inline struct cpu *cpu_self(void) {
    return host_cpu;
}

static inline bool cpu_traces(unsigned kinds) {
    return cpu_self()->trace & kinds;
}
