/*
 * See char.h. A read, write or ioctl becomes one request, or several, over the device's link
 * (lib/virtqueue/char_client.h); the bytes lie in memory that the device reaches. When the driver is started
 * again, what was not completed is done again if it was a read or a close, and fails with EIO otherwise:
 * nobody knows how far it came.
 */
#include "linux/device/char.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "lib/virtqueue/char_client.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/stat.h"
#include "linux/device/offers.h"
#include "linux/fs/device.h"
#include "linux/heap.h"
#include "linux/io/poll.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { MAJOR_MISC = 10, MAJOR_RTC = 254, MINORS = 256, MINOR_DYNAMIC_LAST = 127, NODE_MODE = S_IFCHR | 0600 };
/* Whose argument is a number although their own says that it is a place. */
enum { RTC_IRQP_SET = 0x4008700c, HPET_IRQFREQ = 0x40086806, RTC_SET_TIME = 0x4024700a };
enum { HPET_RATE_MOST = 64 }; /* for those who are not root, as Linux sets dev.hpet.max-user-freq */
enum { IOC_SIZE_SHIFT = 16, IOC_SIZE_MASK = 0x3fff, IOC_WRITE = 1U << 30, IOC_READ = 2U << 30 };

enum slot_state { SLOT_FREE, SLOT_SENT, SLOT_DONE, SLOT_LEFT /* sent, and nobody waits for it any more */ };

struct slot {
    enum slot_state state;
    struct char_request request;
    uint32_t length;
    int64_t result;
};

struct char_device {
    struct list link; /* devices_lock */
    _Atomic uint32_t references;
    char name[DEVICES_NAME];
    uint32_t major, minor;
    handle_t kick, page; /* page: of registers, or HANDLE_NONE; its own handle */
    struct mutex lock;   /* guards all below */
    struct char_client client;
    struct slot slots[CHAR_REQUESTS_MOST];
    struct waitq changed; /* a slot became free or done */
    uint32_t opens;
    bool gone;
};

static struct mutex devices_lock = MUTEX_INIT(devices_lock);
static struct list devices = LIST_INIT(devices);

static void device_put(struct char_device *device) {
    if (device->references-- > 1)
        return;
    if (device->page != HANDLE_NONE)
        keel_handle_close(device->page);
    heap_free(device);
}

/* ---- requests; the device's lock is held ---- */

static int slot_send(struct char_device *device, unsigned index) {
    struct slot *slot = &device->slots[index];
    bool signal = false;
    int error = char_client_submit(&device->client, index, &slot->request, slot->length, &signal);
    if (signal)
        keel_event_signal(device->kick);
    return error == -EAGAIN ? 0 : error; /* without a driver: with its next session */
}

static void slot_finish(struct slot *slot, int64_t result) {
    slot->result = result;
    slot->state = slot->state == SLOT_LEFT ? SLOT_FREE : SLOT_DONE;
}

static void answers_take(struct char_device *device) {
    unsigned index;
    int64_t result;
    int found;
    while ((found = char_client_completed(&device->client, &index, &result)) == 1)
        slot_finish(&device->slots[index], result);
    if (found < 0)
        log_line("%s: its driver broke the protocol", device->name);
}

/* A new session: what was under way is offered again, or fails. */
static void session_begin(struct char_device *device) {
    char_client_begin(&device->client);
    for (unsigned i = 0; i < CHAR_REQUESTS_MOST; i++) {
        struct slot *slot = &device->slots[i];
        if (slot->state != SLOT_SENT && slot->state != SLOT_LEFT)
            continue;
        if (slot->request.kind != CHAR_READ && slot->request.kind != CHAR_CLOSE)
            slot_finish(slot, -EIO);
        else
            (void)slot_send(device, i);
    }
    if (device->client.generation)
        keel_event_signal(device->kick);
}

static void device_event(void *state) {
    struct char_device *device = state;
    mutex_lock(&device->lock);
    answers_take(device);
    if (char_client_stale(&device->client))
        session_begin(device);
    mutex_unlock(&device->lock);
    waitq_wake_all(&device->changed);
}

