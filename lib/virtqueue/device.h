/*
 * The device side of a virtqueue in a shared area: takes chains the driver side offers, gives them back used.
 * Descriptor addresses are offsets into the area; every one is checked before a pointer is made of it. The
 * bytes behind the pointers stay the other side's to change at any time. Not locked: one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/virtqueue/ring.h"

enum { VIRTQUEUE_CHAIN_MAX = 16 };

struct virtqueue_segment {
    uint8_t *bytes;
    uint32_t length;
};

/* Segments [0, readable) are for the device to read, [readable, readable + writable) for it to write. */
struct virtqueue_chain {
    uint16_t head;
    uint16_t readable, writable;
    struct virtqueue_segment segments[VIRTQUEUE_CHAIN_MAX];
};

struct virtqueue_device {
    struct virtqueue_memory ring;
    uint8_t *area;
    uint64_t area_length;
    uint16_t avail_idx; /* next to read */
    uint16_t used_idx;  /* next to write */
    uint16_t published; /* used_idx as the driver side sees it */
    bool broken;        /* the driver side broke the protocol; nothing is taken until the next init */
};

/* Attaches to a ring the driver side has laid. With resume, continues at the ring's used index (a device that
 * was restarted and completes in order); without it, at index 0. */
void virtqueue_device_init(struct virtqueue_device *queue, const struct virtqueue_memory *ring, void *area,
                           uint64_t area_length, bool resume);

/* Takes the next chain: 1, 0 when there is none, -EPROTO when more chains are offered than the ring has
 * entries, those counted that were taken and are not shown as used; or when the chain loops, leaves the area,
 * is longer than VIRTQUEUE_CHAIN_MAX, has an indirect table, or a readable part behind a writable one. */
int virtqueue_pop(struct virtqueue_device *queue, struct virtqueue_chain *chain);

/* Returns a chain taken by virtqueue_pop with the number of bytes written to it. */
void virtqueue_push(struct virtqueue_device *queue, uint16_t head, uint32_t written);

/* Makes the returned chains visible; true when there are new ones and the driver side wants to be notified.
 */
bool virtqueue_device_publish(struct virtqueue_device *queue);

/* Asks for, or suppresses, notifications of new chains. Enabling returns true when some are there already:
 * take them before waiting. */
bool virtqueue_device_enable(struct virtqueue_device *queue);
void virtqueue_device_disable(struct virtqueue_device *queue);
