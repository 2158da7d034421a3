/*
 * The link of a character device (abi/devices.h, class DEVICES_CHAR): one virtqueue of requests, driver side
 * in the client, in the link's area. A request is a chain: struct char_request (read by the driver), the
 * bytes to write, if any (read by it), the room to read into, if any (written by it), and an int64_t result
 * at the end of a descriptor of its own: bytes moved, or a negated error.
 *
 *   0              struct link_header
 *   CHAR_STATE     struct char_state, by the driver
 *   CHAR_NOTES     CHAR_NOTES_SIZE bytes in which a driver may note for its next start what programs switched
 * on; nothing says that the client has not written them CHAR_RING      descriptors, available ring, used ring
 *   CHAR_REQUESTS  per request a struct char_slot, for the client to use
 *   CHAR_DATA      per request CHAR_DATA_SIZE bytes
 */
#pragma once

#include "lib/virtqueue/ring.h"

enum {
    CHAR_QUEUE_SIZE = 32,
    CHAR_REQUESTS_MOST = 8, /* of up to four descriptors each */
    CHAR_STATE = 0x100,
    CHAR_NOTES = 0x200,
    CHAR_NOTES_SIZE = 0x100,
    CHAR_RING = 0x1000,
    CHAR_RING_AVAIL = 0x400,
    CHAR_RING_USED = 0x800,
    CHAR_REQUESTS = 0x2000,
    CHAR_DATA = 0x4000,
    CHAR_DATA_SIZE = 0x1000,
    CHAR_AREA_SIZE = CHAR_DATA + CHAR_REQUESTS_MOST * CHAR_DATA_SIZE,
};

enum char_kind { CHAR_READ = 1, CHAR_WRITE = 2, CHAR_IOCTL = 3, CHAR_CLOSE = 4 };

/* What the driver wants besides reads, writes and controls. */
enum char_feature {
    CHAR_POLLS = 1, /* it tells when it is ready; a read or write before gives -EAGAIN, and is tried again */
    CHAR_EXCLUSIVE = 2, /* one program at a time has it open */
    CHAR_CLOSES = 4,    /* it is told by CHAR_CLOSE when nobody has it open any more */
    CHAR_READ_ONLY = 8, /* it cannot be opened for writing: -EINVAL */
};

enum char_ready { CHAR_READY_READ = 1, CHAR_READY_WRITE = 2 };

struct char_state {
    uint32_t features; /* enum char_feature */
    uint32_t ready;    /* enum char_ready, with CHAR_POLLS */
};

struct char_request {
    uint32_t kind;
    uint32_t control; /* of CHAR_IOCTL */
    uint64_t offset;  /* of CHAR_IOCTL: the argument, where it is a number and no place */
};

struct char_slot {
    struct char_request request;
    int64_t result;
};

/* Finds the ring in a mapped area, for both sides. */
static inline struct virtqueue_memory char_ring(uint8_t *area) {
    return (struct virtqueue_memory){
        .desc = (struct virtq_desc *)(area + CHAR_RING),
        .avail = (struct virtq_avail *)(area + CHAR_RING + CHAR_RING_AVAIL),
        .used = (struct virtq_used *)(area + CHAR_RING + CHAR_RING_USED),
        .size = CHAR_QUEUE_SIZE,
    };
}
