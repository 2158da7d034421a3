/* sources: servers/devices/iommu_tables.c */
/* Tables of the IOMMU: what functions reach is compared with what they were given, by random changes. */
#include "servers/devices/iommu_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

enum { PAGE = 4096, PAGES = 256, FUNCTIONS = 6, RANGES = 5 };
#define PHYSICAL 0x12340000ULL
#define MB       (1ULL << 20)

static struct iommu_tables tables;
static uint8_t *memory;

static void build(unsigned levels, bool large, unsigned pages) {
    free(memory);
    memory = aligned_alloc(PAGE, (size_t)pages * PAGE);
    memset(memory, 0, (size_t)pages * PAGE);
    CHECK(iommu_tables_init(&tables, memory, PHYSICAL, (uint64_t)pages * PAGE, levels, large));
}

TEST(nothing_is_reached_at_first) {
    build(3, true, PAGES);
    CHECK(!iommu_tables_reach(&tables, 0, 0));
    CHECK(!iommu_tables_reach(&tables, 0xffff, PHYSICAL));
    CHECK_EQ(iommu_tables_forbid(&tables, 0x1234), 0);
}

static void ends(unsigned levels, bool large, uint64_t base, uint64_t length) {
    build(levels, large, PAGES);
    CHECK_EQ(iommu_tables_allow(&tables, 0x0118, base, length), 0);
    CHECK(iommu_tables_reach(&tables, 0x0118, base) &&
          iommu_tables_reach(&tables, 0x0118, base + length - 1));
    CHECK(!iommu_tables_reach(&tables, 0x0118, base + length));
    CHECK(base == 0 || !iommu_tables_reach(&tables, 0x0118, base - 1));
    CHECK(!iommu_tables_reach(&tables, 0x0119, base) && !iommu_tables_reach(&tables, 0x0018, base));
}

TEST(ranges_end_where_they_end) {
    for (unsigned levels = 3; levels <= 4; levels++)
        for (unsigned large = 0; large < 2; large++) {
            ends(levels, large, 0, PAGE);
            ends(levels, large, 4 * MB, 4 * MB);
            ends(levels, large, 2 * MB - PAGE, 4 * MB);
            ends(levels, large, (1ULL << 32) - MB, 3 * MB);
            ends(levels, large, (1ULL << 39) - 2 * MB, 2 * MB);
        }
}

TEST(what_does_not_fit_is_refused) {
    build(3, false, PAGES);
    CHECK_EQ(iommu_tables_allow(&tables, 8, 1, PAGE), -EINVAL);
    CHECK_EQ(iommu_tables_allow(&tables, 8, 0, 1), -EINVAL);
    CHECK_EQ(iommu_tables_allow(&tables, 8, 1ULL << 39, PAGE), -EINVAL);
    CHECK_EQ(iommu_tables_allow(&tables, 8, UINT64_MAX - PAGE + 1, PAGE), -EINVAL);
    build(3, false, 3); /* no page for the leaves */
    CHECK_EQ(iommu_tables_allow(&tables, 8, 0, PAGE), -ENOMEM);
    CHECK(!iommu_tables_reach(&tables, 8, 0));
    iommu_tables_free(&tables, iommu_tables_forbid(&tables, 8));
    CHECK(!iommu_tables_init(&tables, memory, PHYSICAL, 100, 3, false));
}

/* Functions come and go many times: what they reach is what they have, and no page is lost. */
TEST(random_changes) {
    struct range {
        uint64_t base, length;
    } has[FUNCTIONS][RANGES] = {0};
    static const uint16_t names[FUNCTIONS] = {0, 8, 0xfa, 0x0100, 0x01f8, 0xffff};
    build(3, true, PAGES);
    srand(7);
    for (unsigned turn = 0; turn < 3000; turn++) {
        unsigned f = (unsigned)rand() % FUNCTIONS, slot = (unsigned)rand() % RANGES;
        if (rand() % 8 == 0) {
            iommu_tables_free(&tables, iommu_tables_forbid(&tables, names[f]));
            memset(has[f], 0, sizeof has[f]);
        } else if (!has[f][slot].length) {
            struct range range = {(uint64_t)(rand() % 4096) * 0x80000, (uint64_t)(rand() % 3 + 1)
                                                                           << (12 + rand() % 10)};
            CHECK_EQ(iommu_tables_allow(&tables, names[f], range.base, range.length), 0);
            has[f][slot] = range;
        }
        uint64_t address = (uint64_t)(rand() % 4096) * 0x80000 + (uint64_t)(rand() % 0x100000);
        bool expected = false;
        for (unsigned i = 0; i < RANGES; i++)
            expected |= address - has[f][i].base < has[f][i].length;
        CHECK_EQ(iommu_tables_reach(&tables, names[f], address), expected);
    }
    for (unsigned f = 0; f < FUNCTIONS; f++)
        iommu_tables_free(&tables, iommu_tables_forbid(&tables, names[f]));
    uint64_t lost = tables.used / PAGE;
    for (uint64_t at = tables.unused; at; lost--)
        memcpy(&at, memory + at, sizeof at);
    CHECK_EQ(lost, 4); /* the root table, and context tables of three buses */
    free(memory);
    memory = NULL;
}

TEST_MAIN();
