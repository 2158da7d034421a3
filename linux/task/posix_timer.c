/*
 * POSIX timers: timer_create and its family. A timer owns the entry that it queues, so that expiry needs no
 * memory; a periodic one starts again when its signal is taken, and counts the periods missed as overruns.
 *
 * tasks_lock guards them; an event that fires takes it. Deleting drains the event first, without the lock.
 */
#include "lib/base/string.h"
#include "linux/abi/signal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"
#include "linux/task/time.h"

enum { IGNORED_PERIOD_NS = 1000000 };

struct posix_timer {
    struct list link; /* in process->timers */
    struct timer_event event;
    struct queued_signal queued;
    struct process *process;
    struct task *target; /* SIGEV_THREAD_ID; else NULL */
    int32_t target_tid;
    int32_t id, clock, notify, signo;
    bool active, is_queued, waits_for_pickup;
    uint64_t deadline, interval;
    int32_t overrun, last_overrun;
};

static struct task *posix_target(const struct posix_timer *timer) {
    if (timer->notify != SIGEV_THREAD_ID)
        return NULL;
    struct task *task = task_find(timer->target_tid);
    return task && task->process == timer->process ? task : NULL;
}

/* Moves the deadline past now; how many intervals that skips beyond one. */
static void posix_advance(struct posix_timer *timer) {
    uint64_t now = clock_monotonic();
    if (timer->deadline > now)
        return;
    uint64_t steps = (now - timer->deadline) / timer->interval + 1;
    timer->deadline += steps * timer->interval;
    uint64_t overrun = (uint64_t)timer->overrun + steps - 1;
    timer->overrun = overrun > INT32_MAX ? INT32_MAX : (int32_t)overrun;
}

/* The signal left its queue: a periodic timer starts again only now, so that it cannot flood. tasks_lock
 * held. */
static void posix_signal_left(struct queued_signal *queued, bool taken) {
    struct posix_timer *timer = container_of(queued, struct posix_timer, queued);
    timer->is_queued = false;
    if (timer->waits_for_pickup) {
        timer->waits_for_pickup = false;
        timer->overrun = 0;
        posix_advance(timer);
        if (taken)
            timer->last_overrun = timer->overrun;
        timer_event_arm(&timer->event, timer->deadline);
    }
    queued->info.overrun = timer->last_overrun;
}

static void posix_fire(struct timer_event *event) {
    struct posix_timer *timer = container_of(event, struct posix_timer, event);
    mutex_lock(&tasks_lock);
    if (!timer->active || timer->process->zombie || clock_monotonic() < timer->deadline) {
        mutex_unlock(&tasks_lock);
        return;
    }
    bool sent = false;
    if (timer->notify != SIGEV_NONE && !timer->is_queued) {
        struct task *target = posix_target(timer);
        timer->last_overrun = 0;
        sent = (timer->notify != SIGEV_THREAD_ID || target) &&
               signal_queue_own(timer->process, target, &timer->queued);
        timer->is_queued = sent;
    }
    if (!timer->interval) {
        timer->active = false;
    } else if (sent) {
        timer->waits_for_pickup = true;
    } else { /* ignored, or no signal wanted: keeps running, at a bounded rate */
        posix_advance(timer);
        uint64_t soonest = clock_monotonic() + IGNORED_PERIOD_NS;
        timer_event_arm(event, timer->deadline > soonest ? timer->deadline : soonest);
    }
    mutex_unlock(&tasks_lock);
}

static struct posix_timer *posix_find(int32_t id) {
    struct posix_timer *timer;
    list_for_each(timer, &task_current()->process->timers, link) if (timer->id == id) return timer;
    return NULL;
}

/* Takes it out of everything and frees it; timer is in no list. No locks held. */
static void posix_free(struct posix_timer *timer) {
    timer_event_drain(&timer->event);
    mutex_lock(&tasks_lock);
    timer->active = timer->waits_for_pickup = false;
    list_remove(&timer->queued.link);
    if (timer->is_queued)
        signal_forget_queued(timer->process, timer->signo);
    mutex_unlock(&tasks_lock);
    timer_event_drain(&timer->event);
    heap_free(timer);
}

static bool posix_clock_valid(int32_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
           clock == CLOCK_TAI;
}

static int sigevent_check(const struct sigevent64 *event) {
    switch (event->notify) {
    case SIGEV_NONE:
        return 0;
    case SIGEV_SIGNAL:
    case SIGEV_THREAD:
        break;
    case SIGEV_THREAD_ID: {
        mutex_lock(&tasks_lock);
        struct task *task = task_find(event->tid);
        bool own = task && task->process == task_current()->process;
        mutex_unlock(&tasks_lock);
        if (!own)
            return -EINVAL;
        break;
    }
    default:
        return -EINVAL;
    }
    return event->signo >= 1 && event->signo <= LINUX_SIGNALS ? 0 : -EINVAL;
}

