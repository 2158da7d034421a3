/*
 * The split virtqueue of the virtio 1.x specification: descriptor table, available ring (written by the
 * driver side) and used ring (written by the device side). driver.h and device.h are the two sides; both
 * treat whatever the other side wrote as hostile and read every index once. Event suppression by flags; no
 * event index, no indirect tables.
 */
#pragma once

#include <stdint.h>

enum { VIRTQUEUE_MAX_SIZE = 256 };

enum { VIRTQ_DESC_NEXT = 1, VIRTQ_DESC_WRITE = 2, VIRTQ_DESC_INDIRECT = 4 };
enum { VIRTQ_AVAIL_NO_INTERRUPT = 1 };
enum { VIRTQ_USED_NO_NOTIFY = 1 };

struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

struct virtq_avail {
    uint16_t flags, idx;
    uint16_t ring[];
};

struct virtq_used_elem {
    uint32_t id, len;
};

struct virtq_used {
    uint16_t flags, idx;
    struct virtq_used_elem ring[];
};

_Static_assert(sizeof(struct virtq_desc) == 16 && sizeof(struct virtq_used_elem) == 8, "virtio 1.x layout");

/* Where the three parts lie in this process. The size is a power of two, at most VIRTQUEUE_MAX_SIZE. */
struct virtqueue_memory {
    struct virtq_desc *desc;
    struct virtq_avail *avail;
    struct virtq_used *used;
    uint16_t size;
};

/* Shared words are only touched through these, so that each is read or written exactly once. */
#define ring_load(word)         __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define ring_store(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)
/* Orders an index written before a flag read after: without it both sides could miss a notification. */
#define ring_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