static int device_wait(struct char_device *device) {
    if (device->gone)
        return -EIO;
    return task_wait(&device->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
}

/* Waits until a slot in a range has a state; its index, or an error. */
static int slot_await(struct char_device *device, unsigned first, unsigned end, enum slot_state state) {
    struct waiter waiter = {.exclusive = false};
    int found = -1, error = 0;
    waitq_add(&device->changed, &waiter);
    for (;;) {
        for (unsigned i = first; i < end && found < 0; i++)
            if (device->slots[i].state == state)
                found = (int)i;
        if (state == SLOT_FREE && device->gone) /* its area is, too */
            found = -1, error = -EIO;
        if (found >= 0 || error)
            break;
        error = device_wait(device);
    }
    waitq_remove(&device->changed, &waiter);
    return found >= 0 ? found : error;
}

/* Sends the filled slot and waits for the result. A request given up keeps its slot until it is completed. */
static int64_t slot_run(struct char_device *device, unsigned index) {
    struct slot *slot = &device->slots[index];
    slot->state = SLOT_SENT;
    int error = slot_send(device, index);
    if (!error)
        error = slot_await(device, index, index + 1, SLOT_DONE);
    int64_t result = error < 0 ? error : device->gone ? -EIO : slot->result;
    slot->state = error < 0 && device->client.outstanding & 1U << index ? SLOT_LEFT : SLOT_FREE;
    waitq_wake_all(&device->changed); /* who waits for a slot last saw this one in use */
    return result;
}

/* ---- files ---- */

/* One request: bytes of the buffer to the device, or from it. */
static int64_t piece_move(struct char_device *device, enum char_kind kind, struct buffer *buffer) {
    uint32_t length = buffer->length < CHAR_DATA_SIZE ? (uint32_t)buffer->length : CHAR_DATA_SIZE;
    int index = slot_await(device, 0, CHAR_REQUESTS_MOST, SLOT_FREE);
    if (index < 0)
        return index;
    struct slot *slot = &device->slots[index];
    uint8_t *bytes = char_client_data(&device->client, (unsigned)index);
    slot->request = (struct char_request){.kind = kind};
    slot->length = length;
    struct buffer before = *buffer;
    if (kind == CHAR_WRITE && buffer_get(buffer, bytes, length))
        return -EFAULT;
    int64_t result = slot_run(device, (unsigned)index);
    if (result > (int64_t)length)
        return -EIO;
    if (kind == CHAR_WRITE && result < (int64_t)length) { /* the rest was not taken */
        *buffer = before;
        buffer_skip(buffer, result > 0 ? (size_t)result : 0);
    }
    if (kind == CHAR_READ && result > 0 && buffer_put(buffer, bytes, (size_t)result))
        return -EFAULT;
    return result;
}

/* Goes on while the device takes or gives whole pieces. */
static int64_t move(struct file *file, enum char_kind kind, struct buffer *buffer) {
    struct char_device *device = file->data;
    int64_t total = 0, moved;
    bool whole;
    mutex_lock(&device->lock);
    do {
        size_t before = buffer->length;
        moved = piece_move(device, kind, buffer);
        whole = moved == CHAR_DATA_SIZE && before > CHAR_DATA_SIZE;
        total += moved > 0 ? moved : 0;
    } while (whole);
    mutex_unlock(&device->lock);
    return total ? total : moved;
}

/* The lock is held: without a device there is no area. */
static bool has_feature(struct char_device *device, enum char_feature feature) {
    return !device->gone && char_client_state(&device->client).features & feature;
}

/* Waits until the driver says that it is ready: 0, or an error. */
static int64_t ready_await(struct file *file, uint32_t ready) {
    struct char_device *device = file->data;
    struct waiter waiter = {.exclusive = false};
    int64_t error = 0;
    mutex_lock(&device->lock);
    if (!has_feature(device, CHAR_POLLS))
        error = -EAGAIN;
    waitq_add(&device->changed, &waiter);
    while (!error && !device->gone && !(char_client_state(&device->client).ready & ready))
        error = device_wait(device);
    waitq_remove(&device->changed, &waiter);
    mutex_unlock(&device->lock);
    return error;
}

/* A driver that is not ready says so, and is asked again when it is. */
static int64_t move_when_ready(struct file *file, enum char_kind kind, struct buffer *buffer) {
    uint32_t ready = kind == CHAR_READ ? CHAR_READY_READ : CHAR_READY_WRITE;
    int64_t moved = move(file, kind, buffer), error = 0;
    while (moved == -EAGAIN && !(file->flags & O_NONBLOCK) && !(error = ready_await(file, ready)))
        moved = move(file, kind, buffer);
    return error ? error : moved;
}

static int64_t char_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)offset;
    return buffer->length ? move_when_ready(file, CHAR_READ, buffer) : 0;
}

static int64_t char_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)offset;
    return buffer->length ? move_when_ready(file, CHAR_WRITE, buffer) : 0;
}

