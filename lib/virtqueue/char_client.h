/*
 * The client of a character device's link (char_ring.h): up to CHAR_REQUESTS_MOST requests at once, each in a
 * slot with room for CHAR_DATA_SIZE bytes. The caller owns the events: where `signal` comes back true it
 * signals the link's kick. Freestanding. Not locked: the caller serialises all calls on one client.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/virtqueue/char_ring.h"
#include "lib/virtqueue/driver.h"
#include "lib/virtqueue/request_ages.h"

struct char_client {
    struct virtqueue_driver queue;
    uint8_t *area;
    uint32_t presence;            /* of the link when it was taken (abi/devices.h) */
    uint32_t session, generation; /* generation 0: no driver; nothing can be submitted */
    uint32_t outstanding;         /* a bit for each slot with the driver */
    struct request_ages ages;
};

/* The area has been mapped (CHAR_AREA_SIZE bytes, read-write). */
void char_client_init(struct char_client *client, void *area);

/* Whether the driver has been started again (or went) since the session began: the requests outstanding are
 * lost, and char_client_begin starts a new session, without any. Then signal the kick. */
bool char_client_stale(const struct char_client *client);
void char_client_begin(struct char_client *client);

/* A slot's data: to be filled before a write or ioctl, and holding a read's bytes afterwards. */
uint8_t *char_client_data(const struct char_client *client, unsigned slot);

/* Sends a request in a slot that is not outstanding; length at most CHAR_DATA_SIZE. 0; -EAGAIN without a
 * driver, -EPROTO when the driver broke the protocol. */
int char_client_submit(struct char_client *client, unsigned slot, const struct char_request *request,
                       uint32_t length, bool *signal);

/* Takes a completed request: 1 with its slot and result, 0 none, -EPROTO. */
int char_client_completed(struct char_client *client, unsigned *slot, int64_t *result);

/* What the driver wants and is ready for, as it says now. */
struct char_state char_client_state(const struct char_client *client);
