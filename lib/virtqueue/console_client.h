/*
 * The client of a console link (abi/console.h): bytes out, bytes in, never blocking. The caller owns the
 * events: when `signal` comes back true it signals the link's kick event; when it has nothing left to do it
 * waits on the call event. Freestanding. Not locked: the caller serialises all calls on one client.
 *
 * A device that breaks the protocol makes the link dead: writes then accept everything and drop it, reads
 * return 0, so that a program never hangs on a broken terminal; console_broken tells.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/console.h"
#include "lib/virtqueue/driver.h"

struct console_client {
    struct virtqueue_driver rx, tx;
    uint8_t *area;
    uint64_t tx_free; /* bit per free tx buffer */
    uint32_t rx_buffer, rx_offset,
        rx_length; /* the received buffer being consumed; rx_offset == rx_length: none */
};

/* Lays both rings in the area (CONSOLE_AREA_SIZE bytes, mapped read-write) and offers every receive buffer.
 * The kick event must be signalled afterwards. -EINVAL when the area is too small. */
int console_client_init(struct console_client *client, void *area, size_t length);

/* Queues bytes; returns how many were taken, less than length when the buffers are full. */
size_t console_write(struct console_client *client, const void *bytes, size_t length, bool *signal);

/* Copies received bytes; returns how many. */
size_t console_read(struct console_client *client, void *bytes, size_t length, bool *signal);

/* Whether the call event shall also be signalled when written bytes have gone out. Turn it on when
 * console_write took less than all, or before waiting for console_drained; returns true when there is
 * progress already. */
bool console_want_space(struct console_client *client, bool want);

/* True when every byte written has left the device. */
bool console_drained(struct console_client *client);

/* True when received bytes are waiting; call before waiting on the event to close the race with a suppressed
 * signal. */
bool console_readable(struct console_client *client);

bool console_broken(const struct console_client *client);
