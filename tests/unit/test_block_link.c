/* sources: lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/block_client.c
 * lib/virtqueue/block_link.c
 */
/* The block link: a client over a disk in memory whose driver dies, cheats, or is taken away at any point. */
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
#include "lib/virtqueue/block_client.h"
#include "lib/virtqueue/block_link.h"
#include "lib/virtqueue/block_ring.h"
#include "tests/unit/check.h"

enum { AREA = BLOCK_AREA_MIN + 0x40000, SECTORS = 512, UNDER_WAY = 100 };

static _Alignas(4096) uint8_t area[AREA];
static uint8_t media[SECTORS * BLOCK_SECTOR];
static struct block_client client;
static struct block_link link;
static struct block_identity identity;
static struct block_io held[UNDER_WAY]; /* taken, not answered */
static unsigned held_count;
static uint32_t session_seen;

/* A driver's start, as lib/driver does it. */
static void driver_start(void) {
    static uint32_t generation;
    held_count = 0;
    session_seen = 0;
    block_link_init(&link, area, AREA, &identity);
    block_header(area)->link.generation = ++generation;
}

/* Follows the client's session as lib/driver does: true when it is another one. */
static bool driver_follow(void) {
    const struct link_header *header = &block_header(area)->link;
    uint32_t session = header->session_generation == header->generation ? header->session : 0;
    if (session == session_seen)
        return false;
    session_seen = session;
    held_count = 0;
    block_link_session(&link, session != 0);
    return true;
}

static void world_start(void) {
    memset(area, 0, sizeof area);
    memset(media, 0, sizeof media);
    identity = (struct block_identity){.sectors = SECTORS,
                                       .block_size = 512,
                                       .features = BLOCK_FEATURE_FLUSH | BLOCK_FEATURE_DISCARD,
                                       .serial = "disk-1"};
    CHECK_EQ(block_client_init(&client, area, BLOCK_AREA_MIN - 1), -EINVAL);
    CHECK_EQ(block_client_init(&client, area, AREA), 0);
    driver_start();
}

/* Takes what is there, as a driver hands requests to its device. */
static void driver_take(void) {
    (void)driver_follow();
    while (held_count < UNDER_WAY && block_link_take(&link, &held[held_count]))
        held_count++;
}

/* The device does one request; `answer` tells whether the driver lives long enough to say so. */
static void driver_perform(unsigned index, bool answer) {
    struct block_io io = held[index];
    uint8_t *at = media + io.sector * BLOCK_SECTOR;
    if (io.type == BLOCK_IN)
        memcpy(area + io.offset, at, io.length);
    else if (io.type == BLOCK_OUT)
        memcpy(at, area + io.offset, io.length);
    else if (io.type == BLOCK_DISCARD)
        memset(at, 0, (size_t)io.sectors * BLOCK_SECTOR);
    if (!answer)
        return;
    held[index] = held[--held_count];
    block_link_done(&link, &io, BLOCK_STATUS_OK);
}

static void driver_run(void) {
    driver_take();
    while (held_count) /* out of order */
        driver_perform(held_count / 2, true);
    (void)block_link_publish(&link);
    (void)block_link_await(&link);
}

static int submit(uint32_t type, uint64_t sector, uint32_t offset, uint32_t length, uint64_t token) {
    struct block_request request = {type, length, sector, BLOCK_DATA + offset, token};
    int result = block_client_submit(&client, &request);
    (void)block_client_run(&client);
    return result;
}

/* One request to its end. */
static int32_t perform(uint32_t type, uint64_t sector, uint32_t offset, uint32_t length) {
    uint64_t token;
    int32_t result;
    CHECK_EQ(submit(type, sector, offset, length, 7), 0);
    for (unsigned i = 0; i < 4 && !client.ended; i++) {
        driver_run();
        (void)block_client_run(&client);
    }
    CHECK(block_client_ended(&client, &token, &result));
    CHECK_EQ(token, 7);
    CHECK(!block_client_ended(&client, &token, &result));
    return result;
}

TEST(data_goes_there_and_back) {
    world_start();
    for (unsigned i = 0; i < 8192; i++)
        area[BLOCK_DATA + i] = (uint8_t)(i * 31 + i / 256);
    CHECK_EQ(perform(BLOCK_OUT, 100, 0, 8192), 0);
    CHECK_EQ(memcmp(media + 100 * 512, area + BLOCK_DATA, 8192), 0);
    CHECK_EQ(perform(BLOCK_IN, 101, 65536, 4096), 0);
    CHECK_EQ(memcmp(media + 101 * 512, area + BLOCK_DATA + 65536, 4096), 0);
    CHECK_EQ(perform(BLOCK_FLUSH, 0, 0, 0), 0);
    CHECK_EQ(perform(BLOCK_GET_ID, 0, 4096, 20), 0);
    CHECK_EQ(memcmp(area + BLOCK_DATA + 4096, "disk-1", 7), 0);
    *(struct block_range *)(area + BLOCK_DATA) = (struct block_range){100, 8, 0};
    CHECK_EQ(perform(BLOCK_DISCARD, 0, 0, sizeof(struct block_range)), 0);
    CHECK_EQ(media[100 * 512 + 1], 0);
    CHECK_EQ(client.disk.sectors, SECTORS);
    CHECK_EQ(client.disk.block_size, 512);
    CHECK(!client.disk.read_only && !strcmp(client.disk.serial, "disk-1"));
}

