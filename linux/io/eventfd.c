/* eventfd: a 64-bit counter to wait for. counter->lock guards the value. */
#include "abi/errors.h"
#include "linux/abi/epoll.h"
#include "linux/abi/fcntl.h"
#include "linux/heap.h"
#include "linux/io/anon.h"
#include "linux/io/epoll.h"
#include "linux/io/poll.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/signal.h"

#define COUNTER_MAX (UINT64_MAX - 1)

struct counter {
    struct mutex lock;
    uint64_t value;
    bool semaphore; /* reads take 1 */
    struct waitq waiters;
};

static int counter_wait(struct counter *counter, const struct file *file) {
    if (file->flags & O_NONBLOCK)
        return -EAGAIN;
    return task_wait(&counter->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
}

static int64_t eventfd_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct counter *counter = file->data;
    struct waiter waiter = {.exclusive = false};
    uint64_t value = 0;
    int error = 0;
    (void)offset;
    if (buffer->length < sizeof value)
        return -EINVAL;
    mutex_lock(&counter->lock);
    waitq_add(&counter->waiters, &waiter);
    while (counter->value == 0 && error == 0)
        error = counter_wait(counter, file);
    waitq_remove(&counter->waiters, &waiter);
    if (error == 0) {
        value = counter->semaphore ? 1 : counter->value;
        counter->value -= value;
    }
    mutex_unlock(&counter->lock);
    if (error < 0)
        return error;
    waitq_wake_all(&counter->waiters);
    return buffer_put(buffer, &value, sizeof value) < 0 ? -EFAULT : (int64_t)sizeof value;
}

static int64_t eventfd_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct counter *counter = file->data;
    struct waiter waiter = {.exclusive = false};
    uint64_t value;
    int error = 0;
    (void)offset;
    if (buffer->length < sizeof value)
        return -EINVAL;
    if (buffer_get(buffer, &value, sizeof value) < 0)
        return -EFAULT;
    if (value > COUNTER_MAX)
        return -EINVAL;
    mutex_lock(&counter->lock);
    waitq_add(&counter->waiters, &waiter);
    while (COUNTER_MAX - counter->value < value && error == 0)
        error = counter_wait(counter, file);
    waitq_remove(&counter->waiters, &waiter);
    if (error == 0)
        counter->value += value;
    mutex_unlock(&counter->lock);
    if (error < 0)
        return error;
    waitq_wake_all(&counter->waiters);
    return sizeof value;
}

static uint32_t eventfd_poll(struct file *file, struct poll_watch *watch) {
    struct counter *counter = file->data;
    if (watch)
        poll_watch(watch, &counter->waiters);
    mutex_lock(&counter->lock);
    uint32_t events = counter->value > 0 ? POLLIN : 0;
    events |= counter->value < COUNTER_MAX ? POLLOUT : 0;
    mutex_unlock(&counter->lock);
    return events;
}

static void eventfd_release(struct file *file) {
    heap_free(file->data);
}

const struct file_operations eventfd_operations = {
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .release = eventfd_release,
};

int64_t sys_eventfd2(uint64_t value, uint64_t flags) {
    uint32_t options = (uint32_t)flags;
    if (options & ~(uint32_t)(EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC))
        return -EINVAL;
    struct counter *counter = heap_zalloc(sizeof *counter);
    if (!counter)
        return -ENOMEM;
    mutex_init(&counter->lock);
    waitq_init(&counter->waiters);
    counter->value = (uint32_t)value;
    counter->semaphore = options & EFD_SEMAPHORE;
    int fd = anon_file_install(&eventfd_operations, O_RDWR | (options & EFD_NONBLOCK), options & EFD_CLOEXEC,
                               counter);
    if (fd < 0)
        heap_free(counter);
    return fd;
}

int64_t sys_eventfd(uint64_t value) {
    return sys_eventfd2(value, 0);
}
