/*
 * See memory.h. Each change rebuilds the list: what lies before the change, the change, what lies behind it.
 * The list is short and this happens some twenty times, once.
 */
#include "boot/memory.h"

#include <stdbool.h>

#include "boot/console.h"
#include "boot/io.h"
#include "lib/base/string.h"

#define LOW_MEMORY_END 0xa0000ULL
#define ONE_MEGABYTE   0x100000ULL
#define ISA_MEMORY_END 0x1000000ULL
#define ONE_GIGABYTE   (1ULL << 30)
#define FOUR_GIGABYTES (1ULL << 32)
/* Beyond this RAM stays unused: the direct map is to leave the rest of the upper half to the kernel. */
#define MOST_MEMORY (16ULL << 40)

struct boot_info boot_info;

struct range_list {
    struct boot_range ranges[BOOT_MAX_RANGES];
    uint32_t count;
    bool overflow;
};

static uint64_t round_down(uint64_t value, uint64_t unit) {
    return value & ~(unit - 1);
}
static uint64_t round_up(uint64_t value, uint64_t unit) {
    return round_down(value + unit - 1, unit);
}
static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}
static uint64_t most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Adds [base, end) at the list's end, unless it is empty; joins it to a like neighbour. */
static void list_append(struct range_list *list, uint64_t base, uint64_t end, uint32_t kind, uint32_t node) {
    if (base >= end)
        return;
    struct boot_range *last = list->count ? &list->ranges[list->count - 1] : NULL;
    if (last && last->base + last->length == base && last->kind == kind && last->node == node) {
        last->length += end - base;
        return;
    }
    if (list->count == BOOT_MAX_RANGES) {
        list->overflow = true;
        return;
    }
    list->ranges[list->count++] = (struct boot_range){base, end - base, kind, node};
}

static void list_store(const struct range_list *list) {
    memcpy(boot_info.ranges, list->ranges, list->count * sizeof(list->ranges[0]));
    boot_info.range_count = list->count;
}

/* Makes [base, end) a range of this kind, whatever it was. */
static void mark(uint64_t base, uint64_t end, enum boot_range_kind kind) {
    struct range_list list;
    list.count = 0;
    list.overflow = false;

    if (base >= end)
        return;
    for (uint32_t i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *old = &boot_info.ranges[i];
        list_append(&list, old->base, least(old->base + old->length, base), old->kind, old->node);
    }
    list_append(&list, base, end, kind, 0);
    for (uint32_t i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *old = &boot_info.ranges[i];
        list_append(&list, most(old->base, end), old->base + old->length, old->kind, old->node);
    }
    if (list.overflow)
        boot_fail("physical memory is in more than %d pieces", BOOT_MAX_RANGES);
    list_store(&list);
}

void memory_set_node(uint64_t base, uint64_t end, uint32_t node) {
    struct range_list list;
    list.count = 0;
    list.overflow = false;

    for (uint32_t i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *old = &boot_info.ranges[i];
        uint64_t old_end = old->base + old->length;
        list_append(&list, old->base, least(old_end, base), old->kind, old->node);
        list_append(&list, most(old->base, base), least(old_end, end), old->kind, node);
        list_append(&list, most(old->base, end), old_end, old->kind, old->node);
    }
    if (list.overflow)
        boot_note("too many memory ranges to tell NUMA nodes apart");
    else
        list_store(&list);
}

/* The end of an entry of the memory map, cut off where the sum would wrap or the direct map ends. */
static uint64_t entry_end(const struct source_memory *entry) {
    if (entry->base >= MOST_MEMORY)
        return entry->base;
    return entry->base + least(entry->length, MOST_MEMORY - entry->base);
}

static void mark_usable(const struct boot_source *source) {
    boot_info.direct_map_end = FOUR_GIGABYTES;
    for (uint32_t i = 0; i < source->memory_count; i++) {
        const struct source_memory *entry = &source->memory[i];
        if (!entry->usable || entry->base >= MOST_MEMORY)
            continue;
        uint64_t end = round_down(entry_end(entry), PAGE_SIZE);
        mark(round_up(entry->base, PAGE_SIZE), end, BOOT_RANGE_FREE);
        boot_info.direct_map_end = most(boot_info.direct_map_end, round_up(end, ONE_GIGABYTE));
    }
}

static void mark_reserved(const struct boot_source *source) {
    for (uint32_t i = 0; i < source->memory_count; i++) {
        const struct source_memory *entry = &source->memory[i];
        if (entry->usable || entry->base >= boot_info.direct_map_end)
            continue;
        uint64_t end = least(round_up(entry_end(entry), PAGE_SIZE), boot_info.direct_map_end);
        mark(round_down(entry->base, PAGE_SIZE), end, BOOT_RANGE_FIRMWARE);
    }
}

void memory_mark(uint64_t base, uint64_t length, enum boot_range_kind kind) {
    mark(round_down(base, PAGE_SIZE), round_up(base + length, PAGE_SIZE), kind);
}

void memory_init(const struct boot_source *source, uint64_t image, uint64_t image_end) {
    mark_usable(source);
    mark_reserved(source);
    mark(0, PAGE_SIZE, BOOT_RANGE_FIRMWARE);
    mark(image, image_end, BOOT_RANGE_BOOT);
    for (uint32_t i = 0; i < source->piece_count; i++)
        memory_mark(source->pieces[i].address, source->pieces[i].length, BOOT_RANGE_ARCHIVE);
}

/* The first place for size bytes in the free ranges within [lowest, limit), 0 when there is none. */
static uint64_t find_free(uint64_t size, uint64_t lowest, uint64_t limit) {
    for (uint32_t i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *range = &boot_info.ranges[i];
        uint64_t base = most(range->base, lowest);
        uint64_t end = least(range->base + range->length, limit);
        if (range->kind == BOOT_RANGE_FREE && base < end && end - base >= size)
            return base;
    }
    return 0;
}

uint64_t memory_take(uint64_t pages, enum boot_range_kind kind) {
    uint64_t base = find_free(pages * PAGE_SIZE, ONE_MEGABYTE, FOUR_GIGABYTES);
    if (!base)
        boot_fail("not enough memory: no room for %lu KB", pages * PAGE_SIZE / 1024);
    mark(base, base + pages * PAGE_SIZE, kind);
    return base;
}

uint64_t memory_take_low(enum boot_range_kind kind) {
    uint64_t base = find_free(PAGE_SIZE, PAGE_SIZE, LOW_MEMORY_END);
    if (base)
        mark(base, base + PAGE_SIZE, kind);
    return base;
}

void memory_take_page_array(void) {
    for (uint32_t i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *range = &boot_info.ranges[i];
        if (range->kind == BOOT_RANGE_FREE || range->kind == BOOT_RANGE_BOOT)
            boot_info.page_limit = most(boot_info.page_limit, (range->base + range->length) / PAGE_SIZE);
    }
    uint64_t size = round_up(boot_info.page_limit * BOOT_PAGE_BYTES, PAGE_SIZE);
    uint64_t base = find_free(size, ISA_MEMORY_END, MOST_MEMORY);
    if (!base)
        base = find_free(size, ONE_MEGABYTE, MOST_MEMORY);
    if (!base)
        boot_fail("not enough memory: no room for %lu KB", size / 1024);
    mark(base, base + size, BOOT_RANGE_KERNEL);
    boot_info.page_array = base;
}
