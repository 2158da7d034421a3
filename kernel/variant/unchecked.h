/* The checks of memory and locks that only the debug kernel makes (kernel/variant/debug/variant.h), as
 * nothing. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct spinlock;

enum { DEBUG_RED_ZONE = 0 };

static inline void *debug_object_made(void *object, size_t size) {
    return (void)size, object;
}
static inline void debug_object_free(void *object, size_t size) {
    (void)object, (void)size;
}
static inline void debug_object_fresh(void *object, size_t room) {
    (void)object, (void)room;
}
static inline uint64_t debug_page_made(uint64_t physical, unsigned order) {
    return (void)order, physical;
}
static inline uint64_t debug_page_clear(uint64_t physical) {
    return physical;
}
static inline void debug_page_free(uint64_t physical, unsigned order) {
    (void)physical, (void)order;
}

static inline void debug_lock_hold(const struct spinlock *lock) {
    (void)lock;
}
static inline void debug_lock_wait(const struct spinlock *lock) {
    (void)lock;
}
