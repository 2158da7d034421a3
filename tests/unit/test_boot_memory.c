/* sources: boot/memory.c */
/* The loader's memory map: whatever the firmware says, the ranges come out sorted, disjoint, aligned and
 * inside the map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "boot/console.h"
#include "boot/memory.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

#define MB (1024ULL * 1024)
#define GB (1024 * MB)

static jmp_buf failed;
static struct boot_source source;

void boot_fail(const char *format, ...) {
    (void)format;
    longjmp(failed, 1);
}
void boot_note(const char *format, ...) {
    (void)format;
}

static void begin(void) {
    memset(&source, 0, sizeof(source));
    memset(&boot_info, 0, sizeof(boot_info));
}

static void add(uint64_t base, uint64_t length, int usable) {
    source.memory[source.memory_count++] = (struct source_memory){base, length, (uint32_t)usable, 0};
}

static void check_ranges(void) {
    uint64_t end = 0;
    for (uint32_t i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *range = &boot_info.ranges[i];
        CHECK(range->length > 0 && range->base >= end);
        CHECK_EQ((range->base | range->length) % 4096, 0);
        end = range->base + range->length;
        CHECK(end <= boot_info.direct_map_end);
    }
}

static uint32_t kind_at(uint64_t address) {
    for (uint32_t i = 0; i < boot_info.range_count; i++)
        if (address - boot_info.ranges[i].base < boot_info.ranges[i].length)
            return boot_info.ranges[i].kind;
    return 0;
}

static void init(void) {
    memory_init(&source, 1 * MB, 2 * MB);
    check_ranges();
}

TEST(plain_machine) {
    begin();
    add(0, 0x9fc00, 1);
    add(0x9fc00, 0x400, 0);
    add(1 * MB, 31 * MB, 1);
    add(32 * MB - 0x20000, 0x20000, 0);
    source.pieces[source.piece_count++] = (struct source_piece){20 * MB + 123, 5000};
    init();
    CHECK_EQ(boot_info.direct_map_end, 4 * GB);
    CHECK_EQ(kind_at(0), BOOT_RANGE_FIRMWARE);
    CHECK_EQ(kind_at(4096), BOOT_RANGE_FREE);
    CHECK_EQ(kind_at(0x9f000), BOOT_RANGE_FIRMWARE);
    CHECK_EQ(kind_at(0xa0000), 0);
    CHECK_EQ(kind_at(1 * MB), BOOT_RANGE_BOOT);
    CHECK_EQ(kind_at(2 * MB), BOOT_RANGE_FREE);
    CHECK_EQ(kind_at(20 * MB), BOOT_RANGE_ARCHIVE);
    CHECK_EQ(kind_at(20 * MB + 4096), BOOT_RANGE_ARCHIVE);
    CHECK_EQ(kind_at(20 * MB + 8192), BOOT_RANGE_FREE);
    CHECK_EQ(kind_at(32 * MB - 4096), BOOT_RANGE_FIRMWARE);
}

TEST(reserved_wins_in_any_order) {
    begin();
    add(3 * MB + 100, 200, 0);
    add(1 * MB, 31 * MB, 1);
    add(2 * MB, 8 * MB, 1);
    add(5 * MB, 4 * MB, 0);
    init();
    CHECK_EQ(kind_at(3 * MB), BOOT_RANGE_FIRMWARE);
    CHECK_EQ(kind_at(3 * MB + 4096), BOOT_RANGE_FREE);
    CHECK_EQ(kind_at(5 * MB), BOOT_RANGE_FIRMWARE);
    CHECK_EQ(kind_at(9 * MB), BOOT_RANGE_FREE);
}

TEST(entries_that_wrap_or_are_huge) {
    begin();
    add(4 * GB, 3 * GB + 5, 1);
    add(UINT64_MAX - 100, 200, 1);
    add(UINT64_MAX - 100, 200, 0);
    add(8 * GB, UINT64_MAX, 0);
    add(6 * MB, 0, 1);
    add(7 * MB + 1, 100, 1);
    init();
    CHECK_EQ(boot_info.direct_map_end, 7 * GB);
    CHECK_EQ(kind_at(7 * GB - 1), BOOT_RANGE_FREE);
    CHECK_EQ(kind_at(7 * MB), 0);
    begin();
    add(1 * MB, UINT64_MAX, 1);
    init();
    CHECK_EQ(boot_info.direct_map_end, 16ULL << 40);
}

TEST(taking_pages) {
    begin();
    add(0x2800, 0x3000, 1);
    add(1 * MB, 3 * MB, 1);
    add(4 * GB, 1 * GB, 1);
    init();
    CHECK_EQ(memory_take_low(BOOT_RANGE_KERNEL), 0x3000);
    CHECK_EQ(memory_take_low(BOOT_RANGE_KERNEL), 0x4000);
    CHECK_EQ(memory_take_low(BOOT_RANGE_KERNEL), 0);
    uint64_t first = memory_take(3, BOOT_RANGE_KERNEL);
    CHECK_EQ(first, 2 * MB);
    CHECK_EQ(memory_take(1, BOOT_RANGE_BOOT), 2 * MB + 3 * 4096);
    CHECK_EQ(kind_at(first), BOOT_RANGE_KERNEL);
    CHECK_EQ(kind_at(first + 3 * 4096), BOOT_RANGE_BOOT);
    check_ranges();
    if (setjmp(failed) == 0) {
        memory_take(2 * MB / 4096, BOOT_RANGE_KERNEL); /* only above 4 GB */
        CHECK(!"memory_take found memory that is not there");
    }
}

TEST(nodes_split_ranges) {
    begin();
    add(1 * MB, 63 * MB, 1);
    init();
    memory_set_node(32 * MB, UINT64_MAX, 1);
    check_ranges();
    CHECK_EQ(kind_at(31 * MB), BOOT_RANGE_FREE);
    const struct boot_range *last = &boot_info.ranges[boot_info.range_count - 1];
    CHECK_EQ(last->base, 32 * MB);
    CHECK_EQ(last->node, 1);
}

TEST(too_many_pieces) {
    begin();
    add(0, 1 * GB, 1);
    for (uint64_t i = 1; i < BOOT_MAX_RANGES; i++)
        add(4 * MB + i * 8192, 4096, 0);
    if (setjmp(failed) == 0) {
        init();
        CHECK(!"more pieces than there are ranges");
    }
}

TEST(random_maps) {
    static int round; /* static: longjmp keeps it */
    for (round = 0; round < 20000; round++) {
        begin();
        for (int i = 0; i < 24; i++) {
            uint64_t base = (uint64_t)random_below(1U << 31) << 2 | random_below(4);
            add(base, random_below(1U << 28), random_below(2));
        }
        if (setjmp(failed) == 0)
            init();
    }
}

TEST_MAIN();
