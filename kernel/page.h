/*
 * Physical memory: a buddy allocator of blocks of 2^order pages, 4 KB (order 0) to 1 GB (order 18), in zones
 * by NUMA node and address band, with a magazine of single pages per CPU in front. Every physical page under
 * the allocator has a struct page; it means something only while the page is the first of a free or allocated
 * block.
 *
 * Addresses are physical; 0 is never allocated. All calls may be made under any lock of a higher rank than
 * PAGES.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/boot_info.h"
#include "abi/objects.h"
#include "arch.h"
#include "kernel/machine.h"
#include "kernel/memory_cpu.h"

enum { PAGE_ORDERS = BLOCK_ORDERS, PAGE_ORDER_MAX = PAGE_ORDERS - 1 };

/* Limits for page_alloc_below: what ISA DMA, 32-bit DMA and kernel objects (their ids) can reach. */
#define PAGE_LIMIT_ISA    (16ULL << 20)
#define PAGE_LIMIT_DMA32  (4ULL << 30)
#define PAGE_LIMIT_OBJECT (256ULL << 30)

struct job;

enum page_state { PAGE_USED = 1, PAGE_FREE = 2 };

struct page {
    /* User pages: tree slots that hold the page in the low half, pins in the high half (user_page.h). */
    _Atomic uint64_t references;
    union {
        struct job *job;    /* user page: who is charged, referenced */
        void *free_objects; /* slab: its free objects */
        uint64_t groups;    /* page table: bit per 8 entries, set when one of them may be in use */
    };
    uint32_t next,
        prev; /* page numbers; list of free blocks, of slabs, of a space's tables, or of pages to free */
    uint16_t count; /* slab: objects in use; page table: entries in use */
    uint8_t order, state;
    uint8_t zone;
    uint8_t size_class; /* slab */
    uint16_t poison;    /* debug kernel: how much of the free page has its pattern */
};

_Static_assert(sizeof(struct page) == BOOT_PAGE_BYTES, "one page in 128 for the metadata");

struct page_statistics {
    uint64_t total, free; /* pages; free ones include those in magazines */
    uint64_t allocations, frees;
    uint64_t free_blocks[PAGE_ORDERS]; /* outside magazines; fragmentation shows here */
};

static inline __attribute__((always_inline)) struct page *page_from_number(uint32_t number) {
    return &machine.page_array[number];
}
static inline __attribute__((always_inline)) uint32_t page_number(const struct page *page) {
    return (uint32_t)(page - machine.page_array);
}
static inline __attribute__((always_inline)) struct page *page_from_phys(uint64_t physical) {
    return &machine.page_array[physical >> PAGE_SHIFT];
}
static inline __attribute__((always_inline)) uint64_t page_phys(const struct page *page) {
    return (uint64_t)(page - machine.page_array) << PAGE_SHIFT;
}
static inline __attribute__((always_inline)) void *page_virt(const struct page *page) {
    return phys_to_virt(page_phys(page));
}

/* A block of 2^order pages, contents undefined; 0 when there is none. */
uint64_t page_alloc(unsigned order);
/* As above, cleared. */
uint64_t page_alloc_clear(unsigned order);
/* Gives back a single page that holds nothing but zeros; page_alloc_clear has it at hand again. */
void page_free_clear(uint64_t physical);
/* A block that ends at or below a PAGE_LIMIT_. */
uint64_t page_alloc_below(unsigned order, uint64_t limit);
void page_free(uint64_t physical, unsigned order);

/* Empties this CPU's magazine into the zones. */
void page_drain(void);

uint64_t page_total_count(void);
/* Free pages, those in magazines included. Approximate while other CPUs allocate. */
uint64_t page_free_count(void);
/* Adds what each node has; approximate while other CPUs allocate. */
void page_nodes(struct node_info nodes[NODES_MOST]);
void page_statistics(struct page_statistics *statistics);
