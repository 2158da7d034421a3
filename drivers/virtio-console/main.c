/*
 * The virtio console (virtio 1.2, section 5.3): up to eight ports, each a stream of bytes each way. Which
 * there are, which of them are terminals, and who listens, the device says by a control queue; a device
 * without one has one port, a terminal. Each port is a link of its own (lib/virtqueue/port_ring.h), offered
 * when the device has said everything of it: it has, once it took PORT_READY.
 *
 * Bytes go between the device and the clients' buffers (stream.h). Nothing takes a buffer out of the device
 * but a reset: when a port comes back on a link that the device still holds buffers of, the driver starts
 * afresh, as after a crash, and nothing is lost by it.
 */
#include <errno.h>
#include <string.h>

#include "drivers/virtio-console/control.h"
#include "drivers/virtio-console/stream.h"
#include "lib/driver/driver.h"
#include "lib/native/keel.h"
#include "lib/virtio/virtio.h"

#define FEATURE_SIZE      (1ULL << 0)
#define FEATURE_MULTIPORT (1ULL << 1)

enum { CONFIG_COLUMNS = 0, CONFIG_ROWS = 2, CONFIG_PORTS = 4, IRQ_CONFIG = 0, IRQ_QUEUES = 1 };
enum { QUEUE_CONTROL = 2, CONTROL_BUFFERS = 32, CONTROL_BYTES = 512, PORTS = DRIVER_LINKS };
enum { MESSAGES_MOST = 256 }; /* that a device sends at once: it has 5 for each port */

struct port {
    struct driver_link *link;
    struct virtio_queue in, out;
    struct stream receive, transmit;
    struct port_state state; /* what the client shall see */
    bool added;              /* by the device */
    bool offered;
    bool served;     /* a session began in this generation */
    bool told_ready; /* the device knows that the port can be used, */
    bool told_open;  /* and that somebody has it open */
    bool complained;
};

static struct {
    struct driver_device *device;
    struct virtio virtio;
    struct port ports[PORTS];
    unsigned port_count;
    struct virtio_queue in, out; /* of control messages */
    uint8_t *in_bytes;
    uint64_t in_physical, out_physical;
    struct control_header *messages; /* that go out */
    struct control_header sent[CONTROL_BUFFERS];
    uint32_t free;     /* bit per message */
    uint32_t taken;    /* bit per port of which the device took PORT_READY, not looked at yet */
    bool device_ready; /* likewise DEVICE_READY */
} console;

static void used_check(int result) {
    if (result < 0)
        driver_fail("the device's used ring", result);
}

static bool multiport(void) {
    return console.virtio.features & FEATURE_MULTIPORT;
}

/* ---- control messages ---- */

static void control_collect(void) {
    uint64_t token;
    uint32_t length;
    int result;
    while ((result = virtqueue_get_used(&console.out.ring, &token, &length)) == 1) {
        const struct control_header *sent = &console.sent[token];
        console.free |= 1U << token;
        if (sent->event == CONTROL_DEVICE_READY)
            console.device_ready = true;
        else if (sent->event == CONTROL_PORT_READY && sent->port < console.port_count)
            console.taken |= 1U << sent->port;
    }
    used_check(result);
}

/* False: the device has yet to take what it was sent. */
static bool control_send(uint32_t port, enum control_event event, uint16_t value) {
    if (!multiport())
        return true;
    control_collect();
    if (!console.free)
        return false;
    unsigned n = (unsigned)__builtin_ctz(console.free);
    struct virtqueue_buffer buffer = {console.out_physical + n * sizeof console.messages[0],
                                      sizeof console.messages[0]};
    console.sent[n] = console.messages[n] =
        (struct control_header){.port = port, .event = (uint16_t)event, .value = value};
    if (virtqueue_add(&console.out.ring, &buffer, 1, 0, n))
        return false;
    console.free &= ~(1U << n);
    virtio_publish(&console.out);
    return true;
}

