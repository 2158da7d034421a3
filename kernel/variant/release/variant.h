/* What only the debug kernel does, as no-ops: see kernel/variant/debug/variant.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/errors.h"
#include "kernel/variant/unchecked.h"

struct frame;

/* What a lock remembers of its rank. */
#define DEBUG_RANK(rank) ((rank)&0)

static inline bool debug_allocation_fails(void) {
    return false;
}
static inline int64_t debug_fail_nth(uint64_t n) {
    return (void)n, -ENOSYS;
}
static inline void debug_lock_acquired(unsigned rank) {
    (void)rank;
}
static inline void debug_lock_released(unsigned rank) {
    (void)rank;
}
static inline void debug_stretch_nested_begin(const struct frame *frame) {
    (void)frame;
}
static inline void debug_stretch_nested_end(const struct frame *frame) {
    (void)frame;
}
static inline int64_t debug_control(uint64_t what, uint64_t argument) {
    return (void)what, (void)argument, -ENOSYS;
}