TEST(wrong_requests_are_answered_with_errors) {
    world_start();
    CHECK_EQ(perform(BLOCK_IN, SECTORS - 1, 0, 1024), -EIO);
    CHECK_EQ(perform(BLOCK_IN, SECTORS, 0, 512), -EIO);
    CHECK_EQ(perform(BLOCK_IN, UINT64_MAX, 0, 512), -EIO);
    CHECK_EQ(perform(BLOCK_IN, 0, 0, 513), -EIO);
    CHECK_EQ(perform(BLOCK_IN, 0, 100, 512), -EIO);
    CHECK_EQ(perform(BLOCK_OUT, 0, 0, 0), -EIO);
    CHECK_EQ(perform(99, 0, 0, 0), -EOPNOTSUPP);
    *(struct block_range *)(area + BLOCK_DATA) = (struct block_range){SECTORS - 1, 2, 0};
    CHECK_EQ(perform(BLOCK_DISCARD, 0, 0, sizeof(struct block_range)), -EIO);
    CHECK_EQ(submit(BLOCK_IN, 0, AREA, 512, 0), -EINVAL);
    CHECK_EQ(submit(BLOCK_IN, 0, AREA - BLOCK_DATA - 256, 512, 0), -EINVAL);
    CHECK_EQ(submit(BLOCK_IN, 0, 0, BLOCK_REQUEST_MAX + 512, 0), -EINVAL);
    identity.features = 0;
    identity.read_only = true;
    world_start();
    identity.features = 0;
    identity.read_only = true;
    driver_start();
    CHECK_EQ(perform(BLOCK_OUT, 0, 0, 512), -EIO);
    CHECK_EQ(perform(BLOCK_FLUSH, 0, 0, 0), -EOPNOTSUPP);
    CHECK_EQ(perform(BLOCK_DISCARD, 0, 0, sizeof(struct block_range)), -EOPNOTSUPP);
    CHECK(client.disk.read_only);
}

TEST(large_blocks) {
    world_start();
    identity.block_size = 4096;
    driver_start();
    CHECK_EQ(perform(BLOCK_IN, 0, 0, 512), -EIO);
    CHECK_EQ(perform(BLOCK_IN, 1, 0, 4096), -EIO);
    CHECK_EQ(perform(BLOCK_IN, 8, 0, 4096), 0);
    CHECK_EQ(client.disk.block_size, 4096);
}

TEST(slots_run_out) {
    uint64_t token, seen = 0;
    int32_t result;
    world_start();
    for (unsigned i = 0; i < BLOCK_SLOT_COUNT; i++)
        CHECK_EQ(submit(BLOCK_OUT, i, i * 512, 512, i), 0);
    CHECK(!block_client_room(&client, 0));
    CHECK_EQ(submit(BLOCK_OUT, 0, 0, 512, 0), -EAGAIN);
    driver_run();
    (void)block_client_run(&client);
    while (block_client_ended(&client, &token, &result)) {
        CHECK_EQ(result, 0);
        CHECK(!(seen >> token & 1));
        seen |= 1ULL << token;
    }
    CHECK_EQ(seen, UINT64_MAX);
    CHECK(block_client_room(&client, 0));
}

/* Writes 40 sectors while the driver dies after each possible step: taken, done but not answered, answered
 * but not published. Every request ends once and well. */
static void dies_at(unsigned step) {
    uint64_t token, seen = 0;
    int32_t result;
    world_start();
    (void)block_client_run(&client);
    for (unsigned i = 0; i < 40; i++) {
        memset(area + BLOCK_DATA + i * 512, (int)i + 1, 512);
        CHECK_EQ(submit(BLOCK_OUT, i, i * 512, 512, i), 0);
    }
    driver_take();
    CHECK_EQ(held_count, 40);
    unsigned answered = 0;
    for (unsigned i = 0; i < step && held_count; i++) {
        driver_perform(0, i % 3 != 0);
        answered += i % 3 != 0;
        if (i % 4 == 3)
            (void)block_link_publish(&link);
    }
    driver_start(); /* the old one is dead, with what it held */
    CHECK_EQ(submit(BLOCK_OUT, 40, 40 * 512, 512, 40), 0);
    for (unsigned i = 0; i < 3; i++) {
        driver_run();
        (void)block_client_run(&client);
        while (block_client_ended(&client, &token, &result)) {
            CHECK_EQ(result, 0);
            CHECK(!(seen >> token & 1));
            seen |= 1ULL << token;
        }
    }
    CHECK_EQ(seen, (1ULL << 41) - 1);
    for (unsigned i = 0; i < 40; i++)
        CHECK_EQ(media[i * 512 + 511], i + 1);
    (void)answered;
}

