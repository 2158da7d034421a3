/*
 * Memory objects and address spaces beyond the basics: changes that take several steps, large pages, pinned
 * and contiguous memory, what may be written and executed, residency.
 */
#include "tests/native/ktest.h"

#define WINDOW 0x410000000000ULL
enum { PAGE = 4096, PIECES = 600, WRITABLE = MAP_READ | MAP_WRITE };

static volatile uint64_t *word(uint64_t address) {
    return (volatile uint64_t *)(uintptr_t)address;
}

static uint64_t piece(unsigned i) {
    return WINDOW + i * 2ULL * PAGE;
}

/* Every second page a mapping of its own: the calls below need many steps, and are restarted in between. */
static void pieces_map(uint64_t space) {
    for (unsigned i = 0; i < PIECES; i++)
        EQ(keel_space_map(space, space ? piece(i) - WINDOW + 0x10000000 : piece(i), 0, 0, PAGE,
                          WRITABLE | MAP_COPY),
           0);
}

static void test_many_mappings(void) {
    struct space_info info;
    int64_t vmo = keel_vmo_create(PAGE, 0);
    pieces_map(0);
    for (unsigned i = 0; i < PIECES; i++)
        *word(piece(i)) = i;
    /* A hole behind the last piece: the protection fails there, and at the first piece works. */
    EQ(keel_space_protect(0, WINDOW, PIECES * 2ULL * PAGE, MAP_READ), -ENOMEM);
    for (unsigned i = 0; i + 1 < PIECES; i++)
        EQ(keel_space_map(0, piece(i) + PAGE, vmo, 0, PAGE, MAP_READ), 0);
    EQ(keel_space_protect(0, WINDOW, (PIECES * 2ULL - 1) * PAGE, MAP_READ), 0);
    for (unsigned i = 0; i < PIECES; i++)
        EQ(keel_vmo_read(vmo, 0, piece(i), 8), -EFAULT);
    EQ(keel_space_move(0, WINDOW, (PIECES * 2ULL - 1) * PAGE, WINDOW + (1ULL << 30)), 0);
    for (unsigned i = 0; i < PIECES; i++)
        EQ(*word(piece(i) + (1ULL << 30)), i);
    EQ(keel_space_map(0, WINDOW + (1ULL << 30), 0, 0, PIECES * 2ULL * PAGE, WRITABLE), 0);
    EQ(*word(piece(PIECES - 1) + (1ULL << 30)), 0);
    EQ(keel_space_unmap(0, WINDOW, 1ULL << 31), 0);
    EQ(keel_handle_close((uint64_t)vmo), 0);

    int64_t space = keel_space_create(0);
    pieces_map((uint64_t)space);
    int64_t copy = keel_space_clone((uint64_t)space, 0);
    EQ(keel_object_info((uint64_t)copy, keel_pointer(&info), sizeof(info)), sizeof(info));
    EQ(info.mappings, PIECES);
    EQ(keel_handle_close((uint64_t)copy), 0);
    EQ(keel_handle_close((uint64_t)space), 0);
}

/* One object at many addresses, all written: the snapshot takes several steps. */
static void test_snapshot_of_many_mappings(void) {
    uint64_t before = 0;
    int64_t vmo = keel_vmo_create(PAGE, 0);
    for (unsigned i = 0; i < PIECES; i++) {
        EQ(keel_space_map(0, piece(i), (uint64_t)vmo, 0, PAGE, WRITABLE), 0);
        *word(piece(i)) = i;
    }
    int64_t copy = keel_vmo_snapshot((uint64_t)vmo);
    for (unsigned i = 0; i < PIECES; i++)
        *word(piece(i)) = 7;
    EQ(keel_vmo_read((uint64_t)copy, 0, keel_pointer(&before), 8), 8);
    EQ(before, PIECES - 1);
    EQ(keel_space_unmap(0, WINDOW, PIECES * 2ULL * PAGE), 0);
    EQ(keel_handle_close((uint64_t)copy), 0);
    EQ(keel_handle_close((uint64_t)vmo), 0);
}

/* Nothing is writable and executable in a native space; a guest's may be. */
static void test_write_or_execute(void) {
    uint64_t both = MAP_WRITE | MAP_EXEC;
    EQ(keel_space_map(0, WINDOW, 0, 0, PAGE, MAP_READ | both), -EACCES);
    EQ(keel_space_map(0, WINDOW, 0, 0, PAGE, MAP_COPY | both), -EACCES);
    EQ(keel_space_map(0, WINDOW, 0, 0, PAGE, WRITABLE), 0);
    EQ(keel_space_protect(0, WINDOW, PAGE, both), -EACCES);
    EQ(keel_space_protect(0, WINDOW, PAGE, MAP_READ | MAP_EXEC), 0);
    EQ(keel_space_protect(0, WINDOW, PAGE, WRITABLE), 0);
    EQ(keel_space_unmap(0, WINDOW, PAGE), 0);
    int64_t space = keel_space_create(0);
    EQ(keel_space_map((uint64_t)space, 0x10000000, 0, 0, PAGE, MAP_READ | both), 0);
    EQ(keel_handle_close((uint64_t)space), 0);
}

/* Memory that is filled in order, from a little before a 2 MB boundary on, gets 2 MB at once where it may: it
 * must not be noticed but in the number of faults, here by the pages that the job is charged beyond those
 * touched. */
static void test_large_pages(void) {
    enum { BEFORE = 45, COUNT = BEFORE + 3 * 512 };
    const uint64_t at = (WINDOW & -(2ULL << 20)) + (2 << 20) - BEFORE * PAGE;
    struct job_info before = {0}, after = {0};
    EQ(keel_object_info(job, keel_pointer(&before), sizeof before), sizeof before);
    EQ(keel_space_map(0, at, 0, 0, COUNT * PAGE, WRITABLE | MAP_COPY), 0);
    for (uint64_t i = 0; i <= BEFORE; i++)
        *word(at + i * PAGE) = i;
    EQ(keel_object_info(job, keel_pointer(&after), sizeof after), sizeof after);
    EQ(after.pages >= before.pages + BEFORE + 512, 1);
    for (uint64_t i = BEFORE; i < COUNT; i++)
        *word(at + i * PAGE) = i;
    EQ(keel_space_protect(0, at + 600 * PAGE, PAGE, MAP_READ), 0);
    EQ(keel_log_read(handle_find("log"), 0, at + 600 * PAGE, 8), -EFAULT);
    EQ(keel_space_unmap(0, at + 700 * PAGE, 10 * PAGE), 0);
    EQ(keel_space_map(0, at + 700 * PAGE, 0, 0, 10 * PAGE, WRITABLE), 0);
    EQ(keel_space_move(0, at + 1100 * PAGE, 10 * PAGE, at + (1ULL << 30)), 0);
    for (uint64_t i = 0; i < 10; i++)
        EQ(*word(at + (1ULL << 30) + i * PAGE), 1100 + i);
    for (uint64_t i = 0; i < COUNT; i++)
        if (i < 1100 || i >= 1110)
            EQ(*word(at + i * PAGE), i >= 700 && i < 710 ? 0 : i);
    EQ(keel_space_unmap(0, at, 1ULL << 31), 0);
    EQ(keel_object_info(job, keel_pointer(&after), sizeof after), sizeof after);
    EQ(after.pages <= before.pages + 64, 1);
}

const struct test memory_tests[] = {
    {"many_mappings", test_many_mappings},
    {"snapshot_of_many_mappings", test_snapshot_of_many_mappings},
    {"write_or_execute", test_write_or_execute},
    {"large_pages", test_large_pages},
    {0},
};
