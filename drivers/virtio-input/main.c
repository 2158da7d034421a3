/*
 * Virtio input devices (virtio 1.2, section 5.8): what the device tells of itself is the description that the
 * client gets, and events go through as they are. Buffers of both queues lie in the driver's own memory: the
 * device reaches nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/driver/input.h"
#include "lib/virtio/virtio.h"

enum { EVENT_QUEUE = 0, STATUS_QUEUE = 1, QUEUE_SIZE = 64, PLACE_LENGTH = 40 };
enum { CONFIG_SELECT = 0, CONFIG_SUBSEL = 1, CONFIG_SIZE = 2, CONFIG_DATA = 8 };

static struct virtio virtio;
static struct virtio_queue events, statuses;
static struct input_event *buffers; /* QUEUE_SIZE of the event queue, then as many of the status queue */
static uint64_t buffers_physical;
static uint64_t statuses_free; /* bit per buffer */
static struct input_server server;

static struct virtqueue_buffer buffer_at(uint64_t n) {
    return (struct virtqueue_buffer){buffers_physical + n * sizeof *buffers, sizeof *buffers};
}

/* ---- the description ---- */

static void piece_copy(unsigned select, unsigned subsel) {
    uint8_t data[sizeof(((struct input_config *)0)->data)];
    virtio_config_set(&virtio, CONFIG_SELECT, 1, select);
    virtio_config_set(&virtio, CONFIG_SUBSEL, 1, subsel);
    uint32_t size = virtio_config(&virtio, CONFIG_SIZE, 1);
    if (size == 0 || size > sizeof data) /* there is none; or the device lies */
        return;
    for (uint32_t i = 0; i < size; i++)
        data[i] = (uint8_t)virtio_config(&virtio, CONFIG_DATA + i, 1);
    input_describe(&server, (uint8_t)select, (uint8_t)subsel, data, size);
}

static void describe(const struct driver_device *device) {
    char place[PLACE_LENGTH];
    unsigned address = device->address;
    piece_copy(INPUT_CONFIG_NAME, 0);
    piece_copy(INPUT_CONFIG_SERIAL, 0);
    piece_copy(INPUT_CONFIG_IDS, 0);
    piece_copy(INPUT_CONFIG_PROPS, 0);
    for (unsigned type = EV_KEY; type < EV_COUNT; type++)
        piece_copy(INPUT_CONFIG_BITS, type);
    for (unsigned axis = 0; axis < INPUT_ABSES; axis++)
        piece_copy(INPUT_CONFIG_AXIS, axis);
    snprintf(place, sizeof place, "pci-%04x:%02x:%02x.%u/input0", address >> 16, address >> 8 & 0xff,
             address >> 3 & 0x1f, address & 7);
    input_describe_text(&server, INPUT_CONFIG_PLACE, place);
}

/* ---- events ---- */

static void event_offer(uint64_t n) {
    struct virtqueue_buffer buffer = buffer_at(n);
    (void)virtqueue_add(&events.ring, &buffer, 0, 1, n);
}

static void events_take(void) {
    uint64_t token;
    uint32_t length;
    int result;
    while ((result = virtqueue_get_used(&events.ring, &token, &length)) == 1) {
        struct input_event event;
        memcpy(&event, &buffers[token], sizeof event);
        event_offer(token);
        if (length < sizeof event)
            continue;
        if (event.type == EV_SYN && event.code == SYN_REPORT)
            input_sync(&server);
        else
            input_report(&server, event.type, event.code, (int32_t)event.value);
    }
    if (result < 0)
        driver_fail("the device's used ring", result);
    virtio_publish(&events);
}

static void statuses_collect(void) {
    uint64_t token;
    uint32_t length;
    int result;
    while ((result = virtqueue_get_used(&statuses.ring, &token, &length)) == 1)
        statuses_free |= 1ULL << (token - QUEUE_SIZE);
    if (result < 0)
        driver_fail("the device's used ring", result);
}

/* A device that takes no more loses it. */
static void status_send(struct input_server *of, const struct input_event *event) {
    (void)of;
    statuses_collect();
    if (!statuses_free)
        return;
    uint64_t n = QUEUE_SIZE + (uint64_t)__builtin_ctzll(statuses_free);
    struct virtqueue_buffer buffer = buffer_at(n);
    buffers[n] = *event;
    if (virtqueue_add(&statuses.ring, &buffer, 1, 0, n))
        return;
    statuses_free &= statuses_free - 1;
    virtio_publish(&statuses);
}

/* ---- the driver ---- */

static int64_t queues_open(void) {
    int64_t error = virtio_queue_open(&virtio, &events, EVENT_QUEUE, QUEUE_SIZE, 0);
    if (!error)
        error = virtio_queue_open(&virtio, &statuses, STATUS_QUEUE, QUEUE_SIZE, 0);
    buffers =
        (struct input_event *)virtio_dma_take(&virtio, 2UL * QUEUE_SIZE * sizeof *buffers, &buffers_physical);
    if (!error && !buffers)
        error = -ENOMEM;
    return error;
}

static int64_t init(struct driver_device *device) {
    input_server_init(&server, device, 0);
    server.status = status_send;
    int64_t error = virtio_open(&virtio, device);
    if (!error)
        error = virtio_negotiate(&virtio, 0, 0);
    if (!error)
        error = queues_open();
    if (error)
        return error;
    describe(device);
    virtqueue_driver_disable(&statuses.ring);
    statuses_free = (1ULL << (statuses.ring.ring.size - 1) << 1) - 1;
    for (uint64_t n = 0; n < events.ring.ring.size; n++)
        event_offer(n);
    virtio_ready(&virtio);
    virtio_publish(&events);
    input_server_offer(&server);
    return 0;
}

static void interrupt(struct driver_device *device, unsigned index) {
    (void)device, (void)index;
    (void)virtio_cause(&virtio);
    events_take();
}

static void session(struct driver_device *device, struct driver_link *link) {
    (void)device;
    if (link->session)
        input_server_session(link->state);
}

static void kick(struct driver_device *device, struct driver_link *link) {
    (void)device;
    input_server_run(link->state);
}

static const struct driver virtio_input = {
    .name = "virtio-input", .init = init, .interrupt = interrupt, .session = session, .kick = kick};

int main(int argc, char **argv) {
    return driver_main(&virtio_input, argc, argv);
}
