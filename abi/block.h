/*
 * The block link between a disk's driver (device side) and its client (driver side in virtio's terms: the
 * personality, a file system): one virtqueue with virtio-blk requests (virtio 1.2, 5.2.6) and their data
 * buffers in one shared area, a physically contiguous Vmo that `devices` makes zeroed. Descriptor addresses
 * are byte offsets into the area; the driver adds the area's physical address and hands the result to the
 * device, so that data is never copied between device and client. Neither side believes what it reads here.
 * An event at each end replaces the notification register and the interrupt: `kick` client -> driver, `call`
 * driver -> client.
 *
 *   0x0000 header   0x1000 descriptors   0x2000 available ring   0x3000 used ring
 *   0x4000 request headers and status bytes, BLOCK_SLOT_SIZE each       0x5000 data, to the end of the area
 *
 * A request is a chain of two or three descriptors: struct block_request_header, the data if there is any in
 * one piece that begins at a multiple of 512 in the area, and one status byte. A request may be done twice:
 * all of these types bear it.
 *
 * Sessions and generations are those of every link (abi/devices.h). Before the driver announces itself it has
 * reset the device, so that nothing of an earlier driver's happens any more, and described the disk. The
 * client enters every request that was not completed into each new session; a driver whose client begins a
 * new session lets the device finish the requests of the last one before it takes any of the new.
 */
#pragma once

#include <stdint.h>

#include "abi/devices.h"

enum {
    BLOCK_QUEUE_SIZE = 256,
    BLOCK_DESC = 0x1000,
    BLOCK_AVAIL = 0x2000,
    BLOCK_USED = 0x3000,
    BLOCK_SLOTS = 0x4000,
    BLOCK_SLOT_SIZE = 32,
    BLOCK_SLOT_COUNT = 64, /* requests under way */
    BLOCK_STATUS = 16,     /* offset of the status byte in a slot */
    BLOCK_DATA = 0x5000,
    BLOCK_SECTOR = 512,
    BLOCK_SERIAL_SIZE = 20,
    BLOCK_AREA_MIN = BLOCK_DATA + 0x10000,
    BLOCK_REQUEST_MAX = 128 * 1024, /* bytes of one request */
};

/* What the driver offers beside reading and writing. */
enum { BLOCK_FEATURE_FLUSH = 1, BLOCK_FEATURE_DISCARD = 2 };

struct block_header {
    struct link_header link;
    uint64_t sectors;    /* from here on by the driver: capacity in units of BLOCK_SECTOR */
    uint32_t block_size; /* logical, bytes: a power of two from 512 to 4096 */
    uint32_t read_only;
    uint32_t features;
    char serial[BLOCK_SERIAL_SIZE]; /* padded with 0 */
};

_Static_assert(sizeof(struct block_header) == 64, "both sides read it");

/* Requests, as in virtio-blk. */
enum {
    BLOCK_IN = 0,
    BLOCK_OUT = 1,
    BLOCK_FLUSH = 4,
    BLOCK_GET_ID = 8,   /* 20 bytes */
    BLOCK_DISCARD = 11, /* data: struct block_range */
};
enum { BLOCK_STATUS_OK = 0, BLOCK_STATUS_ERROR = 1, BLOCK_STATUS_UNSUPPORTED = 2 };

struct block_request_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector; /* of 512 bytes, whatever the logical block size */
};

struct block_range {
    uint64_t sector;
    uint32_t count; /* sectors */
    uint32_t flags; /* 0 */
};

_Static_assert(sizeof(struct block_request_header) == 16 && sizeof(struct block_range) == 16,
               "virtio layout");
_Static_assert(BLOCK_SLOT_COUNT *BLOCK_SLOT_SIZE <= BLOCK_DATA - BLOCK_SLOTS, "slots end before the data");
