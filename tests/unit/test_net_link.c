/* sources: lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/net_client.c
 * lib/virtqueue/net_link.c
 */
/* The net link: a client and a driver over a wire in memory; the driver dies, cheats, or is cheated. */
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
#include "lib/virtqueue/net_client.h"
#include "lib/virtqueue/net_link.h"
#include "lib/virtqueue/net_ring.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

enum { HELD = 1024, FRAMES = 20000, LONGEST = NET_FRAME_MOST };

static _Alignas(4096) uint8_t area[NET_AREA_MIN];
static struct net_client client;
static struct net_link link;
static const struct net_identity identity = {.address = {0x52, 0x54, 0, 0x12, 0x34, 0x56}, .mtu = 1500};
static struct net_buffer rooms[HELD], frames[HELD]; /* in the device */
static unsigned room_count, frame_count;
static uint32_t session_seen, generation;

static void driver_start(void) {
    room_count = frame_count = 0;
    session_seen = 0;
    net_link_init(&link, area, sizeof area, &identity);
    net_link_status(&link, true);
    net_header(area)->link.generation = ++generation;
}

/* Takes what is there, as a driver hands buffers to its device. */
static void driver_take(void) {
    const struct link_header *header = &net_header(area)->link;
    uint32_t session = header->session_generation == header->generation ? header->session : 0;
    if (session != session_seen) {
        session_seen = session;
        room_count = frame_count = 0;
        net_link_session(&link, session != 0);
    }
    while (room_count < HELD && net_link_take_room(&link, &rooms[room_count]))
        room_count++;
    while (frame_count < HELD && net_link_take_frame(&link, &frames[frame_count]))
        frame_count++;
}

static void world_start(void) {
    memset(area, 0, sizeof area);
    CHECK_EQ(net_client_init(&client, area, NET_AREA_MIN - 1), -EINVAL);
    CHECK_EQ(net_client_init(&client, area, NET_AREA_MIN), 0);
    driver_start();
    CHECK(net_client_run(&client));
    CHECK(client.described && client.link_up && client.mtu == 1500);
    CHECK(memcmp(client.address, identity.address, NET_ADDRESS) == 0);
    driver_take();
    CHECK_EQ(room_count, NET_RECEIVE_BUFFERS);
}

/* A frame that says which one it is, everywhere. */
static uint32_t frame_fill(uint8_t *bytes, uint32_t number) {
    uint32_t length = NET_ETHERNET + 4 + number * 7 % (LONGEST - NET_ETHERNET - 4 + 1);
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(number + i);
    memcpy(bytes + NET_ETHERNET, &number, sizeof number);
    return length;
}

static uint32_t frame_number(const uint8_t *bytes, uint32_t length) {
    static uint8_t expected[LONGEST];
    uint32_t number;
    memcpy(&number, bytes + NET_ETHERNET, sizeof number);
    CHECK_EQ(length, frame_fill(expected, number));
    CHECK(memcmp(bytes, expected, length) == 0);
    return number;
}

/* The device sends its oldest frame: which one. */
static uint32_t device_send(bool answer) {
    struct net_buffer frame = frames[0];
    memmove(frames, frames + 1, --frame_count * sizeof frames[0]);
    uint32_t number = frame_number(area + frame.offset, frame.length);
    if (answer)
        net_link_sent(&link, frame.head);
    return number;
}

static void device_receive(uint32_t number, bool answer) {
    struct net_buffer room = rooms[0];
    memmove(rooms, rooms + 1, --room_count * sizeof rooms[0]);
    memset(area + room.offset - NET_FRAME, 0xff, NET_FRAME); /* the header counts for nothing */
    uint32_t length = frame_fill(area + room.offset, number);
    if (answer)
        net_link_received(&link, room.head, length);
}

/* Frames in both directions with drivers that die: those sent all arrive, in order, some twice; those
 * received are in order, and only those of a dying driver are missing. */
