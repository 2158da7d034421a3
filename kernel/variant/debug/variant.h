/*
 * What only the debug kernel does: it checks the lock order at every lock (a broken order is a deadlock
 * waiting to happen: panic) and can make the n-th allocation fail, so that tests walk through every failure
 * path. kernel/variant/debug/variant.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* True for the allocation that debug_fail_nth asked to fail. */
bool debug_allocation_fails(void);
/* The n-th allocation from now fails (0: none). Returns how many were made since the last call. */
int64_t debug_fail_nth(uint64_t n);

void debug_lock_acquired(unsigned rank);
void debug_lock_released(unsigned rank);
