/*
 * Timers. Below, the events: an ordered tree of deadlines and one helper thread that runs what is due (struct
 * timer_event, also used by timerfd). Above, the interval timers of setitimer and alarm and the POSIX timers,
 * which send signals. CPU-time timers (ITIMER_VIRTUAL, ITIMER_PROF) look at the process's CPU time at the
 * earliest moment it can have reached the target, and again until it has.
 *
 * timers_lock guards the tree; it is a leaf, never held while an event fires. A process's timers are guarded
 * by tasks_lock. An event that fires takes tasks_lock itself; deleting drains it first, without the lock.
 */
#include "linux/abi/resource.h"
#include "linux/abi/signal.h"
#include "lib/base/string.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"
#include "linux/task/time.h"

/* ---- events ---- */

static struct mutex timers_lock = MUTEX_INIT(timers_lock);
static struct tree timer_tree;
static handle_t timer_thread;
static struct timer_event *firing;
static struct waitq fired = WAITQ_INIT(fired);
static bool started; /* the helper thread is made with the first event */

static struct timer_event *first_event(void) {
    struct tree_node *node = tree_first(&timer_tree);
    return node ? container_of(node, struct timer_event, node) : NULL;
}

/* Runs everything that is due; the next deadline. */
static uint64_t run_due(void) {
    struct timer_event *event;
    mutex_lock(&timers_lock);
    while ((event = first_event()) && event->deadline <= clock_monotonic()) {
        tree_remove(&timer_tree, &event->node);
        event->armed = false;
        firing = event;
        mutex_unlock(&timers_lock);
        event->fire(event);
        mutex_lock(&timers_lock);
        firing = NULL;
        waitq_wake_all(&fired);
    }
    uint64_t next = event ? event->deadline : DEADLINE_NEVER;
    mutex_unlock(&timers_lock);
    return next;
}

static void timer_main(void *unused) {
    (void)unused;
    timer_thread = thread_self();
    for (;;)
        thread_park(run_due());
}

void timer_event_arm(struct timer_event *event, uint64_t deadline) {
    mutex_lock(&timers_lock);
    if (event->armed)
        tree_remove(&timer_tree, &event->node);
    event->deadline = deadline;
    event->armed = true;
    tree_insert(&timer_tree, &event->node, deadline);
    bool earliest = first_event() == event;
    if (!started)
        started = !thread_spawn(timer_main, NULL, NULL);
    mutex_unlock(&timers_lock);
    if (earliest && timer_thread && timer_thread != thread_self())
        thread_unpark(timer_thread);
}

bool timer_event_cancel(struct timer_event *event) {
    mutex_lock(&timers_lock);
    bool armed = event->armed;
    if (armed)
        tree_remove(&timer_tree, &event->node);
    event->armed = false;
    mutex_unlock(&timers_lock);
    return armed;
}

void timer_event_drain(struct timer_event *event) {
    struct waiter waiter = {0};
    waitq_add(&fired, &waiter);
    mutex_lock(&timers_lock);
    for (;;) {
        if (event->armed)
            tree_remove(&timer_tree, &event->node);
        event->armed = false;
        if (firing != event)
            break;
        mutex_unlock(&timers_lock);
        thread_park(DEADLINE_NEVER);
        mutex_lock(&timers_lock);
    }
    mutex_unlock(&timers_lock);
    waitq_remove(&fired, &waiter);
}

/* ---- interval timers: setitimer, alarm ---- */

enum { INTERVAL_TIMERS = 3, SHORTEST_INTERVAL_NS = 20000, CPU_LOOK_NS = 1000000 };

struct interval_timer {
    struct timer_event event;
    struct process *process;
    int which;
    bool active;
    uint64_t target, interval; /* ns; target of the monotonic clock or of CPU time (tasks_lock) */
};

struct interval_timers {
    struct interval_timer timers[INTERVAL_TIMERS];
};

static const int interval_signals[INTERVAL_TIMERS] = {SIGALRM, SIGVTALRM, SIGPROF};

/* Arms the event for the next moment to look. tasks_lock held. */
static void interval_schedule(struct interval_timer *timer) {
    if (timer->which == ITIMER_REAL) {
        timer_event_arm(&timer->event, timer->target);
        return;
    }
    uint64_t used = process_cpu_time(timer->process), threads = timer->process->thread_count;
    uint64_t left = timer->target > used ? (timer->target - used) / (threads ? threads : 1) : 0;
    timer_event_arm(&timer->event, deadline_after(left > CPU_LOOK_NS ? left : CPU_LOOK_NS));
}

static uint64_t interval_now(const struct interval_timer *timer) {
    return timer->which == ITIMER_REAL ? clock_monotonic() : process_cpu_time(timer->process);
}

