/*
 * Futexes between the threads of one process. A waiter lives on its thread's handler stack and in one list; a
 * waker unlinks it under futex_lock before it signals the thread's event, so a waiter that is still linked
 * after its deadline knows that nobody will signal. One list serves all addresses: native programs have a
 * handful of threads.
 */
#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "lib/native/keel.h"
#include "lib/native/posix.h"
#include "lib/native/thread.h"

enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_REQUEUE = 3, FUTEX_COMMAND = 0x7f };
enum { NS_PER_SECOND = 1000000000 };

struct futex_waiter {
    struct list link;
    uint64_t address;
    handle_t event;
    bool queued;
};

static struct posix_lock futex_lock;
static struct list waiters = LIST_INIT(waiters); /* futex_lock; oldest first */

static int64_t event_own(void) {
    struct posix_thread *thread = posix_thread_own();
    if (!thread->event) {
        int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
        if (event < 0)
            return event;
        thread->event = (handle_t)event;
    }
    return thread->event;
}

static uint64_t futex_deadline(uint64_t timeout) {
    const struct timespec *time = (const struct timespec *)timeout;
    if (!time || (uint64_t)time->tv_sec > UINT64_MAX / NS_PER_SECOND / 4)
        return DEADLINE_NEVER;
    return clock_now() + (uint64_t)time->tv_sec * NS_PER_SECOND + (uint64_t)time->tv_nsec;
}

static bool waiter_queued(const struct futex_waiter *waiter) {
    return __atomic_load_n(&waiter->queued, __ATOMIC_ACQUIRE);
}

/* Blocks until a waker unlinks the waiter or the deadline passes. A signal left over from an earlier wait
 * only costs a turn of the loop. */
static int64_t waiter_block(struct futex_waiter *waiter, uint64_t deadline) {
    int64_t result = 0;
    while (waiter_queued(waiter) && result != -ETIMEDOUT)
        result = keel_event_wait(waiter->event, deadline);
    posix_lock_take(&futex_lock);
    bool timed_out = waiter->queued;
    if (timed_out)
        list_remove(&waiter->link);
    posix_lock_release(&futex_lock);
    return timed_out ? -ETIMEDOUT : 0;
}

static int64_t futex_wait(uint64_t address, uint32_t value, uint64_t timeout) {
    int64_t event = event_own();
    if (event < 0)
        return event;
    struct futex_waiter waiter = {.address = address, .event = (handle_t)event, .queued = true};
    uint64_t deadline = futex_deadline(timeout);
    posix_lock_take(&futex_lock);
    bool same = __atomic_load_n((uint32_t *)address, __ATOMIC_SEQ_CST) == value;
    if (same)
        list_push_back(&waiters, &waiter.link);
    posix_lock_release(&futex_lock);
    return same ? waiter_block(&waiter, deadline) : -EAGAIN;
}

/* Wakes up to `wake` waiters of an address and moves up to `move` of the rest to another. */
static int64_t futex_requeue(uint64_t address, uint64_t wake, uint64_t move, uint64_t target) {
    struct futex_waiter *waiter, *after;
    int64_t count = 0;
    posix_lock_take(&futex_lock);
    list_for_each_safe(waiter, after, &waiters, link) {
        if (waiter->address != address)
            continue;
        if (wake > 0) {
            handle_t event = waiter->event;
            list_remove(&waiter->link);
            __atomic_store_n(&waiter->queued, false,
                             __ATOMIC_RELEASE); /* it waits for futex_lock before it goes */
            (void)keel_event_signal(event);
            wake--;
        } else if (move > 0) {
            waiter->address = target;
            move--;
        } else {
            break;
        }
        count++;
    }
    posix_lock_release(&futex_lock);
    return count;
}

int64_t posix_futex_wake(uint64_t address, uint64_t count) {
    return futex_requeue(address, count, 0, 0);
}

int64_t posix_futex(const uint64_t *arguments) {
    switch (arguments[1] & FUTEX_COMMAND) {
    case FUTEX_WAIT:
        return futex_wait(arguments[0], (uint32_t)arguments[2], arguments[3]);
    case FUTEX_WAKE:
        return posix_futex_wake(arguments[0], (uint32_t)arguments[2]);
    case FUTEX_REQUEUE:
        return futex_requeue(arguments[0], (uint32_t)arguments[2], (uint32_t)arguments[3], arguments[4]);
    default:
        return -ENOSYS;
    }
}
