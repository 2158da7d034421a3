/*
 * Intel's gigabit Ethernet: 82574L and 82540EM, by the legacy descriptors that both have, one ring each way.
 * Descriptors lie in the driver's own DMA memory; frames go between the device and the client's area.
 */
#include <errno.h>
#include <string.h>

#include "drivers/e1000e/registers.h"
#include "lib/driver/net.h"
#include "lib/native/keel.h"
#include "lib/virtqueue/ring.h"

enum { ENTRIES = 256, RESET_TRIES = 100 };
#define RESET_STEP_NS 1000000ULL

/* Entries [oldest, next) of a ring are the device's. */
struct queue {
    struct descriptor *entries;
    uint64_t physical;
    uint32_t oldest, next;
    uint16_t heads[ENTRIES];
};

static struct card {
    struct driver_device *device;
    struct queue receive, transmit;
    bool reports; /* the device interrupts when it has sent */
    struct net_server server;
} card;

static uint32_t get(uint32_t offset) {
    return bar_read(&card.device->bars[0], offset, 4);
}

static void put(uint32_t offset, uint32_t value) {
    bar_write(&card.device->bars[0], offset, 4, value);
}

static bool by_msix(void) {
    return card.device->irq_mode == DRIVER_IRQ_MSIX;
}

/* ---- frames ---- */

static struct descriptor *entry_take(struct queue *queue, uint16_t head) {
    uint32_t slot = queue->next++ % ENTRIES;
    queue->heads[slot] = head;
    return &queue->entries[slot];
}

static void receive(struct net_server *server, uint16_t head, uint64_t address, uint32_t length) {
    (void)server, (void)length; /* the device writes no frame longer than NET_FRAME_MOST and a checksum */
    *entry_take(&card.receive, head) = (struct descriptor){.address = address};
}

static void transmit(struct net_server *server, uint16_t head, uint64_t address, uint32_t length) {
    (void)server;
    *entry_take(&card.transmit, head) =
        (struct descriptor){.address = address,
                            .length = (uint16_t)length,
                            .command = COMMAND_END | COMMAND_CRC | COMMAND_REPORT};
}

static void doorbell(struct net_server *server, bool receives, bool transmits) {
    (void)server;
    ring_fence();
    if (receives)
        put(REG_RDT, card.receive.next % ENTRIES);
    if (transmits)
        put(REG_TDT, card.transmit.next % ENTRIES);
}

/* The oldest entry when the device is done with it, else NULL. */
static struct descriptor *entry_done(const struct queue *queue) {
    struct descriptor *entry = &queue->entries[queue->oldest % ENTRIES];
    return queue->oldest != queue->next && ring_load(entry->status) & DESCRIPTOR_DONE ? entry : NULL;
}

static void queues_take(void) {
    struct descriptor *entry;
    while ((entry = entry_done(&card.receive)) != NULL) {
        bool good = entry->status & DESCRIPTOR_END && !entry->errors;
        uint32_t length = good ? ring_load(entry->length) : 0;
        net_server_received(&card.server, card.receive.heads[card.receive.oldest++ % ENTRIES], length);
    }
    while (entry_done(&card.transmit))
        net_server_sent(&card.server, card.transmit.heads[card.transmit.oldest++ % ENTRIES]);
}

/* Whether the device tells of each frame sent. */
static void reports_set(bool reports) {
    if (card.reports == reports)
        return;
    card.reports = reports;
    put(reports ? REG_IMS : REG_IMC, by_msix() ? CAUSE_QUEUE_OUT : CAUSE_SENT);
}

static void card_run(void) {
    do {
        queues_take();
        net_server_run(&card.server);
        reports_set(net_server_pressed(&card.server));
    } while (entry_done(&card.receive) || (card.reports && entry_done(&card.transmit)));
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
    (void)server;
    return get(REG_STATUS) & STATUS_LINK_UP;
}

/* Reading the causes clears them, except with MSI-X. What comes after that interrupts again. */
static void net_interrupt(struct driver_device *device, unsigned index) {
    uint32_t cause = get(REG_ICR);
    (void)device, (void)index;
    if (by_msix())
        put(REG_ICR, cause);
    if (cause & CAUSE_LINK)
        net_server_status(&card.server);
    card_run();
}

static void filter(struct net_server *server, uint32_t mode) {
    (void)server;
    put(REG_RCTL, RCTL_ENABLE | RCTL_BROADCAST | RCTL_STRIP_CRC | (mode & NET_MODE_ALL ? RCTL_ALL : 0) |
                      (mode ? RCTL_ALL_MULTICAST : 0));
}

