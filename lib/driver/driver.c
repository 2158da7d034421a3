/* The event loop of a driver. See driver.h. */
#include "lib/driver/driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/driver/internal.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"
#include "lib/virtqueue/ring.h"

enum { PORT_QUEUE = 32, EXIT_FAILED = 1, LEVEL = 0, LEVEL_DRIVER = 1 };
/* Keys at the driver's port. */
enum { KEY_PING = 1, KEY_KICK = 0x100, KEY_INTERRUPT = 0x200 };

_Noreturn void driver_fail(const char *what, int64_t error) {
    log_line("%s: %s", what, strerror((int)-error));
    exit(EXIT_FAILED);
}

void driver_call(struct driver_link *link) {
    (void)keel_event_signal(link->call);
}

static void bind(handle_t object, handle_t port, uint64_t key) {
    int64_t error = object == HANDLE_NONE ? 0 : keel_object_bind(object, port, key);
    if (error < 0)
        driver_fail("object_bind", error);
}

static void sources_bind(struct driver_device *device) {
    int64_t port = keel_handle_create(OBJECT_PORT, PORT_QUEUE, 0, 0);
    if (port < 0)
        driver_fail("port", port);
    device->port = (handle_t)port;
    bind(device->ping, device->port, KEY_PING);
    for (unsigned i = 0; i < device->link_count; i++)
        bind(device->links[i].kick, device->port, KEY_KICK + i);
    for (unsigned i = 0; i < device->irq_count; i++)
        bind(device->irqs[i], device->port, KEY_INTERRUPT + i);
}

static bool is_char(const struct driver *driver) {
    return driver->read || driver->write || driver->ioctl;
}

/* Follows the client's session; a session for another generation of the driver is none. */
static void session_follow(struct driver_device *device, struct driver_link *link) {
    struct link_header *header = (struct link_header *)link->area.bytes;
    uint32_t session = ring_load(header->session);
    /* The second look: a session that ended in between was of another generation. */
    if (ring_load(header->session_generation) != device->generation || ring_load(header->session) != session)
        session = 0;
    if (session == link->session)
        return;
    link->session = session;
    if (session && is_char(device->driver))
        char_session(device, link);
    if (device->driver->session)
        device->driver->session(device, link);
}

static void link_kicked(struct driver_device *device, struct driver_link *link) {
    session_follow(device, link);
    if (!link->session)
        return;
    if (is_char(device->driver))
        char_kick(device, link);
    else if (device->driver->kick)
        device->driver->kick(device, link);
}

/* The clients learn of the new generation, and answer with a session and a kick. */
static void links_announce(struct driver_device *device) {
    for (unsigned i = 0; i < device->link_count; i++) {
        struct link_header *header = (struct link_header *)device->links[i].area.bytes;
        ring_store(header->generation, device->generation);
        driver_call(&device->links[i]);
    }
}

static void packet_take(struct driver_device *device, const struct port_packet *packet) {
    uint64_t key = packet->key;
    if (key == KEY_PING) {
        (void)keel_event_signal(device->alive);
    } else if (key - KEY_KICK < device->link_count) {
        link_kicked(device, &device->links[key - KEY_KICK]);
    } else if (key - KEY_INTERRUPT < device->irq_count) {
        unsigned index = (unsigned)(key - KEY_INTERRUPT);
        if (device->driver->interrupt)
            device->driver->interrupt(device, index);
        (void)keel_interrupt_ack(device->irqs[index]);
    }
}

static void step(struct driver_device *device) {
    struct port_packet packet;
    int64_t result = packet_receive(device->port, device->deadline, &packet);
    if (result == 0) {
        packet_take(device, &packet);
    } else if (result == -ETIMEDOUT) {
        device->deadline = DEADLINE_NEVER;
        if (device->driver->timer)
            device->driver->timer(device);
    } else {
        driver_fail("port_receive", result);
    }
}

int driver_main(const struct driver *driver, int argc, char **argv) {
    static struct driver_device device;
    device = (struct driver_device){.driver = driver, .deadline = DEADLINE_NEVER};
    (void)keel_thread_set(0, LEVEL, LEVEL_DRIVER);
    device_open(&device, argc, argv);
    sources_bind(&device);
    int64_t error = driver->init(&device);
    if (error < 0) {
        log_line("the device cannot be used: %s", strerror((int)-error));
        return EXIT_FAILED;
    }
    links_announce(&device);
    (void)keel_event_signal(device.alive);
    for (;;)
        step(&device);
}

static void bar_check(const struct driver_bar *bar, uint64_t offset, unsigned width) {
    if (offset > bar->length || width > bar->length - offset)
        driver_fail("access beyond the device's registers", -EFAULT);
}

uint32_t bar_read(const struct driver_bar *bar, uint64_t offset, unsigned width) {
    bar_check(bar, offset, width);
    if (!bar->at) {
        int64_t value = keel_io_read(bar->ports, bar->port + offset, width);
        return value < 0 ? UINT32_MAX : (uint32_t)value;
    }
    volatile uint8_t *at = bar->at + offset;
    return width == 1 ? *at : width == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

void bar_write(const struct driver_bar *bar, uint64_t offset, unsigned width, uint32_t value) {
    bar_check(bar, offset, width);
    volatile uint8_t *at = bar->at + offset;
    if (!bar->at)
        (void)keel_io_write(bar->ports, bar->port + offset, width, value);
    else if (width == 1)
        *at = (uint8_t)value;
    else if (width == 2)
        *(volatile uint16_t *)at = (uint16_t)value;
    else
        *(volatile uint32_t *)at = value;
}
