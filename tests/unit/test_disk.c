/* sources: linux/block/cache.c linux/block/control.c linux/block/view.c linux/fs/buffer.c tests/host/alone.c
 * lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/block_client.c lib/virtqueue/block_link.c */
/* flags: -iquote tests/host */
/*
 * The cache of a disk against a plain array: random reads, writes, flushes and discards of all sizes, while
 * the driver answers in any order, fails, and dies; and programs that map it, which see and change pages of
 * the area as a table of the simulation says. One thread: where a task would wait, the driver goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
#include "lib/keel/call.h"
#include "lib/virtqueue/block_link.h"
#include "linux/block/disk.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

enum { CHUNKS = 6, AREA = CHUNK_SIZE * (CHUNKS + 1), SECTORS = 64 * 12 + 24, BYTES = SECTORS * BLOCK_SECTOR };

static _Alignas(4096) uint8_t area[AREA];
static uint8_t media[BYTES], shadow[BYTES], bytes[BYTES];
static struct disk disk;
static struct block_link link;
static struct block_identity identity;
static struct block_io held[BLOCK_SLOT_COUNT];
static unsigned held_count, deaths, sleeps, flushes;
static uint32_t generation, session_seen;
static bool failing, deadly, stopped;
static bool quick; /* the driver has answered before anybody can wait */

/* ---- what the code under test stands on ---- */

void *heap_zalloc(size_t size) {
    return calloc(1, size);
}
void heap_free(void *pointer) {
    free(pointer);
}
void waitq_init(struct waitq *queue) {
    list_init(&queue->waiters);
}
void waitq_wake_all(struct waitq *queue) {
    (void)queue;
}
int guest_copy_in(void *to, uint64_t from, size_t length) {
    (void)to, (void)from, (void)length;
    return -EFAULT;
}
int guest_copy_out(uint64_t to, const void *from, size_t length) {
    (void)to, (void)from, (void)length;
    return -EFAULT;
}

void mutex_lock_slowly(struct mutex *mutex) {
    (void)mutex;
    CHECK(false);
}
void mutex_unlock_slowly(struct mutex *mutex) {
    (void)mutex;
    CHECK(false);
}
uint64_t clock_monotonic(void) {
    return 1;
}
void timer_event_arm(struct timer_event *event, uint64_t deadline) {
    CHECK(!event->armed && deadline > 1);
    event->armed = true;
}

/* ---- programs: each has the whole disk in an area, an address is that of its page ---- */

enum {
    PAGE = 4096,
    PAGES = (BYTES + PAGE - 1) / PAGE,
    SHARED, /* spaces, which are owners as well */
    OTHER,
    PRIVATE,
    SPACES,
    MEMORY = 77, /* the area's handle */
    COPY = 78,
};

static struct entry {
    uint8_t *bytes; /* in the area, or a copy; NULL: not mapped */
    bool writable, copied;
} table[SPACES][PAGES];
static uint8_t copies[PAGES][PAGE], fresh[PAGE];
static bool scarce, exhausted; /* calls of the kernel find no memory now and then, or never */

static bool none_left(void) {
    return exhausted || (scarce && random_below(6) == 0);
}

static struct entry *entry_at(uint64_t space, uint64_t address) {
    CHECK(space > 0 && space < SPACES && address % PAGE == 0 && address / PAGE < PAGES);
    return &table[space][address / PAGE];
}

bool guest_present(uint64_t address) { /* asked for private areas only */
    return entry_at(PRIVATE, address)->bytes;
}
int64_t keel_vmo_create(uint64_t size, uint64_t flags) {
    CHECK(size == PAGE && !flags);
    return none_left() ? -ENOMEM : COPY;
}
int64_t keel_vmo_write(uint64_t vmo, uint64_t offset, uint64_t from, uint64_t length) {
    CHECK(vmo == COPY && !offset && length == PAGE);
    memcpy(fresh, (void *)from, PAGE);
    return PAGE;
}
int64_t keel_handle_close(uint64_t handle) {
    CHECK_EQ(handle, COPY);
    return 0;
}
int64_t keel_space_map(uint64_t space, uint64_t address, uint64_t vmo, uint64_t offset, uint64_t length,
                       uint64_t flags) {
    if (none_left())
        return -ENOMEM;
    CHECK(vmo == MEMORY || (vmo == COPY && flags & MAP_COPY && length == PAGE && space == PRIVATE));
    for (; length; length -= PAGE, address += PAGE, offset += PAGE) {
        struct entry *entry = entry_at(space, address);
        CHECK(!entry->copied);
        *entry = (struct entry){vmo == COPY ? memcpy(copies[address / PAGE], fresh, PAGE) : area + offset,
                                flags & MAP_WRITE, vmo == COPY};
    }
    return 0;
}
int64_t keel_space_unmap(uint64_t space, uint64_t address, uint64_t length) {
    if (none_left())
        return -ENOMEM;
    for (; length; length -= PAGE, address += PAGE) {
        CHECK(!entry_at(space, address)->copied);
        *entry_at(space, address) = (struct entry){0};
    }
    return 0;
}
int64_t keel_space_protect(uint64_t space, uint64_t address, uint64_t length, uint64_t protection) {
    if (none_left())
        return -ENOMEM;
    CHECK_EQ(protection, MAP_READ);
    for (; length; length -= PAGE, address += PAGE) {
        CHECK(entry_at(space, address)->bytes);
        entry_at(space, address)->writable = false;
    }
    return 0;
}

