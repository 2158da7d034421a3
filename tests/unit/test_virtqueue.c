/* sources: lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/console_client.c lib/console/link.c
 */
/* Both sides of a virtqueue against each other and against a hostile other side; the console client against
 * the serial driver's end of the link. */
#include <string.h>

#include "abi/errors.h"
#include "lib/console/link.h"
#include "lib/virtqueue/console_client.h"
#include "lib/virtqueue/console_ring.h"
#include "lib/virtqueue/device.h"
#include "lib/virtqueue/driver.h"
#include "tests/unit/check.h"

enum { SIZE = 8, DATA = 0x1000, AREA = 0x2000 };

static _Alignas(4096) uint8_t area[AREA];
static struct virtqueue_driver driver;
static struct virtqueue_device device;
static struct virtqueue_chain chain;
static uint64_t token;
static uint32_t length;

static void queue_start(void) {
    memset(area, 0, sizeof area);
    struct virtqueue_memory ring = {.desc = (struct virtq_desc *)area,
                                    .avail = (struct virtq_avail *)(area + 0x400),
                                    .used = (struct virtq_used *)(area + 0x800),
                                    .size = SIZE};
    virtqueue_driver_init(&driver, &ring);
    virtqueue_device_init(&device, &ring, area, sizeof area, false);
}

static int add(unsigned readable, unsigned writable, uint64_t name) {
    struct virtqueue_buffer buffers[SIZE + 1];
    for (unsigned i = 0; i < readable + writable; i++)
        buffers[i] = (struct virtqueue_buffer){DATA + i * 16, 16};
    return virtqueue_add(&driver, buffers, readable, writable, name);
}

TEST(round_trip) {
    queue_start();
    CHECK_EQ(virtqueue_pop(&device, &chain), 0);
    CHECK_EQ(virtqueue_get_used(&driver, &token, &length), 0);
    CHECK_EQ(add(2, 1, 77), 0);
    CHECK_EQ(virtqueue_pop(&device, &chain), 0); /* not published yet */
    CHECK(virtqueue_publish(&driver));
    CHECK_EQ(virtqueue_pop(&device, &chain), 1);
    CHECK_EQ(chain.readable, 2);
    CHECK_EQ(chain.writable, 1);
    CHECK(chain.segments[2].bytes == area + DATA + 32);
    CHECK(!virtqueue_device_publish(&device));
    virtqueue_push(&device, chain.head, 16);
    CHECK(virtqueue_device_publish(&device));
    CHECK_EQ(virtqueue_get_used(&driver, &token, &length), 1);
    CHECK_EQ(token, 77);
    CHECK_EQ(length, 16);
    CHECK_EQ(driver.free_count, SIZE);
}

TEST(full_and_wrap) {
    queue_start();
    for (unsigned round = 0; round < 70000; round++) { /* the 16-bit indices wrap */
        unsigned n = round % 4 + 1;
        CHECK_EQ(add(n, 0, round), 0);
        CHECK_EQ(add(SIZE - n, 0, round + 1), 0);
        CHECK_EQ(add(1, 0, 0), -EAGAIN);
        virtqueue_publish(&driver);
        struct virtqueue_chain second;
        CHECK_EQ(virtqueue_pop(&device, &chain), 1);
        CHECK_EQ(virtqueue_pop(&device, &second), 1);
        CHECK_EQ(virtqueue_pop(&device, &chain), 0);
        CHECK_EQ(second.readable, SIZE - n);
        virtqueue_push(&device, second.head, 0); /* out of order */
        virtqueue_push(&device, chain.head, 0);
        virtqueue_device_publish(&device);
        CHECK_EQ(virtqueue_get_used(&driver, &token, &length), 1);
        CHECK_EQ(token, round + 1);
        CHECK_EQ(virtqueue_get_used(&driver, &token, &length), 1);
        CHECK_EQ(token, round);
    }
    CHECK_EQ(add(0, 0, 0), -EINVAL);
    CHECK_EQ(add(SIZE + 1, 0, 0), -EINVAL);
}

TEST(suppression) {
    queue_start();
    virtqueue_device_disable(&device);
    CHECK_EQ(add(1, 0, 0), 0);
    CHECK(!virtqueue_publish(&driver));
    CHECK(virtqueue_device_enable(&device)); /* something is there already */
    CHECK_EQ(virtqueue_pop(&device, &chain), 1);
    CHECK(!virtqueue_device_enable(&device));
    virtqueue_driver_disable(&driver);
    virtqueue_push(&device, chain.head, 0);
    CHECK(!virtqueue_device_publish(&device));
    CHECK(virtqueue_driver_enable(&driver));
}

