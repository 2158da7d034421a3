/*
 * Locks that are taken in the wrong order, twice, or never given back. A CPU holds at most one lock of a
 * rank. One that waits checks the order before it does, so that a deadlock by order is a message and not a
 * silence, and gives up after a while.
 */
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "provoke.h"
#include "variant.h"

#define WAIT_MOST 5000000000ULL /* ns; longer than the host of a virtual CPU lets it wait for its turn */

static struct {
    uint32_t ranks;                  /* bit per rank that the CPU holds … */
    const struct spinlock *held[32]; /* … and the lock */
    const struct spinlock *waits_for;
    uint64_t since; /* ns */
} locks[MAX_CPUS];

static void order_check(unsigned rank) {
    uint32_t held = locks[cpu_self()->index].ranks;
    if (held & ((2u << rank) - 1))
        panic("lock order: rank %u taken while ranks %x are held", rank, held);
}

/* The CPU that holds a lock; MAX_CPUS when none does. */
static unsigned lock_holder(const struct spinlock *lock) {
    unsigned cpu = 0;
    while (cpu < MAX_CPUS && locks[cpu].held[lock->rank] != lock)
        cpu++;
    return cpu;
}

void debug_lock_wait(const struct spinlock *lock) {
    unsigned index = cpu_self()->index;

    if (locks[index].held[lock->rank] == lock)
        panic("deadlock: lock %lx of rank %u taken twice", (uintptr_t)lock, lock->rank);
    if (locks[index].waits_for != lock) {
        order_check(lock->rank);
        locks[index].waits_for = lock;
        locks[index].since = clock_now();
    }
    if (clock_now() - locks[index].since > WAIT_MOST)
        panic("deadlock: lock %lx of rank %u is held for too long by CPU %u", (uintptr_t)lock, lock->rank,
              lock_holder(lock));
}

void debug_lock_acquired(unsigned rank) {
    order_check(rank);
    locks[cpu_self()->index].ranks |= 1u << rank;
    locks[cpu_self()->index].waits_for = NULL;
}

void debug_lock_hold(const struct spinlock *lock) {
    locks[cpu_self()->index].held[lock->rank] = lock;
}

void debug_lock_released(unsigned rank) {
    locks[cpu_self()->index].ranks &= ~(1u << rank);
    locks[cpu_self()->index].held[rank] = NULL;
}

void debug_lock_give(const struct spinlock *lock, unsigned cpu) {
    locks[cpu_self()->index].held[lock->rank] = NULL;
    locks[cpu].held[lock->rank] = lock;
}
