/* sources: drivers/virtio-console/main.c drivers/virtio-console/stream.c drivers/virtio-console/control.c
 * lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/port_client.c */
/* flags: -iquote tests/host -Dmain=driver_start */
/*
 * The virtio console's driver whole, between a model of the device and clients: what the device is slow to
 * take it is told later, what it says without end is refused, and a client that leaves has nothing open.
 */
#include <errno.h>
#include <setjmp.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/virtio-console/control.h"
#include "lib/driver/driver.h"
#include "lib/native/keel.h"
#include "lib/virtio/virtio.h"
#include "lib/virtqueue/device.h"
#include "lib/virtqueue/port_client.h"
#include "tests/unit/check.h"

#undef main
int driver_start(int argc, char **argv);

enum { LINKS = 8, PORTS = 3, QUEUES = 2 * LINKS + 2, CONTROL_IN = 2, CONTROL_OUT = 3, DMA_SIZE = 0x10000 };

static _Alignas(4096) uint8_t dma[DMA_SIZE], areas[LINKS][PORT_AREA_SIZE];
static const struct driver *driver;
static struct driver_device device;
static bool offered[LINKS];
static unsigned calls;
static jmp_buf failed;
static const char *failure;

/* ---- the device ---- */

static struct virtqueue_device queues[QUEUES];
static struct control_header heard[100]; /* what the driver told it */
static unsigned heard_count;
static bool deaf;    /* it takes no messages */
static bool endless; /* it sends one whenever it can */

static void say(uint32_t port, enum control_event event, uint16_t value) {
    struct virtqueue_chain chain;
    const struct control_header message = {port, (uint16_t)event, value};
    CHECK_EQ(virtqueue_pop(&queues[CONTROL_IN], &chain), 1);
    memcpy(chain.segments[0].bytes, &message, sizeof message);
    virtqueue_push(&queues[CONTROL_IN], chain.head, sizeof message);
    (void)virtqueue_device_publish(&queues[CONTROL_IN]);
}

static void hear(void) {
    struct virtqueue_chain chain;
    while (!deaf && virtqueue_pop(&queues[CONTROL_OUT], &chain) == 1) {
        CHECK(heard_count < sizeof heard / sizeof heard[0]);
        memcpy(&heard[heard_count++], chain.segments[0].bytes, sizeof heard[0]);
        virtqueue_push(&queues[CONTROL_OUT], chain.head, 0);
        (void)virtqueue_device_publish(&queues[CONTROL_OUT]);
    }
}

/* The last value of an event that it was told of a port; -1: none. */
static int told(uint32_t port, enum control_event event) {
    int value = -1;
    for (unsigned i = 0; i < heard_count; i++)
        if (heard[i].port == port && heard[i].event == event)
            value = heard[i].value;
    return value;
}

static void interrupt(void) {
    driver->interrupt(&device, 1);
}

/* ---- the transport: physical addresses are offsets in the DMA memory, or the areas' ---- */

int64_t virtio_open(struct virtio *virtio, struct driver_device *of) {
    *virtio = (struct virtio){.device = of};
    return 0;
}
int64_t virtio_negotiate(struct virtio *virtio, uint64_t wanted, uint64_t required) {
    virtio->features = wanted | required;
    return 0;
}
uint8_t *virtio_dma_take(struct virtio *virtio, uint64_t length, uint64_t *physical) {
    *physical = virtio->dma_used = (virtio->dma_used + 15) & ~15ULL;
    virtio->dma_used += length;
    return virtio->dma_used <= DMA_SIZE ? dma + *physical : NULL;
}
int64_t virtio_queue_open(struct virtio *virtio, struct virtio_queue *queue, uint16_t index, uint16_t size,
                          unsigned irq) {
    uint64_t physical;
    (void)irq;
    size = index == CONTROL_OUT ? 4 : size; /* a device may have less */
    struct virtqueue_memory ring = {.size = size};
    ring.desc = (struct virtq_desc *)virtio_dma_take(virtio, 16UL * size, &physical);
    ring.avail = (struct virtq_avail *)virtio_dma_take(virtio, 6 + 2UL * size, &physical);
    ring.used = (struct virtq_used *)virtio_dma_take(virtio, 6 + 8UL * size, &physical);
    *queue = (struct virtio_queue){.virtio = virtio, .index = index};
    virtqueue_driver_init(&queue->ring, &ring);
    virtqueue_device_init(&queues[index], &ring, dma, sizeof dma, false);
    return 0;
}
void virtio_ready(struct virtio *virtio) {
    (void)virtio;
}
void virtio_publish(struct virtio_queue *queue) {
    (void)virtqueue_publish(&queue->ring);
    if (queue->index == CONTROL_OUT)
        hear();
    if (queue->index == CONTROL_IN && endless)
        say(1, CONTROL_CONSOLE, 0);
}
uint32_t virtio_cause(struct virtio *virtio) {
    (void)virtio;
    return VIRTIO_ISR_QUEUE;
}
uint32_t virtio_config(const struct virtio *virtio, uint32_t offset, unsigned width) {
    (void)virtio, (void)width;
    return offset == 4 ? PORTS : 0;
}
bool virtio_broken(const struct virtio *virtio) {
    (void)virtio;
    return false;
}

/* ---- the driver's library ---- */

