/* mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr. */
#include "linux/abi/fcntl.h"
#include "linux/abi/signal.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/ipc/mqueue.h"
#include "linux/net/netlink.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"
#include "linux/task/time.h"

/* An open queue, referenced; access: what it must not be open for alone. NULL: -EBADF. */
static struct file *queue_get(uint64_t fd, uint32_t other_access) {
    struct file *file = fd_get((int)fd);
    if (file && (file->operations != &mqueue_file_operations || (file->flags & O_ACCMODE) == other_access)) {
        file_put(file);
        return NULL;
    }
    return file;
}

/* An absolute time of the wall clock; 0: for ever. */
static int64_t deadline_in(uint64_t address, uint64_t *deadline) {
    uint64_t ns;
    *deadline = DEADLINE_NEVER;
    int64_t error = address ? timespec_in(address, &ns) : 0;
    if (address && !error)
        *deadline = deadline_at(CLOCK_REALTIME, ns);
    return error;
}

static int64_t send(struct file *file, uint64_t from, uint64_t size, uint32_t priority, uint64_t deadline) {
    struct mqueue *queue = file->data;
    if (size > queue->size_most)
        return -EMSGSIZE;
    struct mq_message *message = heap_alloc(sizeof(*message) + size);
    if (!message)
        return -ENOMEM;
    message->priority = priority;
    message->size = size;
    int64_t result = guest_copy_in(message->bytes, from, size)
                         ? -EFAULT
                         : mqueue_send(queue, message, !(file->flags & O_NONBLOCK), deadline);
    if (result)
        heap_free(message);
    return result;
}

int64_t sys_mq_timedsend(uint64_t fd, uint64_t from, uint64_t size, uint64_t priority, uint64_t timeout) {
    uint64_t deadline;
    int64_t result = deadline_in(timeout, &deadline);
    if (result)
        return result;
    if ((uint32_t)priority >= MQ_PRIO_MAX)
        return -EINVAL;
    struct file *file = queue_get(fd, O_RDONLY);
    if (!file)
        return -EBADF;
    result = send(file, from, size, (uint32_t)priority, deadline);
    file_put(file);
    return result;
}

static int64_t receive(struct file *file, uint64_t to, uint64_t size, uint64_t priority_to,
                       uint64_t deadline) {
    struct mqueue *queue = file->data;
    struct mq_message *message;
    if (size < queue->size_most)
        return -EMSGSIZE;
    int64_t result = mqueue_receive(queue, !(file->flags & O_NONBLOCK), deadline, &message);
    if (result)
        return result;
    result = (int64_t)message->size;
    if ((priority_to && guest_copy_out(priority_to, &message->priority, sizeof(message->priority))) ||
        guest_copy_out(to, message->bytes, message->size))
        result = -EFAULT;
    heap_free(message);
    return result;
}

int64_t sys_mq_timedreceive(uint64_t fd, uint64_t to, uint64_t size, uint64_t priority_to, uint64_t timeout) {
    uint64_t deadline;
    int64_t result = deadline_in(timeout, &deadline);
    if (result)
        return result;
    struct file *file = queue_get(fd, O_WRONLY);
    if (!file)
        return -EBADF;
    result = receive(file, to, size, priority_to, deadline);
    file_put(file);
    return result;
}

/* ---- mq_notify ---- */

static int64_t event_check(const struct sigevent64 *event) {
    if (event->notify != SIGEV_NONE && event->notify != SIGEV_SIGNAL && event->notify != SIGEV_THREAD)
        return -EINVAL;
    bool known = event->signo >= 0 && event->signo <= LINUX_SIGNALS;
    return event->notify == SIGEV_SIGNAL && !known ? -EINVAL : 0;
}

/* What SIGEV_THREAD's library thread is to read from its netlink socket. */
static int64_t note_make(const struct sigevent64 *event, struct netlink_note **note) {
    uint8_t cookie[NOTIFY_COOKIE_LEN];
    if (guest_copy_in(cookie, event->value, sizeof(cookie)))
        return -EFAULT;
    struct file *file = fd_get(event->signo);
    if (!file)
        return -EBADF;
    int64_t result = netlink_note_make(file, cookie, note);
    file_put(file);
    return result;
}

static int64_t event_register(struct mqueue *queue, const struct sigevent64 *event,
                              struct netlink_note *note) {
    struct process *process = task_current()->process;
    if (!event) {
        mqueue_unregister(queue, process);
        return 0;
    }
    struct mq_registration registration = {.process = process_get(process),
                                           .notify = event->notify,
                                           .signo = event->signo,
                                           .value = event->value,
                                           .note = note};
    int64_t result = mqueue_register(queue, &registration);
    if (result)
        process_put(process);
    return result;
}

int64_t sys_mq_notify(uint64_t fd, uint64_t event_address) {
    struct sigevent64 event;
    struct netlink_note *note = NULL;
    if (event_address && guest_copy_in(&event, event_address, sizeof(event)))
        return -EFAULT;
    int64_t result = event_address ? event_check(&event) : 0;
    if (!result && event_address && event.notify == SIGEV_THREAD)
        result = note_make(&event, &note);
    if (result)
        return result;
    struct file *file = queue_get(fd, O_ACCMODE);
    result = file ? event_register(file->data, event_address ? &event : NULL, note) : -EBADF;
    if (result)
        netlink_note_free(note);
    if (file)
        file_put(file);
    return result;
}

/* ---- mq_getsetattr ---- */

int64_t sys_mq_getsetattr(uint64_t fd, uint64_t from, uint64_t to) {
    struct mq_attr64 wanted, found = {0};
    if (from && guest_copy_in(&wanted, from, sizeof(wanted)))
        return -EFAULT;
    if (from && (wanted.flags & ~(int64_t)O_NONBLOCK))
        return -EINVAL;
    struct file *file = queue_get(fd, O_ACCMODE);
    if (!file)
        return -EBADF;
    struct mqueue *queue = file->data;
    mutex_lock(&queue->lock);
    found.flags = file->flags & O_NONBLOCK;
    found.messages_most = (int64_t)queue->messages_most;
    found.size_most = (int64_t)queue->size_most;
    found.count = (int64_t)queue->count;
    if (from)
        file->flags = (file->flags & ~(uint32_t)O_NONBLOCK) | (uint32_t)wanted.flags;
    mutex_unlock(&queue->lock);
    file_put(file);
    return to && guest_copy_out(to, &found, sizeof(found)) ? -EFAULT : 0;
}