static void driver_step(void);

void disk_run(struct disk *run) {
    uint64_t token;
    int32_t result;
    do {
        (void)block_client_run(&run->client);
        if (quick) {
            driver_step();
            (void)block_client_run(&run->client);
        }
        while (block_client_ended(&run->client, &token, &result)) {
            if (token >> 63)
                control_answer(run, result);
            else
                cache_answer(run, token, result);
        }
        cache_continue(run);
    } while (run->client.dirty || (quick && ~run->client.free_slots));
    if (run->client.gone)
        cache_drop(run);
}

static void driver_start(void) {
    held_count = 0;
    session_seen = 0;
    block_link_init(&link, area, AREA, &identity);
    ((struct link_header *)area)->generation = ++generation;
}

static void driver_take(void) {
    const struct link_header *header = (struct link_header *)area;
    uint32_t session = header->session_generation == header->generation ? header->session : 0;
    if (session != session_seen) {
        session_seen = session;
        held_count = 0;
        block_link_session(&link, session != 0);
    }
    while (held_count < BLOCK_SLOT_COUNT && block_link_take(&link, &held[held_count]))
        held_count++;
}

static void driver_step(void) {
    driver_take();
    if (deadly && random_below(20) == 0) {
        deaths++;
        driver_start();
        return;
    }
    for (unsigned count = 1 + random_below(4); count && held_count; count--) {
        unsigned index = random_below(held_count);
        struct block_io io = held[index];
        bool fails = failing && random_below(10) == 0;
        held[index] = held[--held_count];
        uint8_t *at = media + io.sector * BLOCK_SECTOR;
        if (fails && io.type == BLOCK_IN)
            memset(area + io.offset, 0xee, io.length);
        else if (io.type == BLOCK_IN)
            memcpy(area + io.offset, at, io.length);
        else if (io.type == BLOCK_OUT)
            memcpy(at, area + io.offset, io.length);
        else if (io.type == BLOCK_DISCARD)
            memset(at, 0, (size_t)io.sectors * BLOCK_SECTOR);
        else if (io.type == BLOCK_FLUSH)
            flushes += memcmp(media, shadow, BYTES) == 0;
        block_link_done(&link, &io, fails && io.type == BLOCK_IN ? BLOCK_STATUS_ERROR : BLOCK_STATUS_OK);
    }
    (void)block_link_publish(&link);
}

void disk_sleep(struct disk *slept, struct waitq *queue) {
    (void)queue;
    CHECK(++sleeps < 1000000 && !quick); /* somebody waits for what never comes */
    if (stopped)
        block_client_fail(&slept->client);
    else
        driver_step();
    disk_run(slept);
}

static void world_start(uint32_t block_size) {
    memset(area, 0, sizeof area);
    memset(&disk, 0, sizeof disk);
    for (unsigned i = 0; i < BYTES; i++)
        shadow[i] = media[i] = (uint8_t)(i * 13 + i / 512);
    identity = (struct block_identity){.sectors = SECTORS,
                                       .block_size = block_size,
                                       .features = BLOCK_FEATURE_FLUSH | BLOCK_FEATURE_DISCARD};
    failing = deadly = stopped = quick = scarce = false;
    memset(table, 0, sizeof table);
    disk.memory = MEMORY;
    generation = 0;
    CHECK_EQ(block_client_init(&disk.client, area, AREA), 0);
    CHECK_EQ(cache_init(&disk), 0);
    CHECK_EQ(disk.chunk_count, CHUNKS);
    driver_start();
    disk_run(&disk);
}

