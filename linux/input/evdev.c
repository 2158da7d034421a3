/*
 * /dev/input/event*: each open file has a queue of its own, which takes whole packets. When it runs over,
 * what was in it is lost but for the newest event, and SYN_DROPPED says so, as on Linux.
 */
#include "linux/input/evdev.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/heap.h"
#include "linux/io/poll.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { QUEUE_LEAST = 64, QUEUE_PACKETS = 8, PACKET_KEYS = 7, READ_AT_ONCE = 16, MINORS = INPUT_DEVICES_MOST };

/* ---- events in ---- */

static struct timeval64 time_now(int32_t clock) {
    return timeval_from_ns(clock == CLOCK_REALTIME ? clock_realtime() : clock_monotonic());
}

static void event_add(struct evdev_file *own, const struct linux_input_event *event) {
    uint32_t mask = own->size - 1;
    own->events[own->head] = *event;
    own->head = (own->head + 1) & mask;
    if (own->head == own->tail) {
        own->tail = own->ready = (own->head - 2) & mask;
        own->events[own->tail] =
            (struct linux_input_event){.time = event->time, .type = EV_SYN, .code = SYN_DROPPED};
    }
    if (event->type == EV_SYN && event->code == SYN_REPORT)
        own->ready = own->head;
}

static void packet_add(struct evdev_file *own, const struct input_value *values, unsigned count) {
    struct linux_input_event event = {.time = time_now(own->clock)};
    bool complete = false;
    for (unsigned i = 0; i < count; i++) {
        bool report = values[i].type == EV_SYN && values[i].code == SYN_REPORT;
        if (report && own->ready == own->head) /* of a packet all of which was forgotten */
            continue;
        event.type = values[i].type;
        event.code = values[i].code;
        event.value = values[i].value;
        event_add(own, &event);
        complete |= report;
    }
    if (complete)
        waitq_wake_all(&own->readers);
}

void evdev_packet(struct input_device *device, const struct input_value *values, unsigned count) {
    struct evdev_file *own;
    list_for_each(own, &device->files, link) {
        if (!own->revoked && (!device->grabbed || device->grabbed == own))
            packet_add(own, values, count);
    }
}

void evdev_gone(struct input_device *device) {
    struct evdev_file *own;
    list_for_each(own, &device->files, link) {
        waitq_wake_all(&own->readers);
    }
}

void evdev_forget(struct evdev_file *own, unsigned type) {
    uint32_t mask = own->size - 1, to = own->tail, packet = own->tail;
    for (uint32_t at = own->tail; at != own->ready; at = (at + 1) & mask) {
        struct linux_input_event event = own->events[at];
        bool report = event.type == EV_SYN && event.code == SYN_REPORT;
        if (event.type == type || (report && to == packet))
            continue;
        own->events[to] = event;
        to = (to + 1) & mask;
        if (report)
            packet = to;
    }
    own->ready = own->head = to; /* no packet is under way while the lock is free */
}

/* ---- files ---- */

static int64_t wait_ready(struct file *file, struct evdev_file *own) {
    struct waiter waiter = {.exclusive = false};
    int64_t error = 0;
    waitq_add(&own->readers, &waiter);
    for (;;) {
        if (own->device->gone || own->revoked)
            error = -ENODEV;
        else if (own->ready == own->tail && file->flags & O_NONBLOCK)
            error = -EAGAIN;
        else if (own->ready == own->tail && task_wait(&input_lock, DEADLINE_NEVER) < 0)
            error = -ERESTARTSYS;
        if (error || own->ready != own->tail)
            break;
    }
    waitq_remove(&own->readers, &waiter);
    return error;
}

/* Some whole events, taken out under the lock. */
static unsigned events_take(struct evdev_file *own, struct linux_input_event *events, size_t most) {
    unsigned count = 0;
    while (count < READ_AT_ONCE && count < most && own->tail != own->ready) {
        events[count++] = own->events[own->tail];
        own->tail = (own->tail + 1) & (own->size - 1);
    }
    return count;
}

