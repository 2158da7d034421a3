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

static void session_set(struct driver_device *device, struct driver_link *link, uint32_t session) {
    if (session == link->session)
        return;
    link->session = session;
    if (is_char(device->driver))
        char_session(device, link);
    if (device->driver->session)
        device->driver->session(device, link);
}

static struct link_header *header_of(const struct driver_link *link) {
    return (struct link_header *)link->area.bytes;
}

/* Follows the client's session; a session for another generation of the driver is none. */
static void session_follow(struct driver_device *device, struct driver_link *link) {
    struct link_header *header = header_of(link);
    uint32_t session = ring_load(header->session);
    /* The second look: a session that ended in between was of another generation. */
    if (ring_load(header->session_generation) != link_generation(device->generation, link->presence) ||
        ring_load(header->session) != session)
        session = 0;
    session_set(device, link, session);
}

static void link_kicked(struct driver_device *device, struct driver_link *link) {
    if (link->announced)
        session_follow(device, link);
    if (!link->session)
        return;
    if (is_char(device->driver))
        char_kick(device, link);
    else if (device->driver->kick)
        device->driver->kick(device, link);
}

/* ---- offers ---- */

/* The client learns of the new generation, and answers with a session and a kick. */
static void link_announce(struct driver_device *device, struct driver_link *link) {
    link->announced = true;
    ring_store(header_of(link)->generation, link_generation(device->generation, link->presence));
    driver_call(link);
}

/* What is under way is the old offer's, and so ends before the new one has a generation. */
static void link_withdraw(struct driver_device *device, struct driver_link *link) {
    link->announced = false;
    ring_store(header_of(link)->generation, 0);
    session_set(device, link, 0);
    driver_call(link);
}

void driver_offer_present(struct driver_device *device, unsigned index, bool present) {
    struct driver_link *link = index < device->link_count ? &device->links[index] : NULL;
    if (!link || !link->optional)
        driver_fail("a link that is not optional", -EINVAL);
    bool counted = !(link->presence & 1);
    if (present == counted && present == link->announced)
        return;
    if (!present)
        link_withdraw(device, link);
    if (present != counted)
        ring_store(header_of(link)->presence, ++link->presence);
    if (present)
        link_announce(device, link);
    if (device->started)
        (void)keel_event_signal(device->alive);
}

static void links_open(struct driver_device *device) {
    for (unsigned i = 0; i < device->link_count; i++) {
        struct driver_link *link = &device->links[i];
        link->presence = ring_load(header_of(link)->presence);
    }
}

static void links_announce(struct driver_device *device) {
    for (unsigned i = 0; i < device->link_count; i++)
        if (!device->links[i].optional)
            link_announce(device, &device->links[i]);
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

static bool kicks_wait(const struct driver_device *device) {
    bool found = false;
    for (unsigned i = 0; i < device->link_count; i++)
        found = found || device->links[i].again;
    return found;
}

static void kicks_again(struct driver_device *device) {
    for (unsigned i = 0; i < device->link_count; i++) {
        bool again = device->links[i].again;
        device->links[i].again = false;
        if (again)
            link_kicked(device, &device->links[i]);
    }
}

static void timer_check(struct driver_device *device) {
    if (device->deadline > clock_now())
        return;
    device->deadline = DEADLINE_NEVER;
    if (device->driver->timer)
        device->driver->timer(device);
}

/* Packets come first: nothing that is done again keeps the heartbeat's question waiting. */
static void step(struct driver_device *device) {
    struct port_packet packet;
    int64_t result = packet_receive(device->port, kicks_wait(device) ? 0 : device->deadline, &packet);
    if (result == 0) {
        packet_take(device, &packet);
    } else if (result == -EAGAIN || result == -ETIMEDOUT) {
        timer_check(device);
        kicks_again(device);
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
    links_open(&device);
    int64_t error = driver->init(&device);
    if (error < 0) {
        log_line("the device cannot be used: %s", strerror((int)-error));
        return EXIT_FAILED;
    }
    device.started = true;
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