static void stream(bool deadly) {
    uint32_t sent = 0, out = 0, in = 0, received = 0, twice = 0, deaths = 0, rounds = 0;
    const uint8_t *bytes;
    uint32_t length;
    world_start();
    while (out < FRAMES || received < FRAMES) {
        uint8_t *place;
        CHECK(++rounds < 100 * FRAMES); /* else something never comes */
        for (unsigned n = random_below(8); n && sent < FRAMES && (place = net_client_buffer(&client)); n--)
            net_client_send(&client, frame_fill(place, sent++));
        (void)net_client_run(&client);
        driver_take();
        for (unsigned n = random_below(8); n && frame_count; n--) {
            uint32_t number = device_send(random_below(16) != 0 || !deadly);
            CHECK(number <= out);
            twice += number < out;
            out += number == out;
        }
        for (unsigned n = random_below(8); n && room_count; n--)
            device_receive(in++, true);
        if (random_below(4))
            (void)net_link_publish(&link);
        if (deadly && random_below(50) == 0) {
            driver_start();
            deaths++;
        }
        while (random_below(16) && net_client_take(&client, &bytes, &length)) {
            uint32_t number = frame_number(bytes, length);
            CHECK(number >= received && (deadly || number == received));
            received = number + 1;
        }
    }
    CHECK(!client.gone && client.failures == 0);
    CHECK(deadly ? deaths > 10 && twice > 0 : twice == 0);
}

TEST(frames_go_both_ways) {
    stream(false);
}

TEST(drivers_die) {
    stream(true);
}

TEST(sent_before_the_driver_runs) {
    memset(area, 0, sizeof area);
    CHECK_EQ(net_client_init(&client, area, NET_AREA_MIN), 0);
    for (uint32_t i = 0; i < NET_TRANSMIT_BUFFERS; i++)
        net_client_send(&client, frame_fill(net_client_buffer(&client), i));
    CHECK(net_client_buffer(&client) == NULL);
    CHECK(!net_client_run(&client));
    driver_start();
    CHECK(net_client_run(&client));
    driver_take();
    for (uint32_t i = 0; i < NET_TRANSMIT_BUFFERS; i++)
        CHECK_EQ(device_send(true), i);
    CHECK(net_link_publish(&link) == false); /* nobody waits for room */
    (void)net_client_run(&client);
    CHECK(net_client_buffer(&client) != NULL);
}

/* Room is waited for: the driver's next answer calls. */
TEST(called_when_there_is_room) {
    world_start();
    for (uint32_t i = 0; i < NET_TRANSMIT_BUFFERS; i++)
        net_client_send(&client, frame_fill(net_client_buffer(&client), i));
    CHECK(net_client_run(&client));
    CHECK(!net_client_await(&client, true));
    driver_take();
    (void)device_send(true);
    CHECK(net_link_publish(&link));
    net_client_busy(&client);
    (void)device_send(true);
    CHECK(!net_link_publish(&link));
    CHECK(net_client_await(&client, true)); /* it is there already */
}

/* ---- a client that cheats ---- */

static void chain_offer(uint32_t ring, struct virtq_desc desc) {
    struct virtqueue_memory memory = net_ring(area, ring);
    memory.desc[0] = desc;
    memory.avail->ring[0] = 0;
    memory.avail->idx = 1;
    net_link_session(&link, true);
}

TEST(chains_refused) {
    struct net_buffer buffer;
    const uint64_t data = NET_BUFFERS;
    world_start();
    struct virtq_desc rooms_bad[] = {{data, NET_BUFFER, 0, 0}, /* not for writing */
                                     {data, NET_FRAME + NET_FRAME_MOST - 1, VIRTQ_DESC_WRITE, 0},
                                     {NET_RECEIVE, NET_BUFFER, VIRTQ_DESC_WRITE, 0}, /* the rings */
                                     {sizeof area - 100, NET_BUFFER, VIRTQ_DESC_WRITE, 0},
                                     {data, NET_BUFFER, VIRTQ_DESC_WRITE | VIRTQ_DESC_NEXT, 1}};
    for (unsigned i = 0; i < sizeof rooms_bad / sizeof rooms_bad[0]; i++) {
        chain_offer(NET_RECEIVE, rooms_bad[i]);
        CHECK(!net_link_take_room(&link, &buffer));
        CHECK(link.receive.broken);
    }
    struct virtq_desc frames_bad[] = {
        {data, 100, VIRTQ_DESC_WRITE, 0}, {data, NET_FRAME - 1, 0, 0}, {16, 100, 0, 0}};
    for (unsigned i = 0; i < sizeof frames_bad / sizeof frames_bad[0]; i++) {
        chain_offer(NET_TRANSMIT, frames_bad[i]);
        CHECK(!net_link_take_frame(&link, &buffer));
        CHECK(link.transmit.broken);
    }
    chain_offer(NET_TRANSMIT, (struct virtq_desc){data, 100, 0, 0});
    CHECK(net_link_take_frame(&link, &buffer));
    CHECK_EQ(buffer.length, 100 - NET_FRAME);
}

