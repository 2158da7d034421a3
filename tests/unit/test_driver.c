/* sources: lib/driver/driver.c lib/driver/char_link.c lib/driver/input.c lib/virtqueue/device.c
 * lib/virtqueue/driver.c */
/* flags: -iquote tests/host */
/*
 * The life of a driver on a model of its port: what a client asks for without end keeps neither the heartbeat
 * nor the driver's own deadline waiting, and nobody's request is lost by that.
 */
#include "lib/driver/driver.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include "lib/driver/input.h"
#include "lib/driver/internal.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"
#include "lib/virtqueue/char_ring.h"
#include "lib/virtqueue/driver.h"
#include "tests/unit/check.h"

enum { PING = 1, ALIVE, KICK, CALL, KICKED_MOST = 10000 };

static _Alignas(4096) uint8_t area[CHAR_AREA_SIZE];
static struct virtqueue_driver client;
static bool endless;            /* the client offers another request as soon as one is taken */
static unsigned served, asked;  /* requests */
static unsigned answered, late; /* heartbeats; calls of the timer */
static uint64_t ping_key, kick_key, now;
static jmp_buf end;

/* What the driver finds at its port, one after the other. */
static struct {
    bool kick;
    unsigned idle; /* polls without a packet before the next ping */
} port;
static unsigned pings_left;

/* ---- the kernel ---- */

int64_t keel_handle_create(uint64_t type, uint64_t first, uint64_t second, uint64_t third) {
    (void)type, (void)first, (void)second, (void)third;
    return 100;
}
int64_t keel_object_bind(uint64_t object, uint64_t at, uint64_t key) {
    (void)at;
    if (object == PING)
        ping_key = key;
    if (object == KICK)
        kick_key = key;
    return 0;
}
int64_t keel_event_signal(uint64_t event) {
    answered += event == ALIVE;
    return 0;
}
int64_t keel_interrupt_ack(uint64_t interrupt) {
    (void)interrupt;
    return 0;
}
int64_t keel_thread_set(uint64_t thread, uint64_t what, uint64_t value) {
    (void)thread, (void)what, (void)value;
    return 0;
}
int64_t keel_io_read(uint64_t ports, uint64_t port, uint64_t width) {
    (void)ports, (void)port, (void)width;
    return -EPERM;
}
int64_t keel_io_write(uint64_t ports, uint64_t port, uint64_t width, uint64_t value) {
    (void)ports, (void)port, (void)width, (void)value;
    return -EPERM;
}
uint64_t clock_now(void) {
    return now++;
}
void log_line(const char *format, ...) {
    (void)format;
}

int64_t packet_receive(handle_t from, uint64_t deadline, struct port_packet *packet) {
    CHECK_EQ(from, 100);
    if (port.kick) {
        port.kick = false;
        *packet = (struct port_packet){.key = kick_key};
        return 0;
    }
    if (port.idle++ < 3 && deadline != DEADLINE_NEVER)
        return deadline ? -ETIMEDOUT : -EAGAIN;
    port.idle = 0;
    if (!pings_left--)
        longjmp(end, 1);
    *packet = (struct port_packet){.key = ping_key};
    return 0;
}

void device_open(struct driver_device *device, int argc, char **argv) {
    (void)argc, (void)argv;
    device->generation = 1;
    device->ping = PING;
    device->alive = ALIVE;
    device->link_count = 1;
    device->links[0] = (struct driver_link){.area = {area, sizeof area, 0}, .kick = KICK, .call = CALL};
}

/* ---- the client ---- */

static void ask(void) {
    const struct virtqueue_buffer buffers[2] = {{CHAR_REQUESTS, sizeof(struct char_request)},
                                                {CHAR_REQUESTS + 64, sizeof(int64_t)}};
    uint64_t token;
    uint32_t length;
    while (virtqueue_get_used(&client, &token, &length) == 1)
        continue;
    *(struct char_request *)(area + CHAR_REQUESTS) = (struct char_request){.kind = CHAR_IOCTL};
    asked += virtqueue_add(&client, buffers, 1, 1, 0) == 0;
    (void)virtqueue_publish(&client);
}

static void client_begin(void) {
    struct link_header *header = (struct link_header *)area;
    struct virtqueue_memory ring = char_ring(area);
    memset(area, 0, sizeof area);
    virtqueue_driver_init(&client, &ring);
    header->session = header->session_generation = 1;
    served = asked = answered = late = 0;
    ask();
    port.kick = true;
}

/* ---- the driver ---- */

static int64_t start(struct driver_device *device) {
    device->deadline = 5;
    return 0;
}

static int64_t control(struct driver_device *device, struct driver_request *request) {
    (void)device, (void)request;
    served++;
    CHECK(served < KICKED_MOST); /* or it would never look at its port again */
    if (endless)
        ask();
    return 0;
}

static void timer(struct driver_device *device) {
    late++;
    device->deadline = DEADLINE_NEVER;
}

static void live(unsigned pings) {
    static const struct driver driver = {.name = "driver", .init = start, .ioctl = control, .timer = timer};
    pings_left = pings;
    now = 0;
    client_begin();
    if (!setjmp(end))
        (void)driver_main(&driver, 0, NULL);
}

TEST(a_request) {
    endless = false;
    live(3);
    CHECK(served == 1 && asked == 1 && answered == 4 && late == 1);
}

TEST(requests_without_end) {
    endless = true;
    live(20);
    CHECK(answered == 21 && late == 1);
    CHECK(served > 20 && asked - served <= 1);
}

/* ---- input: what a client writes ---- */

static struct input_server server;
static struct driver_device input_device = {.link_count = 1};
static unsigned taken;

static void status(struct input_server *of, const struct input_event *event) {
    (void)of, (void)event;
    struct virtqueue_memory ring = input_ring(area, INPUT_STATUS);
    CHECK(++taken < KICKED_MOST);
    ring.avail->idx++; /* against the protocol: more than fit */
}

TEST(events_without_end) {
    struct virtqueue_memory ring = input_ring(area, INPUT_STATUS);
    memset(area, 0, sizeof area);
    ring.desc[0] = (struct virtq_desc){.addr = 0x800, .len = sizeof(struct input_event)};
    ring.avail->idx = 1;
    input_device.links[0] = (struct driver_link){.area = {area, sizeof area, 0}, .session = 1};
    input_server_init(&server, &input_device, 0);
    server.status = status;
    input_server_offer(&server);
    input_server_session(&server);
    input_server_run(&server);
    CHECK(taken == ring.size && server.status_queue.broken);
}

TEST_MAIN();
