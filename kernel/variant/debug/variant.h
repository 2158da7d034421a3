/*
 * What only the debug kernel does: it checks the lock order at every lock (a broken order is a deadlock
 * waiting to happen: panic) and can make the n-th allocation fail, so that tests walk through every failure
 * path. kernel/variant/debug/variant.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct frame;

/* True for the allocation that debug_fail_nth asked to fail. */
bool debug_allocation_fails(void);
/* The n-th allocation from now fails (0: none). Returns how many were made since the last call. */
int64_t debug_fail_nth(uint64_t n);

/* Interrupts went off, and are about to go on again, for an interrupt or exception in the kernel; nothing
 * when they were off before. kernel/variant/debug/stretch.c; the other ways in and out are in
 * entry_hooks.inc.
 */
void debug_stretch_enter(const struct frame *frame);
void debug_stretch_nested_begin(const struct frame *frame);
void debug_stretch_nested_end(const struct frame *frame);

/* The call of that name; argument is a user address where what asks for one. */
int64_t debug_control(uint64_t what, uint64_t argument);

void debug_lock_acquired(unsigned rank);
void debug_lock_released(unsigned rank);
