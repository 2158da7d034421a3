/*
 * Waiting on addresses: musl's futex calls and the runtime's own lock, both on the kernel's futexes. Moving
 * waiters to another address wakes them instead: who waits in a loop, as musl does, cannot tell.
 */
#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "lib/native/keel.h"
#include "lib/native/posix.h"

enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_REQUEUE = 3, FUTEX_COMMAND = 0x7f };
enum { NS_PER_SECOND = 1000000000 };

static uint64_t futex_deadline(uint64_t timeout) {
    const struct timespec *time = (const struct timespec *)timeout;
    if (!time || (uint64_t)time->tv_sec > UINT64_MAX / NS_PER_SECOND / 4)
        return DEADLINE_NEVER;
    return clock_now() + (uint64_t)time->tv_sec * NS_PER_SECOND + (uint64_t)time->tv_nsec;
}

/* The kernel wakes a bounded number at a time. */
int64_t posix_futex_wake(uint64_t address, uint64_t count) {
    int64_t total = 0, woken;
    do {
        woken = keel_futex_wake(address, count - (uint64_t)total);
        total += woken;
    } while (woken > 0 && (uint64_t)total < count);
    return total;
}

int64_t posix_futex(const uint64_t *arguments) {
    switch (arguments[1] & FUTEX_COMMAND) {
    case FUTEX_WAIT:
        return keel_futex_wait(arguments[0], (uint32_t)arguments[2], futex_deadline(arguments[3]));
    case FUTEX_WAKE:
        return posix_futex_wake(arguments[0], (uint32_t)arguments[2]);
    case FUTEX_REQUEUE:
        return posix_futex_wake(arguments[0], (uint64_t)(uint32_t)arguments[2] + (uint32_t)arguments[3]);
    default:
        return -ENOSYS;
    }
}

/* ---- the runtime's lock ---- */

enum { LOCK_FREE, LOCK_TAKEN, LOCK_AWAITED };

void posix_lock_take(struct posix_lock *lock) {
    uint32_t state = LOCK_FREE;
    if (__atomic_compare_exchange_n(&lock->state, &state, LOCK_TAKEN, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&lock->state, LOCK_AWAITED, __ATOMIC_ACQUIRE) != LOCK_FREE)
        (void)keel_futex_wait(keel_pointer(&lock->state), LOCK_AWAITED, DEADLINE_NEVER);
}

void posix_lock_release(struct posix_lock *lock) {
    if (__atomic_exchange_n(&lock->state, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_AWAITED)
        (void)keel_futex_wake(keel_pointer(&lock->state), 1);
}
