/* The CPU that a unit test plays. Included by kernel/cpu.h. */
#pragma once

extern struct cpu *host_cpu;

static inline struct cpu *cpu_self(void) {
    return host_cpu;
}

static inline void cpu_count_call(uint64_t index) {
    cpu_self()->counters.calls[index]++;
}
static inline bool cpu_traces(unsigned kinds) {
    return cpu_self()->trace & kinds;
}
