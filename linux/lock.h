/*
 * Locks and wait queues of the personality. A mutex may be held across guest memory access and class 1 calls,
 * never across task_wait (except the one it is told to release). Order, outermost first: tasks_lock (process
 * tree, signals, sessions) → mm.lock → fs locks (rename, inode) → file.lock → tty/pipe lock → waitq. Below
 * all that may be held during a copy: mm.paged_lock → a disk's → mm.lazy_lock.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"
#include "lib/base/list.h"

struct spin {
    _Atomic uint32_t held;
};

void spin_wait(struct spin *spin); /* spin_acquire's slower case */

static inline void spin_acquire(struct spin *spin) {
    if (atomic_exchange_explicit(&spin->held, 1, memory_order_acquire))
        spin_wait(spin);
}
static inline void spin_release(struct spin *spin) {
    atomic_store_explicit(&spin->held, 0, memory_order_release);
}

struct mutex {
    _Atomic uint32_t state; /* 0 free, 1 held, 2 held with waiters */
    struct spin guard;      /* waiters */
    struct list waiters;
};

#define MUTEX_INIT(name)                                                                                     \
    { .state = 0, .guard = {0}, .waiters = LIST_INIT((name).waiters) }
void mutex_init(struct mutex *mutex);
void mutex_lock_slowly(struct mutex *mutex); /* mutex_lock's and mutex_unlock's slower cases */
void mutex_unlock_slowly(struct mutex *mutex);

static inline bool mutex_try_lock(struct mutex *mutex) {
    uint32_t free = 0;
    return atomic_compare_exchange_strong_explicit(&mutex->state, &free, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}
static inline void mutex_lock(struct mutex *mutex) {
    if (!mutex_try_lock(mutex))
        mutex_lock_slowly(mutex);
}
static inline void mutex_unlock(struct mutex *mutex) {
    uint32_t held = 1;
    if (!atomic_compare_exchange_strong_explicit(&mutex->state, &held, 0, memory_order_release,
                                                 memory_order_relaxed))
        mutex_unlock_slowly(mutex);
}

/* A wait queue: tasks that wait for a condition which some lock of the owner protects. */
struct waitq {
    struct spin guard;
    struct list waiters;
};

struct waiter {
    struct list link;
    handle_t thread; /* unparked on wake */
    _Atomic bool woken;
    bool exclusive;                  /* waitq_wake_one stops after it */
    void (*notify)(struct waiter *); /* instead of unpark, when set (epoll); called under the queue's guard:
                                        no locks, no wait */
};

#define WAITQ_INIT(name)                                                                                     \
    { .guard = {0}, .waiters = LIST_INIT((name).waiters) }
void waitq_init(struct waitq *queue);
/* Enters the queue as the calling thread (woken = false). Check the condition after it, before task_wait. */
void waitq_add(struct waitq *queue, struct waiter *waiter);
void waitq_remove(struct waitq *queue, struct waiter *waiter);
void waitq_wake_all(struct waitq *queue);
/* Wakes all non-exclusive waiters and the first exclusive one; true when an exclusive one was woken. */
bool waitq_wake_one(struct waitq *queue);
static inline bool waitq_empty(const struct waitq *queue) {
    return list_empty(&queue->waiters);
}

/*
 * Waits as the current task: 0 when woken (maybe spuriously: loop), -ETIMEDOUT, or -EINTR when a signal that
 * will be delivered (or a kill) is pending. The mutex, if any, is released while waiting and held again on
 * return.
 *
 *     waitq_add(&pipe->readers, &waiter);
 *     while (!(ready = pipe_readable(pipe)) && !error)
 *         error = task_wait(&pipe->lock, deadline);
 *     waitq_remove(&pipe->readers, &waiter);
 *
 * A call interrupted this way returns -ERESTARTSYS, -ERESTARTNOHAND, … (linux/task/signal.h) or -EINTR as
 * Linux does.
 */
int task_wait(struct mutex *release, uint64_t deadline);