int64_t sys_timer_create(uint64_t clock, uint64_t event_address, uint64_t id_address) {
    struct process *process = task_current()->process;
    struct sigevent64 event = {.notify = SIGEV_SIGNAL, .signo = SIGALRM};
    if (event_address && guest_copy_in(&event, event_address, sizeof(event)))
        return -EFAULT;
    if (!posix_clock_valid((int32_t)clock))
        return (int32_t)clock == CLOCK_PROCESS_CPUTIME_ID || (int32_t)clock == CLOCK_THREAD_CPUTIME_ID
                   ? -EOPNOTSUPP
                   : -EINVAL;
    int error = sigevent_check(&event);
    if (error)
        return error;
    struct posix_timer *timer = heap_zalloc(sizeof(*timer));
    if (!timer)
        return -EAGAIN;
    timer->event.fire = posix_fire;
    timer->queued.left = posix_signal_left;
    list_init(&timer->queued.link);
    timer->process = process;
    timer->clock = (int32_t)clock;
    timer->notify = event.notify;
    timer->signo = event.signo;
    timer->target_tid = event.tid;
    mutex_lock(&tasks_lock);
    timer->id = process->next_timer_id++;
    timer->queued.info = (struct signal_info){.signo = event.signo,
                                              .code = SI_TIMER,
                                              .timer_id = timer->id,
                                              .value = event_address ? event.value : (uint64_t)timer->id};
    list_push_back(&process->timers, &timer->link);
    int32_t id = timer->id;
    mutex_unlock(&tasks_lock);
    if (!guest_copy_out(id_address, &id, sizeof(id)))
        return 0;
    sys_timer_delete((uint64_t)id);
    return -EFAULT;
}

int64_t sys_timer_delete(uint64_t id) {
    mutex_lock(&tasks_lock);
    struct posix_timer *timer = posix_find((int32_t)id);
    if (timer)
        list_remove(&timer->link);
    mutex_unlock(&tasks_lock);
    if (!timer)
        return -EINVAL;
    posix_free(timer);
    return 0;
}

static void posix_read(const struct posix_timer *timer, struct itimerspec64 *value) {
    uint64_t now = clock_monotonic(), deadline = timer->deadline;
    memset(value, 0, sizeof(*value));
    value->interval = timespec_from_ns(timer->interval);
    if (!timer->active)
        return;
    if (deadline <= now && timer->interval)
        deadline += ((now - deadline) / timer->interval + 1) * timer->interval;
    if (deadline > now)
        value->value = timespec_from_ns(deadline - now);
    else if (timer->notify != SIGEV_NONE)
        value->value.nanoseconds = 1;
}

int64_t sys_timer_gettime(uint64_t id, uint64_t address) {
    struct itimerspec64 value;
    mutex_lock(&tasks_lock);
    struct posix_timer *timer = posix_find((int32_t)id);
    if (timer)
        posix_read(timer, &value);
    mutex_unlock(&tasks_lock);
    return timer ? guest_copy_out(address, &value, sizeof(value)) : -EINVAL;
}

int64_t sys_timer_settime(uint64_t id, uint64_t flags, uint64_t new_address, uint64_t old_address) {
    struct itimerspec64 wanted, old;
    uint64_t value, interval;
    if (!new_address)
        return -EINVAL;
    if (guest_copy_in(&wanted, new_address, sizeof(wanted)))
        return -EFAULT;
    if (timespec_to_ns(&wanted.value, &value) || timespec_to_ns(&wanted.interval, &interval))
        return -EINVAL;
    mutex_lock(&tasks_lock);
    struct posix_timer *timer = posix_find((int32_t)id);
    if (timer) {
        posix_read(timer, &old);
        timer_event_cancel(&timer->event);
        timer->active = value != 0;
        timer->waits_for_pickup = false;
        timer->overrun = timer->last_overrun = 0;
        timer->interval = interval;
        timer->deadline = flags & TIMER_ABSTIME ? deadline_at(timer->clock, value) : deadline_after(value);
        if (timer->active)
            timer_event_arm(&timer->event, timer->deadline);
    }
    mutex_unlock(&tasks_lock);
    if (!timer)
        return -EINVAL;
    return old_address ? guest_copy_out(old_address, &old, sizeof(old)) : 0;
}

int64_t sys_timer_getoverrun(uint64_t id) {
    mutex_lock(&tasks_lock);
    struct posix_timer *timer = posix_find((int32_t)id);
    int64_t result = timer ? timer->last_overrun : -EINVAL;
    mutex_unlock(&tasks_lock);
    return result;
}

void posix_timers_delete(struct process *process) {
    if (list_empty(&process->timers)) /* only its own threads make some, and there is but this one */
        return;
    for (;;) {
        mutex_lock(&tasks_lock);
        struct list *first = list_pop_front(&process->timers);
        mutex_unlock(&tasks_lock);
        if (!first)
            return;
        posix_free(list_entry(first, struct posix_timer, link));
    }
}
