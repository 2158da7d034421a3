/*
 * timerfd: expirations to wait for. timer->lock guards all fields; the event fires on the timer thread, which
 * takes the lock. A timer's deadlines are on the monotonic clock; one on a settable clock keeps the distance
 * it had when it was set.
 */
#include "abi/errors.h"
#include "lib/base/list.h"
#include "linux/abi/epoll.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/time.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/io/anon.h"
#include "linux/io/epoll.h"
#include "linux/io/poll.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/signal.h"
#include "linux/task/time.h"

struct timer_file {
    struct mutex lock;
    struct timer_event event;
    int32_t clock;
    uint64_t ticks;    /* expirations not read yet */
    uint64_t deadline; /* of the next one; 0: disarmed */
    uint64_t interval; /* ns; 0: once */
    struct waitq waiters;
};

/* Counts what has expired by now and sets the next deadline; lock held. */
static void timer_advance(struct timer_file *timer) {
    uint64_t now = clock_monotonic();
    if (timer->deadline == 0 || now < timer->deadline)
        return;
    uint64_t count = timer->interval ? 1 + (now - timer->deadline) / timer->interval : 1;
    timer->ticks += count;
    timer->deadline = timer->interval ? timer->deadline + count * timer->interval : 0;
}

/* A periodic timer fires again only after a read, however short its interval is: timer_advance counts what
 * expired meanwhile. */
static void timer_fire(struct timer_event *event) {
    struct timer_file *timer = container_of(event, struct timer_file, event);
    mutex_lock(&timer->lock);
    timer_advance(timer);
    if (timer->deadline && timer->ticks == 0)
        timer_event_arm(&timer->event, timer->deadline);
    mutex_unlock(&timer->lock);
    waitq_wake_all(&timer->waiters);
}

static int64_t timerfd_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct timer_file *timer = file->data;
    struct waiter waiter = {.exclusive = false};
    int error = 0;
    (void)offset;
    if (buffer->length < sizeof timer->ticks)
        return -EINVAL;
    mutex_lock(&timer->lock);
    waitq_add(&timer->waiters, &waiter);
    for (timer_advance(timer); timer->ticks == 0 && error == 0; timer_advance(timer)) {
        if (file->flags & O_NONBLOCK)
            error = -EAGAIN;
        else if (task_wait(&timer->lock, DEADLINE_NEVER) < 0)
            error = -ERESTARTSYS;
    }
    waitq_remove(&timer->waiters, &waiter);
    uint64_t ticks = timer->ticks;
    timer->ticks = error ? ticks : 0;
    if (timer->deadline && !error)
        timer_event_arm(&timer->event, timer->deadline);
    mutex_unlock(&timer->lock);
    if (error < 0)
        return error;
    return buffer_put(buffer, &ticks, sizeof ticks) < 0 ? -EFAULT : (int64_t)sizeof ticks;
}

static uint32_t timerfd_poll(struct file *file, struct poll_watch *watch) {
    struct timer_file *timer = file->data;
    if (watch)
        poll_watch(watch, &timer->waiters);
    mutex_lock(&timer->lock);
    timer_advance(timer);
    uint32_t events = timer->ticks ? POLLIN : 0;
    mutex_unlock(&timer->lock);
    return events;
}

static int64_t timerfd_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    struct timer_file *timer = file->data;
    uint64_t ticks;
    if ((uint32_t)command != TFD_IOC_SET_TICKS)
        return -ENOTTY;
    if (guest_copy_in(&ticks, argument, sizeof ticks) < 0)
        return -EFAULT;
    if (ticks == 0)
        return -EINVAL;
    mutex_lock(&timer->lock);
    timer->ticks = ticks;
    mutex_unlock(&timer->lock);
    waitq_wake_all(&timer->waiters);
    return 0;
}

static void timerfd_release(struct file *file) {
    struct timer_file *timer = file->data;
    if (!timer)
        return;
    timer_event_drain(&timer->event);
    heap_free(timer);
}

