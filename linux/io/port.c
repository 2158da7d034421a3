/*
 * See port.h. A port that is a console is a terminal from its first moment to its last, and its client is
 * guarded by the terminal's lock; that of another one by the port's own.
 */
#include "linux/io/port.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/list.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/stat.h"
#include "linux/device/offers.h"
#include "linux/fs/device.h"
#include "linux/heap.h"
#include "linux/io/poll.h"
#include "linux/io/terminal.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { NODE_MODE = S_IFCHR | 0600, HVC_NAME = 8, MINORS = 32 };
#define AWAIT_NS 10000000000ULL
#define FLUSH_NS 5000000000ULL
#define STEP_NS  1000000ULL

struct port {
    struct list link; /* ports_lock */
    _Atomic uint32_t references;
    char node[DEVICES_NAME];
    uint32_t major, minor;
    handle_t kick;
    struct terminal *terminal; /* NULL: none (yet). ports_lock; set and cleared by the offers' thread */
    uint32_t hvc;
    struct mutex lock; /* guards all below */
    struct port_client client;
    struct waitq changed;
    bool open, gone, broken;
};

static struct mutex ports_lock = MUTEX_INIT(ports_lock);
static struct list ports = LIST_INIT(ports);

static void port_put(struct port *port) {
    if (port->references-- == 1)
        heap_free(port);
}

static void kick(const struct port *port, bool signal) {
    if (signal)
        keel_event_signal(port->kick);
}

/* ---- the file of a port; its lock is held ---- */

static bool host_open(const struct port *port) {
    return port_state_read(&port->client).flags & PORT_HOST_OPEN;
}

static bool writable(struct port *port) {
    (void)port_collect(&port->client);
    return port_writable(&port->client);
}

/* Until the driver's next event: 0 to look again, or an error. */
static int wait(struct port *port, const struct file *file) {
    if (file->flags & O_NONBLOCK)
        return -EAGAIN;
    return task_wait(&port->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
}

/* With nobody at the other end a read comes to its end, once everything has been read. */
static int64_t read_some(struct port *port, struct file *file, struct buffer *buffer) {
    uint8_t bytes[PORT_RX_BUFFER_SIZE];
    int64_t done = 0;
    int error = 0;
    while (!port->gone && !port_readable(&port->client) && !error) {
        if (!host_open(port))
            return 0;
        error = wait(port, file);
    }
    if (error || port->gone)
        return error ? error : -ENODEV;
    while (buffer->length > 0 && !error) {
        bool signal;
        size_t most = buffer->length < sizeof bytes ? buffer->length : sizeof bytes;
        size_t count = port_read(&port->client, bytes, most, &signal);
        kick(port, signal);
        if (count == 0)
            break;
        error = buffer_put(buffer, bytes, count);
        done += error ? 0 : (int64_t)count;
    }
    return done ? done : error;
}

/* What is not taken by anyone waits: nobody listens, or there is no room. */
static int64_t write_some(struct port *port, struct file *file, struct buffer *buffer) {
    uint8_t bytes[PORT_TX_BUFFER_SIZE];
    int64_t done = 0;
    int error = 0;
    while (!port->gone && !error && !(host_open(port) && writable(port)))
        if (!port_want_space(&port->client, true) || !host_open(port))
            error = wait(port, file);
    if (error || port->gone)
        return error ? error : -ENODEV;
    while (buffer->length > 0 && !error && port_writable(&port->client)) {
        bool signal;
        size_t length = buffer->length < sizeof bytes ? buffer->length : sizeof bytes;
        error = buffer_get(buffer, bytes, length);
        if (error)
            break;
        done += (int64_t)port_write(&port->client, bytes, length, &signal);
        kick(port, signal);
    }
    return done ? done : error;
}

static int64_t port_file_move(struct file *file, struct buffer *buffer,
                              int64_t (*some)(struct port *, struct file *, struct buffer *)) {
    struct port *port = file->data;
    struct waiter waiter = {.exclusive = false};
    if (buffer->length == 0)
        return 0;
    mutex_lock(&port->lock);
    waitq_add(&port->changed, &waiter);
    int64_t result = some(port, file, buffer);
    waitq_remove(&port->changed, &waiter);
    mutex_unlock(&port->lock);
    return result;
}

static int64_t port_file_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)offset;
    return port_file_move(file, buffer, read_some);
}

static int64_t port_file_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)offset;
    return port_file_move(file, buffer, write_some);
}

