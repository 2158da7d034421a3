/* sources: drivers/virtio-console/stream.c drivers/virtio-console/control.c lib/virtqueue/driver.c
 * lib/virtqueue/device.c lib/virtqueue/port_client.c */
/*
 * Ports of a virtio console: a client, a driver's two streams and a device in one process. The driver dies at
 * any step and a successor goes on from what is in the memory that outlives it; every byte arrives once, in
 * its order. Control messages of any length.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/virtio-console/control.h"
#include "drivers/virtio-console/stream.h"
#include "lib/virtqueue/port_client.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

enum { DMA_SIZE = 8192, RING_AVAIL = 512, RING_USED = 1024, RING = 2048, STREAMED = 400000, ROUNDS = 200000 };

static _Alignas(4096) uint8_t area[PORT_AREA_SIZE], dma[DMA_SIZE];
static struct port_client client;
static struct virtqueue_driver rings[2];  /* the driver's: receive, transmit */
static struct virtqueue_device device[2]; /* the other side of them */
static struct stream streams[2];
static uint32_t generation;
static unsigned sent, arrived, came, taken; /* bytes: out at the client, at the device; in likewise */

static uint8_t byte_at(unsigned position) {
    return (uint8_t)(position * 2654435761U >> 24);
}

static uint8_t *ring_place(unsigned i) {
    return dma + 2048 + (size_t)i * RING;
}

static struct stream_journal *journal(unsigned i) {
    return (struct stream_journal *)dma + i;
}

static void driver_start(void) {
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *place = ring_place(i);
        struct virtqueue_memory ring = {.desc = (struct virtq_desc *)place,
                                        .avail = (struct virtq_avail *)(place + RING_AVAIL),
                                        .used = (struct virtq_used *)(place + RING_USED),
                                        .size = i ? 16 : 32};
        stream_settle(journal(i), dma, sizeof dma, area, i == 0);
        journal(i)->session = 0;
        virtqueue_driver_init(&rings[i], &ring);
        virtqueue_device_init(&device[i], &ring, area, sizeof area, false);
        streams[i] = (struct stream){.device = &rings[i], .journal = journal(i), .receives = i == 0};
    }
    ((struct link_header *)area)->generation = ++generation;
}

static void driver_session(void) {
    if (!generation || streams[0].attached || ((struct link_header *)area)->session_generation != generation)
        return;
    for (unsigned i = 0; i < 2; i++)
        stream_attach(&streams[i], area, 0, (uint32_t)(ring_place(i) + RING_USED - dma));
}

/* The driver's work, which ends anywhere. */
static void driver_step(unsigned until) {
    driver_session();
    for (unsigned i = 0; i < 2 && until--; i++) {
        CHECK(stream_return(&streams[i]) >= 0);
        if (!until--)
            return;
        (void)stream_publish(&streams[i]);
        if (!until--)
            return;
        CHECK(stream_forward(&streams[i]) >= 0);
        virtqueue_publish(&rings[i]);
    }
}

/* Takes whole buffers, and fills some in part. */
static void device_step(void) {
    struct virtqueue_chain chain;
    if (random_below(2) && virtqueue_pop(&device[1], &chain) == 1) {
        CHECK(chain.readable == 1 && chain.writable == 0);
        for (uint32_t i = 0; i < chain.segments[0].length; i++, arrived++)
            CHECK(chain.segments[0].bytes[i] == byte_at(arrived));
        virtqueue_push(&device[1], chain.head, 0);
        virtqueue_device_publish(&device[1]);
    }
    if (random_below(2) && virtqueue_pop(&device[0], &chain) == 1) {
        uint32_t length = random_below(chain.segments[0].length + 1);
        for (uint32_t i = 0; i < length; i++, came++)
            chain.segments[0].bytes[i] = byte_at(came);
        virtqueue_push(&device[0], chain.head, length);
        virtqueue_device_publish(&device[0]);
    }
}

static void client_step(void) {
    uint8_t bytes[3000];
    bool signal;
    size_t length = random_below(sizeof bytes);
    CHECK_EQ(port_collect(&client), 0);
    if (port_stale(&client))
        port_begin(&client);
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(sent + (unsigned)i);
    if (random_below(2))
        sent += (unsigned)port_write(&client, bytes, length, &signal);
    if (!random_below(2))
        return;
    length = port_read(&client, bytes, length, &signal);
    for (size_t i = 0; i < length; i++, taken++)
        CHECK(bytes[i] == byte_at(taken));
}

static void world_start(void) {
    memset(area, 0, sizeof area);
    memset(dma, 0, sizeof dma);
    generation = sent = arrived = came = taken = 0;
    port_client_init(&client, area);
}

