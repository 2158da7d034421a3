/*
 * See zone.h. The metadata of memory that was never handed over is left as the firmware left it, to spare
 * clearing the array, except where merging may look: at the buddies of blocks on the rim of a range
 * (rim_mark).
 */
#include "kernel/machine.h"
#include "kernel/zone.h"

/* Marks the metadata that merging may read before base and behind end as not free. */
static void rim_mark(uint64_t base, uint64_t end) {
    uint64_t first = base >> PAGE_SHIFT, behind = end >> PAGE_SHIFT;

    if (behind < machine.page_limit)
        machine.page_array[behind].state = 0;
    for (unsigned order = 0; first && order <= PAGE_ORDER_MAX; order++)
        machine.page_array[(first - 1) >> order << order].state = 0;
}

void zones_add(uint64_t base, uint64_t length, unsigned node) {
    uint64_t number = base ? base >> PAGE_SHIFT : 1, end = (base + length) >> PAGE_SHIFT;
    unsigned band = 0;

    if (end > machine.page_limit)
        end = machine.page_limit;
    while (number < end) {
        while (number >> (band_shift(band) - PAGE_SHIFT))
            band++;
        unsigned order = (unsigned)__builtin_ctzll(number);
        if (order > PAGE_ORDER_MAX)
            order = PAGE_ORDER_MAX;
        while (number + (1ULL << order) > end)
            order--;
        unsigned index = (node < NODES ? node : NODES - 1) * BANDS + band;
        zone_give(&zones[index], &machine.page_array[number], order);
        zones[index].pages += 1ULL << order;
        machine.zones_used |= 1u << index;
        machine.pages_total += 1ULL << order;
        number += 1ULL << order;
    }
}

void zones_init(const struct boot_info *info) {
    machine.page_array[0].state = 0;
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->ranges[i];
        if (range->kind == BOOT_RANGE_FREE || range->kind == BOOT_RANGE_BOOT)
            rim_mark(range->base, range->base + range->length);
    }
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->ranges[i];
        if (range->kind == BOOT_RANGE_FREE)
            zones_add(range->base, range->length, range->node);
    }
}