static void control_offer(uint64_t n) {
    struct virtqueue_buffer buffer = {console.in_physical + n * CONTROL_BYTES, CONTROL_BYTES};
    (void)virtqueue_add(&console.in.ring, &buffer, 0, 1, n);
}

/* ---- what the client sees of a port ---- */

static void state_show(struct port *port) {
    struct port_state *shown = (struct port_state *)(port->link->area.bytes + PORT_STATE);
    if (!port->offered)
        return;
    for (unsigned i = 0; i < PORT_NAME_SIZE; i++)
        ring_store(shown->name[i], port->state.name[i]);
    ring_store(shown->columns, port->state.columns);
    ring_store(shown->rows, port->state.rows);
    ring_store(shown->flags, port->state.flags);
    driver_call(port->link);
}

static bool is_console(const struct port *port) {
    return port->state.flags & PORT_CONSOLE;
}

/* What nobody listens to, a device may throw away: it stays with the client. */
static bool may_send(const struct port *port) {
    return port->state.flags & (PORT_CONSOLE | PORT_HOST_OPEN);
}

/* A terminal is always open. */
static bool is_open(const struct port *port) {
    const struct port_wish *wish = (const struct port_wish *)(port->link->area.bytes + PORT_CLIENT);
    return port->offered && (is_console(port) || (port->link->session && ring_load(wish->open)));
}

/* Tells the device what it does not know; what it has no room for now, when it has taken other messages. */
static void port_tell(struct port *port) {
    bool open = is_open(port);
    if (port->added && !port->told_ready)
        port->told_ready = control_send(port->link->index, CONTROL_PORT_READY, 1);
    if (open != port->told_open && control_send(port->link->index, CONTROL_OPEN, open))
        port->told_open = open;
}

static void port_offer(struct port *port) {
    if (!port->added || port->offered)
        return;
    port->offered = true;
    state_show(port);
    driver_offer_present(console.device, port->link->index, true);
    port_tell(port);
}

static void port_withdraw(struct port *port) {
    port->added = port->offered = port->told_ready = port->told_open = false;
    driver_offer_present(console.device, port->link->index, false);
}

/* ---- bytes ---- */

static void client_check(struct port *port, int result) {
    if (result >= 0 || port->complained)
        return;
    log_line("the client's rings of port %u are invalid", port->link->index);
    port->complained = true;
}

/* What came back is shown before its places are used again: a successor can tell by that what came back. */
static bool port_return(struct port *port) {
    used_check(stream_return(&port->receive));
    used_check(stream_return(&port->transmit));
    bool receive = stream_publish(&port->receive);
    return stream_publish(&port->transmit) || receive;
}

static void port_forward(struct port *port) {
    int receive = stream_forward(&port->receive),
        transmit = may_send(port) ? stream_forward(&port->transmit) : 0;
    client_check(port, receive);
    client_check(port, transmit);
    if (receive > 0)
        virtio_publish(&port->in);
    if (transmit > 0)
        virtio_publish(&port->out);
}

static bool port_await(struct port *port) {
    bool receive = stream_await(&port->receive);
    return (may_send(port) && stream_await(&port->transmit)) || receive;
}

static void port_run(struct port *port) {
    bool call = port_return(port);
    port_forward(port);
    if (call)
        driver_call(port->link);
    if (port_await(port))
        driver_kick_again(port->link);
}

/* ---- what the device says ---- */

static void port_event(struct port *port, const struct control_message *message) {
    switch (message->event) {
    case CONTROL_PORT_ADD:
        port->added = true;
        break;
    case CONTROL_PORT_REMOVE:
        port_withdraw(port);
        port->state = (struct port_state){0};
        return;
    case CONTROL_CONSOLE:
        port->state.flags |= message->value ? PORT_CONSOLE : 0U;
        break;
    case CONTROL_OPEN:
        port->state.flags =
            (port->state.flags & ~(uint32_t)PORT_HOST_OPEN) | (message->value ? PORT_HOST_OPEN : 0U);
        break;
    case CONTROL_RESIZE:
        port->state.columns = message->columns;
        port->state.rows = message->rows;
        break;
    default: /* CONTROL_NAME */
        memcpy(port->state.name, message->name, sizeof port->state.name);
        break;
    }
    state_show(port);
    port_tell(port);
}

