/* See page.h. What is free lies in zones (zone.h), or in a magazine of some CPU. */
#include "kernel/page.h"

#include "kernel/machine.h"
#include "kernel/zone.h"
#include "variant.h"

enum { MAGAZINE_BATCH = MEMORY_CPU_PAGES / 2 };

/* Fills the magazine from a zone, with small blocks first, so that large ones are split last. */
static __attribute__((noinline)) void zone_fill(struct zone *zone, struct memory_cpu *cpu) {
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
    if (!(machine.zones_used >> (zone - zones) & 1))
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

/* ---- statistics ---- */

uint64_t page_total_count(void) {
    return machine.pages_total;
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