TEST(every_byte_once) {
    unsigned deaths = 0;
    world_start();
    client_step();
    for (unsigned i = 0; i < ROUNDS && (arrived < STREAMED || taken < STREAMED); i++) {
        if (i == 0 || random_below(20) == 0) {
            if (i > 0)
                driver_step(random_below(6));
            driver_start();
            deaths++;
        }
        driver_step(6);
        device_step();
        client_step();
    }
    CHECK(arrived >= STREAMED && taken >= STREAMED && deaths > 20);
    for (unsigned i = 0; i < 200; i++) {
        driver_step(6);
        device_step();
        CHECK_EQ(port_collect(&client), 0);
        if (port_stale(&client))
            port_begin(&client);
    }
    CHECK(port_drained(&client) && arrived == sent);
}

TEST(a_buffer_taken_in_part_comes_again) {
    bool signal;
    struct virtqueue_chain chain;
    world_start();
    driver_start();
    port_begin(&client);
    CHECK_EQ(port_write(&client, "one two ", 8, &signal), 8);
    CHECK_EQ(port_write(&client, "three ", 6, &signal), 6);
    driver_step(6);
    CHECK_EQ(virtqueue_pop(&device[1], &chain), 1); /* and not given back */
    driver_start();
    CHECK(port_stale(&client) && !port_drained(&client));
    port_begin(&client);
    driver_step(6);
    CHECK_EQ(virtqueue_pop(&device[1], &chain), 1);
    CHECK(chain.segments[0].length == 8 && !memcmp(chain.segments[0].bytes, "one two ", 8));
}

TEST(a_device_that_names_what_it_does_not_hold) {
    world_start();
    driver_start();
    port_begin(&client);
    driver_step(6);
    rings[1].ring.used->ring[0] = (struct virtq_used_elem){3, 0};
    rings[1].ring.used->idx = 1;
    CHECK_EQ(stream_return(&streams[1]), -71);
    CHECK_EQ(stream_settle(journal(1), dma, sizeof dma, area, false), 1); /* the client knows better */
    CHECK_EQ(port_collect(&client), -71);
    rings[0].ring.used->idx = 33;
    CHECK_EQ(stream_settle(journal(0), dma, sizeof dma, area, true), 0);
    journal(0)->used = DMA_SIZE - 8;
    CHECK_EQ(stream_settle(journal(0), dma, sizeof dma, area, true), 0);
    driver_start();
    CHECK(port_stale(&client));
    port_begin(&client);
    CHECK_EQ(port_collect(&client), 0);
}

TEST(a_client_that_lies) {
    world_start();
    driver_start();
    port_begin(&client);
    struct virtqueue_memory ring = port_ring(area, PORT_TX);
    ring.desc[0] = (struct virtq_desc){.addr = PORT_AREA_SIZE - 4, .len = 8};
    ring.avail->ring[0] = 0;
    ring.avail->idx = 1;
    driver_session();
    CHECK(stream_forward(&streams[1]) < 0 && stream_forward(&streams[1]) < 0 && !stream_await(&streams[1]));
    ring = port_ring(area, PORT_RX);
    ring.desc[0].len = 0;
    CHECK(stream_forward(&streams[0]) < 0);
}

TEST(control_messages) {
    struct control_message message;
    const uint8_t add[] = {1, 0, 0, 0, 1, 0, 1, 0}, name[] = "\2\0\0\0\7\0\1\0org.keel\n";
    const uint8_t size[] = {0, 0, 0, 0, 5, 0, 0, 0, 132, 0, 43, 0};
    uint8_t longest[600] = {0, 0, 0, 0, 7};
    CHECK(control_parse(add, 8, &message) && message.port == 1 && message.event == CONTROL_PORT_ADD);
    CHECK(!control_parse(add, 7, &message) && !control_parse(add, 0, &message));
    CHECK(control_parse(name, sizeof name - 1, &message) && !strcmp(message.name, "org.keel?"));
    CHECK(control_parse(size, 12, &message) && message.columns == 132 && message.rows == 43);
    CHECK(!control_parse(size, 11, &message));
    memset(longest + 8, 'x', sizeof longest - 8);
    CHECK(control_parse(longest, sizeof longest, &message) && strlen(message.name) == PORT_NAME_SIZE - 1);
    longest[4] = CONTROL_PORT_READY;
    CHECK(!control_parse(longest, sizeof longest, &message));
}

TEST(state) {
    world_start();
    struct port_state *state = (struct port_state *)(area + PORT_STATE);
    *state = (struct port_state){.flags = PORT_CONSOLE, .columns = 132, .rows = 43};
    memset(state->name, 'n', sizeof state->name);
    struct port_state read = port_state_read(&client);
    CHECK(read.flags == PORT_CONSOLE && read.columns == 132 && read.rows == 43);
    CHECK_EQ(strlen(read.name), PORT_NAME_SIZE - 1);
}

TEST_MAIN();