static void interval_fire(struct timer_event *event) {
    struct interval_timer *timer = container_of(event, struct interval_timer, event);
    mutex_lock(&tasks_lock);
    uint64_t now = interval_now(timer);
    if (timer->active && now >= timer->target) {
        struct signal_info info = {.signo = interval_signals[timer->which], .code = SI_KERNEL};
        signal_send_process_locked(timer->process, &info);
        timer->active = timer->interval != 0;
        if (timer->active)
            timer->target += ((now - timer->target) / timer->interval + 1) * timer->interval;
    }
    if (timer->active && !timer->process->zombie)
        interval_schedule(timer);
    mutex_unlock(&tasks_lock);
}

/* The process's three timers, made on first use; NULL: no memory. */
static struct interval_timers *interval_timers_get(struct process *process) {
    struct interval_timers *timers = process->interval_timers, *made = NULL;
    if (timers || !(made = heap_zalloc(sizeof(*made))))
        return timers;
    for (int i = 0; i < INTERVAL_TIMERS; i++)
        made->timers[i] =
            (struct interval_timer){.event = {.fire = interval_fire}, .process = process, .which = i};
    mutex_lock(&tasks_lock);
    if (!process->interval_timers) {
        process->interval_timers = made;
        made = NULL;
    }
    timers = process->interval_timers;
    mutex_unlock(&tasks_lock);
    heap_free(made);
    return timers;
}

/* What is left and the interval. tasks_lock held. */
static void interval_read(const struct interval_timer *timer, uint64_t *left, uint64_t *interval) {
    uint64_t now = interval_now(timer);
    *interval = timer->active ? timer->interval : 0;
    *left = 0;
    if (timer->active)
        *left = timer->target > now ? timer->target - now : 1000; /* about to expire: not "off" */
}

static int interval_set(int which, uint64_t value, uint64_t interval, uint64_t *old_left,
                        uint64_t *old_interval) {
    struct process *process = task_current()->process;
    *old_left = *old_interval = 0;
    if (!value && !process->interval_timers)
        return 0;
    struct interval_timers *timers = interval_timers_get(process);
    if (!timers)
        return -ENOMEM;
    struct interval_timer *timer = &timers->timers[which];
    mutex_lock(&tasks_lock);
    interval_read(timer, old_left, old_interval);
    timer->active = value != 0;
    timer->interval = interval && interval < SHORTEST_INTERVAL_NS ? SHORTEST_INTERVAL_NS : interval;
    timer->target = interval_now(timer) + value;
    if (timer->active)
        interval_schedule(timer);
    else
        timer_event_cancel(&timer->event);
    mutex_unlock(&tasks_lock);
    return 0;
}

int64_t sys_getitimer(uint64_t which, uint64_t address) {
    struct process *process = task_current()->process;
    uint64_t left = 0, interval = 0;
    if (which >= INTERVAL_TIMERS)
        return -EINVAL;
    mutex_lock(&tasks_lock);
    if (process->interval_timers)
        interval_read(&process->interval_timers->timers[which], &left, &interval);
    mutex_unlock(&tasks_lock);
    struct itimerval64 value = {timeval_from_ns(interval), timeval_from_ns(left)};
    return guest_copy_out(address, &value, sizeof(value));
}

int64_t sys_setitimer(uint64_t which, uint64_t new_address, uint64_t old_address) {
    struct itimerval64 value = {0}, old;
    uint64_t left, interval, old_left, old_interval;
    if (new_address && guest_copy_in(&value, new_address, sizeof(value)))
        return -EFAULT;
    if (which >= INTERVAL_TIMERS || timeval_to_ns(&value.value, &left) ||
        timeval_to_ns(&value.interval, &interval))
        return -EINVAL;
    int error = interval_set((int)which, left, interval, &old_left, &old_interval);
    if (error || !old_address)
        return error;
    old = (struct itimerval64){timeval_from_ns(old_interval), timeval_from_ns(old_left)};
    return guest_copy_out(old_address, &old, sizeof(old));
}

int64_t sys_alarm(uint64_t seconds) {
    uint64_t left, interval;
    if (interval_set(ITIMER_REAL, (uint32_t)seconds * (uint64_t)NS_PER_SECOND, 0, &left, &interval))
        return 0;
    uint64_t rounded = (left + NS_PER_SECOND / 2) / NS_PER_SECOND;
    return left && !rounded ? 1 : (int64_t)rounded;
}

/* ---- POSIX timers ---- */

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
        uint64_t soonest = clock_monotonic() + CPU_LOOK_NS;
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

/* ---- exec and exit ---- */

void timers_exec(struct process *process) {
    for (;;) {
        mutex_lock(&tasks_lock);
        struct list *first = list_pop_front(&process->timers);
        mutex_unlock(&tasks_lock);
        if (!first)
            return;
        posix_free(list_entry(first, struct posix_timer, link));
    }
}

void timers_exit(struct process *process) {
    timers_exec(process);
    struct interval_timers *timers = process->interval_timers;
    if (!timers)
        return;
    for (int i = 0; i < INTERVAL_TIMERS; i++)
        timer_event_drain(&timers->timers[i].event);
    mutex_lock(&tasks_lock);
    process->interval_timers = NULL;
    mutex_unlock(&tasks_lock);
    heap_free(timers);
}
