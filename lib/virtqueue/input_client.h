/*
 * The client of an input device's link (input_ring.h). The caller owns the events: where a function returns
 * true, or `signal` comes back true, it signals the link's kick. Freestanding. Not locked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/virtqueue/driver.h"
#include "lib/virtqueue/input_ring.h"

struct input_client {
    struct virtqueue_driver events, status;
    uint8_t *area;
    uint32_t session, generation; /* generation 0: no driver */
    uint32_t version;             /* of the description read last */
    uint64_t status_free;         /* a bit for each status buffer */
};

/* The area has been mapped (INPUT_AREA_SIZE bytes, read-write). */
void input_client_init(struct input_client *client, void *area);

/* Whether the driver has been started again (or went) since the session began. input_client_begin starts a
 * new session; then signal the kick. */
bool input_client_stale(const struct input_client *client);
void input_client_begin(struct input_client *client);

/* Copies the description when it is another one than at the last look: true. count and sizes are in range. */
bool input_client_description(struct input_client *client, struct input_description *description);

/* Takes the next event: 1, 0 none (an event will tell of the next), -EPROTO. Call input_client_offer after
 * the last, which gives the buffers back. */
int input_client_take(struct input_client *client, struct input_event *event);
bool input_client_offer(struct input_client *client);

/* Sends an event to the device. Dropped when it takes none, as by a real keyboard. */
void input_client_send(struct input_client *client, const struct input_event *event, bool *signal);
