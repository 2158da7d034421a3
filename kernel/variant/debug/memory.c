/*
 * Memory that is used wrongly. Behind each slab object is a red zone, looked at when the object is freed.
 * Free memory is filled with a pattern, looked at when it is allocated again: objects but for their first
 * word, which links them; pages, of which struct page.poison says how much. The time for all that is not
 * counted as time with interrupts off (stretch.c), which would say nothing about the release kernel.
 */
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "lib/base/string.h"
#include "stretch.h"
#include "variant.h"

enum {
    GRANULE = 64,
    SLAB_MAX = GRANULE * KMEM_CLASSES,
    POISON_WHOLE = 0x6b01, /* struct page.poison: the whole page */
    POISON_START = 0x6b02, /* its first granule, in large blocks */
    ORDER_WHOLE = 4,
    RED = 0x5c,
};

#define POISON_OBJECT 0x6b6b6b6b6b6b6b6bULL
#define POISON_PAGE   0x6a6a6a6a6a6a6a6aULL

static void fill(void *memory, size_t length, uint64_t pattern) {
    for (uint64_t *word = memory; length; length -= sizeof(*word))
        *word++ = pattern;
}

/* The offset of the first word that is not the pattern; length when all are. */
static size_t differs(const void *memory, size_t length, uint64_t pattern) {
    const uint64_t *words = memory;
    size_t at = 0;
    while (at < length && words[at / sizeof(*words)] == pattern)
        at += sizeof(*words);
    return at;
}

static uint64_t word_at(const void *memory, size_t at) {
    return *(const uint64_t *)((const char *)memory + at);
}

/* ---- objects ---- */

/* What the slab gives for an object of that size, red zone included. */
static size_t object_room(size_t size) {
    return (size + DEBUG_RED_ZONE + GRANULE - 1) & -(size_t)GRANULE;
}

/* The first byte of a red zone that was written; room when none was. */
static size_t zone_written(const uint8_t *object, size_t size, size_t room) {
    while (size < room && object[size] == RED)
        size++;
    return size;
}

static void poison_check(const char *object, size_t room) {
    size_t at = sizeof(uint64_t) + differs(object + sizeof(uint64_t), room - sizeof(uint64_t), POISON_OBJECT);
    if (at < room)
        panic("freed object %lx was written at +%lx: %lx", (uintptr_t)object, at, word_at(object, at));
}

void *debug_object_made(void *object, size_t size) {
    uint64_t since = tsc_read();
    size_t room = object_room(size);

    if (object && room <= SLAB_MAX)
        poison_check(object, room);
    if (object)
        memset((char *)object + size, RED, room - size);
    debug_stretch_skip(since);
    return object;
}

void debug_object_free(void *object, size_t size) {
    uint64_t since = tsc_read();
    size_t room = object_room(size), at = zone_written(object, size, room);

    if (room <= SLAB_MAX && word_at(object, room - sizeof(uint64_t)) == POISON_OBJECT)
        panic("object %lx of %lu bytes freed twice", (uintptr_t)object, size);
    if (at < room)
        panic("red zone of object %lx of %lu bytes was written at +%lx", (uintptr_t)object, size, at);
    if (room <= SLAB_MAX)
        fill(object, room, POISON_OBJECT);
    debug_stretch_skip(since);
}

void debug_object_fresh(void *object, size_t room) {
    fill(object, room, POISON_OBJECT);
}

/* ---- pages ---- */

static size_t poison_length(const struct page *page) {
    return page->poison == POISON_WHOLE ? PAGE_SIZE : page->poison == POISON_START ? GRANULE : 0;
}

uint64_t debug_page_made(uint64_t physical, unsigned order) {
    uint64_t since = tsc_read();
    for (uint64_t i = 0; physical && i < 1ULL << order; i++) {
        struct page *page = page_from_phys(physical + i * PAGE_SIZE);
        const void *memory = phys_to_virt(physical + i * PAGE_SIZE);
        size_t length = poison_length(page), at = differs(memory, length, POISON_PAGE);
        if (at < length)
            panic("freed page %lx was written at +%lx: %lx", page_phys(page), at, word_at(memory, at));
        page->poison = 0;
    }
    debug_stretch_skip(since);
    return physical;
}

uint64_t debug_page_clear(uint64_t physical) {
    uint64_t since = tsc_read();
    const void *memory = phys_to_virt(physical);
    size_t at = differs(memory, PAGE_SIZE, 0);
    if (at < PAGE_SIZE)
        panic("cleared page %lx was written at +%lx: %lx", physical, at, word_at(memory, at));
    debug_stretch_skip(since);
    return physical;
}

void debug_page_free(uint64_t physical, unsigned order) {
    uint64_t since = tsc_read();
    for (uint64_t i = 0; i < 1ULL << order; i++) {
        struct page *page = page_from_phys(physical + i * PAGE_SIZE);
        if (poison_length(page))
            panic("page %lx freed twice", page_phys(page));
        page->poison = order > ORDER_WHOLE ? POISON_START : POISON_WHOLE;
        fill(phys_to_virt(physical + i * PAGE_SIZE), poison_length(page), POISON_PAGE);
    }
    debug_stretch_skip(since);
}