static int64_t evdev_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct evdev_file *own = file->data;
    struct linux_input_event events[READ_AT_ONCE];
    int64_t total = 0;
    (void)offset;
    if (buffer->length && buffer->length < sizeof(events[0]))
        return -EINVAL;
    mutex_lock(&input_lock);
    int64_t error = own->device->gone || own->revoked                     ? -ENODEV
                    : buffer->length                                      ? wait_ready(file, own)
                    : own->ready == own->tail && file->flags & O_NONBLOCK ? -EAGAIN
                                                                          : 0;
    unsigned count = 0;
    while (!error && (count = events_take(own, events, buffer->length / sizeof(events[0])))) {
        mutex_unlock(&input_lock);
        if (buffer_put(buffer, events, count * sizeof(events[0])))
            return -EFAULT;
        total += (int64_t)(count * sizeof(events[0]));
        mutex_lock(&input_lock);
    }
    mutex_unlock(&input_lock);
    return error ? error : total;
}

/* What a program writes is injected as if the device had sent it; lights and sounds go to the device. */
static int64_t evdev_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct evdev_file *own = file->data;
    struct linux_input_event event;
    int64_t total = 0;
    (void)offset;
    if (buffer->length && buffer->length < sizeof(event))
        return -EINVAL;
    while (buffer->length >= sizeof(event)) {
        if (buffer_get(buffer, &event, sizeof(event)))
            return -EFAULT;
        mutex_lock(&input_lock);
        bool gone = own->device->gone || own->revoked;
        if (!gone && (!own->device->grabbed || own->device->grabbed == own))
            input_take(own->device, event.type, event.code, event.value);
        input_unlock();
        if (gone)
            return -ENODEV;
        total += (int64_t)sizeof(event);
    }
    return total;
}

static uint32_t evdev_poll(struct file *file, struct poll_watch *watch) {
    struct evdev_file *own = file->data;
    if (watch)
        poll_watch(watch, &own->readers);
    mutex_lock(&input_lock);
    bool gone = own->device->gone || own->revoked;
    uint32_t events = gone ? POLLHUP | POLLERR : POLLOUT | POLLWRNORM;
    if (own->ready != own->tail)
        events |= POLLIN | POLLRDNORM;
    mutex_unlock(&input_lock);
    return events;
}

static void evdev_release(struct file *file) {
    struct evdev_file *own = file->data;
    mutex_lock(&input_lock);
    if (own->device->grabbed == own)
        own->device->grabbed = NULL;
    list_remove(&own->link);
    mutex_unlock(&input_lock);
    input_put(own->device);
    heap_free(own->events);
    heap_free(own);
}

static const struct file_operations evdev_operations = {
    .read = evdev_read,
    .write = evdev_write,
    .poll = evdev_poll,
    .ioctl = evdev_ioctl,
    .release = evdev_release,
};

/* Room for some of the longest packets. */
static uint32_t queue_size(const struct input_device *device) {
    unsigned packet = 1 + PACKET_KEYS;
    uint32_t size = QUEUE_LEAST;
    for (unsigned code = 0; code < INPUT_ABSES; code++)
        packet += input_has(device, EV_ABS, code) + input_has(device, EV_REL, code);
    while (size < packet * QUEUE_PACKETS)
        size *= 2;
    return size;
}

static int evdev_open(struct inode *inode, struct file *file) {
    struct input_device *device = input_by_number(device_minor(inode->attributes.rdev) - INPUT_EVENT_MINOR);
    if (!device)
        return -ENODEV;
    struct evdev_file *own = heap_zalloc(sizeof(*own));
    if (own) {
        own->size = queue_size(device);
        own->events = heap_alloc(own->size * sizeof(own->events[0]));
    }
    if (!own || !own->events) {
        heap_free(own);
        input_put(device);
        return -ENOMEM;
    }
    own->device = device;
    own->clock = CLOCK_REALTIME;
    waitq_init(&own->readers);
    mutex_lock(&input_lock);
    list_push_back(&device->files, &own->link);
    mutex_unlock(&input_lock);
    file->data = own;
    file->operations = &evdev_operations;
    return 0;
}

const struct device evdev_device = {.family = "input",
                                    .major = INPUT_MAJOR,
                                    .minor = INPUT_EVENT_MINOR,
                                    .minor_count = MINORS,
                                    .open = evdev_open};