static uint32_t port_file_poll(struct file *file, struct poll_watch *watch) {
    struct port *port = file->data;
    uint32_t events = POLLHUP;
    if (watch)
        poll_watch(watch, &port->changed);
    mutex_lock(&port->lock);
    if (!port->gone) {
        bool there = host_open(port);
        events = there ? 0 : POLLHUP;
        if (port_readable(&port->client) || !there)
            events |= POLLIN | POLLRDNORM;
        if (there && (writable(port) || (port_want_space(&port->client, true) && writable(port))))
            events |= POLLOUT;
    }
    mutex_unlock(&port->lock);
    return events;
}

/* What came in and was not read is dropped, as on Linux. */
static void port_file_release(struct file *file) {
    struct port *port = file->data;
    bool signal;
    mutex_lock(&port->lock);
    port->open = false;
    if (!port->gone) {
        port_discard(&port->client, &signal);
        port_wish_open(&port->client, false);
        kick(port, true);
    }
    mutex_unlock(&port->lock);
    port_put(port);
}

static const struct file_operations port_operations = {
    .read = port_file_read, .write = port_file_write, .poll = port_file_poll, .release = port_file_release};

static int port_open(struct inode *inode, struct file *file) {
    uint64_t number = inode->attributes.rdev;
    struct port *port, *found = NULL;
    mutex_lock(&ports_lock);
    list_for_each(port, &ports, link) {
        if (port->major == device_major(number) && port->minor == device_minor(number))
            found = port;
    }
    bool console = found && found->terminal; /* which is opened as the terminal */
    if (found && !console)
        found->references++;
    mutex_unlock(&ports_lock);
    if (!found || console)
        return -ENXIO;
    mutex_lock(&found->lock);
    int error = found->gone ? -ENXIO : found->open ? -EBUSY : 0;
    if (!error) {
        found->open = true;
        port_wish_open(&found->client, true);
        kick(found, true);
        file->data = found;
        file->operations = &port_operations;
    }
    mutex_unlock(&found->lock);
    if (error)
        port_put(found);
    return error;
}

/* ---- terminals ---- */

struct tty *hvc_find(uint32_t number) {
    struct port *port;
    struct tty *tty = NULL;
    mutex_lock(&ports_lock);
    list_for_each(port, &ports, link) {
        if (port->terminal && port->hvc == number)
            tty = tty_get(port->terminal->tty);
    }
    mutex_unlock(&ports_lock);
    return tty;
}

static int hvc_open(struct inode *inode, struct file *file) {
    struct tty *tty = hvc_find(device_minor(inode->attributes.rdev));
    if (!tty)
        return -ENODEV;
    int error = tty_open_file(tty, file, file->flags & O_NOCTTY);
    tty_put(tty);
    return error;
}

/* The number of its device, whichever driver is ready first; if another terminal has that, the least free
 * one. HVC_MOST: all are taken. ports_lock held. */
static uint32_t hvc_choose(uint32_t wanted) {
    const struct port *port;
    uint32_t taken = 0, number = 0;
    list_for_each(port, &ports, link) {
        taken |= port->terminal ? 1U << port->hvc : 0;
    }
    if (!(taken >> wanted & 1))
        return wanted;
    while (number < HVC_MOST && taken >> number & 1)
        number++;
    return number;
}

static void node_make(const char *name, uint64_t number) {
    int error = device_node_make(name, NODE_MODE, number);
    if (error)
        log_line("/dev/%s cannot be made (error %d)", name, -error);
}

static void hvc_appear(struct port *port) {
    char name[HVC_NAME];
    mutex_lock(&ports_lock);
    uint32_t number = hvc_choose(PORT_MAJOR_FIRST - port->major);
    mutex_unlock(&ports_lock);
    struct terminal *terminal =
        number < HVC_MOST ? terminal_port_create(number, &port->client, port->kick) : NULL;
    if (!terminal)
        return;
    terminal_port_event(terminal);
    mutex_lock(&ports_lock);
    port->hvc = number;
    port->terminal = terminal;
    mutex_unlock(&ports_lock);
    format_text(name, sizeof name, "hvc%u", number);
    node_make(name, device_number(TERMINAL_PORT_MAJOR, number));
}

static void hvc_gone(struct port *port) {
    char name[HVC_NAME];
    mutex_lock(&ports_lock);
    struct terminal *terminal = port->terminal;
    port->terminal = NULL;
    mutex_unlock(&ports_lock);
    if (!terminal)
        return;
    format_text(name, sizeof name, "hvc%u", port->hvc);
    device_node_remove(name);
    terminal_port_close(terminal);
}

bool hvc_await(uint32_t number) {
    uint64_t end = clock_monotonic() + AWAIT_NS;
    struct tty *tty;
    while (!(tty = hvc_find(number)) && clock_monotonic() < end)
        thread_park(clock_monotonic() + STEP_NS);
    tty_put(tty);
    return tty;
}

