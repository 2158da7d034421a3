/* signalfd: reads pending signals of a set, those of the reading thread and of its process. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/epoll.h"
#include "linux/abi/fcntl.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/io/anon.h"
#include "linux/io/epoll.h"
#include "linux/io/poll.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/signal.h"

struct signal_file {
    _Atomic sigset_t64 set;
};

static void record_make(struct signalfd_siginfo64 *record, const struct signal_info *info) {
    memset(record, 0, sizeof *record);
    record->signo = (uint32_t)info->signo;
    record->error = info->error;
    record->code = info->code;
    if (info->code == SI_TIMER) {
        record->tid = (uint32_t)info->timer_id;
        record->overrun = (uint32_t)info->overrun;
    } else if (info->signo == SIGSEGV || info->signo == SIGBUS || info->signo == SIGFPE ||
               info->signo == SIGILL) {
        record->address = info->address;
    } else {
        record->pid = (uint32_t)info->pid;
        record->uid = (uint32_t)info->uid;
    }
    if (info->signo == SIGCHLD && info->code > 0) {
        record->status = info->status;
        record->utime = info->utime;
        record->stime = info->stime;
        return;
    }
    record->value = info->value;
    record->value_int = (int32_t)info->value;
}

/* The first signal, waiting for it unless told not to: 0, -EAGAIN, -ERESTARTSYS. */
static int signal_wait(struct signal_file *signals, const struct file *file, struct signal_info *info) {
    struct task *task = task_current();
    struct waiter waiter = {.exclusive = false};
    int error = 0;
    waitq_add(&task->process->signal_wait, &waiter);
    while (!signal_take(task, signals->set, info) && error == 0) {
        if (file->flags & O_NONBLOCK)
            error = -EAGAIN;
        else if (task_wait(NULL, DEADLINE_NEVER) < 0)
            error = -ERESTARTSYS;
    }
    waitq_remove(&task->process->signal_wait, &waiter);
    return error;
}

static int64_t signalfd_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct signal_file *signals = file->data;
    struct signalfd_siginfo64 record;
    struct signal_info info;
    int64_t done = 0;
    (void)offset;
    if (buffer->length < sizeof record)
        return -EINVAL;
    int error = signal_wait(signals, file, &info);
    while (error == 0) {
        record_make(&record, &info);
        error = buffer_put(buffer, &record, sizeof record);
        done += error ? 0 : (int64_t)sizeof record;
        if (buffer->length < sizeof record || !signal_take(task_current(), signals->set, &info))
            break;
    }
    return done ? done : error;
}

static uint32_t signalfd_poll(struct file *file, struct poll_watch *watch) {
    struct signal_file *signals = file->data;
    struct task *task = task_current();
    if (!task)
        return 0;
    if (watch)
        poll_watch(watch, &task->process->signal_wait);
    return signal_pending_set(task) & signals->set ? POLLIN : 0;
}

static void signalfd_release(struct file *file) {
    heap_free(file->data);
}

const struct file_operations signalfd_operations = {
    .read = signalfd_read,
    .poll = signalfd_poll,
    .release = signalfd_release,
};

static int64_t signalfd_create(sigset_t64 set, uint32_t flags) {
    struct signal_file *signals = heap_zalloc(sizeof *signals);
    if (!signals)
        return -ENOMEM;
    signals->set = set;
    int fd = anon_file_install(&signalfd_operations, O_RDWR | (flags & SFD_NONBLOCK), flags & SFD_CLOEXEC,
                               signals);
    if (fd < 0)
        heap_free(signals);
    return fd;
}

static int64_t signalfd_change(int fd, sigset_t64 set) {
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    bool right = file->operations == &signalfd_operations;
    if (right) {
        ((struct signal_file *)file->data)->set = set;
        waitq_wake_all(&task_current()->process->signal_wait);
    }
    file_put(file);
    return right ? fd : -EINVAL;
}

int64_t sys_signalfd4(uint64_t fd, uint64_t mask, uint64_t size, uint64_t flags) {
    sigset_t64 set;
    if ((uint32_t)flags & ~(uint32_t)(SFD_NONBLOCK | SFD_CLOEXEC))
        return -EINVAL;
    int error = signal_set_in(&set, mask, size);
    if (error < 0)
        return error;
    set &= ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    return (int32_t)fd == -1 ? signalfd_create(set, (uint32_t)flags) : signalfd_change((int)fd, set);
}

int64_t sys_signalfd(uint64_t fd, uint64_t mask, uint64_t size) {
    return sys_signalfd4(fd, mask, size, 0);
}
