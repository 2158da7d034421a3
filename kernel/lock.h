/*
 * Spin locks. The kernel runs with interrupts off, so a lock needs no more than that; a CPU that waits
 * answers TLB shoot-downs meanwhile, because the one that holds the lock may be waiting for it. Every lock
 * has a rank: a CPU may only take a lock of a lower rank than those it holds (the debug kernel panics
 * otherwise). Two locks of one rank are never held together.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "abi/errors.h"
#include "arch.h"
#include "variant.h"

/* The lock order, outermost (highest) first. */
enum lock_rank {
    LOCK_RANK_PAGES = 1, /* buddy zone, page tables' pages */
    LOCK_RANK_KMEM,      /* slab cache */
    LOCK_RANK_LOG,
    LOCK_RANK_RUN_QUEUE, /* scheduler queue and timers of a CPU */
    LOCK_RANK_THREAD,    /* thread state */
    LOCK_RANK_HANDLES,   /* handle table of a process */
    LOCK_RANK_TABLE,     /* page tables of a space */
    LOCK_RANK_VMO,
    LOCK_RANK_SPACE, /* mappings of a space */
    LOCK_RANK_PORT,
    LOCK_RANK_OBJECT, /* event, timer, interrupt, process: each may signal a port */
    LOCK_RANK_JOB,
};

/* Zero is an open lock. Only the debug kernel keeps the rank. */
struct spinlock {
    _Alignas(4) _Atomic uint8_t held; /* ipc.S tries it as a bit of 32 */
    uint8_t rank;                     /* enum lock_rank */
};

#define SPINLOCK(lock_rank)                                                                                  \
    { .rank = DEBUG_RANK(lock_rank) }

/* For a lock in zeroed memory. */
static inline void lock_init(struct spinlock *lock, enum lock_rank rank) {
    if (DEBUG_RANK(rank))
        lock->rank = DEBUG_RANK(rank);
}

/* Answers a TLB shoot-down addressed to this CPU, if there is one (kernel/tlb.c). */
void tlb_shootdown_poll(void);

static inline void lock_acquired(const struct spinlock *lock) {
    debug_lock_acquired(lock->rank);
    debug_lock_hold(lock);
}

/* spin_lock, but for what it does to registers: called by lock_take (arch.h) when the lock is held, and by
 * the debug kernel always. */
void spin_lock_slowly(struct spinlock *lock);

static inline __attribute__((always_inline)) void spin_lock(struct spinlock *lock) {
    lock_take(lock);
}

/* The same without a call in the usual case, for the few paths where that counts. */
static inline __attribute__((always_inline)) void spin_lock_inline(struct spinlock *lock) {
    if (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire))
        lock_take(lock);
    else
        lock_acquired(lock);
}

static inline bool spin_try_lock(struct spinlock *lock) {
    if (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire))
        return false;
    lock_acquired(lock);
    return true;
}

static inline __attribute__((always_inline)) void spin_unlock(struct spinlock *lock) {
    debug_lock_released(lock->rank);
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}
