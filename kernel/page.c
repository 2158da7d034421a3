/*
 * See page.h. A zone is the memory of one NUMA node in one address band; a free block lies in one zone and is
 * listed there by order. A block of order k starts at a multiple of 2^k pages and its buddy is the other half
 * of the block of order k + 1 around it; two free buddies are always merged.
 *
 * The metadata of memory that was never handed over is left as the firmware left it, to spare clearing the
 * array, except where merging may look: at the buddies of blocks on the rim of a range (rim_mark).
 */
#include "kernel/page.h"

#include "kernel/lock.h"
#include "variant.h"

enum { BANDS = 4, NODES = NODES_MOST, MAGAZINE_BATCH = MEMORY_CPU_PAGES / 2 };

struct zone {
    struct spinlock lock; /* rank PAGES: everything here, and struct page of the free blocks */
    uint32_t orders;      /* bit per order that has a free block */
    uint64_t pages, free_pages;
    uint32_t blocks[PAGE_ORDERS]; /* how many are free */
    uint32_t free[PAGE_ORDERS];   /* number of the first free block's first page */
};

struct page *page_array;
static struct zone zones[NODES * BANDS];
static _Atomic uint32_t zones_used; /* bit per zone that was ever given memory */
static uint64_t page_limit;         /* page numbers in page_array */
static _Atomic uint64_t pages_total;

/* Where band ends, as a power of two; the limits of page_alloc_below, and one above all memory. */
static unsigned band_shift(unsigned band) {
    static const uint8_t shifts[BANDS] = {24, 32, 38, 63};
    return shifts[band];
}

/* ---- one zone, locked ---- */

static void block_link(struct zone *zone, struct page *page, unsigned order) {
    uint32_t next = zone->free[order], number = page_number(page);

    page->state = PAGE_FREE;
    page->order = (uint8_t)order;
    page->zone = (uint8_t)(zone - zones);
    page->prev = 0;
    page->next = next;
    if (next)
        page_from_number(next)->prev = number;
    zone->free[order] = number;
    zone->blocks[order]++;
    zone->orders |= 1u << order;
}

static void block_unlink(struct zone *zone, struct page *page) {
    if (page->next)
        page_from_number(page->next)->prev = page->prev;
    if (page->prev)
        page_from_number(page->prev)->next = page->next;
    else if (!(zone->free[page->order] = page->next))
        zone->orders &= ~(1u << page->order);
    zone->blocks[page->order]--;
    page->state = PAGE_USED;
}

/* Takes a block of exactly this order, splitting the smallest that is large enough; NULL if none is. */
static struct page *zone_take(struct zone *zone, unsigned order) {
    uint32_t fitting = zone->orders >> order;
    if (!fitting)
        return NULL;
    unsigned have = order + (unsigned)__builtin_ctz(fitting);
    struct page *page = page_from_number(zone->free[have]);

    block_unlink(zone, page);
    while (have > order) {
        have--;
        block_link(zone, page + (1u << have), have);
    }
    zone->free_pages -= 1ULL << order;
    return page;
}

static void zone_give(struct zone *zone, struct page *page, unsigned order) {
    uint64_t number = page_number(page);

    zone->free_pages += 1ULL << order;
    for (; order < PAGE_ORDER_MAX; order++) {
        uint64_t other = number ^ 1ULL << order;
        if (other >= page_limit)
            break;
        struct page *buddy = &page_array[other];
        if (buddy->state != PAGE_FREE || buddy->order != order || buddy->zone != zone - zones)
            break;
        block_unlink(zone, buddy);
        number &= other;
    }
    block_link(zone, &page_array[number], order);
}

/* ---- all zones ---- */

/* Fills the magazine from a zone, with small blocks first, so that large ones are split last. */
static void zone_fill(struct zone *zone, struct memory_cpu *cpu) {
    while (cpu->page_count < MAGAZINE_BATCH && zone->orders) {
        unsigned order = (unsigned)__builtin_ctz(zone->orders);
        unsigned room = 31 - (unsigned)__builtin_clz(MAGAZINE_BATCH - cpu->page_count);
        if (order > room)
            order = room;
        struct page *page = zone_take(zone, order), *end = page + (1u << order);
        uint64_t *slot = &cpu->pages[cpu->page_count], physical = page_phys(page);
        cpu->page_count += 1u << order;
        for (uint8_t number = page->zone; page < end; page++, physical += PAGE_SIZE) {
            page->state = PAGE_USED;
            page->zone = number;
            *slot++ = physical;
        }
    }
}

