/* See lock.h. */
#include "kernel/lock.h"

void spin_lock_slowly(struct spinlock *lock) {
    while (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire)) {
        while (atomic_load_explicit(&lock->held, memory_order_relaxed)) {
            debug_lock_wait(lock);
            tlb_shootdown_poll();
            cpu_relax();
        }
    }
    lock_acquired(lock);
}
