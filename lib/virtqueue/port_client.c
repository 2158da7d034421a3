/* See port_client.h. A token is the index of the buffer. */
#include "lib/virtqueue/port_client.h"

#include "abi/errors.h"
#include "lib/base/string.h"

_Static_assert(PORT_QUEUE_SIZE == 32, "sending has a bit per buffer");

static struct link_header *header_of(const struct port_client *client) {
    return (struct link_header *)client->area;
}

static uint32_t generation_of(const struct port_client *client) {
    return link_generation_seen(ring_load(header_of(client)->generation), client->presence);
}

static uint8_t *receive_place(const struct port_client *client, unsigned buffer) {
    return client->area + PORT_RX_BUFFERS + (size_t)buffer * PORT_RX_BUFFER_SIZE;
}

static uint8_t *send_place(const struct port_client *client, unsigned buffer) {
    return client->area + PORT_TX_BUFFERS + (size_t)buffer * PORT_TX_BUFFER_SIZE;
}

void port_client_init(struct port_client *client, void *area) {
    *client = (struct port_client){.area = area};
    client->session = ring_load(header_of(client)->session);
    client->presence = ring_load(header_of(client)->presence);
}

/* ---- rings: an entry is free whenever its buffer is, so adding fails on a broken queue only ---- */

static void receive_offer(struct port_client *client, unsigned buffer) {
    struct virtqueue_buffer where = {(uint64_t)(receive_place(client, buffer) - client->area),
                                     PORT_RX_BUFFER_SIZE};
    (void)virtqueue_add(&client->rx, &where, 0, 1, buffer);
}

static void send_offer(struct port_client *client, unsigned buffer) {
    struct virtqueue_buffer where = {(uint64_t)(send_place(client, buffer) - client->area),
                                     client->send_length[buffer]};
    (void)virtqueue_add(&client->tx, &where, 1, 0, buffer);
}

int port_collect(struct port_client *client) {
    uint64_t token;
    uint32_t length;
    int found;
    if (!client->generation)
        return 0;
    while ((found = virtqueue_get_used(&client->tx, &token, &length)) == 1)
        client->sending &= ~(1U << token);
    while (found == 0 && (found = virtqueue_get_used(&client->rx, &token, &length)) == 1) {
        found = 0;
        if (length == 0) {
            receive_offer(client, (unsigned)token);
            continue;
        }
        uint32_t at = (client->filled_first + client->filled_count++) % PORT_QUEUE_SIZE;
        client->filled[at].buffer = (uint16_t)token;
        client->filled[at].length = (uint16_t)length;
    }
    return found;
}

/* ---- sessions ---- */

bool port_stale(const struct port_client *client) {
    uint32_t generation = generation_of(client);
    return generation && generation != client->generation;
}

static void rings_lay(struct port_client *client) {
    struct virtqueue_memory rx = port_ring(client->area, PORT_RX), tx = port_ring(client->area, PORT_TX);
    uint32_t held = 0;
    virtqueue_driver_init(&client->rx, &rx);
    virtqueue_driver_init(&client->tx, &tx);
    virtqueue_driver_disable(&client->tx);
    for (uint32_t i = 0; i < client->filled_count; i++)
        held |= 1U << client->filled[(client->filled_first + i) % PORT_QUEUE_SIZE].buffer;
    for (unsigned i = 0; i < PORT_QUEUE_SIZE; i++)
        if (!(held >> i & 1))
            receive_offer(client, i);
    for (unsigned i = 0; i < PORT_QUEUE_SIZE; i++) {
        unsigned buffer = (client->send_next + i) % PORT_QUEUE_SIZE;
        if (client->sending >> buffer & 1)
            send_offer(client, buffer);
    }
    (void)virtqueue_publish(&client->rx);
    (void)virtqueue_publish(&client->tx);
}

