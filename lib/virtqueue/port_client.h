/*
 * The client of a port's link (port_ring.h): bytes out, bytes in, never blocking. The caller owns the events:
 * when `signal` comes back true it signals the link's kick. Freestanding. Not locked: the caller serialises
 * all calls on one client.
 *
 * When the driver starts again, port_begin offers anew what had not left, in its order; bytes that came in
 * stay. With a driver that breaks the protocol nothing moves until the next one is there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/virtqueue/driver.h"
#include "lib/virtqueue/port_ring.h"

struct port_client {
    struct virtqueue_driver rx, tx;
    uint8_t *area;
    uint32_t presence;            /* of the link when it was taken (abi/devices.h) */
    uint32_t session, generation; /* generation 0: there was no driver yet */
    uint32_t sending;             /* a bit for each transmit buffer that holds bytes which have not left */
    uint32_t send_next;           /* buffers are used in turn */
    uint16_t send_length[PORT_QUEUE_SIZE];
    struct {
        uint16_t buffer, length;
    } filled[PORT_QUEUE_SIZE]; /* ring of what came in */
    uint32_t filled_first, filled_count;
    uint32_t offset; /* read of the first one */
};

/* The area has been mapped (PORT_AREA_SIZE bytes, read-write). */
void port_client_init(struct port_client *client, void *area);

/* Whether a driver has been started since the session began; then port_begin, and signal the kick. */
bool port_stale(const struct port_client *client);
void port_begin(struct port_client *client);

/* Takes back what the driver is done with. -EPROTO: it broke the protocol. */
int port_collect(struct port_client *client);

/* Queues bytes; how many were taken: less than length when the buffers are full. */
size_t port_write(struct port_client *client, const void *bytes, size_t length, bool *signal);
/* Whether port_write takes a byte. */
bool port_writable(const struct port_client *client);
/* True when every byte written has left the device. */
bool port_drained(struct port_client *client);
/* Whether the link's call is also signalled when bytes have left. True: there is progress already. */
bool port_want_space(struct port_client *client, bool want);

/* Copies received bytes; how many. */
size_t port_read(struct port_client *client, void *bytes, size_t length, bool *signal);
/* True when received bytes wait; call before waiting for the link's event, to close the race with a
 * suppressed signal. */
bool port_readable(struct port_client *client);
/* Drops what has come in. */
void port_discard(struct port_client *client, bool *signal);

/* As the driver says now; the name ends in a 0. */
struct port_state port_state_read(const struct port_client *client);
/* Tells the driver whether a program has the port open. Signal the kick. */
void port_wish_open(struct port_client *client, bool open);
