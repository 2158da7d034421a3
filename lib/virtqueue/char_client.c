/* See char_client.h. */
#include "lib/virtqueue/char_client.h"

#include "abi/devices.h"
#include "abi/errors.h"

static struct link_header *header_of(const struct char_client *client) {
    return (struct link_header *)client->area;
}

static struct char_slot *slot_of(const struct char_client *client, unsigned slot) {
    return (struct char_slot *)(client->area + CHAR_REQUESTS) + slot;
}

/* As the driver understands addresses. */
static uint64_t offset_of(const struct char_client *client, const void *at) {
    return (uint64_t)((const uint8_t *)at - client->area);
}

static void outstanding_set(struct char_client *client, uint32_t slots) {
    client->outstanding = slots;
    ring_store(header_of(client)->awaited, request_ages_oldest(&client->ages, slots));
}

void char_client_init(struct char_client *client, void *area) {
    client->area = area;
    client->session = ring_load(header_of(client)->session);
    client->presence = ring_load(header_of(client)->presence);
    client->generation = 0;
    client->ages = (struct request_ages){0};
    outstanding_set(client, 0);
}

static uint32_t generation_of(const struct char_client *client) {
    return link_generation_seen(ring_load(header_of(client)->generation), client->presence);
}

bool char_client_stale(const struct char_client *client) {
    return generation_of(client) != client->generation;
}

void char_client_begin(struct char_client *client) {
    struct link_header *header = header_of(client);
    struct virtqueue_memory ring = char_ring(client->area);
    ring_store(header->session, 0);
    outstanding_set(client, 0);
    virtqueue_driver_init(&client->queue, &ring);
    client->generation = generation_of(client);
    if (++client->session == 0)
        client->session = 1;
    ring_store(header->session_generation, client->generation);
    ring_store(header->session, client->session);
}

uint8_t *char_client_data(const struct char_client *client, unsigned slot) {
    return client->area + CHAR_DATA + (size_t)slot * CHAR_DATA_SIZE;
}

int char_client_submit(struct char_client *client, unsigned slot, const struct char_request *request,
                       uint32_t length, bool *signal) {
    struct char_slot *place = slot_of(client, slot);
    struct virtqueue_buffer buffers[3];
    unsigned count = 0, readable = request->kind == CHAR_WRITE && length ? 2 : 1;
    *signal = false;
    if (!client->generation)
        return -EAGAIN;
    place->request = *request;
    buffers[count++] = (struct virtqueue_buffer){offset_of(client, &place->request), sizeof place->request};
    if (length)
        buffers[count++] =
            (struct virtqueue_buffer){offset_of(client, char_client_data(client, slot)), length};
    buffers[count++] = (struct virtqueue_buffer){offset_of(client, &place->result), sizeof place->result};
    int error = virtqueue_add(&client->queue, buffers, readable, count - readable, slot);
    if (error)
        return error;
    request_ages_begin(&client->ages, slot);
    outstanding_set(client, client->outstanding | 1U << slot);
    *signal = virtqueue_publish(&client->queue);
    return 0;
}

int char_client_completed(struct char_client *client, unsigned *slot, int64_t *result) {
    uint64_t token;
    uint32_t written;
    int found = client->generation ? virtqueue_get_used(&client->queue, &token, &written) : 0;
    if (found != 1)
        return found;
    *slot = (unsigned)token;
    *result = ring_load(slot_of(client, *slot)->result);
    outstanding_set(client, client->outstanding & ~(1U << *slot));
    return 1;
}

struct char_state char_client_state(const struct char_client *client) {
    const struct char_state *state = (const struct char_state *)(client->area + CHAR_STATE);
    return (struct char_state){ring_load(state->features), ring_load(state->ready)};
}
