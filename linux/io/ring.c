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

/* A page, allocated if need be. */
static inline uint8_t *ring_page(struct ring *ring, uint32_t index) {
    uint8_t **page = &ring->pages[index];
    if (!*page)
        *page = heap_alloc(PAGE_SIZE);
    return *page;
}

/* How many of the bytes wanted lie together behind `together` ones that end with a page: the pages that
 * happen to follow in memory. */
static __attribute__((noinline)) size_t ring_run(struct ring *ring, uint32_t index, size_t together,
                                                 size_t wanted) {
    for (uint8_t *page = ring->pages[index]; together < wanted && ++index < ring->size / PAGE_SIZE;
         together += PAGE_SIZE) {
        page += PAGE_SIZE;
        if (ring_page(ring, index) != page)
            break;
    }
    return together < wanted ? together : wanted;
}

/* The place of a position, and how many of the bytes wanted from there on lie together. */
static inline uint8_t *ring_place(struct ring *ring, uint32_t position, size_t wanted, uint32_t *length) {
    uint32_t offset = position & (ring->size - 1), index = offset / PAGE_SIZE;
    uint8_t *page = ring_page(ring, index);
    size_t room = PAGE_SIZE - offset % PAGE_SIZE;
    *length = 0;
    if (!page)
        return NULL;
    *length = (uint32_t)(wanted <= room ? wanted : ring_run(ring, index, room, wanted));
    return page + offset % PAGE_SIZE;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Pieces are as long as they lie together. Where one meets bad memory, what is good of it goes page by page.
 */

int64_t ring_fill(struct ring *ring, struct buffer *from, size_t length) {
    size_t done = 0, most = length;
    int error = 0;
    if (length > ring_room(ring))
        length = ring_room(ring);
    while (done < length && error == 0) {
        struct buffer before = *from;
        uint32_t part;
        uint8_t *place = ring_place(ring, ring->head, least(length - done, most), &part);
        error = place ? buffer_get(from, place, part) : -ENOMEM;
        if (error == 0) {
            ring->head += part;
            done += part;
        } else if (place && most > PAGE_SIZE) {
            *from = before;
            most = PAGE_SIZE;
            error = 0;
        }
    }
    return done ? (int64_t)done : error;
}

int ring_peek(struct ring *ring, uint32_t offset, struct buffer *to, size_t length) {
    size_t most = length;
    while (length > 0) {
        size_t before = to->length;
        uint32_t part;
        uint8_t *place = ring_place(ring, ring->tail + offset, least(length, most), &part);
        int error = place ? buffer_put(to, place, part) : -ENOMEM;
        if (error < 0 && (!place || most <= PAGE_SIZE))
            return error;
        if (error < 0)
            most = PAGE_SIZE;
        offset += (uint32_t)(before - to->length);
        length -= before - to->length;
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
        uint8_t *place = ring_place(ring, ring->tail + done, used - done, &part);
        uint8_t **page = &pages[done / PAGE_SIZE];
        if (!*page && !(*page = heap_alloc(PAGE_SIZE)))
            return -ENOMEM;
        part = part < room ? part : room;
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
