/*
 * The zones of physical memory. A zone is the memory of one NUMA node in one address band; a free block lies
 * in one zone and is listed there by order. A block of order k starts at a multiple of 2^k pages and its
 * buddy is the other half of the block of order k + 1 around it; two free buddies are always merged.
 *
 * The boot path fills the zones (kernel/zone_init.c is a part of it) and copies them to the kernel.
 */
#pragma once

#include "kernel/lock.h"
#include "kernel/page.h"

enum { BANDS = 4, NODES = NODES_MOST };

struct zone {
    struct spinlock lock; /* rank PAGES: everything here, and struct page of the free blocks */
    uint32_t orders;      /* bit per order that has a free block */
    uint64_t pages, free_pages;
    uint32_t blocks[PAGE_ORDERS]; /* how many are free */
    uint32_t free[PAGE_ORDERS];   /* number of the first free block's first page */
};

extern struct zone zones[NODES * BANDS];

/* Where a band ends, as a power of two; the limits of page_alloc_below, and one above all memory. */
static inline unsigned band_shift(unsigned band) {
    static const uint8_t shifts[BANDS] = {24, 32, 38, 63};
    return shifts[band];
}

/* Both with the zone's lock held. */
/* Takes a block of exactly this order, splitting the smallest that is large enough; NULL if none is. */
struct page *zone_take(struct zone *zone, unsigned order);
void zone_give(struct zone *zone, struct page *page, unsigned order);

/* Takes the FREE ranges of the boot information into the zones, once. Needs page_array and page_limit of
 * struct machine, and sets its pages_total and zones_used. */
void zones_init(const struct boot_info *info);
/* Takes one range more. */
void zones_add(uint64_t base, uint64_t length, unsigned node);