static void device_refuses(void) {
    CHECK_EQ(virtqueue_pop(&device, &chain), -EPROTO);
    CHECK_EQ(virtqueue_pop(&device, &chain), -EPROTO); /* for good */
    CHECK(device.broken);
}

static void one_chain(struct virtq_desc desc) {
    queue_start();
    device.ring.desc[0] = desc;
    device.ring.avail->idx = 1;
}

TEST(hostile_driver) {
    queue_start();
    device.ring.avail->idx = SIZE + 1;
    device_refuses();
    one_chain((struct virtq_desc){0, 16, 0, 0});
    device.ring.avail->ring[0] = SIZE;
    device_refuses();
    one_chain((struct virtq_desc){0, 16, VIRTQ_DESC_NEXT, SIZE});
    device_refuses();
    one_chain((struct virtq_desc){0, 16, VIRTQ_DESC_NEXT, 0}); /* loop */
    device_refuses();
    one_chain((struct virtq_desc){AREA - 8, 9, 0, 0});
    device_refuses();
    one_chain((struct virtq_desc){UINT64_MAX - 7, 16, 0, 0});
    device_refuses();
    one_chain((struct virtq_desc){AREA + 1, 0, 0, 0});
    device_refuses();
    one_chain((struct virtq_desc){0, 16, VIRTQ_DESC_INDIRECT, 0});
    device_refuses();
    one_chain((struct virtq_desc){0, 16, VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE, 1});
    device.ring.desc[1] = (struct virtq_desc){0, 16, 0, 0}; /* readable behind writable */
    device_refuses();
    one_chain((struct virtq_desc){AREA - 8, 8, 0, 0});
    CHECK_EQ(virtqueue_pop(&device, &chain), 1);
}

/* Who adds and adds, whatever comes back: no more is taken than can be under way. */
TEST(endless_driver) {
    unsigned taken = 0;
    queue_start();
    device.ring.desc[0] = (struct virtq_desc){DATA, 16, 0, 0};
    do {
        virtqueue_push(&device, 0, 0);
        device.ring.avail->idx++;
    } while (virtqueue_pop(&device, &chain) == 1 && ++taken < 100);
    CHECK(taken == SIZE && device.broken);
}

static void one_used(uint32_t id, uint32_t written) {
    queue_start();
    CHECK_EQ(add(0, 1, 5), 0);
    driver.ring.used->ring[0] = (struct virtq_used_elem){id, written};
    driver.ring.used->idx = 1;
}

TEST(hostile_device) {
    one_used(0, 17); /* wrote more than there is room for */
    CHECK_EQ(virtqueue_get_used(&driver, &token, &length), -EPROTO);
    CHECK_EQ(add(1, 0, 0), -EPROTO);
    one_used(1, 0); /* never offered */
    CHECK_EQ(virtqueue_get_used(&driver, &token, &length), -EPROTO);
    one_used(0x10000, 0);
    CHECK_EQ(virtqueue_get_used(&driver, &token, &length), -EPROTO);
    one_used(0, 0);
    driver.ring.used->idx = SIZE + 1;
    CHECK_EQ(virtqueue_get_used(&driver, &token, &length), -EPROTO);
    one_used(0, 0);
    CHECK_EQ(virtqueue_get_used(&driver, &token, &length), 1);
    driver.ring.used->ring[1] = (struct virtq_used_elem){0, 0}; /* given back twice */
    driver.ring.used->idx = 2;
    CHECK_EQ(virtqueue_get_used(&driver, &token, &length), -EPROTO);
}

/* The console link. */
static _Alignas(4096) uint8_t shared[CONSOLE_AREA_SIZE];
static struct console_client client;
static struct link link;
static bool signal;

static void console_start(void) {
    memset(shared, 0, sizeof shared);
    link_init(&link, shared);
    CHECK(!link_follow(&link));
    CHECK_EQ(console_client_init(&client, shared, sizeof shared - 1), -EINVAL);
    CHECK_EQ(console_client_init(&client, shared, sizeof shared), 0);
    CHECK(link_await(&link));
    CHECK(link_follow(&link));
}

/* What the serial driver does with output; returns the bytes "sent". */
static size_t device_send(uint8_t *bytes, size_t limit) {
    size_t sent = 0;
    while (sent + 16 <= limit && link_pending(&link)) {
        if (link_chain_done(&link)) {
            link_sent(&link);
            continue;
        }
        sent += link_take(&link, bytes + sent, 16);
    }
    return sent;
}

