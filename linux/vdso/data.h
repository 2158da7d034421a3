/*
 * The page that the personality shares with every program's vDSO, read-only there: the TSC's scale and the
 * wall clock. sequence is odd while the wall clock is being changed.
 */
#pragma once

#include <stdint.h>

struct vdso_data {
    volatile uint32_t sequence;
    uint32_t reserved;
    uint64_t tsc_base; /* ns since boot = ((rdtsc - tsc_base) * mult) >> 32 */
    uint64_t mult;
    volatile uint64_t wall_base; /* Unix time at boot, ns */
};
