/* sources: linux/block/cache.c linux/block/control.c linux/fs/buffer.c tests/host/alone.c
 * lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/block_client.c lib/virtqueue/block_link.c */
/*
 * The cache of a disk against a plain array: random reads, writes, flushes and discards of all sizes, while
 * the driver answers in any order, fails, and dies. One thread: where a task would wait, the driver goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
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
    failing = deadly = stopped = quick = false;
    generation = 0;
    CHECK_EQ(block_client_init(&disk.client, area, AREA), 0);
    CHECK_EQ(cache_init(&disk), 0);
    CHECK_EQ(disk.chunk_count, CHUNKS);
    driver_start();
    disk_run(&disk);
}

static void world_end(void) {
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

static void random_run(uint32_t block_size, bool fails, bool dies, unsigned steps) {
    world_start(block_size);
    failing = fails;
    deadly = dies;
    deaths = sleeps = 0;
    for (unsigned i = 0; i < steps; i++) {
        sleeps = 0;
        random_step();
    }
    failing = false;
    cache_settle(&disk, 0, UINT64_MAX);
    CHECK_EQ(memcmp(media, shadow, BYTES), 0);
    CHECK_EQ(disk.write_errors, 0);
    CHECK(!dies || deaths > steps / 200);
    world_end();
}

TEST(random_work) {
    random_run(512, false, false, 20000);
}
TEST(random_work_large_blocks) {
    random_run(4096, false, false, 10000);
}
TEST(random_work_failing_reads) {
    random_run(512, true, false, 10000);
}
TEST(random_work_dying_driver) {
    random_run(512, false, true, 20000);
}
TEST(random_work_everything) {
    random_run(4096, true, true, 10000);
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
