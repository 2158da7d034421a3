/* sources: servers/devices/iommu.c servers/devices/iommu_tables.c */
/* flags: -iquote tests/host */
/*
 * Two IOMMU units that stop answering at any moment: `devices` says so, and goes on without them or refuses
 * to start a driver, but waits for a bounded time only and leaves no unit on that it does not use.
 */
#include "servers/devices/iommu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/native/keel.h"
#include "servers/devices/machine.h"
#include "tests/unit/check.h"

enum { UNITS = 2, PAGE = 4096, TABLES = 1 << 20, TABLES_HANDLE = 50, MEMORY_HANDLE = 51, WAITS_MOST = 20000 };
enum { STATUS = 0x1c, COMMAND = 0x18, CONTEXT = 0x28, FAULT_STATUS = 0x34, ENTRIES = 0x108 };
enum { ENABLED = 1U << 31, ROOT_SET = 1 << 30, QUEUE = 1 << 26, FLUSHING = 1 << 27 };
#define CAPABILITIES (6 | 1 << 4 | 1 << 9 | 0x20ULL << 24 | 3ULL << 40)

struct machine machine;
static _Alignas(PAGE) uint8_t units[UNITS][PAGE], tables[TABLES];
static unsigned missing;                              /* a bit for each unit that is not there: all ones */
static unsigned waits, answers_left;                  /* looks at a unit until it no longer answers */
static unsigned refused, unusable, stuck, unanswered; /* lines in the log */

static uint32_t *word(unsigned unit, uint32_t offset) {
    return (uint32_t *)(units[unit] + offset);
}

static bool is_on(unsigned unit) {
    return *word(unit, STATUS) & ENABLED;
}

/* A unit does what it was told while others wait for it. */
static void unit_work(unsigned unit) {
    uint32_t command = *word(unit, COMMAND);
    *word(unit, STATUS) = (*word(unit, STATUS) & ROOT_SET) | (command & (ENABLED | QUEUE | ROOT_SET));
    *(uint64_t *)(units[unit] + CONTEXT) &= INT64_MAX;
    *(uint64_t *)(units[unit] + ENTRIES) &= INT64_MAX;
}

int64_t keel_thread_wait(uint64_t until) {
    (void)until;
    CHECK(++waits < WAITS_MOST);
    if (!answers_left)
        return 0;
    answers_left--;
    for (unsigned i = 0; i < UNITS; i++)
        if (missing >> i & 1)
            memset(units[i], 0xff, PAGE);
        else
            unit_work(i);
    return 0;
}
uint64_t clock_now(void) {
    return waits;
}
int64_t keel_handle_close(uint64_t handle) {
    (void)handle;
    return 0;
}
int64_t keel_dma_create(uint64_t dma, uint64_t length, uint64_t below) {
    (void)dma, (void)below;
    CHECK_EQ(length, TABLES);
    return TABLES_HANDLE;
}
int64_t keel_object_info(uint64_t handle, uint64_t to, uint64_t length) {
    const struct vmo_info info = {.address = handle == TABLES_HANDLE ? 0x100000 : 0x40000000,
                                  .size = 0x10000};
    CHECK(length >= sizeof info);
    memcpy((void *)(uintptr_t)to, &info, sizeof info); // NOLINT(performance-no-int-to-ptr)
    return 0;
}
int64_t machine_physical(uint64_t base, uint64_t length) {
    CHECK_EQ(length, PAGE);
    return (int64_t)base;
}
void *memory_map(handle_t vmo, uint64_t offset, uint64_t length, uint64_t flags) {
    (void)offset, (void)length, (void)flags;
    return vmo == TABLES_HANDLE ? tables : units[vmo - 1];
}
void log_line(const char *format, ...) {
    refused += strstr(format, "was refused") != NULL;
    unusable += strstr(format, "cannot be used") != NULL;
    stuck += strstr(format, "does not forget") != NULL;
    unanswered += strstr(format, "answers no more") != NULL;
}

static void machine_make(void) {
    machine.acpi.iommu_count = UNITS;
    for (unsigned i = 0; i < UNITS; i++) {
        machine.acpi.iommus[i] = i + 1;
        *(uint64_t *)(units[i] + 0x08) = CAPABILITIES;
        *(uint64_t *)(units[i] + 0x10) = 0x10 << 8; /* ENTRIES less 8 */
        *word(i, STATUS) = ENABLED | QUEUE;         /* as the firmware left it */
    }
    answers_left = UINT32_MAX;
}

/* ---- each in a process of its own, as `devices` is ---- */

static void in_child(void (*function)(unsigned), unsigned argument) {
    int status = -1;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        machine_make();
        function(argument);
        exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

static void answering(unsigned unused) {
    (void)unused;
    iommu_start();
    CHECK(is_on(0) && is_on(1) && !unusable);
    CHECK_EQ(iommu_allow(0x18, MEMORY_HANDLE), 0);
    iommu_forbid(0x18);
    CHECK(!stuck);
}

TEST(units_that_answer) {
    in_child(answering, 0);
}

static void dying_at_start(unsigned after) {
    answers_left = after;
    iommu_start();
    CHECK(unusable == 1 || (is_on(0) && is_on(1)));
    if (unusable) { /* drivers reach all of memory, as without one */
        CHECK_EQ(iommu_allow(0x18, MEMORY_HANDLE), 0);
        iommu_forbid(0x18);
        iommu_report();
        CHECK(!stuck);
        answers_left = 1;
        (void)keel_thread_wait(0); /* what was written last is not that one is to be on */
        CHECK(!is_on(0) && !is_on(1));
    }
}

TEST(units_that_die_while_they_are_started) {
    for (unsigned after = 0; after < 30; after++)
        in_child(dying_at_start, after);
}

static void dying_later(unsigned after) {
    iommu_start();
    CHECK(!unusable);
    answers_left = after;
    int64_t error = iommu_allow(0x18, MEMORY_HANDLE);
    CHECK(error == -EIO ? stuck == 1 : error == 0 && after >= 4);
    iommu_forbid(0x18);
    CHECK(stuck > 0);
    CHECK_EQ(iommu_allow(0x20, MEMORY_HANDLE), -EIO);
}

TEST(units_that_die_later) {
    for (unsigned after = 0; after < 8; after++)
        in_child(dying_later, after);
}

/* What is not there reads as all ones. */
static void absent(unsigned unit) {
    missing = 1U << unit;
    memset(units[unit], 0xff, PAGE);
    iommu_start();
    CHECK(unusable == 1 && !is_on(1 - unit));
    CHECK_EQ(iommu_allow(0x18, MEMORY_HANDLE), 0);
}

TEST(a_unit_that_is_not_there) {
    in_child(absent, 0);
    in_child(absent, 1);
}

static void vanished(unsigned unit) {
    iommu_start();
    missing = 1U << unit;
    memset(units[unit], 0xff, PAGE);
    for (unsigned i = 0; i < 10; i++)
        iommu_report();
    CHECK(refused == 0 && unanswered == 1);
    CHECK_EQ(iommu_allow(0x18, MEMORY_HANDLE), -EIO);
    CHECK(waits < WAITS_MOST / 2);
}

TEST(a_unit_that_vanishes) {
    in_child(vanished, 0);
    in_child(vanished, 1);
}

TEST_MAIN();
