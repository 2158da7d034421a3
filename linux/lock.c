/*
 * Spin locks, mutexes, wait queues and task_wait (linux/lock.h), over thread_park and thread_unpark.
 *
 * A mutex is free (0), held (1), or held with maybe somebody waiting (2). Who had to wait takes it as 2, so
 * that its unlock looks for the next one; a newcomer may take it in between. Before that it is waited for a
 * moment without sleeping.
 *
 * Locks wait with thread_park_inside, which keeps a kick that was not meant for them: otherwise a wake-up
 * that arrives between task_wait's unlock and its park could be lost.
 */
#include "linux/lock.h"

#include "abi/errors.h"
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/system.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { SPIN_TRIES = 100, SPIN_PAUSE_NS = 20000, MUTEX_TRIES = 300 };

/* ---- spin ---- */

/* The holder may be preempted, by this very thread's priority: after some tries the CPU is given away for a
 * while. */
void spin_wait(struct spin *spin) {
    for (unsigned tries = 0;; tries++) {
        if (!atomic_load_explicit(&spin->held, memory_order_relaxed) &&
            !atomic_exchange_explicit(&spin->held, 1, memory_order_acquire))
            return;
        if (tries < SPIN_TRIES)
            __builtin_ia32_pause();
        else
            thread_park_inside(clock_monotonic() + SPIN_PAUSE_NS);
    }
}

/* ---- mutex ---- */

struct mutex_waiter {
    struct list link;
    handle_t thread;
    bool lost; /* was woken before and found the mutex taken again */
    bool owns; /* got it handed over; set before woken */
    _Atomic bool woken;
};

void mutex_init(struct mutex *mutex) {
    mutex->state = 0;
    mutex->guard.held = 0;
    list_init(&mutex->waiters);
}

/* Enters the queue unless the mutex could be taken. */
static bool mutex_enqueue(struct mutex *mutex, struct mutex_waiter *waiter) {
    spin_acquire(&mutex->guard);
    bool busy = atomic_exchange_explicit(&mutex->state, 2, memory_order_acquire);
    if (busy) {
        waiter->woken = false;
        if (waiter->lost)
            list_push_front(&mutex->waiters, &waiter->link);
        else
            list_push_back(&mutex->waiters, &waiter->link);
    }
    spin_release(&mutex->guard);
    return busy;
}

/* Most holders are about to let go, on another CPU: a short wait spares two changes of threads. Not when
 * others sleep in the queue already, and not where the holder cannot run meanwhile. */
static bool mutex_await(struct mutex *mutex) {
    if (system_cpus() < 2)
        return false;
    for (unsigned tries = 0; tries < MUTEX_TRIES; tries++) {
        uint32_t state = atomic_load_explicit(&mutex->state, memory_order_relaxed);
        if (state > 1)
            return false;
        if (!state && mutex_try_lock(mutex))
            return true;
        __builtin_ia32_pause();
    }
    return false;
}

void mutex_lock_slowly(struct mutex *mutex) {
    struct mutex_waiter waiter = {.thread = thread_self()};

    if (mutex_await(mutex))
        return;
    list_init(&waiter.link);
    while (mutex_enqueue(mutex, &waiter)) {
        while (!atomic_load_explicit(&waiter.woken, memory_order_acquire))
            thread_park_inside(DEADLINE_NEVER);
        if (waiter.owns)
            return;
        waiter.lost = true;
    }
}

void mutex_unlock_slowly(struct mutex *mutex) {
    spin_acquire(&mutex->guard);
    struct list *node = list_pop_front(&mutex->waiters);
    struct mutex_waiter *waiter = node ? list_entry(node, struct mutex_waiter, link) : NULL;
    if (waiter && waiter->lost)
        waiter->owns = true;
    else
        atomic_store_explicit(&mutex->state, 0, memory_order_release);
    spin_release(&mutex->guard);
    if (!waiter)
        return;
    /* Once woken is seen, the waiter's stack frame may be gone. */
    handle_t thread = waiter->thread;
    atomic_store_explicit(&waiter->woken, true, memory_order_release);
    thread_unpark(thread);
}

/* ---- wait queues ---- */

void waitq_init(struct waitq *queue) {
    queue->guard.held = 0;
    list_init(&queue->waiters);
}

void waitq_add(struct waitq *queue, struct waiter *waiter) {
    waiter->thread = thread_self();
    waiter->woken = false;
    spin_acquire(&queue->guard);
    list_push_back(&queue->waiters, &waiter->link);
    spin_release(&queue->guard);
}

void waitq_remove(struct waitq *queue, struct waiter *waiter) {
    spin_acquire(&queue->guard);
    list_remove(&waiter->link);
    spin_release(&queue->guard);
}

static void waiter_wake(struct waiter *waiter) {
    waiter->woken = true;
    if (waiter->notify)
        waiter->notify(waiter);
    else
        thread_unpark(waiter->thread);
}

void waitq_wake_all(struct waitq *queue) {
    struct waiter *waiter, *after;

    atomic_thread_fence(memory_order_seq_cst);
    if (waitq_empty(queue))
        return;
    spin_acquire(&queue->guard);
    list_for_each_safe(waiter, after, &queue->waiters, link) waiter_wake(waiter);
    spin_release(&queue->guard);
}

bool waitq_wake_one(struct waitq *queue) {
    struct waiter *waiter, *after;
    bool found = false;

    atomic_thread_fence(memory_order_seq_cst);
    if (waitq_empty(queue))
        return false;
    spin_acquire(&queue->guard);
    list_for_each_safe(waiter, after, &queue->waiters, link) {
        if (waiter->exclusive) {
            if (found)
                continue;
            found = true;
            list_remove(&waiter->link); /* to the end: the next wake-up is for another one */
            list_push_back(&queue->waiters, &waiter->link);
        }
        waiter_wake(waiter);
    }
    spin_release(&queue->guard);
    return found;
}

int task_wait(struct mutex *release, uint64_t deadline) {
    struct task *task = task_current();
    int error = 0;

    if (release)
        mutex_unlock(release);
    if (task && signal_interrupts(task)) {
        error = -EINTR;
    } else {
        if (task)
            task->state = 'S';
        error = thread_park(deadline);
        if (task) {
            task->state = 'R';
            if (signal_interrupts(task))
                error = -EINTR;
        }
    }
    if (release)
        mutex_lock(release);
    return error;
}