static uint32_t char_poll(struct file *file, struct poll_watch *watch) {
    struct char_device *device = file->data;
    uint32_t events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    if (watch)
        poll_watch(watch, &device->changed);
    mutex_lock(&device->lock);
    if (device->gone) {
        events = POLLHUP | POLLERR;
    } else if (has_feature(device, CHAR_POLLS)) {
        uint32_t ready = char_client_state(&device->client).ready;
        events = (ready & CHAR_READY_READ ? POLLIN | POLLRDNORM : 0U) |
                 (ready & CHAR_READY_WRITE ? POLLOUT | POLLWRNORM : 0U);
    }
    mutex_unlock(&device->lock);
    return events;
}

/* One control: bytes go to the driver and come back; what the request's number does not say is a number. */
static int64_t control_run(struct char_device *device, uint32_t command, uint64_t argument, uint32_t length,
                           bool guest, void *own) {
    int index = slot_await(device, 0, CHAR_REQUESTS_MOST, SLOT_FREE);
    if (index < 0)
        return index;
    uint8_t *bytes = char_client_data(&device->client, (unsigned)index);
    int64_t result = 0;
    memset(bytes, 0, length);
    if (command & IOC_WRITE && guest)
        result = guest_copy_in(bytes, argument, length);
    if (result)
        return result;
    device->slots[index].request =
        (struct char_request){.kind = CHAR_IOCTL, .control = command, .offset = length ? 0 : argument};
    device->slots[index].length = length;
    result = slot_run(device, (unsigned)index);
    if (result < 0 || !length || !(command & IOC_READ))
        return result;
    if (!guest)
        memcpy(own, bytes, length);
    return guest && guest_copy_out(argument, bytes, length) ? -EFAULT : result;
}

/* The request's number says how many bytes go which way. */
static int64_t char_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    struct char_device *device = file->data;
    uint32_t length = (uint32_t)command >> IOC_SIZE_SHIFT & IOC_SIZE_MASK;
    if (length > CHAR_DATA_SIZE)
        return -EINVAL;
    if (command == RTC_SET_TIME && !task_is_root(task_current()))
        return -EACCES;
    if (command == HPET_IRQFREQ && argument > HPET_RATE_MOST && !task_is_root(task_current()))
        return -EACCES;
    if (command == RTC_IRQP_SET || command == HPET_IRQFREQ)
        length = 0;
    mutex_lock(&device->lock);
    int64_t result = control_run(device, (uint32_t)command, argument, length, true, NULL);
    mutex_unlock(&device->lock);
    return result;
}

/* The driver hears of the last close; nobody waits for what it says. */
static void close_tell(struct char_device *device) {
    for (unsigned i = 0; i < CHAR_REQUESTS_MOST; i++) {
        struct slot *slot = &device->slots[i];
        if (slot->state != SLOT_FREE)
            continue;
        slot->request = (struct char_request){.kind = CHAR_CLOSE};
        slot->length = 0;
        slot->state = SLOT_LEFT;
        if (slot_send(device, i))
            slot->state = SLOT_FREE;
        return;
    }
}

static void char_release(struct file *file) {
    struct char_device *device = file->data;
    mutex_lock(&device->lock);
    if (--device->opens == 0 && has_feature(device, CHAR_CLOSES))
        close_tell(device);
    mutex_unlock(&device->lock);
    device_put(device);
}

static int char_map(struct file *file, handle_t *vmo) {
    const struct char_device *device = file->data;
    *vmo = device->page;
    return device->page == HANDLE_NONE ? -ENODEV : 0;
}

static const struct file_operations char_operations = {.read = char_read,
                                                       .write = char_write,
                                                       .ioctl = char_ioctl,
                                                       .poll = char_poll,
                                                       .map = char_map,
                                                       .release = char_release};

/* Referenced; NULL when there is none. name NULL: by numbers. */
static struct char_device *device_find_by(const char *name, uint32_t major, uint32_t minor) {
    struct char_device *device, *found = NULL;
    mutex_lock(&devices_lock);
    list_for_each(device, &devices, link) {
        if (name ? !strcmp(device->name, name) : device->major == major && device->minor == minor)
            found = device;
    }
    if (found)
        found->references++;
    mutex_unlock(&devices_lock);
    return found;
}

static int char_open(struct inode *inode, struct file *file) {
    uint64_t number = inode->attributes.rdev;
    struct char_device *device = device_find_by(NULL, device_major(number), device_minor(number));
    if (!device)
        return -ENODEV;
    mutex_lock(&device->lock);
    int error = (file->flags & O_ACCMODE) != O_RDONLY && has_feature(device, CHAR_READ_ONLY) ? -EINVAL
                : device->opens && has_feature(device, CHAR_EXCLUSIVE)                       ? -EBUSY
                                                                                             : 0;
    device->opens += !error;
    mutex_unlock(&device->lock);
    if (error) {
        device_put(device);
        return error;
    }
    file->data = device;
    file->operations = &char_operations;
    return 0;
}

