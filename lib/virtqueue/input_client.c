/* See input_client.h. Tokens are indexes of buffers. */
#include "lib/virtqueue/input_client.h"

#include "abi/devices.h"
#include "abi/errors.h"
#include "lib/base/string.h"

_Static_assert(INPUT_QUEUE_SIZE == 64, "status_free has a bit per buffer");

static struct link_header *header_of(const struct input_client *client) {
    return (struct link_header *)client->area;
}

/* Buffer n of the event queue, or of the status queue behind them. */
static struct virtqueue_buffer buffer_at(uint64_t n) {
    return (struct virtqueue_buffer){INPUT_BUFFERS + n * sizeof(struct input_event),
                                     sizeof(struct input_event)};
}

static volatile uint64_t *word_at(const struct input_client *client, uint64_t n) {
    return (volatile uint64_t *)(client->area + buffer_at(n).address);
}

void input_client_init(struct input_client *client, void *area) {
    *client = (struct input_client){.area = area};
    client->session = ring_load(header_of(client)->session);
    client->version = 1; /* odd: none */
}

bool input_client_stale(const struct input_client *client) {
    return ring_load(header_of(client)->generation) != client->generation;
}

static void event_offer(struct input_client *client, uint64_t n) {
    struct virtqueue_buffer buffer = buffer_at(n);
    (void)virtqueue_add(&client->events, &buffer, 0, 1, n);
}

void input_client_begin(struct input_client *client) {
    struct link_header *header = header_of(client);
    struct virtqueue_memory events = input_ring(client->area, INPUT_EVENTS),
                            status = input_ring(client->area, INPUT_STATUS);
    ring_store(header->session, 0);
    virtqueue_driver_init(&client->events, &events);
    virtqueue_driver_init(&client->status, &status);
    virtqueue_driver_disable(&client->status);
    client->status_free = UINT64_MAX;
    for (uint64_t n = 0; n < INPUT_QUEUE_SIZE; n++)
        event_offer(client, n);
    (void)virtqueue_publish(&client->events);
    client->generation = ring_load(header->generation);
    if (++client->session == 0)
        client->session = 1;
    ring_store(header->session_generation, client->generation);
    ring_store(header->session, client->session);
}

static void description_limit(struct input_description *description) {
    if (description->count > INPUT_CONFIGS)
        description->count = 0;
    for (uint32_t i = 0; i < description->count; i++)
        if (description->configs[i].size > sizeof(description->configs[i].data))
            description->configs[i].size = 0;
}

bool input_client_description(struct input_client *client, struct input_description *description) {
    const struct input_description *shared = (const void *)(client->area + INPUT_DESCRIPTION);
    uint32_t version = ring_load(shared->version);
    if (version & 1 || version == client->version || !client->generation)
        return false;
    memcpy(description, shared, sizeof(*description));
    ring_fence();
    if (ring_load(shared->version) != version)
        return false; /* it signals again */
    client->version = version;
    description_limit(description);
    return true;
}

int input_client_take(struct input_client *client, struct input_event *event) {
    uint64_t token;
    uint32_t length;
    int found = client->generation ? virtqueue_get_used(&client->events, &token, &length) : 0;
    if (found != 1)
        return found;
    uint64_t word = *word_at(client, token); /* once: the driver may write on */
    memcpy(event, &word, sizeof(*event));
    event_offer(client, token);
    return length == sizeof(*event) ? 1 : -EPROTO;
}

bool input_client_offer(struct input_client *client) {
    return client->generation && virtqueue_publish(&client->events);
}

void input_client_send(struct input_client *client, const struct input_event *event, bool *signal) {
    uint64_t token, word;
    uint32_t length;
    *signal = false;
    if (!client->generation)
        return;
    while (virtqueue_get_used(&client->status, &token, &length) == 1)
        client->status_free |= 1ULL << token;
    if (!client->status_free)
        return;
    uint64_t n = (uint64_t)__builtin_ctzll(client->status_free);
    struct virtqueue_buffer buffer = buffer_at(INPUT_QUEUE_SIZE + n);
    memcpy(&word, event, sizeof(word));
    *word_at(client, INPUT_QUEUE_SIZE + n) = word;
    if (virtqueue_add(&client->status, &buffer, 1, 0, n))
        return;
    client->status_free &= client->status_free - 1;
    *signal = virtqueue_publish(&client->status);
}
