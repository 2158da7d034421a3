/*
 * Interval timers (setitimer, alarm) and the limit of CPU time (RLIMIT_CPU). Timers of CPU time look at the
 * process's use at the earliest moment it can have reached the target, and again until it has.
 *
 * tasks_lock guards them; an event that fires takes it. Their end drains the events first, without the lock.
 */
#include "linux/abi/resource.h"
#include "linux/abi/signal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"
#include "linux/task/time.h"

enum {
    SETTABLE_TIMERS = 3, /* ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF */
    CPU_LIMIT = 3,       /* RLIMIT_CPU's */
    INTERVAL_TIMERS = 4,
    SHORTEST_INTERVAL_NS = 20000,
    CPU_LOOK_NS = 1000000,
};

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

static const int interval_signals[SETTABLE_TIMERS] = {SIGALRM, SIGVTALRM, SIGPROF};

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

/* Used up to the soft limit: SIGXCPU, and again every second; up to the hard one: the end. tasks_lock held.
 */
static void cpu_limit_expire(struct interval_timer *timer, uint64_t now) {
    struct rlimit64 *limit = &timer->process->limits[RLIMIT_CPU];
    bool over = now / NS_PER_SECOND >= limit->maximum;
    struct signal_info info = {.signo = over ? SIGKILL : SIGXCPU, .code = SI_KERNEL};
    signal_send_process_locked(timer->process, &info);
    limit->current++;
    timer->target = limit->current * NS_PER_SECOND;
}

/* tasks_lock held. */
static void interval_expire(struct interval_timer *timer, uint64_t now) {
    struct signal_info info = {.signo = interval_signals[timer->which], .code = SI_KERNEL};
    signal_send_process_locked(timer->process, &info);
    timer->active = timer->interval != 0;
    if (timer->active)
        timer->target += ((now - timer->target) / timer->interval + 1) * timer->interval;
}

static void interval_fire(struct timer_event *event) {
    struct interval_timer *timer = container_of(event, struct interval_timer, event);
    mutex_lock(&tasks_lock);
    uint64_t now = interval_now(timer);
    if (timer->active && now >= timer->target) {
        if (timer->which == CPU_LIMIT)
            cpu_limit_expire(timer, now);
        else
            interval_expire(timer, now);
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
    if (!process->interval_timers && !process->exiting) {
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
    if (which >= SETTABLE_TIMERS)
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
    if (which >= SETTABLE_TIMERS || timeval_to_ns(&value.value, &left) ||
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

void timers_limit_cpu(struct process *process) {
    bool limited = process->limits[RLIMIT_CPU].current <= UINT64_MAX / NS_PER_SECOND;
    if (limited && !interval_timers_get(process))
        return;
    mutex_lock(&tasks_lock);
    struct interval_timers *timers = process->interval_timers;
    if (timers && !process->exiting) {
        struct interval_timer *timer = &timers->timers[CPU_LIMIT];
        timer->active = limited;
        timer->target = process->limits[RLIMIT_CPU].current * NS_PER_SECOND;
        if (limited)
            interval_schedule(timer);
    }
    mutex_unlock(&tasks_lock);
}

void timers_exit(struct process *process) {
    posix_timers_delete(process);
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