int64_t char_control(const char *name, uint32_t command, void *bytes, uint32_t length) {
    struct char_device *device = device_find_by(name, 0, 0);
    if (!device)
        return -ENODEV;
    mutex_lock(&device->lock);
    int64_t result = control_run(device, command, 0, length, false, bytes);
    mutex_unlock(&device->lock);
    device_put(device);
    return result;
}

uint64_t char_number(const char *name) {
    struct char_device *device = device_find_by(name, 0, 0);
    if (!device)
        return 0;
    uint64_t number = device_number(device->major, device->minor);
    device_put(device);
    return number;
}

/* ---- coming and going ---- */

static bool minor_taken(uint32_t major, uint32_t minor) {
    const struct char_device *device;
    list_for_each(device, &devices, link) {
        if (device->major == major && device->minor == minor)
            return true;
    }
    return false;
}

/* Numbers as on Linux where it has fixed ones; otherwise the highest free one of the dynamic range. */
static void numbers_choose(struct char_device *device) {
    static const struct {
        const char *name;
        uint32_t minor;
    } fixed[] = {{"hwrng", 183}, {"tpm0", 224}, {"hpet", 228}};
    if (!strncmp(device->name, "rtc", 3)) {
        device->major = MAJOR_RTC;
        while (minor_taken(MAJOR_RTC, device->minor))
            device->minor++;
        return;
    }
    device->major = MAJOR_MISC;
    device->minor = MINOR_DYNAMIC_LAST;
    while (device->minor && minor_taken(MAJOR_MISC, device->minor))
        device->minor--;
    for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (!strcmp(device->name, fixed[i].name))
            device->minor = fixed[i].minor;
}

static void *device_appear(const struct device_offer *offer) {
    struct char_device *device = heap_zalloc(sizeof(*device));
    if (!device || offer->length < CHAR_AREA_SIZE) {
        heap_free(device);
        return NULL;
    }
    device->references = 1;
    device->kick = offer->kick;
    if (offer->page != HANDLE_NONE) {
        int64_t page = keel_handle_duplicate(offer->page, RIGHT_READ);
        device->page = page < 0 ? HANDLE_NONE : (handle_t)page;
    }
    format_text(device->name, sizeof(device->name), "%s", offer->device.name);
    mutex_init(&device->lock);
    waitq_init(&device->changed);
    char_client_init(&device->client, offer->area);
    mutex_lock(&devices_lock);
    numbers_choose(device);
    list_push_back(&devices, &device->link);
    mutex_unlock(&devices_lock);
    device_event(device);
    int error = device_node_make(device->name, NODE_MODE, device_number(device->major, device->minor));
    if (error)
        log_line("/dev/%s cannot be made (error %d)", device->name, -error);
    if (!strcmp(device->name, "rtc0")) /* as udev has it */
        (void)device_link_make("rtc", device->name);
    return device;
}

static void device_gone(void *state) {
    struct char_device *device = state;
    device_node_remove(device->name);
    if (!strcmp(device->name, "rtc0"))
        device_node_remove("rtc");
    mutex_lock(&devices_lock);
    list_remove(&device->link);
    mutex_unlock(&devices_lock);
    mutex_lock(&device->lock);
    device->gone = true;
    device->client.generation = 0;
    for (unsigned i = 0; i < CHAR_REQUESTS_MOST; i++)
        if (device->slots[i].state == SLOT_SENT)
            slot_finish(&device->slots[i], -EIO);
    mutex_unlock(&device->lock);
    waitq_wake_all(&device->changed);
    device_put(device);
}

void char_devices_use(void) {
    static const struct device_kind kind = {
        .device_class = DEVICES_CHAR, .appear = device_appear, .event = device_event, .gone = device_gone};
    static const struct device misc = {.family = "misc",
                                       .major = MAJOR_MISC,
                                       .minor_count = MINORS,
                                       .operations = &char_operations,
                                       .open = char_open};
    static const struct device rtc = {.family = "rtc",
                                      .major = MAJOR_RTC,
                                      .minor_count = MINORS,
                                      .operations = &char_operations,
                                      .open = char_open};
    device_register(&misc);
    device_register(&rtc);
    offers_use(&kind);
}
