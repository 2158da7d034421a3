/* See zone.h. */
#include "kernel/zone.h"

#include "kernel/machine.h"

struct zone zones[NODES * BANDS] = {[0 ... NODES * BANDS - 1] = {.lock = SPINLOCK(LOCK_RANK_PAGES)}};

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

struct page *zone_take(struct zone *zone, unsigned order) {
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

void zone_give(struct zone *zone, struct page *page, unsigned order) {
    uint64_t number = page_number(page);

    zone->free_pages += 1ULL << order;
    for (; order < PAGE_ORDER_MAX; order++) {
        uint64_t other = number ^ 1ULL << order;
        if (other >= machine.page_limit)
            break;
        struct page *buddy = &machine.page_array[other];
        if (buddy->state != PAGE_FREE || buddy->order != order || buddy->zone != zone - zones)
            break;
        block_unlink(zone, buddy);
        number &= other;
    }
    block_link(zone, &machine.page_array[number], order);
}
