/* See variant.h. */
#include "variant.h"

#include "kernel/cpu.h"
#include "kernel/log.h"

static _Atomic uint64_t allocations, fail_at; /* counted since the last debug_fail_nth */
static uint32_t ranks_held[MAX_CPUS];         /* bit per rank; each CPU its own */

bool debug_allocation_fails(void) {
    uint64_t number = atomic_fetch_add(&allocations, 1) + 1;
    return number == fail_at;
}

int64_t debug_fail_nth(uint64_t n) {
    fail_at = 0;
    int64_t made = (int64_t)atomic_exchange(&allocations, 0);
    fail_at = n;
    return made;
}

void debug_lock_acquired(unsigned rank) {
    uint32_t *held = &ranks_held[cpu_self()->index];
    uint32_t lower = (2u << rank) - 1;
    if (*held & lower)
        panic("lock order: rank %u taken while ranks %x are held", rank, *held);
    *held |= 1u << rank;
}

void debug_lock_released(unsigned rank) {
    ranks_held[cpu_self()->index] &= ~(1u << rank);
}