/* One block from a zone or, when cpu is given, a filled magazine; whether it worked. */
static bool zone_serve(struct zone *zone, unsigned order, struct memory_cpu *cpu, struct page **page) {
    if (!(atomic_load_explicit(&zones_used, memory_order_relaxed) >> (zone - zones) & 1))
        return false;
    spin_lock(&zone->lock);
    if (cpu)
        zone_fill(zone, cpu);
    else
        *page = zone_take(zone, order);
    spin_unlock(&zone->lock);
    return cpu ? cpu->page_count > 0 : *page != NULL;
}

/* The zones in order of preference: nearest node first, highest band first, the ISA band of any node last. */
static bool zones_serve(unsigned order, uint64_t limit, struct memory_cpu *cpu, struct page **page) {
    unsigned bands = BANDS;
    unsigned home = memory_cpu()->node;

    while (bands > 1 && 1ULL << band_shift(bands - 1) > limit && limit)
        bands--;
    for (unsigned i = 0; i < 2 * NODES; i++) {
        struct zone *node = &zones[(home + i) % NODES * BANDS];
        unsigned lowest = i < NODES;
        for (unsigned band = lowest ? bands : 1; band-- > lowest;)
            if (zone_serve(&node[band], order, cpu, page))
                return true;
    }
    return false;
}

static __attribute__((noinline)) void magazine_flush(struct memory_cpu *cpu, unsigned keep) {
    struct zone *locked = NULL;

    while (cpu->page_count > keep) {
        struct page *page = page_from_phys(cpu->pages[--cpu->page_count]);
        struct zone *zone = &zones[page->zone];
        if (zone != locked) {
            if (locked)
                spin_unlock(&locked->lock);
            spin_lock(&zone->lock);
            locked = zone;
        }
        zone_give(zone, page, 0);
    }
    if (locked)
        spin_unlock(&locked->lock);
}

/* There is always room for one page. */
static void magazine_put(struct memory_cpu *cpu, uint64_t physical) {
    cpu->pages[cpu->page_count++] = physical;
    if (cpu->page_count == MEMORY_CPU_PAGES)
        magazine_flush(cpu, MAGAZINE_BATCH);
}

/* ---- cleared pages: tables that were in use and are empty again ---- */

static uint64_t clear_take(struct memory_cpu *cpu) {
    struct page *page = page_from_number(cpu->clear_first);
    cpu->clear_first = page->next;
    cpu->clear_count--;
    return page_phys(page);
}

void page_free_clear(uint64_t physical) {
    struct memory_cpu *cpu = memory_cpu();

    if (cpu->clear_count == MEMORY_CPU_CLEAR) {
        page_free(physical, 0);
        return;
    }
    struct page *page = page_from_phys(physical);
    page->next = cpu->clear_first;
    cpu->clear_first = page_number(page);
    cpu->clear_count++;
    cpu->page_frees++;
}

/* Fills an empty magazine, from what was kept cleared when nothing else is left. */
static bool magazine_fill(struct memory_cpu *cpu) {
    if (zones_serve(0, 0, cpu, NULL))
        return true;
    if (cpu->clear_count)
        magazine_put(cpu, clear_take(cpu));
    return cpu->page_count;
}

/* Gives everything this CPU keeps back to the zones. */
static void magazines_empty(struct memory_cpu *cpu) {
    while (cpu->clear_count)
        magazine_put(cpu, clear_take(cpu));
    magazine_flush(cpu, 0);
}

/* ---- allocation ---- */

uint64_t page_alloc_below(unsigned order, uint64_t limit) {
    struct memory_cpu *cpu = memory_cpu();
    struct page *page;

    if (order > PAGE_ORDER_MAX || debug_allocation_fails())
        return 0;
    if (!zones_serve(order, limit, NULL, &page)) {
        magazines_empty(cpu);
        if (!zones_serve(order, limit, NULL, &page))
            return 0;
    }
    cpu->page_allocations++;
    return debug_page_made(page_phys(page), order);
}

static __attribute__((noinline)) uint64_t page_alloc_slowly(unsigned order) {
    if (order)
        return page_alloc_below(order, 0);
    return magazine_fill(memory_cpu()) ? page_alloc(0) : 0;
}

uint64_t page_alloc(unsigned order) {
    struct memory_cpu *cpu = memory_cpu();

    if (order || !cpu->page_count)
        return page_alloc_slowly(order);
    if (debug_allocation_fails())
        return 0;
    cpu->page_allocations++;
    return debug_page_made(cpu->pages[--cpu->page_count], 0);
}

uint64_t page_alloc_clear(unsigned order) {
    struct memory_cpu *cpu = memory_cpu();
    if (!order && cpu->clear_count) {
        if (debug_allocation_fails())
            return 0;
        cpu->page_allocations++;
        return debug_page_clear(clear_take(cpu));
    }
    uint64_t physical = page_alloc(order);
    if (physical)
        for (uint64_t at = 0; at < (uint64_t)PAGE_SIZE << order; at += PAGE_SIZE)
            page_clear(phys_to_virt(physical + at));
    return physical;
}