void port_begin(struct port_client *client) {
    struct link_header *header = header_of(client);
    uint32_t generation = generation_of(client);
    (void)port_collect(client); /* after the new generation was seen: what the old session finished is told */
    ring_store(header->session, 0);
    rings_lay(client);
    client->generation = generation;
    if (++client->session == 0)
        client->session = 1;
    ring_store(header->session_generation, generation);
    ring_store(header->session, client->session);
}

/* ---- out ---- */

size_t port_write(struct port_client *client, const void *bytes, size_t length, bool *signal) {
    size_t taken = 0;
    *signal = false;
    (void)port_collect(client);
    while (taken < length && port_writable(client)) {
        unsigned buffer = client->send_next;
        size_t part = length - taken < PORT_TX_BUFFER_SIZE ? length - taken : PORT_TX_BUFFER_SIZE;
        memcpy(send_place(client, buffer), (const uint8_t *)bytes + taken, part);
        client->send_length[buffer] = (uint16_t)part;
        client->sending |= 1U << buffer;
        client->send_next = (buffer + 1) % PORT_QUEUE_SIZE;
        if (client->generation)
            send_offer(client, buffer);
        taken += part;
    }
    if (taken && client->generation)
        *signal = virtqueue_publish(&client->tx);
    return taken;
}

bool port_writable(const struct port_client *client) {
    return !(client->sending >> client->send_next & 1);
}

bool port_drained(struct port_client *client) {
    (void)port_collect(client);
    return client->sending == 0;
}

bool port_want_space(struct port_client *client, bool want) {
    if (!client->generation)
        return false;
    if (want)
        return virtqueue_driver_enable(&client->tx) && !client->tx.broken;
    virtqueue_driver_disable(&client->tx);
    return false;
}

/* ---- in ---- */

static void first_done(struct port_client *client) {
    unsigned buffer = client->filled[client->filled_first].buffer;
    client->filled_first = (client->filled_first + 1) % PORT_QUEUE_SIZE;
    client->filled_count--;
    client->offset = 0;
    receive_offer(client, buffer);
}

size_t port_read(struct port_client *client, void *bytes, size_t length, bool *signal) {
    size_t done = 0;
    bool offered = false;
    *signal = false;
    (void)port_collect(client);
    while (done < length && client->filled_count) {
        unsigned buffer = client->filled[client->filled_first].buffer;
        size_t rest = client->filled[client->filled_first].length - client->offset;
        size_t part = length - done < rest ? length - done : rest;
        memcpy((uint8_t *)bytes + done, receive_place(client, buffer) + client->offset, part);
        done += part;
        client->offset += (uint32_t)part;
        if (part == rest) {
            first_done(client);
            offered = true;
        }
    }
    if (offered)
        *signal = virtqueue_publish(&client->rx);
    return done;
}

bool port_readable(struct port_client *client) {
    if (client->filled_count)
        return true;
    if (!client->generation || !virtqueue_driver_enable(&client->rx))
        return false;
    (void)port_collect(client);
    return client->filled_count;
}

void port_discard(struct port_client *client, bool *signal) {
    (void)port_collect(client);
    *signal = client->filled_count;
    while (client->filled_count)
        first_done(client);
    if (*signal)
        *signal = virtqueue_publish(&client->rx);
}

/* ---- state ---- */

struct port_state port_state_read(const struct port_client *client) {
    const struct port_state *state = (const struct port_state *)(client->area + PORT_STATE);
    struct port_state copy = {.flags = ring_load(state->flags),
                              .columns = ring_load(state->columns),
                              .rows = ring_load(state->rows)};
    for (unsigned i = 0; i + 1 < PORT_NAME_SIZE; i++) {
        copy.name[i] = ring_load(state->name[i]);
        if (!copy.name[i])
            break;
    }
    return copy;
}

void port_wish_open(struct port_client *client, bool open) {
    struct port_wish *wish = (struct port_wish *)(client->area + PORT_CLIENT);
    ring_store(wish->open, open);
}