TEST(driver_dies_at_each_point) {
    for (unsigned step = 0; step < 60; step++)
        dies_at(step);
}

TEST(the_oldest_request_is_told) {
    const struct link_header *header = &block_header(area)->link;
    uint64_t token;
    int32_t result;
    world_start();
    CHECK_EQ(header->awaited, 0);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(submit(BLOCK_IN, i, i * 512, 512, i), 0);
    uint32_t first = header->awaited;
    CHECK(first);
    for (unsigned i = 0; i < 2; i++) { /* the second ends, a driver dies, and it is the first still */
        driver_take();
        if (i == 0)
            driver_perform(1, true);
        (void)block_link_publish(&link);
        driver_start();
        (void)block_client_run(&client);
        CHECK_EQ(header->awaited, first);
    }
    CHECK(block_client_ended(&client, &token, &result));
    CHECK_EQ(token, 1);
    CHECK_EQ(submit(BLOCK_IN, 0, 0, 512, 3), 0); /* in the slot that is free again */
    driver_take();
    CHECK_EQ(held_count, 3);
    for (unsigned i = 0; i < held_count; i++)
        if (held[i].sector == 0 && held[i].offset == BLOCK_DATA) {
            driver_perform(i, true);
            break;
        }
    (void)block_link_publish(&link);
    (void)block_client_run(&client);
    CHECK(header->awaited != first && header->awaited);
    driver_run();
    (void)block_client_run(&client);
    CHECK_EQ(header->awaited, 0);
}

TEST(requests_wait_for_the_first_driver) {
    memset(area, 0, sizeof area);
    CHECK_EQ(block_client_init(&client, area, AREA), 0);
    CHECK_EQ(submit(BLOCK_IN, 0, 0, 512, 1), 0);
    CHECK(!client.ended && !client.described);
    driver_start();
    CHECK(block_client_run(&client));
    driver_run();
    (void)block_client_run(&client);
    CHECK(client.ended);
}

TEST(a_client_restarts) {
    world_start();
    CHECK_EQ(perform(BLOCK_IN, 0, 0, 512), 0);
    uint32_t session = block_header(area)->link.session;
    CHECK_EQ(submit(BLOCK_IN, 0, 0, 512, 1), 0);
    CHECK_EQ(block_client_init(&client, area, AREA), 0);
    CHECK(driver_follow() && !link.attached);
    CHECK_EQ(submit(BLOCK_IN, 0, 0, 512, 1), 0);
    CHECK(block_header(area)->link.session != session);
    driver_run();
    (void)block_client_run(&client);
    CHECK(client.ended);
}

TEST(a_taken_away_disk_fails_everything) {
    uint64_t token;
    int32_t result;
    world_start();
    CHECK_EQ(submit(BLOCK_IN, 0, 0, 512, 5), 0);
    driver_take();
    block_client_fail(&client);
    CHECK(block_client_ended(&client, &token, &result));
    CHECK_EQ(result, -EIO);
    CHECK_EQ(submit(BLOCK_IN, 0, 0, 512, 5), -EIO);
    CHECK(!block_client_run(&client));
}

/* A driver that tells of another disk gets nothing to do; its successor does what waited. */
static void refused_driver(void (*spoil)(void)) {
    world_start();
    CHECK_EQ(perform(BLOCK_IN, 0, 0, 512), 0);
    CHECK_EQ(submit(BLOCK_IN, 3, 0, 512, 7), 0);
    struct block_identity good = identity;
    spoil();
    driver_start();
    (void)block_client_run(&client);
    CHECK_EQ(client.refusals, 1);
    driver_run();
    CHECK(!block_client_run(&client) && !client.ended && !client.gone);
    CHECK(block_header(area)->link.awaited);
    CHECK_EQ(submit(BLOCK_IN, 4, 512, 512, 8), 0);
    identity = good;
    driver_start();
    CHECK(block_client_run(&client));
    driver_run();
    (void)block_client_run(&client);
    CHECK_EQ(client.refusals, 0);
    CHECK_EQ(__builtin_popcountll(client.ended), 2);
}