void page_free(uint64_t physical, unsigned order) {
    struct memory_cpu *cpu = memory_cpu();

    cpu->page_frees++;
    debug_page_free(physical, order);
    if (!order) {
        magazine_put(cpu, physical);
        return;
    }
    struct page *page = page_from_phys(physical);
    struct zone *zone = &zones[page->zone];
    spin_lock(&zone->lock);
    zone_give(zone, page, order);
    spin_unlock(&zone->lock);
}

void page_drain(void) {
    magazines_empty(memory_cpu());
}

/* ---- start ---- */

/* Marks the metadata that merging may read before base and behind end as not free. */
static void rim_mark(uint64_t base, uint64_t end) {
    uint64_t first = base >> PAGE_SHIFT, behind = end >> PAGE_SHIFT;

    if (behind < page_limit)
        page_array[behind].state = 0;
    for (unsigned order = 0; first && order <= PAGE_ORDER_MAX; order++)
        page_array[(first - 1) >> order << order].state = 0;
}

void page_add_range(uint64_t base, uint64_t length, unsigned node) {
    uint64_t number = base ? base >> PAGE_SHIFT : 1, end = (base + length) >> PAGE_SHIFT;
    unsigned band = 0;

    if (end > page_limit)
        end = page_limit;
    while (number < end) {
        while (number >> (band_shift(band) - PAGE_SHIFT))
            band++;
        unsigned order = (unsigned)__builtin_ctzll(number);
        if (order > PAGE_ORDER_MAX)
            order = PAGE_ORDER_MAX;
        while (number + (1ULL << order) > end)
            order--;
        unsigned index = (node < NODES ? node : NODES - 1) * BANDS + band;
        struct zone *zone = &zones[index];
        atomic_fetch_or_explicit(&zones_used, 1u << index, memory_order_relaxed);
        spin_lock(&zone->lock);
        zone_give(zone, &page_array[number], order);
        zone->pages += 1ULL << order;
        spin_unlock(&zone->lock);
        atomic_fetch_add_explicit(&pages_total, 1ULL << order, memory_order_relaxed);
        number += 1ULL << order;
    }
}

void page_init(const struct boot_info *info) {
    for (unsigned i = 0; i < NODES * BANDS; i++)
        lock_init(&zones[i].lock, LOCK_RANK_PAGES);
    page_limit = info->page_limit;
    page_array = phys_to_virt(info->page_array);
    page_array[0].state = 0;
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->ranges[i];
        if (range->kind == BOOT_RANGE_FREE || range->kind == BOOT_RANGE_BOOT)
            rim_mark(range->base, range->base + range->length);
    }
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->ranges[i];
        if (range->kind == BOOT_RANGE_FREE)
            page_add_range(range->base, range->length, range->node);
    }
}

/* ---- statistics ---- */

uint64_t page_total_count(void) {
    return atomic_load_explicit(&pages_total, memory_order_relaxed);
}

uint64_t page_free_count(void) {
    uint64_t count = 0;
    struct memory_cpu *cpu;

    for (unsigned i = 0; i < NODES * BANDS; i++)
        count += zones[i].free_pages;
    for (unsigned i = 0; (cpu = memory_cpu_of(i)); i++)
        count += cpu->page_count + cpu->clear_count;
    return count;
}

void page_nodes(struct node_info nodes[NODES_MOST]) {
    for (unsigned i = 0; i < NODES * BANDS; i++) {
        const struct zone *zone = &zones[i];
        struct node_info *node = &nodes[i / BANDS];
        node->pages += zone->pages;
        node->free += zone->free_pages;
        for (unsigned order = 0; order < PAGE_ORDERS; order++)
            node->blocks[order] += zone->blocks[order];
    }
}

void page_statistics(struct page_statistics *statistics) {
    struct memory_cpu *cpu;

    *statistics = (struct page_statistics){.total = page_total_count(), .free = page_free_count()};
    for (unsigned i = 0; (cpu = memory_cpu_of(i)); i++) {
        statistics->allocations += cpu->page_allocations;
        statistics->frees += cpu->page_frees;
    }
    for (unsigned i = 0; i < NODES * BANDS; i++) {
        spin_lock(&zones[i].lock);
        for (unsigned order = 0; order < PAGE_ORDERS; order++)
            for (uint32_t n = zones[i].free[order]; n; n = page_from_number(n)->next)
                statistics->free_blocks[order]++;
        spin_unlock(&zones[i].lock);
    }
}
