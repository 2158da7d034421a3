/* See input.h. */
#include "lib/driver/input.h"

#include <errno.h>
#include <string.h>

enum { TEXT_MOST = 127 };

void input_server_init(struct input_server *server, struct driver_device *device, unsigned link) {
    if (link >= device->link_count || device->links[link].area.length < INPUT_AREA_SIZE)
        driver_fail("the link's area", -EINVAL);
    server->link = &device->links[link];
    server->held_first = server->held_count = 0;
    server->offered = server->dropped = false;
    server->link->state = server;
    input_describe_nothing(server);
    input_server_withdraw(server);
}

/* ---- the description ---- */

void input_describe_nothing(struct input_server *server) {
    server->described.count = 0;
}

/* The piece with these selectors, a new one if need be; NULL: there is no room. */
static struct input_config *piece(struct input_server *server, uint8_t select, uint8_t subsel) {
    struct input_description *described = &server->described;
    for (unsigned i = 0; i < described->count; i++)
        if (described->configs[i].select == select && described->configs[i].subsel == subsel)
            return &described->configs[i];
    if (described->count == INPUT_CONFIGS)
        return NULL;
    struct input_config *config = &described->configs[described->count++];
    *config = (struct input_config){.select = select, .subsel = subsel};
    return config;
}

void input_describe(struct input_server *server, uint8_t select, uint8_t subsel, const void *data,
                    size_t size) {
    struct input_config *config = piece(server, select, subsel);
    if (!config || size > sizeof config->data)
        return;
    memset(config->data, 0, sizeof config->data);
    memcpy(config->data, data, size);
    config->size = (uint8_t)size;
}

void input_describe_text(struct input_server *server, enum input_select select, const char *text) {
    input_describe(server, (uint8_t)select, 0, text, strnlen(text, TEXT_MOST));
}

void input_describe_ids(struct input_server *server, uint16_t bus, uint16_t vendor, uint16_t product,
                        uint16_t version) {
    const struct input_ids ids = {bus, vendor, product, version};
    input_describe(server, INPUT_CONFIG_IDS, 0, &ids, sizeof ids);
}

void input_describe_code(struct input_server *server, enum input_type type, unsigned code) {
    struct input_config *config = piece(server, INPUT_CONFIG_BITS, (uint8_t)type);
    if (!config || code / 8 >= sizeof config->data)
        return;
    config->data[code / 8] |= (uint8_t)(1U << code % 8);
    if (config->size <= code / 8)
        config->size = (uint8_t)(code / 8 + 1);
}

void input_describe_codes(struct input_server *server, enum input_type type, unsigned first, unsigned last) {
    for (unsigned code = first; code <= last; code++)
        input_describe_code(server, type, code);
}

void input_describe_axis(struct input_server *server, unsigned code, const struct input_axis *axis) {
    input_describe_code(server, EV_ABS, code);
    input_describe(server, INPUT_CONFIG_AXIS, (uint8_t)code, axis, sizeof *axis);
}

static void description_show(struct input_server *server, uint32_t count) {
    struct input_description *shared = (void *)(server->link->area.bytes + INPUT_DESCRIPTION);
    uint32_t version = ring_load(shared->version) | 1;
    ring_store(shared->version, version);
    ring_fence();
    memcpy(shared->configs, server->described.configs, count * sizeof shared->configs[0]);
    ring_store(shared->count, count);
    ring_store(shared->version, version + 1);
    driver_call(server->link);
}

void input_server_offer(struct input_server *server) {
    server->offered = true;
    description_show(server, server->described.count);
}

void input_server_withdraw(struct input_server *server) {
    server->offered = false;
    server->held_count = 0;
    description_show(server, 0);
}

/* ---- the queues ---- */

void input_server_session(struct input_server *server) {
    uint8_t *area = server->link->area.bytes;
    struct virtqueue_memory events = input_ring(area, INPUT_EVENTS), status = input_ring(area, INPUT_STATUS);
    virtqueue_device_init(&server->events, &events, area, INPUT_AREA_SIZE, false);
    virtqueue_device_init(&server->status_queue, &status, area, INPUT_AREA_SIZE, false);
    virtqueue_device_disable(&server->events);
    server->held_count = 0; /* of before anybody listened */
    server->dropped = false;
}

static bool event_give(struct input_server *server, const struct input_event *event) {
    struct virtqueue_chain chain;
    if (virtqueue_pop(&server->events, &chain) != 1)
        return false;
    bool fits = chain.readable == 0 && chain.writable == 1 && chain.segments[0].length == sizeof *event;
    if (fits)
        memcpy(chain.segments[0].bytes, event, sizeof *event);
    virtqueue_push(&server->events, chain.head, fits ? sizeof *event : 0);
    return fits;
}

/* As much as the client has buffers for; it kicks when it offers more. */
static void deliver(struct input_server *server) {
    static const struct input_event dropped = {EV_SYN, SYN_DROPPED, 0};
    if (!server->link->session)
        return;
    virtqueue_device_disable(&server->events);
    do {
        if (server->dropped && event_give(server, &dropped))
            server->dropped = false;
        while (!server->dropped && server->held_count &&
               event_give(server, &server->held[server->held_first])) {
            server->held_first = (server->held_first + 1) % INPUT_HELD;
            server->held_count--;
        }
    } while ((server->held_count || server->dropped) && virtqueue_device_enable(&server->events));
    if (virtqueue_device_publish(&server->events))
        driver_call(server->link);
}

static void status_take(struct input_server *server, const struct virtqueue_chain *chain) {
    struct input_event event;
    if (chain->readable == 1 && chain->segments[0].length == sizeof event) {
        memcpy(&event, chain->segments[0].bytes, sizeof event);
        if (server->status && server->offered)
            server->status(server, &event);
    }
    virtqueue_push(&server->status_queue, chain->head, 0);
}

void input_server_run(struct input_server *server) {
    struct virtqueue_chain chain;
    if (!server->link->session)
        return;
    while (virtqueue_pop(&server->status_queue, &chain) == 1)
        status_take(server, &chain);
    if (virtqueue_device_enable(&server->status_queue))
        driver_kick_again(server->link);
    if (virtqueue_device_publish(&server->status_queue))
        driver_call(server->link);
    deliver(server);
}

void input_report(struct input_server *server, enum input_type type, unsigned code, int32_t value) {
    if (!server->offered || !server->link->session)
        return;
    if (server->held_count == INPUT_HELD) { /* the rest of it means nothing any more */
        server->held_count = 0;
        server->dropped = true;
    }
    server->held[(server->held_first + server->held_count++) % INPUT_HELD] =
        (struct input_event){(uint16_t)type, (uint16_t)code, (uint32_t)value};
}

void input_sync(struct input_server *server) {
    input_report(server, EV_SYN, SYN_REPORT, 0);
    deliver(server);
}