const struct file_operations timerfd_operations = {
    .read = timerfd_read,
    .poll = timerfd_poll,
    .ioctl = timerfd_ioctl,
    .release = timerfd_release,
};

static bool clock_supported(int32_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
           clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

int64_t sys_timerfd_create(uint64_t clock, uint64_t flags) {
    uint32_t options = (uint32_t)flags;
    if (options & ~(uint32_t)(TFD_NONBLOCK | TFD_CLOEXEC) || !clock_supported((int32_t)clock))
        return -EINVAL;
    struct timer_file *timer = heap_zalloc(sizeof *timer);
    if (!timer)
        return -ENOMEM;
    mutex_init(&timer->lock);
    waitq_init(&timer->waiters);
    timer->event.fire = timer_fire;
    timer->clock = (int32_t)clock;
    int fd = anon_file_install(&timerfd_operations, O_RDWR | (options & TFD_NONBLOCK), options & TFD_CLOEXEC,
                               timer);
    if (fd < 0)
        heap_free(timer);
    return fd;
}

/* Time left and interval; lock held. */
static struct itimerspec64 timer_setting(struct timer_file *timer) {
    uint64_t now = clock_monotonic(), left = 0;
    timer_advance(timer);
    if (timer->deadline)
        left = timer->deadline > now ? timer->deadline - now : 1;
    return (struct itimerspec64){timespec_from_ns(timer->interval), timespec_from_ns(left)};
}

static int32_t base_clock(int32_t clock) {
    if (clock == CLOCK_REALTIME_ALARM)
        return CLOCK_REALTIME;
    return clock == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : clock;
}

/* Sets a new time (0 disarms); lock held. */
static void timer_set(struct timer_file *timer, uint64_t value, uint64_t interval, bool absolute) {
    timer_event_cancel(&timer->event);
    timer->ticks = 0;
    timer->interval = interval;
    timer->deadline = 0;
    if (value == 0)
        return;
    timer->deadline = absolute ? deadline_at(base_clock(timer->clock), value) : deadline_after(value);
    if (timer->deadline == 0)
        timer->deadline = 1; /* long past */
    timer_event_arm(&timer->event, timer->deadline);
}

static struct file *timer_file_get(uint64_t fd, int *error) {
    struct file *file = fd_get((int)fd);
    *error = file ? 0 : -EBADF;
    if (file && file->operations != &timerfd_operations) {
        *error = -EINVAL;
        file_put(file);
        return NULL;
    }
    return file;
}

int64_t sys_timerfd_settime(uint64_t fd, uint64_t flags, uint64_t new_setting, uint64_t old_setting) {
    struct itimerspec64 setting, old;
    uint64_t value, interval;
    int error;
    if (guest_copy_in(&setting, new_setting, sizeof setting) < 0)
        return -EFAULT;
    if ((uint32_t)flags & ~(uint32_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) ||
        timespec_to_ns(&setting.value, &value) < 0 || timespec_to_ns(&setting.interval, &interval) < 0)
        return -EINVAL;
    struct file *file = timer_file_get(fd, &error);
    if (!file)
        return error;
    struct timer_file *timer = file->data;
    mutex_lock(&timer->lock);
    old = timer_setting(timer);
    timer_set(timer, value, interval, flags & TFD_TIMER_ABSTIME);
    mutex_unlock(&timer->lock);
    file_put(file);
    return old_setting ? guest_copy_out(old_setting, &old, sizeof old) : 0;
}

int64_t sys_timerfd_gettime(uint64_t fd, uint64_t to) {
    int error;
    struct file *file = timer_file_get(fd, &error);
    if (!file)
        return error;
    struct timer_file *timer = file->data;
    mutex_lock(&timer->lock);
    struct itimerspec64 setting = timer_setting(timer);
    mutex_unlock(&timer->lock);
    file_put(file);
    return guest_copy_out(to, &setting, sizeof setting);
}
