/*
 * The client of a block link (abi/block.h): submits requests, keeps each until it is completed, and enters
 * those again that were under way when the driver was restarted. Never blocks. The caller owns the events:
 * when block_client_run says so it signals the link's kick event; it calls block_client_run after each call
 * event. The caller also owns the data part of the area [BLOCK_DATA, length): a request's buffer is its own
 * until the request is completed. Freestanding. Not locked: the caller serialises all calls on one client.
 *
 * A driver that breaks the protocol gets a new session, and after BLOCK_CLIENT_PATIENCE of these without a
 * completed request none any more; nor does one that tells of another disk than the first did, for whoever
 * computed with its sizes would be wrong. Requests then wait for its successor, since a driver that harm was
 * done to must not cost the disk. After BLOCK_CLIENT_PATIENCE such drivers in a row the disk counts as gone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/block.h"
#include "lib/virtqueue/driver.h"
#include "lib/virtqueue/request_ages.h"

enum { BLOCK_CLIENT_PATIENCE = 8 };

struct block_disk { /* what the driver said when the first session began */
    uint64_t sectors;
    uint32_t block_size;
    uint32_t features;
    bool read_only;
    char serial[BLOCK_SERIAL_SIZE + 1];
};

struct block_request {
    uint32_t type;   /* BLOCK_IN … */
    uint32_t length; /* bytes of the buffer; 0 for BLOCK_FLUSH */
    uint64_t sector;
    uint64_t offset; /* of the buffer in the area */
    uint64_t token;  /* comes back with the completion */
};

struct block_client {
    uint8_t *area;
    uint64_t length;
    struct virtqueue_driver queue;
    struct block_disk disk;
    bool described; /* disk is valid */
    bool gone;
    bool dirty;          /* requests were added and not published */
    uint32_t generation; /* of the driver that the session is for; 0: none yet */
    uint32_t presence;   /* of the link when it was taken (abi/devices.h) */
    uint32_t session;
    uint32_t failures;   /* sessions broken in a row */
    uint32_t refusals;   /* drivers that got no session, or none any more, in a row */
    uint64_t free_slots; /* bit per slot */
    uint64_t ended;      /* bit per slot that has completed or failed and was not collected */
    struct block_request requests[BLOCK_SLOT_COUNT];
    int32_t results[BLOCK_SLOT_COUNT]; /* of ended slots */
    struct request_ages ages;
};

/* Attaches to an area (of at least BLOCK_AREA_MIN bytes, mapped read-write) and gives up an earlier client's
 * session. -EINVAL when the area is too small. */
int block_client_init(struct block_client *client, void *area, uint64_t length);

/* Whether there is room for another request, and for as many more as shall be spared. */
static inline bool block_client_room(const struct block_client *client, unsigned spare) {
    uint64_t slots = client->free_slots;
    while (spare-- && slots)
        slots &= slots - 1;
    return slots != 0;
}

/* Takes a request; it may be before the first session. 0, -EAGAIN when all slots are taken, -EIO when the
 * disk is gone, -EINVAL when the buffer is not in the data part or too long. */
int block_client_submit(struct block_client *client, const struct block_request *request);

/* Publishes what was submitted, takes what was completed, follows sessions. True: signal the kick event. */
bool block_client_run(struct block_client *client);

/* The device is no more: everything under way has failed, and so will all that is submitted. */
void block_client_fail(struct block_client *client);

/* The next request that has ended: true with its token and 0, -EIO or -EOPNOTSUPP in *result. */
bool block_client_ended(struct block_client *client, uint64_t *token, int32_t *result);
