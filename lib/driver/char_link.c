/* The device side of a character device's link: chains become requests to the driver's read, write and ioctl,
 * and results go back. Requests may be completed in any order. Nothing in the area is believed. */
#include <errno.h>
#include <string.h>

#include "lib/driver/internal.h"
#include "lib/native/keel.h"
#include "lib/virtqueue/char_ring.h"
#include "lib/virtqueue/device.h"

struct char_link {
    struct virtqueue_device queue;
    struct driver_request requests[CHAR_QUEUE_SIZE]; /* by head; bytes NULL and kind 0: not outstanding */
};

static struct char_link links[DRIVER_LINKS];

void char_session(struct driver_device *device, struct driver_link *link) {
    struct char_link *state = &links[link->index];
    (void)device;
    memset(state->requests, 0, sizeof state->requests);
    link->state = state;
    if (!link->session)
        return;
    if (link->area.length < CHAR_AREA_SIZE)
        driver_fail("the link's area", -EINVAL);
    struct virtqueue_memory ring = char_ring(link->area.bytes);
    virtqueue_device_init(&state->queue, &ring, link->area.bytes, CHAR_AREA_SIZE, false);
}

/* The first descriptor is the head, the last one the result; one, at most, lies between. */
static bool request_read(struct driver_link *link, const struct virtqueue_chain *chain,
                         struct driver_request *request) {
    struct char_request head;
    unsigned count = chain->readable + chain->writable;
    const struct virtqueue_segment *last = &chain->segments[count - 1], *data = &chain->segments[1];
    if (chain->readable < 1 || chain->writable < 1 || count > 3 || chain->segments[0].length < sizeof head ||
        last->length != sizeof(int64_t) || (uintptr_t)last->bytes % sizeof(int64_t))
        return false;
    memcpy(&head, chain->segments[0].bytes, sizeof head);
    *request = (struct driver_request){
        .link = link,
        .kind = head.kind,
        .control = head.control,
        .offset = head.offset,
        .head = chain->head,
        .result_at = (int64_t *)last->bytes,
    };
    if (count == 3) {
        request->bytes = data->bytes;
        request->length = data->length;
        request->physical = link->area.physical + (uint64_t)(data->bytes - link->area.bytes);
    }
    return true;
}

static int64_t request_serve(struct driver_device *device, struct driver_request *request) {
    const struct driver *driver = device->driver;
    switch (request->kind) {
    case CHAR_READ:
        return driver->read ? driver->read(device, request) : -EINVAL;
    case CHAR_WRITE:
        return driver->write ? driver->write(device, request) : -EINVAL;
    case CHAR_IOCTL:
        return driver->ioctl ? driver->ioctl(device, request) : -ENOTTY;
    case CHAR_CLOSE:
        if (driver->closed)
            driver->closed(device, request->link);
        return 0;
    default:
        return -EINVAL;
    }
}

static struct char_state *state_of(struct driver_link *link) {
    if (link->area.length < CHAR_AREA_SIZE)
        driver_fail("the link's area", -EINVAL);
    return (struct char_state *)(link->area.bytes + CHAR_STATE);
}

void driver_char_features(struct driver_link *link, uint32_t features) {
    struct char_state *state = state_of(link);
    ring_store(state->ready, 0);
    ring_store(state->features, features);
}

void driver_char_ready(struct driver_link *link, uint32_t ready) {
    struct char_state *state = state_of(link);
    if (ring_load(state->ready) == ready)
        return;
    ring_store(state->ready, ready);
    driver_call(link);
}

void driver_complete(struct driver_request *request, int64_t result) {
    struct driver_link *link = request->link;
    struct char_link *state = link->state;
    if (!request->kind) /* of a session that is over */
        return;
    ring_store(*request->result_at, result);
    virtqueue_push(&state->queue, request->head, sizeof result);
    request->kind = 0;
    if (virtqueue_device_publish(&state->queue))
        driver_call(link);
}

static void chain_take(struct driver_device *device, struct driver_link *link,
                       const struct virtqueue_chain *chain) {
    struct char_link *state = link->state;
    struct driver_request *request = &state->requests[chain->head];
    if (request->kind || !request_read(link, chain, request) || !request->kind) {
        log_line("the client sent an invalid request; waiting for a new session");
        request->kind = 0;
        state->queue.broken = true;
        return;
    }
    int64_t result = request_serve(device, request);
    if (result != DRIVER_LATER)
        driver_complete(request, result);
}

void char_kick(struct driver_device *device, struct driver_link *link) {
    struct char_link *state = link->state;
    struct virtqueue_chain chain;
    for (unsigned i = 0; i < CHAR_QUEUE_SIZE && virtqueue_pop(&state->queue, &chain) == 1; i++)
        chain_take(device, link, &chain);
    if (virtqueue_device_enable(&state->queue))
        driver_kick_again(link);
}
