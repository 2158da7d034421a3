/*
 * A byte ring over pages that are allocated when first used. Positions only grow; an emptied ring starts over
 * at its first page, so that a pipe that is kept drained stays in one. Not locked.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "linux/fs.h"

enum { RING_INLINE = 16 };

struct ring {
    uint32_t head, tail; /* bytes written and read since it was last empty */
    uint32_t size;       /* bytes, a power of two of at least a page */
    uint8_t **pages;     /* size / PAGE_SIZE of them; inline_pages up to RING_INLINE */
    uint8_t *inline_pages[RING_INLINE];
};

void ring_init(struct ring *ring);  /* RING_INLINE pages */
void ring_clear(struct ring *ring); /* drops the bytes and all memory; the size stays */
void ring_free(struct ring *ring);
/* 0, -EBUSY when more bytes are in it, -ENOMEM. */
int ring_resize(struct ring *ring, uint32_t size);

static inline uint32_t ring_used(const struct ring *ring) {
    return ring->head - ring->tail;
}
static inline uint32_t ring_room(const struct ring *ring) {
    return ring->size - ring_used(ring);
}

/* Moves up to length bytes between ring and buffer: how many, or -EFAULT or -ENOMEM when none. */
int64_t ring_fill(struct ring *ring, struct buffer *from, size_t length);
int64_t ring_drain(struct ring *ring, struct buffer *to, size_t length);
/* Copies bytes at an offset behind the tail without taking them: 0 or -EFAULT. */
int ring_peek(struct ring *ring, uint32_t offset, struct buffer *to, size_t length);
/* Drops the first bytes. */
void ring_skip(struct ring *ring, uint32_t length);