static void world_end(void) {
    for (unsigned space = SHARED; space < SPACES; space++)
        CHECK_EQ(views_hide_range(&disk, &table[space], 0, UINT64_MAX), 0);
    cache_free(&disk);
}

static int64_t do_read(uint64_t offset, uint64_t length, bool ahead) {
    struct buffer buffer = {.kernel = bytes, .length = length};
    return cache_read(&disk, &buffer, offset, length, ahead);
}

static void do_write(uint64_t offset, uint64_t length) {
    uint8_t seed = (uint8_t)random_below(256);
    for (uint64_t i = 0; i < length; i++)
        shadow[offset + i] = bytes[i] = (uint8_t)(seed + i * 7);
    struct buffer buffer = {.kernel = bytes, .length = length};
    int64_t result;
    while ((result = cache_write(&disk, &buffer, offset, length)) != (int64_t)length) {
        CHECK(failing); /* an edge could not be read: again, from where it stopped */
        uint64_t done = result > 0 ? (uint64_t)result : 0;
        offset += done;
        length -= done;
        buffer = (struct buffer){.kernel = shadow + offset, .length = length};
    }
}

/* A touch of a page, until it is mapped: 0, -EIO or -ENOMEM. */
static int do_touch(unsigned space, unsigned page, bool write) {
    const struct page_touch touch = {.owner = &table[space],
                                     .space = space,
                                     .address = (uint64_t)page * PAGE,
                                     .offset = (uint64_t)page * PAGE,
                                     .end = (uint64_t)PAGES * PAGE,
                                     .write = write,
                                     .copy = space == PRIVATE};
    int error;
    while ((error = views_show(&disk, &touch)) == -EAGAIN)
        if ((error = cache_fetch(&disk, touch.offset)))
            break;
    if (!error)
        CHECK(table[space][page].bytes && (!write || table[space][page].writable));
    return error;
}

static uint64_t page_length(unsigned page) {
    return page == PAGES - 1 ? BYTES - (uint64_t)page * PAGE : PAGE;
}

/* What programs see is what the disk holds, but for copies, which nothing changes; and nothing behind its
 * end. */
static void check_tables(void) {
    for (unsigned space = 1; space < SPACES; space++)
        for (unsigned page = 0; page < PAGES; page++) {
            const struct entry *entry = &table[space][page];
            if (!entry->bytes)
                continue;
            if (entry->copied)
                CHECK_EQ(entry->bytes[0], (uint8_t)(page * 3));
            else
                CHECK_EQ(memcmp(entry->bytes, shadow + (uint64_t)page * PAGE, page_length(page)), 0);
            for (uint64_t i = page_length(page); i < PAGE; i++)
                CHECK(!entry->bytes[i] || entry->copied);
        }
}

static void program_step(void) {
    unsigned space = SHARED + random_below(3), page = random_below(PAGES), last = page + random_below(20);
    struct entry *entry = &table[space][page];
    bool write = random_below(2) && space != OTHER;
    switch (random_below(8)) {
    case 0:
        if (last < PAGES && space != PRIVATE)
            CHECK(!views_hide_range(&disk, &table[space], (uint64_t)page * PAGE, (uint64_t)last * PAGE) ||
                  scarce);
        break;
    case 1:
        disk.behind.armed = false;
        views_write_behind(&disk.behind);
        break;
    default: {
        bool there = entry->bytes && (entry->writable || !write);
        int error = there && random_below(4) ? 0 : do_touch(space, page, write); /* perhaps another thread */
        CHECK(!error || (error == -EIO && failing) || (error == -ENOMEM && scarce));
        if (error || !write)
            break;
        if (entry->copied) {
            entry->bytes[0] = (uint8_t)(page * 3);
            break;
        }
        uint64_t at = random_below((unsigned)page_length(page));
        entry->bytes[at] = shadow[(uint64_t)page * PAGE + at] = (uint8_t)random_below(256);
        CHECK(disk.behind.armed);
    }
    }
    check_tables();
}

