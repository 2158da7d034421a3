/*
 * The virtio-net driver (virtio 1.2, 5.1): one queue pair, no offloads. Frames go between the device and the
 * client's area. The header before a frame to send lies in the driver's own DMA memory, so that the client
 * has nothing to say in it.
 */
#include <errno.h>
#include <string.h>

#include "lib/driver/net.h"
#include "lib/virtio/virtio.h"

#define FEATURE_MTU    (1ULL << 3)
#define FEATURE_MAC    (1ULL << 5)
#define FEATURE_STATUS (1ULL << 16)

enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10, STATUS_LINK_UP = 1 };
enum { QUEUE_SIZE = 256, SEND_DESCRIPTORS = 2, IRQ_CONFIG = 0, IRQ_QUEUES = 1 };

static struct card {
    struct driver_device *device;
    struct virtio virtio;
    struct virtio_queue receive, transmit;
    uint64_t header; /* physical address of the header before what is sent: all zero */
    struct net_server server;
} card;

/* ---- frames ---- */

static void receive(struct net_server *server, uint16_t head, uint64_t address, uint32_t length) {
    struct virtqueue_buffer room = {address - NET_FRAME, length + NET_FRAME};
    (void)server;
    int error = virtqueue_add(&card.receive.ring, &room, 0, 1, head);
    if (error)
        driver_fail("the queue of buffers", error);
}

static void transmit(struct net_server *server, uint16_t head, uint64_t address, uint32_t length) {
    struct virtqueue_buffer frame[SEND_DESCRIPTORS] = {{card.header, NET_FRAME}, {address, length}};
    (void)server;
    int error = virtqueue_add(&card.transmit.ring, frame, SEND_DESCRIPTORS, 0, head);
    if (error)
        driver_fail("the queue of frames", error);
}

static void doorbell(struct net_server *server, bool receives, bool transmits) {
    (void)server;
    if (receives)
        virtio_publish(&card.receive);
    if (transmits)
        virtio_publish(&card.transmit);
}

static void queues_take(void) {
    uint64_t head;
    uint32_t written;
    int result;
    while ((result = virtqueue_get_used(&card.receive.ring, &head, &written)) == 1)
        net_server_received(&card.server, (uint16_t)head, written > NET_FRAME ? written - NET_FRAME : 0);
    if (result == 0)
        while ((result = virtqueue_get_used(&card.transmit.ring, &head, &written)) == 1)
            net_server_sent(&card.server, (uint16_t)head);
    if (result < 0)
        driver_fail("the device's queue", result);
}

/* True: there is something to take already. */
static bool interrupts_ask(void) {
    bool received = virtqueue_driver_enable(&card.receive.ring);
    if (net_server_pressed(&card.server))
        return virtqueue_driver_enable(&card.transmit.ring) || received;
    virtqueue_driver_disable(&card.transmit.ring);
    return received;
}

static void card_run(void) {
    do {
        queues_take();
        net_server_run(&card.server);
    } while (interrupts_ask());
}

static void net_kick(struct driver_device *device, struct driver_link *link) {
    (void)device, (void)link;
    card_run();
}

static void net_timer(struct driver_device *device) {
    (void)device;
    card_run();
}

/* ---- the device ---- */

static bool link_up(struct net_server *server) {
    bool known = card.virtio.features & FEATURE_STATUS;
    (void)server;
    return !known || virtio_config(&card.virtio, CONFIG_STATUS, 2) & STATUS_LINK_UP;
}

static void net_interrupt(struct driver_device *device, unsigned index) {
    (void)device;
    if (virtio_cause(&card.virtio) & VIRTIO_ISR_CONFIG && index == IRQ_CONFIG) {
        if (virtio_broken(&card.virtio))
            driver_fail("the device asks for a reset", -EIO);
        net_server_status(&card.server);
    }
    card_run();
}

static int64_t device_start(struct net_server *server) {
    int64_t error = virtio_open(&card.virtio, card.device);
    if (error == 0)
        error = virtio_negotiate(&card.virtio, FEATURE_MTU | FEATURE_STATUS, FEATURE_MAC);
    if (error == 0)
        error = virtio_queue_open(&card.virtio, &card.receive, 0, QUEUE_SIZE, IRQ_QUEUES);
    if (error == 0)
        error = virtio_queue_open(&card.virtio, &card.transmit, 1, QUEUE_SIZE, IRQ_QUEUES);
    if (error)
        return error;
    uint8_t *header = virtio_dma_take(&card.virtio, NET_FRAME, &card.header);
    if (!header)
        return -ENOMEM;
    memset(header, 0, NET_FRAME);
    server->receive_depth = card.receive.ring.ring.size;
    server->transmit_depth = card.transmit.ring.ring.size / SEND_DESCRIPTORS;
    if (server->transmit_depth == 0)
        return -ENOTSUP;
    virtio_ready(&card.virtio);
    return 0;
}

static void net_session(struct driver_device *device, struct driver_link *link) {
    (void)device, (void)link;
    net_server_session(&card.server);
}

static int64_t net_init(struct driver_device *device) {
    struct net_identity identity = {.mtu = NET_MTU_MAX};
    card.device = device;
    int64_t error = device_start(&card.server);
    if (error)
        return error;
    for (unsigned i = 0; i < NET_ADDRESS; i++)
        identity.address[i] = (uint8_t)virtio_config(&card.virtio, CONFIG_MAC + i, 1);
    if (card.virtio.features & FEATURE_MTU) {
        uint32_t mtu = virtio_config(&card.virtio, CONFIG_MTU, 2);
        if (mtu < NET_MTU_MIN)
            return -EPROTO;
        identity.mtu = mtu < NET_MTU_MAX ? (uint16_t)mtu : NET_MTU_MAX;
    }
    card.server.receive = receive;
    card.server.transmit = transmit;
    card.server.doorbell = doorbell;
    card.server.start = device_start;
    card.server.link_up = link_up;
    net_server_init(&card.server, device, 0, &identity);
    return 0;
}

int main(int argc, char **argv) {
    static const struct driver driver = {
        .name = "virtio-net",
        .init = net_init,
        .interrupt = net_interrupt,
        .session = net_session,
        .kick = net_kick,
        .timer = net_timer,
    };
    return driver_main(&driver, argc, argv);
}
