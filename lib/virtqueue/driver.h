/*
 * The driver side of a virtqueue: offers chains of buffers and takes back the used ones. All bookkeeping is
 * private memory; the descriptor table is written, never read back. Not locked: one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/virtqueue/ring.h"

struct virtqueue_buffer {
    uint64_t address; /* as the device side understands it: physical, or an offset in the shared area */
    uint32_t length;
};

struct virtqueue_driver {
    struct virtqueue_memory ring;
    uint16_t free_head, free_count; /* free descriptors, chained through next[] */
    uint16_t avail_idx;             /* next to write; published by virtqueue_publish */
    uint16_t used_idx;              /* next to read */
    bool broken;                    /* the device side broke the protocol; nothing is accepted any more */
    uint16_t next[VIRTQUEUE_MAX_SIZE];
    uint16_t count[VIRTQUEUE_MAX_SIZE]; /* descriptors of the chain with this head, 0 when not outstanding */
    uint32_t writable[VIRTQUEUE_MAX_SIZE]; /* bytes the device may have written to it */
    uint64_t token[VIRTQUEUE_MAX_SIZE];
};

/* Lays an empty ring in the shared memory. */
void virtqueue_driver_init(struct virtqueue_driver *queue, const struct virtqueue_memory *ring);

/* Adds one chain: first the buffers the device reads, then those it writes. The token comes back with it. 0,
 * -EAGAIN when too few descriptors are free, -EINVAL for an empty or too long chain, -EPROTO when broken. */
int virtqueue_add(struct virtqueue_driver *queue, const struct virtqueue_buffer *buffers, unsigned readable,
                  unsigned writable, uint64_t token);

/* Makes the added chains visible; true when the device side wants to be notified. */
bool virtqueue_publish(struct virtqueue_driver *queue);

/* Takes one used chain: 1 with its token and the bytes the device wrote, 0 when there is none, -EPROTO when
 * the device named a chain it does not hold, wrote more than the chain has room for, or moved its index too
 * far. */
int virtqueue_get_used(struct virtqueue_driver *queue, uint64_t *token, uint32_t *length);

/* Asks for, or suppresses, notifications of used chains. Enabling returns true when some are used already:
 * take them before waiting. */
bool virtqueue_driver_enable(struct virtqueue_driver *queue);
void virtqueue_driver_disable(struct virtqueue_driver *queue);
