/* See console_client.h. A token is the index of the buffer. */
#include "lib/virtqueue/console_client.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "lib/virtqueue/console_ring.h"

_Static_assert(CONSOLE_QUEUE_SIZE == 64, "tx_free has a bit per buffer");

/* A ring entry is free whenever its buffer is, so this cannot fail but on a broken queue. */
static void rx_offer(struct console_client *client, uint32_t buffer) {
    struct virtqueue_buffer where = {CONSOLE_RX_BUFFERS + buffer * CONSOLE_RX_BUFFER_SIZE,
                                     CONSOLE_RX_BUFFER_SIZE};
    (void)virtqueue_add(&client->rx, &where, 0, 1, buffer);
}

int console_client_init(struct console_client *client, void *area, size_t length) {
    if (length < CONSOLE_AREA_SIZE)
        return -EINVAL;
    struct console_header *header = area;
    uint32_t last = ring_load(header->session);
    ring_store(header->session, 0);
    client->area = area;
    struct virtqueue_memory rx = console_ring(area, CONSOLE_RX), tx = console_ring(area, CONSOLE_TX);
    virtqueue_driver_init(&client->rx, &rx);
    virtqueue_driver_init(&client->tx, &tx);
    virtqueue_driver_disable(&client->tx);
    client->tx_free = UINT64_MAX;
    client->rx_buffer = client->rx_offset = client->rx_length = 0;
    for (uint32_t i = 0; i < CONSOLE_QUEUE_SIZE; i++)
        rx_offer(client, i);
    (void)virtqueue_publish(&client->rx);
    ring_store(header->session, last + 1 ? last + 1 : 1);
    return 0;
}

static void tx_collect(struct console_client *client) {
    uint64_t token;
    uint32_t length;
    while (virtqueue_get_used(&client->tx, &token, &length) == 1)
        client->tx_free |= 1ULL << token;
}

size_t console_write(struct console_client *client, const void *bytes, size_t length, bool *signal) {
    size_t taken = 0;
    *signal = false;
    tx_collect(client);
    if (client->tx.broken)
        return length;
    while (taken < length && client->tx_free) {
        uint32_t buffer = (uint32_t)__builtin_ctzll(client->tx_free);
        uint32_t offset = CONSOLE_TX_BUFFERS + buffer * CONSOLE_TX_BUFFER_SIZE;
        uint32_t part =
            length - taken < CONSOLE_TX_BUFFER_SIZE ? (uint32_t)(length - taken) : CONSOLE_TX_BUFFER_SIZE;
        memcpy(client->area + offset, (const uint8_t *)bytes + taken, part);
        struct virtqueue_buffer where = {offset, part};
        if (virtqueue_add(&client->tx, &where, 1, 0, buffer) < 0)
            break;
        client->tx_free &= client->tx_free - 1;
        taken += part;
    }
    if (taken)
        *signal = virtqueue_publish(&client->tx);
    return taken;
}

/* Makes the next received buffer current; false when there is none. */
static bool rx_next(struct console_client *client) {
    uint64_t token;
    uint32_t length;
    while (virtqueue_get_used(&client->rx, &token, &length) == 1) {
        client->rx_buffer = (uint32_t)token;
        client->rx_offset = 0;
        client->rx_length = length;
        if (length)
            return true;
        rx_offer(client, client->rx_buffer);
    }
    return false;
}

size_t console_read(struct console_client *client, void *bytes, size_t length, bool *signal) {
    size_t done = 0;
    bool offered = false;
    while (done < length && (client->rx_offset < client->rx_length || rx_next(client))) {
        uint32_t rest = client->rx_length - client->rx_offset;
        uint32_t part = length - done < rest ? (uint32_t)(length - done) : rest;
        uint32_t offset = CONSOLE_RX_BUFFERS + client->rx_buffer * CONSOLE_RX_BUFFER_SIZE + client->rx_offset;
        memcpy((uint8_t *)bytes + done, client->area + offset, part);
        done += part;
        client->rx_offset += part;
        if (client->rx_offset == client->rx_length) {
            rx_offer(client, client->rx_buffer);
            offered = true;
        }
    }
    *signal = offered && virtqueue_publish(&client->rx);
    return done;
}

bool console_want_space(struct console_client *client, bool want) {
    if (want)
        return virtqueue_driver_enable(&client->tx);
    virtqueue_driver_disable(&client->tx);
    return false;
}

bool console_drained(struct console_client *client) {
    tx_collect(client);
    return client->tx.broken || client->tx_free == UINT64_MAX;
}

bool console_readable(struct console_client *client) {
    return client->rx_offset < client->rx_length || virtqueue_driver_enable(&client->rx);
}

bool console_broken(const struct console_client *client) {
    return client->rx.broken || client->tx.broken;
}