static void random_step(void) {
    uint64_t offset = random_below(BYTES), length = 1 + random_below(random_below(3) ? 5000 : 100000);
    if (random_below(4) == 0 && disk.next_read < BYTES)
        offset = disk.next_read; /* reading ahead, and writing to what is being read */
    if (length > BYTES - offset)
        length = BYTES - offset;
    switch (random_below(12)) {
    case 0: {
        cache_settle(&disk, offset, length);
        CHECK_EQ(disk_flush(&disk), 0);
        CHECK_EQ(memcmp(media + offset, shadow + offset, length), 0);
        break;
    }
    case 1:
        cache_settle(&disk, offset, length);
        cache_forget(&disk, offset, length);
        break;
    case 2:
        offset &= ~4095ULL;
        length = (length + 4095) & ~4095ULL;
        if (length > BYTES - offset)
            length = BYTES - offset;
        if (scarce) /* what cannot be unmapped goes on showing what it did */
            break;
        CHECK_EQ(disk_discard(&disk, offset, length), 0);
        memset(shadow + offset, 0, length);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        do_write(offset, length);
        break;
    default: {
        int64_t result = do_read(offset, length, random_below(2));
        CHECK(result == (int64_t)length || failing);
        if (result > 0)
            CHECK_EQ(memcmp(bytes, shadow + offset, (size_t)result), 0);
        break;
    }
    }
    if (random_below(3) == 0)
        driver_step();
    disk_run(&disk);
}

static void random_run(uint32_t block_size, bool fails, bool dies, bool maps, unsigned steps) {
    world_start(block_size);
    failing = fails;
    scarce = fails && maps;
    deadly = dies;
    deaths = sleeps = 0;
    for (unsigned i = 0; i < steps; i++) {
        sleeps = 0;
        random_step();
        if (maps)
            program_step();
    }
    failing = scarce = false;
    cache_settle(&disk, 0, UINT64_MAX);
    CHECK_EQ(memcmp(media, shadow, BYTES), 0);
    CHECK_EQ(disk.write_errors, 0);
    CHECK(!dies || deaths > steps / 200);
    world_end();
}

TEST(random_work) {
    random_run(512, false, false, false, 20000);
}
TEST(random_work_large_blocks) {
    random_run(4096, false, false, false, 10000);
}
TEST(random_work_failing_reads) {
    random_run(512, true, false, false, 10000);
}
TEST(random_work_dying_driver) {
    random_run(512, false, true, false, 20000);
}
TEST(random_work_everything) {
    random_run(4096, true, true, false, 10000);
}
TEST(random_work_mapped) {
    random_run(512, false, false, true, 20000);
}
TEST(random_work_mapped_dying_driver) {
    random_run(4096, false, true, true, 20000);
}
TEST(random_work_mapped_everything) {
    random_run(512, true, true, true, 20000);
}

TEST(a_disk_that_goes_shows_nothing) {
    world_start(512);
    CHECK_EQ(do_touch(SHARED, 3, true), 0);
    CHECK_EQ(do_touch(OTHER, 3, false), 0);
    CHECK_EQ(do_touch(SHARED, PAGES, false), -ENXIO);
    table[SHARED][3].bytes[7] = shadow[3 * PAGE + 7] = 99;
    CHECK_EQ(disk_finish(&disk), 0);
    CHECK_EQ(memcmp(media, shadow, BYTES), 0);
    CHECK(!table[SHARED][3].writable);
    CHECK_EQ(do_touch(SHARED, 3, true), -ENXIO); /* what is written now could come too late */
    CHECK_EQ(do_touch(SHARED, 4, false), 0);     /* from the cache */
    CHECK_EQ(do_touch(SHARED, PAGES - 1, false), -EIO);
    block_client_fail(&disk.client);
    disk_run(&disk);
    CHECK(!table[SHARED][3].bytes && !table[OTHER][3].bytes);
    CHECK_EQ(do_touch(OTHER, 3, false), -ENXIO);
    CHECK_EQ(disk.write_errors, 0);
    world_end();
}

TEST(a_page_that_stays_writable_is_written_again) {
    world_start(512);
    CHECK_EQ(do_touch(SHARED, 3, true), 0);
    table[SHARED][3].bytes[0] = shadow[3 * PAGE] = 1;
    exhausted = true;
    disk.behind.armed = false;
    views_write_behind(&disk.behind);
    CHECK(disk.behind.armed && table[SHARED][3].writable);
    CHECK_EQ(do_touch(PRIVATE, 4, true), -ENOMEM);
    CHECK_EQ(views_hide_range(&disk, &table[SHARED], 0, BYTES), -ENOMEM);
    exhausted = false;
    table[SHARED][3].bytes[0] = shadow[3 * PAGE] = 2;
    cache_settle(&disk, 0, UINT64_MAX);
    CHECK(!table[SHARED][3].writable);
    CHECK_EQ(memcmp(media, shadow, BYTES), 0);
    world_end();
}