static void message_take(const struct control_message *message) {
    if (message->port < console.port_count)
        port_event(&console.ports[message->port], message);
    else if (message->event == CONTROL_PORT_ADD)
        (void)control_send(message->port, CONTROL_PORT_READY, 0);
}

/* count: of the messages that came in at once. */
static void messages_take(unsigned *count) {
    uint64_t token;
    uint32_t length;
    int result;
    while ((result = virtqueue_get_used(&console.in.ring, &token, &length)) == 1) {
        struct control_message message;
        if (++*count > MESSAGES_MOST)
            driver_fail("the device sends messages without end", -EPROTO);
        bool valid = control_parse(console.in_bytes + token * CONTROL_BYTES, length, &message);
        control_offer(token);
        virtio_publish(&console.in);
        if (valid)
            message_take(&message);
    }
    used_check(result);
}

/* A device answers a message before it gives its buffer back: what is read after that is all there was. */
static void controls_run(void) {
    unsigned count = 0;
    control_collect();
    do {
        uint32_t taken = console.taken;
        bool ready = console.device_ready;
        console.taken = 0;
        console.device_ready = false;
        messages_take(&count);
        for (unsigned i = 0; i < console.port_count; i++)
            if (taken >> i & 1)
                port_offer(&console.ports[i]);
            else if (ready && !console.ports[i].added) /* it went while there was no driver */
                port_withdraw(&console.ports[i]);
    } while (console.taken || console.device_ready);
}

static void size_read(void) {
    struct port *port = &console.ports[0];
    if (!(console.virtio.features & FEATURE_SIZE) || !is_console(port))
        return;
    port->state.columns = (uint16_t)virtio_config(&console.virtio, CONFIG_COLUMNS, 2);
    port->state.rows = (uint16_t)virtio_config(&console.virtio, CONFIG_ROWS, 2);
    state_show(port);
}

/* ---- the driver ---- */

static void console_interrupt(struct driver_device *device, unsigned index) {
    (void)device;
    if (virtio_cause(&console.virtio) & VIRTIO_ISR_CONFIG && index == IRQ_CONFIG) {
        if (virtio_broken(&console.virtio))
            driver_fail("the device asks for a reset", -EIO);
        size_read();
    }
    if (multiport())
        controls_run();
    for (unsigned i = 0; i < console.port_count; i++) {
        port_tell(&console.ports[i]);
        port_run(&console.ports[i]);
    }
}

static uint32_t used_place(const struct virtio_queue *queue) {
    return (uint32_t)((const uint8_t *)queue->ring.ring.used - console.device->dma.bytes);
}

static void console_session(struct driver_device *device, struct driver_link *link) {
    struct port *port = &console.ports[link->index];
    (void)device;
    if (!link->session) {
        stream_detach(&port->receive);
        stream_detach(&port->transmit);
        port_tell(port);
        return;
    }
    if (port->served)
        driver_fail("a port has another client, and is started afresh", -ESTALE);
    port->served = true;
    stream_attach(&port->receive, link->area.bytes, link->area.physical, used_place(&port->in));
    stream_attach(&port->transmit, link->area.bytes, link->area.physical, used_place(&port->out));
}

static void console_kick(struct driver_device *device, struct driver_link *link) {
    (void)device;
    port_tell(&console.ports[link->index]);
    port_run(&console.ports[link->index]);
}

/* ---- start ---- */

