/* See lock.h. A function of its own: the loop in every caller would cost the image a kilobyte. */
#include "kernel/lock.h"

static __attribute__((noinline)) void spin_wait(struct spinlock *lock) {
    do {
        while (atomic_load_explicit(&lock->held, memory_order_relaxed)) {
            debug_lock_wait(lock);
            tlb_shootdown_poll();
            cpu_relax();
        }
    } while (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire));
    lock_acquired(lock);
}

void spin_lock(struct spinlock *lock) {
    if (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire))
        spin_wait(lock);
    else
        lock_acquired(lock);
}
