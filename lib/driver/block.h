/*
 * What block drivers share: the session's requests with a tag each, at most as many as the device takes, and
 * what is left in the device from an earlier session. The driver supplies two functions: `start` hands a
 * request to the device, `doorbell` tells it of those started. Its interrupt gives tags back with
 * block_server_complete and ends with block_server_run.
 *
 *     init       reset the device; block_server_init
 *     session    block_server_session, then block_server_run
 *     kick       block_server_run
 *     interrupt  block_server_complete for each, then block_server_run
 */
#pragma once

#include "lib/driver/driver.h"
#include "lib/virtqueue/block_link.h"

enum { BLOCK_TAGS = 64 };

struct block_server {
    struct driver_link *link;
    struct block_link ring;
    uint64_t tags;  /* bit per tag that the device takes */
    uint64_t free;  /* of these, not in the device */
    uint64_t stale; /* in the device for a session that is over */
    struct block_io ios[BLOCK_TAGS];
    /* The device's address of the data is data; 0 for requests without. */
    void (*start)(struct block_server *server, unsigned tag, const struct block_io *io, uint64_t data);
    void (*doorbell)(struct block_server *server);
};

/* Serves a link of the device; start and doorbell are set. depth: tags the device may have, 1 to BLOCK_TAGS.
 * Ends the driver when it has no such link. */
void block_server_init(struct block_server *server, struct driver_device *device, unsigned link,
                       const struct block_identity *identity, unsigned depth);

void block_server_session(struct block_server *server);

/* Takes what the client offers and the device has room for, publishes what is completed; asks for kicks. */
void block_server_run(struct block_server *server);

/* The device is done with a tag: BLOCK_STATUS_OK … False: it does not have that tag. */
bool block_server_complete(struct block_server *server, unsigned tag, uint8_t status);