/* The journals lie first in the DMA memory: a predecessor's are at the same place. */
static int64_t journals_take(struct driver_device *device) {
    uint64_t physical, length = 2UL * PORTS * sizeof(struct stream_journal);
    struct stream_journal *journals =
        (struct stream_journal *)virtio_dma_take(&console.virtio, length, &physical);
    if (!journals)
        return -ENOMEM;
    for (unsigned i = 0; i < 2 * PORTS; i++) {
        struct port *port = &console.ports[i / 2];
        struct stream *stream = i & 1 ? &port->transmit : &port->receive;
        uint8_t *area = i / 2 < device->link_count ? device->links[i / 2].area.bytes : NULL;
        *stream = (struct stream){.journal = &journals[i], .receives = !(i & 1)};
        stream->device = i & 1 ? &port->out.ring : &port->in.ring;
        if (area)
            (void)stream_settle(&journals[i], device->dma.bytes, device->dma.length, area, stream->receives);
        ring_store(journals[i].session, 0);
    }
    return 0;
}

static int64_t port_open(struct driver_device *device, unsigned index) {
    struct port *port = &console.ports[index];
    uint16_t queue = (uint16_t)(2 * index + (index > 0 ? 2 : 0)); /* the control queues follow port 0's */
    port->link = &device->links[index];
    if (port->link->area.length < PORT_AREA_SIZE)
        driver_fail("the link's area", -EINVAL);
    int64_t error = virtio_queue_open(&console.virtio, &port->in, queue, PORT_QUEUE_SIZE, IRQ_QUEUES);
    return error ? error
                 : virtio_queue_open(&console.virtio, &port->out, queue + 1, PORT_QUEUE_SIZE, IRQ_QUEUES);
}

static int64_t control_open(void) {
    int64_t error =
        virtio_queue_open(&console.virtio, &console.in, QUEUE_CONTROL, CONTROL_BUFFERS, IRQ_QUEUES);
    if (!error)
        error =
            virtio_queue_open(&console.virtio, &console.out, QUEUE_CONTROL + 1, CONTROL_BUFFERS, IRQ_QUEUES);
    if (error)
        return error;
    console.in_bytes =
        virtio_dma_take(&console.virtio, 1UL * CONTROL_BUFFERS * CONTROL_BYTES, &console.in_physical);
    console.messages = (struct control_header *)virtio_dma_take(
        &console.virtio, CONTROL_BUFFERS * sizeof console.messages[0], &console.out_physical);
    if (!console.in_bytes || !console.messages)
        return -ENOMEM;
    console.free = (uint32_t)((1ULL << console.out.ring.ring.size) - 1);
    for (uint64_t n = 0; n < console.in.ring.ring.size; n++)
        control_offer(n);
    return 0;
}

static int64_t queues_open(struct driver_device *device) {
    uint32_t most = multiport() ? virtio_config(&console.virtio, CONFIG_PORTS, 4) : 1;
    unsigned links = device->link_count < PORTS ? device->link_count : PORTS;
    console.port_count = most < links ? most : links;
    int64_t error = 0;
    for (unsigned i = 0; i < console.port_count && !error; i++)
        error = port_open(device, i);
    return !error && multiport() ? control_open() : error;
}

static int64_t console_init(struct driver_device *device) {
    console.device = device;
    int64_t error = virtio_open(&console.virtio, device);
    if (!error)
        error = virtio_negotiate(&console.virtio, FEATURE_SIZE | FEATURE_MULTIPORT, 0);
    if (!error)
        error = journals_take(device);
    if (!error)
        error = queues_open(device);
    if (error)
        return error;
    virtio_ready(&console.virtio);
    if (multiport()) {
        virtio_publish(&console.in);
        (void)control_send(UINT32_MAX, CONTROL_DEVICE_READY, 1);
        return 0;
    }
    if (console.port_count) {
        struct port *port = &console.ports[0];
        port->state.flags = PORT_CONSOLE | PORT_HOST_OPEN;
        port->added = true;
        size_read();
        port_offer(port);
    }
    return 0;
}

int main(int argc, char **argv) {
    static const struct driver driver = {
        .name = "virtio-console",
        .init = console_init,
        .interrupt = console_interrupt,
        .session = console_session,
        .kick = console_kick,
    };
    return driver_main(&driver, argc, argv);
}