static int64_t device_reset(void) {
    put(REG_IMC, UINT32_MAX);
    put(REG_RCTL, 0);
    put(REG_TCTL, 0);
    put(REG_CTRL, get(REG_CTRL) | CTRL_RESET);
    for (unsigned tries = 0; get(REG_CTRL) & CTRL_RESET; tries++) {
        if (tries == RESET_TRIES)
            return -ETIMEDOUT;
        (void)keel_thread_wait(clock_now() + RESET_STEP_NS);
    }
    put(REG_IMC, UINT32_MAX);
    (void)get(REG_ICR);
    return 0;
}

static void queue_place(struct queue *queue, unsigned page, uint32_t base) {
    uint64_t offset = (uint64_t)page * ENTRIES * sizeof(struct descriptor);
    queue->entries = (struct descriptor *)(card.device->dma.bytes + offset);
    queue->physical = card.device->dma.physical + offset;
    queue->oldest = queue->next = 0;
    memset(queue->entries, 0, ENTRIES * sizeof(struct descriptor));
    put(base, (uint32_t)queue->physical);
    put(base + 4, (uint32_t)(queue->physical >> 32));
    put(base + REG_RDLEN - REG_RDBAL, ENTRIES * sizeof(struct descriptor));
    put(base + REG_RDH - REG_RDBAL, 0);
    put(base + REG_RDT - REG_RDBAL, 0);
}

static void interrupts_start(void) {
    uint32_t causes = CAUSE_LINK | CAUSE_LOW | CAUSE_OVERRUN | CAUSE_RECEIVED;
    card.reports = false;
    if (by_msix()) {
        put(REG_CTRL_EXT, get(REG_CTRL_EXT) | CTRL_EXT_PBA);
        put(REG_IVAR, IVAR_VALUE);
        causes = CAUSE_LINK | CAUSE_OVERRUN | CAUSE_QUEUE_IN | CAUSE_OTHER;
    }
    put(REG_IMS, causes);
}

static int64_t device_start(struct net_server *server) {
    int64_t error = device_reset();
    if (error)
        return error;
    put(REG_CTRL, (get(REG_CTRL) & ~(CTRL_LINK_RESET | CTRL_PHY_RESET)) | CTRL_LINK_UP | CTRL_SPEED_DETECT);
    for (uint32_t i = 0; i < MTA_WORDS; i++)
        put(REG_MTA + 4 * i, 0);
    queue_place(&card.receive, 0, REG_RDBAL);
    queue_place(&card.transmit, 1, REG_TDBAL);
    put(REG_TIPG, TIPG_VALUE);
    put(REG_TCTL, TCTL_ENABLE | TCTL_PAD | TCTL_COLLISIONS);
    interrupts_start();
    filter(server, 0);
    return 0;
}

static void net_session(struct driver_device *device, struct driver_link *link) {
    (void)device, (void)link;
    net_server_session(&card.server);
}

/* The address that the device read from its own memory. */
static int64_t address_read(uint8_t address[NET_ADDRESS]) {
    uint32_t low = get(REG_RAL), high = get(REG_RAH);
    for (unsigned i = 0; i < NET_ADDRESS; i++)
        address[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    return high & RAH_VALID ? 0 : -ENODEV;
}

static int64_t net_init(struct driver_device *device) {
    struct net_identity identity = {.mtu = NET_MTU_MAX};
    card.device = device;
    if (device->bars[0].length < REG_END || device->dma.length < 2 * ENTRIES * sizeof(struct descriptor))
        return -ENODEV;
    int64_t error = device_start(&card.server);
    if (!error)
        error = address_read(identity.address);
    if (error)
        return error;
    card.server.receive_depth = card.server.transmit_depth = ENTRIES - 1; /* full is not empty */
    card.server.receive = receive;
    card.server.transmit = transmit;
    card.server.doorbell = doorbell;
    card.server.filter = filter;
    card.server.start = device_start;
    card.server.link_up = link_up;
    net_server_init(&card.server, device, 0, &identity);
    return 0;
}

int main(int argc, char **argv) {
    static const struct driver driver = {
        .name = "e1000e",
        .init = net_init,
        .interrupt = net_interrupt,
        .session = net_session,
        .kick = net_kick,
        .timer = net_timer,
    };
    return driver_main(&driver, argc, argv);
}
