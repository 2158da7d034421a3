/* See ring.h. */
#include "linux/io/ring.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/heap.h"
#include "linux/platform.h"

void ring_init(struct ring *ring) {
    memset(ring, 0, sizeof *ring);
    ring->size = RING_INLINE * PAGE_SIZE;
    ring->pages = ring->inline_pages;
}

static void pages_free(uint8_t **pages, uint32_t size) {
    for (uint32_t i = 0; i < size / PAGE_SIZE; i++) {
        heap_free(pages[i]);
        pages[i] = NULL;
    }
}

void ring_clear(struct ring *ring) {
    pages_free(ring->pages, ring->size);
    ring->head = ring->tail = 0;
}

void ring_free(struct ring *ring) {
    ring_clear(ring);
    if (ring->pages != ring->inline_pages)
        heap_free(ring->pages);
}

/* The place of a position: its page (allocated if need be) and how many bytes lie behind it in the page. */
static uint8_t *ring_place(struct ring *ring, uint32_t position, uint32_t *length) {
    uint32_t offset = position & (ring->size - 1);
    uint8_t **page = &ring->pages[offset / PAGE_SIZE];
    *length = PAGE_SIZE - offset % PAGE_SIZE;
    if (!*page)
        *page = heap_alloc(PAGE_SIZE);
    return *page ? *page + offset % PAGE_SIZE : NULL;
}

int64_t ring_fill(struct ring *ring, struct buffer *from, size_t length) {
    size_t done = 0;
    int error = 0;
    if (length > ring_room(ring))
        length = ring_room(ring);
    while (done < length) {
        uint32_t part;
        uint8_t *place = ring_place(ring, ring->head, &part);
        if (!place) {
            error = -ENOMEM;
            break;
        }
        if (part > length - done)
            part = (uint32_t)(length - done);
        error = buffer_get(from, place, part);
        if (error < 0)
            break;
        ring->head += part;
        done += part;
    }
    return done ? (int64_t)done : error;
}

int ring_peek(struct ring *ring, uint32_t offset, struct buffer *to, size_t length) {
    while (length > 0) {
        uint32_t part;
        uint8_t *place = ring_place(ring, ring->tail + offset, &part);
        part = part < length ? part : (uint32_t)length;
        int error = buffer_put(to, place, part);
        if (error < 0)
            return error;
        offset += part;
        length -= part;
    }
    return 0;
}

void ring_skip(struct ring *ring, uint32_t length) {
    ring->tail += length;
    if (ring->head == ring->tail)
        ring->head = ring->tail = 0;
}

int64_t ring_drain(struct ring *ring, struct buffer *to, size_t length) {
    size_t before = to->length;
    if (length > ring_used(ring))
        length = ring_used(ring);
    int error = ring_peek(ring, 0, to, length);
    size_t done = before - to->length;
    ring_skip(ring, (uint32_t)done);
    return done ? (int64_t)done : error;
}

/* The bytes move to the beginning of fresh pages. */
static int ring_move(struct ring *ring, uint8_t **pages) {
    uint32_t used = ring_used(ring);
    for (uint32_t done = 0; done < used;) {
        uint32_t part, room = PAGE_SIZE - done % PAGE_SIZE;
        uint8_t *place = ring_place(ring, ring->tail + done, &part);
        uint8_t **page = &pages[done / PAGE_SIZE];
        if (!*page && !(*page = heap_alloc(PAGE_SIZE)))
            return -ENOMEM;
        part = part < room ? part : room;
        part = part < used - done ? part : used - done;
        memcpy(*page + done % PAGE_SIZE, place, part);
        done += part;
    }
    return 0;
}

int ring_resize(struct ring *ring, uint32_t size) {
    uint32_t used = ring_used(ring);
    if (size == ring->size)
        return 0;
    if (used > size)
        return -EBUSY;
    uint8_t **pages = heap_zalloc(size / PAGE_SIZE * sizeof *pages);
    if (!pages)
        return -ENOMEM;
    if (ring_move(ring, pages) < 0) {
        pages_free(pages, size);
        heap_free(pages);
        return -ENOMEM;
    }
    ring_free(ring);
    ring->pages = pages;
    ring->size = size;
    ring->head = used;
    ring->tail = 0;
    return 0;
}