static void sectors_change(void) {
    identity.sectors = 8;
}

static void sectors_overflow(void) {
    identity.sectors = 1ULL << 62;
}

static void block_size_small(void) {
    identity.block_size = 256;
}

static void block_size_large(void) {
    identity.block_size = 8192;
}

TEST(a_driver_of_another_disk_is_refused) {
    refused_driver(sectors_change);
    refused_driver(sectors_overflow);
    refused_driver(block_size_small);
    refused_driver(block_size_large);
}

TEST(a_disk_that_changes_is_gone) {
    world_start();
    CHECK_EQ(perform(BLOCK_IN, 0, 0, 512), 0);
    identity.sectors = 8;
    for (unsigned i = 0; i < BLOCK_CLIENT_PATIENCE; i++) {
        CHECK(!client.gone);
        driver_start();
        (void)block_client_run(&client);
    }
    CHECK(client.gone);
}

TEST(a_disk_has_a_size_that_can_be) {
    for (uint32_t size = 0; size <= 8192; size = size ? size * 2 : 256) {
        world_start();
        identity.block_size = size;
        driver_start();
        (void)block_client_run(&client);
        CHECK_EQ(client.described, size >= 512 && size <= 4096);
    }
}

/* A driver that breaks the ring gets other chances, and its successor, too. */
TEST(a_driver_cheats) {
    world_start();
    (void)block_client_run(&client);
    for (unsigned i = 0; i < BLOCK_CLIENT_PATIENCE; i++) {
        CHECK(!client.gone && !client.queue.broken);
        block_ring(area).used->idx = 300;
        CHECK(block_client_run(&client));
    }
    CHECK(client.queue.broken && !client.gone);
    CHECK(!block_client_run(&client));
    driver_start(); /* its successor gets as many */
    CHECK(block_client_run(&client));
    CHECK(!client.queue.broken);
    /* Recovery: the request of the broken session is done in the next. */
    world_start();
    (void)block_client_run(&client);
    CHECK_EQ(submit(BLOCK_OUT, 1, 0, 512, 9), 0);
    driver_take();
    block_ring(area).used->ring[0] = (struct virtq_used_elem){77, 0};
    block_ring(area).used->idx = 1;
    CHECK(block_client_run(&client));
    CHECK(!client.ended && client.failures == 1);
    CHECK(driver_follow());
    driver_run();
    (void)block_client_run(&client);
    CHECK(client.ended && !client.failures);
}

/* What a client wanted of one disk is never done to the one that came to the same link afterwards. */
TEST(an_exchanged_disk_gets_nothing) {
    const struct block_request request = {.type = BLOCK_OUT, .length = 512, .offset = BLOCK_DATA};
    world_start();
    (void)block_client_run(&client);
    driver_take();
    CHECK_EQ(block_client_submit(&client, &request), 0);
    struct link_header *header = &block_header(area)->link;
    uint32_t session = header->session, generation = header->generation;
    header->generation = 0;
    header->presence += 2;
    header->generation = link_generation(generation, header->presence);
    CHECK(!block_client_run(&client) || header->session == session);
    CHECK_EQ(header->session_generation, generation);
    CHECK(header->session_generation != header->generation);
    block_client_fail(&client);
    CHECK_EQ(block_client_init(&client, area, AREA), 0); /* the new one's */
    (void)block_client_run(&client);
    CHECK_EQ(header->session_generation, header->generation);
}

/* A client whose chains make no sense is not served until it begins anew. */
TEST(a_client_cheats) {
    struct virtqueue_memory ring = block_ring(area);
    struct block_io io;
    world_start();
    (void)block_client_run(&client);
    driver_take();
    ring.desc[0] = (struct virtq_desc){BLOCK_SLOTS, 16, VIRTQ_DESC_NEXT, 0}; /* a loop */
    ring.avail->ring[0] = 0;
    ring.avail->idx = 1;
    CHECK(!block_link_take(&link, &io) && link.queue.broken);
    world_start();
    (void)block_client_run(&client);
    driver_take();
    ring.desc[0] = (struct virtq_desc){BLOCK_SLOTS, 15, VIRTQ_DESC_NEXT, 1}; /* half a header */
    ring.desc[1] = (struct virtq_desc){BLOCK_SLOTS + 16, 1, VIRTQ_DESC_WRITE, 0};
    ring.avail->ring[0] = 0;
    ring.avail->idx = 1;
    CHECK(!block_link_take(&link, &io) && link.queue.broken);
    CHECK(!block_link_await(&link));
    CHECK_EQ(block_client_init(&client, area, AREA), 0);
    CHECK_EQ(perform(BLOCK_IN, 0, 0, 512), 0);
}

TEST_MAIN();