TEST(a_disk_may_end_within_a_page) {
    world_start(512);
    memset(area + CHUNK_SIZE, 0xee, AREA - CHUNK_SIZE);
    disk.client.disk.sectors = SECTORS - 3;
    CHECK_EQ(do_touch(SHARED, PAGES - 1, false), 0);
    const uint8_t *page = table[SHARED][PAGES - 1].bytes;
    CHECK_EQ(memcmp(page, shadow + (PAGES - 1) * PAGE, PAGE - 3 * BLOCK_SECTOR), 0);
    for (unsigned i = PAGE - 3 * BLOCK_SECTOR; i < PAGE; i++)
        CHECK_EQ(page[i], 0);
    world_end();
}

/* What was written and had no time to get to the device counts as lost. */
TEST(a_disk_that_is_pulled_loses_what_was_written) {
    world_start(512);
    CHECK_EQ(do_touch(SHARED, 3, true), 0);
    block_client_fail(&disk.client);
    disk_run(&disk);
    CHECK(!table[SHARED][3].bytes);
    CHECK_EQ(disk.write_errors, 1);
    world_end();
}

TEST(answers_that_come_at_once) {
    world_start(512);
    quick = failing = true;
    for (unsigned i = 0; i < 1000; i++)
        (void)do_read(random_below(BYTES - 70000), 1 + random_below(70000), true);
    failing = false;
    CHECK_EQ(do_read(0, 70000, true), 70000);
    world_end();
}

TEST(sequential_reading_goes_ahead) {
    world_start(512);
    for (uint64_t at = 0; at < 2 * CHUNK_SIZE; at += 4096)
        CHECK_EQ(do_read(at, 4096, true), 4096);
    CHECK(disk.statistics.reads < 10);
    world_end();
}

TEST(small_writes_gather) {
    world_start(512);
    for (uint64_t at = 0; at < 2 * CHUNK_SIZE; at += 512)
        do_write(at, 512);
    cache_settle(&disk, 0, UINT64_MAX);
    CHECK(disk.statistics.writes <= 6);
    CHECK_EQ(disk.statistics.sectors_written, 2 * CHUNK_SECTORS);
    CHECK_EQ(memcmp(media, shadow, BYTES), 0);
    world_end();
}

/* Also a driver that dies meanwhile. */
TEST(a_disk_that_is_to_go_is_finished) {
    struct buffer buffer = {.kernel = bytes, .length = 1000};
    for (unsigned i = 0; i < 200; i++) {
        world_start(512);
        deadly = i % 2;
        for (unsigned writes = 0; writes < 20; writes++)
            do_write(random_below(BYTES - 5000), 1 + random_below(5000));
        (void)do_read(0, 4096, true); /* and goes ahead */
        flushes = sleeps = 0;
        CHECK_EQ(disk_finish(&disk), 0);
        driver_take();
        CHECK_EQ(held_count, 0); /* the device is idle, and stays so */
        CHECK_EQ(memcmp(media, shadow, BYTES), 0);
        CHECK(flushes > 0); /* of all of it */
        CHECK_EQ(cache_write(&disk, &buffer, 0, 1000), -EIO);
        CHECK_EQ(disk_discard(&disk, 0, 512), -EIO);
        CHECK_EQ(do_read(0, 1000, true), 1000); /* of the cache */
        CHECK_EQ(memcmp(bytes, shadow, 1000), 0);
        cache_forget(&disk, 0, UINT64_MAX);
        CHECK_EQ(do_read(0, 1000, true), -EIO);
        disk_run(&disk);
        driver_take();
        CHECK_EQ(held_count, 0);
        world_end();
    }
}

TEST(a_disk_that_goes_ends_every_wait) {
    world_start(512);
    do_write(0, 1000);
    stopped = true;
    CHECK_EQ(do_read(CHUNK_SIZE * 2, 4096, true), -EIO);
    CHECK_EQ(disk_flush(&disk), -EIO);
    CHECK_EQ(disk_finish(&disk), -EIO);
    disk.departing = false;
    CHECK_EQ(disk_discard(&disk, 0, 512), -EIO);
    CHECK_EQ(do_read(0, 512, true), -EIO);
    cache_settle(&disk, 0, UINT64_MAX);
    CHECK(disk.write_errors > 0);
    world_end();
}

TEST_MAIN();
