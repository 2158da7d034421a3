/* sources: kernel/page.c kernel/zone.c kernel/zone_init.c kernel/kmem.c kernel/lock.c
 * kernel/arch/host/machine.c kernel/arch/host/no_memory_objects.c */
/* flags: -Ikernel/arch/host -Ikernel/variant/release -pthread */
/*
 * The buddy allocator against a model: who owns each page. Blocks never overlap, are aligned, lie in memory
 * that was handed over, and when all are free again everything has merged to what it was.
 */
#include <string.h>

#include "kernel/arch/host/machine.h"
#include "kernel/page.h"
#include "kernel/zone.h"
#include "tests/unit/check.h"

enum { MEGABYTE = 1 << 20, MEMORY = 96 * MEGABYTE, PAGES = MEMORY / PAGE_SIZE, BLOCKS = 3000 };

static const struct boot_range ranges[] = {
    {0x1000, 0x9e000, BOOT_RANGE_FREE, 0},
    {MEGABYTE, 2 * MEGABYTE, BOOT_RANGE_BOOT, 0},
    {3 * MEGABYTE, MEGABYTE + 0x3000, BOOT_RANGE_KERNEL, 0},
    {4 * MEGABYTE + 0x3000, 40 * MEGABYTE - 0x8000, BOOT_RANGE_FREE, 0},
    {50 * MEGABYTE + 0x1000, 30 * MEGABYTE, BOOT_RANGE_FREE, 1},
    {80 * MEGABYTE + 0x1000, 5 * MEGABYTE, BOOT_RANGE_FIRMWARE, 1},
    {90 * MEGABYTE, 6 * MEGABYTE, BOOT_RANGE_BOOT, 1},
};
enum { RANGES = sizeof ranges / sizeof ranges[0] };

static unsigned char owner[PAGES]; /* 1: allocated */
static struct {
    uint64_t physical;
    unsigned order;
} blocks[BLOCKS];
static unsigned block_count;

static void start(void) {
    if (!host_memory)
        machine_init(MEMORY, ranges, RANGES);
}

static bool handed_over(uint64_t physical) {
    for (unsigned i = 0; i < RANGES; i++)
        if (physical >= ranges[i].base && physical < ranges[i].base + ranges[i].length)
            return ranges[i].kind == BOOT_RANGE_FREE || ranges[i].kind == BOOT_RANGE_BOOT;
    return false;
}

static bool block_take(unsigned order, uint64_t limit) {
    uint64_t physical = limit ? page_alloc_below(order, limit) : page_alloc(order);
    if (!physical)
        return false;
    CHECK_EQ(physical % ((uint64_t)PAGE_SIZE << order), 0);
    for (uint64_t page = physical / PAGE_SIZE; page < physical / PAGE_SIZE + (1u << order); page++) {
        CHECK(page < PAGES);
        CHECK(handed_over(page * PAGE_SIZE));
        CHECK(!owner[page]);
        owner[page] = 1;
        memset(host_memory + page * PAGE_SIZE, 0xee, 64);
    }
    if (limit)
        CHECK(physical + ((uint64_t)PAGE_SIZE << order) <= limit);
    blocks[block_count].physical = physical;
    blocks[block_count++].order = order;
    return true;
}

static void block_give(unsigned index) {
    uint64_t first = blocks[index].physical / PAGE_SIZE;
    unsigned order = blocks[index].order;
    memset(owner + first, 0, 1u << order);
    page_free(blocks[index].physical, order);
    blocks[index] = blocks[--block_count];
}

static void give_all(void) {
    while (block_count)
        block_give((unsigned)rand() % block_count);
    for (host_cpu_index = 0; host_cpu_index < 4; host_cpu_index++)
        page_drain();
    host_cpu_index = 0;
}

TEST(boot_ranges) {
    start();
    uint64_t before = page_total_count();
    CHECK_EQ(page_free_count(), before);
    zones_add(ranges[1].base, ranges[1].length, 0);
    zones_add(ranges[6].base, ranges[6].length, 1);
    CHECK_EQ(page_total_count(), before + (ranges[1].length + ranges[6].length) / PAGE_SIZE);
    CHECK_EQ(page_free_count(), page_total_count());
    /* Everything but the metadata was handed over. */
    uint64_t managed = 0;
    for (uint64_t page = 1; page < PAGES; page++)
        managed += handed_over(page * PAGE_SIZE);
    CHECK_EQ(managed - page_total_count(), PAGES * sizeof(struct page) / PAGE_SIZE);
}

TEST(random_blocks) {
    struct page_statistics before, after;
    start();
    page_statistics(&before);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 4000; i++) {
            host_cpu_index = (unsigned)rand() % 4;
            memory_cpu()->node = (unsigned)rand() % 3;
            if (block_count < BLOCKS && rand() % 100 < (round % 2 ? 45 : 60)) {
                unsigned order = rand() % 4 ? 0 : (unsigned)rand() % 12;
                block_take(order, rand() % 20 ? 0 : PAGE_LIMIT_ISA);
            } else if (block_count) {
                block_give((unsigned)rand() % block_count);
            }
        }
        if (round % 8 == 7)
            give_all();
    }
    give_all();
    page_statistics(&after);
    CHECK_EQ(after.free, before.free);
    CHECK_EQ(after.allocations - before.allocations, after.frees - before.frees);
    for (unsigned order = 0; order < PAGE_ORDERS; order++)
        CHECK_EQ(after.free_blocks[order], before.free_blocks[order]);
}

TEST(exhaustion) {
    start();
    uint64_t before = page_free_count(), count = 0, first = 0;
    for (uint64_t physical; (physical = page_alloc(0)); count++) {
        CHECK(!owner[physical / PAGE_SIZE]);
        owner[physical / PAGE_SIZE] = 1;
        *(uint64_t *)phys_to_virt(physical) = first;
        first = physical;
    }
    CHECK_EQ(count, before);
    CHECK_EQ(page_free_count(), 0);
    CHECK_EQ(page_alloc(3), 0);
    while (first) {
        uint64_t physical = first;
        first = *(uint64_t *)phys_to_virt(physical);
        owner[physical / PAGE_SIZE] = 0;
        page_free(physical, 0);
    }
    page_drain();
    CHECK_EQ(page_free_count(), before);
}

TEST(nodes) {
    start();
    memory_cpu()->node = 1;
    uint64_t near = page_alloc(4);
    memory_cpu()->node = 0;
    uint64_t other = page_alloc(4);
    CHECK(near >= 50 * MEGABYTE);
    CHECK(other >= 16 * MEGABYTE && other < 50 * MEGABYTE);
    page_free(near, 4);
    page_free(other, 4);
    CHECK_EQ(page_alloc(PAGE_ORDER_MAX), 0);
    CHECK_EQ(page_alloc(PAGE_ORDER_MAX + 1), 0);
    uint64_t clear = page_alloc_clear(1);
    for (unsigned i = 0; i < 2 * PAGE_SIZE; i++)
        CHECK_EQ(host_memory[clear + i], 0);
    page_free(clear, 1);
}

TEST_MAIN();
