/*
 * The debug checks for unit tests: lock order, and allocations that fail on demand
 * (kernel/arch/host/machine.c). Comes before kernel/variant/ in the include path.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/variant/unchecked.h"

/* What a lock remembers of its rank. */
#define DEBUG_RANK(rank) (rank)

/* Counts allocations; the one that makes the count reach host_fail_at fails. 0: none does. */
extern uint64_t host_allocations, host_fail_at;

bool debug_allocation_fails(void);
int64_t debug_fail_nth(uint64_t n);
/* Abort when a lock is taken out of order, or released without being held. */
void debug_lock_acquired(unsigned rank);
void debug_lock_released(unsigned rank);
/* Locks that this CPU (thread) holds. */
unsigned host_locks_held(void);
/* The lowest rank held, UINT32_MAX when none is. */
unsigned host_lowest_rank(void);