int driver_main(const struct driver *started, int argc, char **argv) {
    (void)argc, (void)argv;
    driver = started;
    return 0;
}
_Noreturn void driver_fail(const char *what, int64_t error) {
    (void)error;
    failure = what;
    longjmp(failed, 1);
}
void driver_call(struct driver_link *link) {
    (void)link;
    calls++;
}
void driver_offer_present(struct driver_device *of, unsigned link, bool present) {
    (void)of;
    offered[link] = present;
}
void log_line(const char *format, ...) {
    (void)format;
}

/* ---- the world ---- */

static void world_start(void) {
    memset(dma, 0, sizeof dma);
    memset(areas, 0, sizeof areas);
    memset(offered, 0, sizeof offered);
    device = (struct driver_device){.dma = {dma, sizeof dma, 0}, .link_count = LINKS};
    for (unsigned i = 0; i < LINKS; i++)
        device.links[i] = (struct driver_link){.area = {areas[i], PORT_AREA_SIZE, 0}, .index = i};
    heard_count = 0;
    deaf = endless = false;
    failure = NULL;
    CHECK_EQ(driver_start(0, NULL), 0);
    CHECK_EQ(driver->init(&device), 0);
    interrupt();
    CHECK_EQ(told(UINT32_MAX, CONTROL_DEVICE_READY), 1);
}

static void port_appear(uint32_t port) {
    say(port, CONTROL_PORT_ADD, 1);
    interrupt();
    interrupt();
    CHECK(offered[port] && told(port, CONTROL_PORT_READY) == 1);
}

static void session(unsigned link, uint32_t number) {
    device.links[link].session = number;
    driver->session(&device, &device.links[link]);
}

static void wish(unsigned link, bool open) {
    ((struct port_wish *)(areas[link] + PORT_CLIENT))->open = open;
    driver->kick(&device, &device.links[link]);
}

TEST(a_port_opens_and_closes) {
    world_start();
    port_appear(1);
    session(1, 1);
    wish(1, true);
    CHECK_EQ(told(1, CONTROL_OPEN), 1);
    wish(1, false);
    CHECK_EQ(told(1, CONTROL_OPEN), 0);
    say(7, CONTROL_PORT_ADD, 1); /* more than it has places for */
    interrupt();
    CHECK(told(7, CONTROL_PORT_READY) == 0 && !offered[7]);
}

/* It takes nothing for a while: the last word counts, and arrives. */
TEST(a_device_that_is_slow) {
    world_start();
    port_appear(1);
    session(1, 1);
    deaf = true;
    for (unsigned i = 0; i < 9; i++)
        wish(1, i % 2 == 0);
    say(2, CONTROL_PORT_ADD, 1);
    interrupt();
    CHECK(told(1, CONTROL_OPEN) == -1 && told(2, CONTROL_PORT_READY) == -1);
    deaf = false;
    hear();
    for (unsigned i = 0; i < 4; i++)
        interrupt();
    CHECK(told(1, CONTROL_OPEN) == 1 && told(2, CONTROL_PORT_READY) == 1 && offered[2]);
}

TEST(a_client_that_leaves) {
    world_start();
    port_appear(1);
    session(1, 1);
    wish(1, true);
    session(1, 0);
    CHECK_EQ(told(1, CONTROL_OPEN), 0);
    if (!setjmp(failed)) { /* the device still has the old one's buffers */
        session(1, 2);
        CHECK(!"it goes on");
    }
    CHECK(strstr(failure, "another client"));
}

TEST(a_device_that_never_stops_talking) {
    world_start();
    port_appear(1);
    endless = true;
    say(1, CONTROL_CONSOLE, 0);
    if (!setjmp(failed)) {
        interrupt();
        CHECK(!"it goes on");
    }
    CHECK(strstr(failure, "without end"));
}

/* Each turn serves what there is once; the rest waits for the next turn. */
TEST(a_client_and_a_device_that_never_stop) {
    static struct port_client client;
    struct virtqueue_chain chain;
    bool signal;
    world_start();
    port_appear(1);
    say(1, CONTROL_OPEN, 1);
    interrupt();
    port_client_init(&client, areas[1]);
    ((struct link_header *)areas[1])->generation = 1;
    port_begin(&client);
    session(1, client.session);
    for (unsigned i = 0; i < 1000; i++) {
        struct virtqueue_device *out = &queues[5]; /* of port 1 */
        CHECK_EQ(port_write(&client, "x", 1, &signal), 1);
        driver->kick(&device, &device.links[1]);
        CHECK_EQ(virtqueue_pop(out, &chain), 1);
        virtqueue_push(out, chain.head, 0);
        (void)virtqueue_device_publish(out);
        interrupt();
        device.links[1].again = false;
    }
    CHECK(port_drained(&client));
    for (unsigned i = 0; i < 40; i++) /* more than the driver's queue holds */
        (void)port_write(&client, "x", 1, &signal);
    driver->kick(&device, &device.links[1]);
    struct virtqueue_memory ring = port_ring(areas[1], PORT_TX);
    CHECK_EQ(virtqueue_pop(&queues[5], &chain), 1);
    ring.avail->idx += 2 * PORT_QUEUE_SIZE; /* and what breaks the protocol ends there */
    virtqueue_push(&queues[5], chain.head, 0);
    (void)virtqueue_device_publish(&queues[5]);
    interrupt();
    CHECK(!device.links[1].again);
}

/* Each in a process of its own: so is each start of a driver. */
int main(void) {
    for (struct test *test = tests_first; test; test = test->next) {
        int status = -1;
        (void)fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            test->run();
            exit(0);
        }
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        CHECK_EQ(status, 0);
        printf("ok %s\n", test->name);
    }
    return 0;
}