/* Too short, too long: given back, and the next one is taken. */
TEST(frames_refused) {
    static const uint32_t lengths[] = {1, NET_ETHERNET - 1, NET_FRAME_MOST + 1};
    struct net_buffer buffer;
    world_start();
    for (unsigned i = 0; i < 3; i++) {
        (void)net_client_buffer(&client);
        net_client_send(&client, lengths[i]);
    }
    net_client_send(&client, frame_fill(net_client_buffer(&client), 5));
    (void)net_client_run(&client);
    CHECK(net_link_take_frame(&link, &buffer));
    CHECK_EQ(frame_number(area + buffer.offset, buffer.length), 5);
    CHECK_EQ(link.refused, 3);
}

/* ---- a driver that cheats ---- */

TEST(drivers_that_lie) {
    const uint8_t *bytes;
    uint32_t length;
    world_start();
    for (unsigned i = 0; i < NET_CLIENT_PATIENCE; i++) {
        CHECK(!client.gone);
        driver_take();
        virtqueue_push(&link.receive, 999, 64); /* no such chain */
        (void)net_link_publish(&link);
        CHECK(!net_client_take(&client, &bytes, &length));
        CHECK(net_client_run(&client) || client.refused);
    }
    CHECK(client.refused && !client.gone && !client.link_up);
    CHECK(!net_client_run(&client));
    driver_start(); /* its successor has other chances */
    CHECK(net_client_run(&client) && !client.refused && client.link_up);
}

/* One that tells of no card that can be is refused, a row of them costs the card. */
TEST(drivers_of_no_card) {
    world_start();
    for (unsigned i = 0; i < NET_CLIENT_PATIENCE; i++) {
        CHECK(!client.gone && client.mtu == NET_MTU_MAX);
        driver_start();
        net_header(area)->mtu = i % 2 ? 0 : NET_MTU_MAX + 1;
        CHECK(!net_client_run(&client) && client.refused);
    }
    CHECK(client.gone);
}

/* A frame that has no length a frame can have is dropped, and its buffer goes back. */
TEST(lengths_refused) {
    const uint8_t *bytes;
    uint32_t length;
    world_start();
    virtqueue_push(&link.receive, rooms[0].head, NET_FRAME + NET_ETHERNET - 1);
    virtqueue_push(&link.receive, rooms[1].head, NET_FRAME + NET_FRAME_MOST + 1);
    virtqueue_push(&link.receive, rooms[2].head, 0);
    (void)net_link_publish(&link);
    CHECK(!net_client_take(&client, &bytes, &length));
    (void)net_client_run(&client);
    room_count = 0;
    driver_take();
    CHECK_EQ(room_count, 3);
}

/* A card without an address, or with an unusable size of frames, is none. */
TEST(descriptions_refused) {
    for (unsigned i = 0; i < 3; i++) {
        memset(area, 0, sizeof area);
        CHECK_EQ(net_client_init(&client, area, NET_AREA_MIN), 0);
        driver_start();
        if (i == 0)
            net_header(area)->mtu = NET_MTU_MIN - 1;
        else if (i == 1)
            net_header(area)->mtu = NET_MTU_MAX + 1;
        else
            net_header(area)->address[0] |= 1;
        CHECK(!net_client_run(&client) && client.refused && !client.described);
    }
}

TEST_MAIN();