TEST(console_output) {
    static uint8_t out[200000], in[200000], pattern[100000];
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
    console_start();
    size_t taken = 0, sent = 0;
    CHECK_EQ(console_write(&client, pattern, sizeof pattern, &signal),
             CONSOLE_QUEUE_SIZE * CONSOLE_TX_BUFFER_SIZE);
    CHECK(signal);
    CHECK(!console_drained(&client));
    taken = CONSOLE_QUEUE_SIZE * CONSOLE_TX_BUFFER_SIZE;
    CHECK_EQ(console_write(&client, pattern, 1, &signal), 0);
    CHECK(!console_want_space(&client, true));
    while (taken < sizeof pattern) {
        sent += device_send(in + sent, 4000);
        CHECK(link_publish(&link));
        taken += console_write(&client, pattern + taken, sizeof pattern - taken, &signal);
    }
    sent += device_send(in + sent, sizeof in - sent);
    (void)link_publish(&link);
    CHECK_EQ(sent, sizeof pattern);
    CHECK_EQ(memcmp(in, pattern, sent), 0);
    CHECK(console_drained(&client));
    CHECK(!console_broken(&client));
    (void)out;
}

TEST(console_input) {
    char text[64];
    console_start();
    CHECK_EQ(console_read(&client, text, sizeof text, &signal), 0);
    for (const char *c = "hello"; *c; c++)
        link_receive(&link, (uint8_t)*c);
    link_deliver(&link);
    CHECK(link_publish(&link));
    CHECK(console_readable(&client));
    CHECK_EQ(console_read(&client, text, 2, &signal), 2);
    CHECK(console_readable(&client));
    CHECK_EQ(console_read(&client, text + 2, 60, &signal), 3);
    CHECK_EQ(memcmp(text, "hello", 5), 0);
    CHECK(!console_readable(&client));
}

TEST(console_input_backs_up) {
    static char text[3 * LINK_HELD];
    size_t put = 0, got = 0;
    console_start();
    for (unsigned round = 0; round < 2; round++) { /* buffers, then held bytes, then no room */
        while (link_room(&link) > 0)
            link_receive(&link, (uint8_t)(put++ % 251));
        link_deliver(&link);
    }
    CHECK_EQ(put, CONSOLE_QUEUE_SIZE * CONSOLE_RX_BUFFER_SIZE + LINK_HELD);
    CHECK_EQ(link_room(&link), 0);
    (void)link_publish(&link);
    CHECK(!link_await(&link));
    while (got < put) {
        size_t part = console_read(&client, text + got, 100, &signal);
        CHECK(part > 0);
        got += part;
        link_deliver(&link);
        (void)link_publish(&link);
    }
    for (size_t i = 0; i < got; i++)
        CHECK_EQ((uint8_t)text[i], i % 251);
}

TEST(device_restart_replays) {
    uint8_t bytes[64];
    console_start();
    CHECK_EQ(console_write(&client, "one", 3, &signal), 3);
    CHECK_EQ(console_write(&client, "two", 3, &signal), 3);
    CHECK_EQ(link_take(&link, bytes, 3), 3);
    link_sent(&link);
    CHECK_EQ(link_take(&link, bytes, 1), 1); /* dies in the middle of "two" */
    (void)link_publish(&link);
    link_init(&link, shared);
    CHECK(link_follow(&link));
    CHECK_EQ(device_send(bytes, sizeof bytes), 3);
    CHECK_EQ(memcmp(bytes, "two", 3), 0);
    (void)link_publish(&link);
    CHECK(console_drained(&client));
}

TEST(client_restart) {
    uint8_t bytes[64];
    console_start();
    CHECK_EQ(console_write(&client, "lost", 4, &signal), 4);
    CHECK_EQ(console_client_init(&client, shared, sizeof shared), 0);
    CHECK(link_follow(&link));
    CHECK_EQ(console_write(&client, "new", 3, &signal), 3);
    CHECK_EQ(device_send(bytes, sizeof bytes), 3);
    CHECK_EQ(memcmp(bytes, "new", 3), 0);
}

TEST(broken_link) {
    console_start();
    console_ring(shared, CONSOLE_TX).avail->idx = 1000;
    CHECK(!link_pending(&link));
    CHECK(link_broken(&link));
    CHECK(!link_await(&link));
    console_ring(shared, CONSOLE_TX).used->idx = 1000;
    CHECK_EQ(console_write(&client, "dropped", 7, &signal), 7);
    CHECK(console_broken(&client));
    CHECK(console_drained(&client));
}

TEST_MAIN();