void ports_flush(void) {
    for (uint32_t number = 0; number < HVC_MOST; number++) {
        struct tty *tty = hvc_find(number);
        if (tty)
            terminal_flush(tty, clock_monotonic() + FLUSH_NS);
        tty_put(tty);
    }
}

/* ---- coming and going; all on the offers' thread ---- */

static void stream_event(struct port *port) {
    mutex_lock(&port->lock);
    int error = port_collect(&port->client);
    bool stale = port_stale(&port->client);
    if (stale) {
        port_begin(&port->client);
        kick(port, true);
    }
    if (port_writable(&port->client)) /* whoever finds no room any more asks again */
        port_want_space(&port->client, false);
    bool broken = error && !stale && !port->broken;
    port->broken = error && !stale;
    mutex_unlock(&port->lock);
    waitq_wake_all(&port->changed);
    if (broken)
        log_line("%s: its driver broke the protocol", port->node);
}

static void port_event(void *state) {
    struct port *port = state;
    if (port->terminal)
        terminal_port_event(port->terminal);
    else
        stream_event(port);
}

/* "vport0p1": a major number for each device, and the port's number as the minor one, as Linux does it. */
static bool numbers_read(struct port *port) {
    unsigned parts[2] = {0};
    const char *at = port->node + sizeof "vport" - 1;
    if (strncmp(port->node, "vport", sizeof "vport" - 1) != 0)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        while (*at >= '0' && *at <= '9' && parts[i] < MINORS)
            parts[i] = parts[i] * 10 + (unsigned)(*at++ - '0');
        if (*at++ != (i ? 0 : 'p'))
            return false;
    }
    port->major = PORT_MAJOR_FIRST - parts[0];
    port->minor = parts[1];
    return parts[0] < PORT_DEVICES_MOST && parts[1] < MINORS;
}

static void *port_appear(const struct device_offer *offer) {
    struct port *port = offer->length < PORT_AREA_SIZE ? NULL : heap_zalloc(sizeof *port);
    if (!port)
        return NULL;
    port->references = 1;
    port->kick = offer->kick;
    memcpy(port->node, offer->device.name, sizeof port->node);
    mutex_init(&port->lock);
    waitq_init(&port->changed);
    port_client_init(&port->client, offer->area);
    if (!numbers_read(port)) {
        heap_free(port);
        return NULL;
    }
    port_wish_open(&port->client, false);
    mutex_lock(&ports_lock);
    list_push_back(&ports, &port->link);
    mutex_unlock(&ports_lock);
    if (port_state_read(&port->client).flags & PORT_CONSOLE) /* its driver knows before it offers it */
        hvc_appear(port);
    port_event(port);
    node_make(port->node, device_number(port->major, port->minor));
    return port;
}

static void port_gone(void *state) {
    struct port *port = state;
    device_node_remove(port->node);
    hvc_gone(port);
    mutex_lock(&ports_lock);
    list_remove(&port->link);
    mutex_unlock(&ports_lock);
    mutex_lock(&port->lock);
    port->gone = true;
    mutex_unlock(&port->lock);
    waitq_wake_all(&port->changed);
    port_put(port);
}

bool port_at(unsigned index, struct port_info *info) {
    struct port *port;
    bool found = false;
    mutex_lock(&ports_lock);
    list_for_each(port, &ports, link) {
        if (found || index-- > 0)
            continue;
        found = true;
        info->number = device_number(port->major, port->minor);
        memcpy(info->node, port->node, sizeof info->node);
        memcpy(info->name, port_state_read(&port->client).name, sizeof info->name);
    }
    mutex_unlock(&ports_lock);
    return found;
}

void ports_register(void) {
    static const struct device hvc_device = {.family = "hvc",
                                             .major = TERMINAL_PORT_MAJOR,
                                             .minor_count = HVC_MOST,
                                             .mode = 0600,
                                             .open = hvc_open};
    static struct device port_devices[PORT_DEVICES_MOST];
    device_register(&hvc_device);
    for (unsigned i = 0; i < PORT_DEVICES_MOST; i++) {
        port_devices[i] = (struct device){.family = "virtio-portsdev",
                                          .major = PORT_MAJOR_FIRST - i,
                                          .minor_count = MINORS,
                                          .mode = 0600,
                                          .open = port_open};
        device_register(&port_devices[i]);
    }
}

void ports_use(void) {
    static const struct device_kind kind = {
        .device_class = DEVICES_CONSOLE, .appear = port_appear, .event = port_event, .gone = port_gone};
    offers_use(&kind);
}
