/*
 * The link of an input device (abi/devices.h, class DEVICES_INPUT): the two queues of virtio-input, driver
 * side in the client, in the link's area. The client offers empty buffers of one struct input_event each,
 * which come back filled; by the other queue it sends lights, sounds and the like to the device, one event a
 * buffer. When events were lost, the driver says so by SYN_DROPPED, and what was held is to be taken as
 * released.
 *
 *   0                   struct link_header
 *   INPUT_EVENTS        the event queue: descriptors, available ring, used ring
 *   INPUT_STATUS        the status queue, likewise
 *   INPUT_BUFFERS       a struct input_event for each entry of the event queue, then of the status queue
 *   INPUT_DESCRIPTION   struct input_description, by the driver
 *
 * A description without entries says that no device is there. The driver may change it at any time: the
 * version is odd while it does so, and another one afterwards; then it signals.
 */
#pragma once

#include "abi/input.h"
#include "lib/virtqueue/ring.h"

enum {
    INPUT_QUEUE_SIZE = 64,
    INPUT_EVENTS = 0x1000,
    INPUT_STATUS = 0x2000,
    INPUT_RING_AVAIL = 0x400,
    INPUT_RING_USED = 0x800,
    INPUT_BUFFERS = 0x3000,
    INPUT_DESCRIPTION = 0x4000,
    INPUT_CONFIGS = 112, /* name, serial, ids, place, properties, repeat, every type and axis */
    INPUT_AREA_SIZE = 0x8000,
};

struct input_description {
    uint32_t version, count;
    struct input_config configs[INPUT_CONFIGS];
};

_Static_assert(INPUT_DESCRIPTION + sizeof(struct input_description) <= INPUT_AREA_SIZE, "it fits");

/* Finds a ring in a mapped area, for both sides: INPUT_EVENTS or INPUT_STATUS. */
static inline struct virtqueue_memory input_ring(uint8_t *area, uint32_t offset) {
    return (struct virtqueue_memory){
        .desc = (struct virtq_desc *)(area + offset),
        .avail = (struct virtq_avail *)(area + offset + INPUT_RING_AVAIL),
        .used = (struct virtq_used *)(area + offset + INPUT_RING_USED),
        .size = INPUT_QUEUE_SIZE,
    };
}
