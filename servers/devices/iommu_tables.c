/* See iommu_tables.h; the VT-d specification, chapters 3 and 9. */
#include "servers/devices/iommu_tables.h"

#include <errno.h>
#include <string.h>

enum { PAGE_BYTES = 4096, PAGE_SHIFT = 12, INDEX_BITS = 9, ENTRIES = 512, LARGE_LEVEL = 2 };
/* An entry of two words: root and context tables. */
enum { PAIR_BYTES = 16, CONTEXT_DOMAIN_SHIFT = 8 };
enum { PRESENT = 1, READ = 1, WRITE = 2, LARGE = 1 << 7 };
#define ADDRESS_MASK 0x000ffffffffff000ULL
#define LARGE_BYTES  (2ULL << 20)

static uint64_t *table_at(const struct iommu_tables *tables, uint64_t physical) {
    return (uint64_t *)(void *)(tables->bytes + ((physical & ADDRESS_MASK) - tables->physical));
}

/* A cleared page: its physical address, 0: none is left. */
static uint64_t page_take(struct iommu_tables *tables) {
    uint64_t at = tables->unused;
    if (at)
        memcpy(&tables->unused, tables->bytes + at, sizeof tables->unused);
    else if (tables->length - tables->used >= PAGE_BYTES)
        tables->used += PAGE_BYTES, at = tables->used - PAGE_BYTES;
    else
        return 0;
    memset(tables->bytes + at, 0, PAGE_BYTES);
    return tables->physical + at;
}

static void page_give(struct iommu_tables *tables, uint64_t physical) {
    uint64_t at = physical - tables->physical;
    memcpy(tables->bytes + at, &tables->unused, sizeof tables->unused);
    tables->unused = at;
}

bool iommu_tables_init(struct iommu_tables *tables, uint8_t *bytes, uint64_t physical, uint64_t length,
                       unsigned levels, bool large) {
    *tables = (struct iommu_tables){
        .bytes = bytes, .physical = physical, .length = length, .levels = levels, .large = large};
    return page_take(tables) != 0;
}

/* The context entry of a function; NULL: none and, when one is wanted, no page for it. */
static uint64_t *context_find(struct iommu_tables *tables, uint16_t function, bool wanted) {
    uint64_t *root = table_at(tables, tables->physical) + (size_t)(function >> 8) * 2;
    if (!(root[0] & PRESENT)) {
        uint64_t page = wanted ? page_take(tables) : 0;
        if (!page)
            return NULL;
        root[0] = page | PRESENT;
    }
    return table_at(tables, root[0]) + (size_t)(function & 0xff) * 2;
}

static unsigned level_shift(unsigned level) {
    return PAGE_SHIFT + INDEX_BITS * (level - 1);
}

static uint64_t *entry_of(const struct iommu_tables *tables, uint64_t table, unsigned level,
                          uint64_t address) {
    return table_at(tables, table) + (address >> level_shift(level)) % ENTRIES;
}

static int page_enter(struct iommu_tables *tables, uint64_t top, uint64_t address, unsigned lowest) {
    uint64_t *entry = entry_of(tables, top, tables->levels, address);
    for (unsigned level = tables->levels; level > lowest; level--) {
        if (!*entry) {
            uint64_t page = page_take(tables);
            if (!page)
                return -ENOMEM;
            *entry = page | READ | WRITE;
        }
        if (level == LARGE_LEVEL && *entry & LARGE)
            return 0; /* all of it may be reached */
        entry = entry_of(tables, *entry, level - 1, address);
    }
    if (!*entry)
        *entry = address | READ | WRITE | (lowest == LARGE_LEVEL ? LARGE : 0);
    return 0;
}

int iommu_tables_allow(struct iommu_tables *tables, uint16_t function, uint64_t base, uint64_t length) {
    uint64_t limit = 1ULL << level_shift(tables->levels + 1);
    if (base % PAGE_BYTES || length % PAGE_BYTES || length > limit || base > limit - length)
        return -EINVAL;
    uint64_t *context = context_find(tables, function, true);
    if (!context)
        return -ENOMEM;
    if (!(context[0] & PRESENT)) {
        uint64_t top = page_take(tables);
        if (!top)
            return -ENOMEM;
        context[1] = (tables->levels - 2) | (uint64_t)function << CONTEXT_DOMAIN_SHIFT;
        __atomic_store_n(&context[0], top | PRESENT, __ATOMIC_RELEASE);
    }
    for (uint64_t at = base, step; at < base + length; at += step) {
        bool large = tables->large && at % LARGE_BYTES == 0 && base + length - at >= LARGE_BYTES;
        step = large ? LARGE_BYTES : PAGE_BYTES;
        int error = page_enter(tables, context[0] & ADDRESS_MASK, at, large ? LARGE_LEVEL : 1);
        if (error)
            return error;
    }
    return 0;
}

uint64_t iommu_tables_forbid(struct iommu_tables *tables, uint16_t function) {
    uint64_t *context = context_find(tables, function, false);
    if (!context || !(context[0] & PRESENT))
        return 0;
    uint64_t top = context[0] & ADDRESS_MASK;
    __atomic_store_n(&context[0], 0, __ATOMIC_RELEASE);
    context[1] = 0;
    return top;
}

static void level_free(struct iommu_tables *tables, uint64_t table, unsigned level) {
    for (unsigned i = 0; level > 1 && i < ENTRIES; i++) {
        uint64_t entry = table_at(tables, table)[i];
        if (entry && !(entry & LARGE))
            level_free(tables, entry & ADDRESS_MASK, level - 1);
    }
    page_give(tables, table);
}

void iommu_tables_free(struct iommu_tables *tables, uint64_t top) {
    if (top)
        level_free(tables, top, tables->levels);
}

bool iommu_tables_reach(const struct iommu_tables *tables, uint16_t function, uint64_t address) {
    const uint64_t *root = table_at(tables, tables->physical) + (size_t)(function >> 8) * 2;
    if (!(root[0] & PRESENT) || address >> level_shift(tables->levels + 1))
        return false;
    uint64_t entry = table_at(tables, root[0])[(size_t)(function & 0xff) * 2];
    if (!(entry & PRESENT))
        return false;
    for (unsigned level = tables->levels; level; level--) {
        entry = *entry_of(tables, entry, level, address);
        if ((entry & (READ | WRITE)) != (READ | WRITE))
            return false;
        if (level == LARGE_LEVEL && entry & LARGE)
            return (entry & ADDRESS_MASK) == (address & ~(LARGE_BYTES - 1));
    }
    return (entry & ADDRESS_MASK) == (address & ADDRESS_MASK);
}
