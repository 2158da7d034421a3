/*
 * The virtio-blk driver (virtio 1.2, 5.2): one request queue. A request's header, status and discard range
 * lie in the driver's own DMA memory, so that the client cannot change them under the device's eyes; the data
 * go between the device and the client's area.
 */
#include <errno.h>
#include <string.h>

#include "lib/driver/block.h"
#include "lib/native/keel.h"
#include "lib/virtio/virtio.h"

#define FEATURE_READ_ONLY  (1ULL << 5)
#define FEATURE_BLOCK_SIZE (1ULL << 6)
#define FEATURE_FLUSH      (1ULL << 9)
#define FEATURE_DISCARD    (1ULL << 13)

enum { CONFIG_CAPACITY = 0, CONFIG_BLOCK_SIZE = 20 };
enum { QUEUE_SIZE = 256, DESCRIPTORS = 3, ID_TRIES = 1000 };
#define ID_STEP_NS 1000000ULL

struct slot {
    struct block_request_header header;
    struct block_range range;
    uint8_t serial[BLOCK_SERIAL_SIZE];
    uint8_t status;
    uint8_t padding[11];
};

_Static_assert(sizeof(struct slot) == 64, "slots lie one behind the other");

static struct disk {
    struct virtio virtio;
    struct virtio_queue queue;
    struct block_server server;
    struct slot *slots;
    uint64_t slots_physical;
} disk;

/* ---- requests ---- */

static uint64_t slot_address(unsigned tag, size_t offset) {
    return disk.slots_physical + tag * sizeof(struct slot) + offset;
}

/* Enters a request; there are descriptors for every tag. data 0: none. */
static void request_enter(unsigned tag, const struct block_request_header *header, uint64_t data,
                          uint32_t length, bool data_in) {
    struct virtqueue_buffer buffers[DESCRIPTORS] = {
        {slot_address(tag, offsetof(struct slot, header)), sizeof(struct block_request_header)}};
    unsigned count = 1, readable = 1;
    disk.slots[tag].header = *header;
    disk.slots[tag].status = UINT8_MAX;
    if (data)
        buffers[count++] = (struct virtqueue_buffer){data, length};
    if (!data_in)
        readable = count;
    buffers[count++] = (struct virtqueue_buffer){slot_address(tag, offsetof(struct slot, status)), 1};
    int error = virtqueue_add(&disk.queue.ring, buffers, readable, count - readable, tag);
    if (error)
        driver_fail("virtqueue_add", error);
}

static void start(struct block_server *server, unsigned tag, const struct block_io *io, uint64_t data) {
    struct block_request_header header = {.type = io->type, .sector = io->sector};
    uint32_t length = io->length;
    (void)server;
    if (io->type == BLOCK_DISCARD) {
        header.sector = 0;
        disk.slots[tag].range = (struct block_range){.sector = io->sector, .count = io->sectors};
        data = slot_address(tag, offsetof(struct slot, range));
        length = sizeof(struct block_range);
    }
    request_enter(tag, &header, data, length, io->type == BLOCK_IN);
}

static void doorbell(struct block_server *server) {
    (void)server;
    virtio_publish(&disk.queue);
}

static void answers_take(void) {
    uint64_t tag;
    uint32_t written;
    int result;
    while ((result = virtqueue_get_used(&disk.queue.ring, &tag, &written)) == 1) {
        uint8_t status = ring_load(disk.slots[tag].status);
        if (!block_server_complete(&disk.server, (unsigned)tag, status))
            driver_fail("an answer to no request", -EPROTO);
    }
    if (result < 0)
        driver_fail("the device's queue", result);
}

static void blk_interrupt(struct driver_device *device, unsigned index) {
    (void)device, (void)index;
    (void)virtio_cause(&disk.virtio);
    do {
        answers_take();
        block_server_run(&disk.server);
    } while (virtqueue_driver_enable(&disk.queue.ring));
    if (virtio_broken(&disk.virtio))
        driver_fail("the device asks for a reset", -EIO);
}

static void blk_session(struct driver_device *device, struct driver_link *link) {
    (void)device, (void)link;
    block_server_session(&disk.server);
}

static void blk_kick(struct driver_device *device, struct driver_link *link) {
    (void)device, (void)link;
    block_server_run(&disk.server);
}

/* ---- start ---- */

/* Asks the device for its serial number, before there are clients. A device that does not know has none. */
static void serial_read(char serial[BLOCK_SERIAL_SIZE]) {
    struct block_request_header header = {.type = BLOCK_GET_ID};
    uint64_t tag;
    uint32_t written;
    request_enter(0, &header, slot_address(0, offsetof(struct slot, serial)), BLOCK_SERIAL_SIZE, true);
    virtio_publish(&disk.queue);
    for (unsigned tries = 0; virtqueue_get_used(&disk.queue.ring, &tag, &written) != 1; tries++) {
        if (tries == ID_TRIES)
            driver_fail("the device does not answer", -ETIMEDOUT);
        (void)keel_thread_wait(clock_now() + ID_STEP_NS);
    }
    if (disk.slots[0].status == BLOCK_STATUS_OK)
        memcpy(serial, disk.slots[0].serial, BLOCK_SERIAL_SIZE);
}

static void identity_read(struct block_identity *identity) {
    uint64_t features = disk.virtio.features;
    identity->sectors = virtio_config64(&disk.virtio, CONFIG_CAPACITY);
    identity->block_size =
        features & FEATURE_BLOCK_SIZE ? virtio_config(&disk.virtio, CONFIG_BLOCK_SIZE, 4) : BLOCK_SECTOR;
    identity->read_only = features & FEATURE_READ_ONLY;
    identity->features = (features & FEATURE_FLUSH ? BLOCK_FEATURE_FLUSH : 0) |
                         (features & FEATURE_DISCARD ? BLOCK_FEATURE_DISCARD : 0);
    serial_read(identity->serial);
}

static int64_t blk_init(struct driver_device *device) {
    struct block_identity identity = {0};
    int64_t error = virtio_open(&disk.virtio, device);
    if (error == 0)
        error = virtio_negotiate(&disk.virtio,
                                 FEATURE_READ_ONLY | FEATURE_BLOCK_SIZE | FEATURE_FLUSH | FEATURE_DISCARD, 0);
    if (error == 0)
        error = virtio_queue_open(&disk.virtio, &disk.queue, 0, QUEUE_SIZE, 0);
    if (error)
        return error;
    unsigned depth = disk.queue.ring.ring.size / DESCRIPTORS;
    if (depth > BLOCK_TAGS)
        depth = BLOCK_TAGS;
    disk.slots =
        (struct slot *)virtio_dma_take(&disk.virtio, depth * sizeof(struct slot), &disk.slots_physical);
    if (!disk.slots || depth == 0)
        return -ENOMEM;
    virtio_ready(&disk.virtio);
    identity_read(&identity);
    disk.server.start = start;
    disk.server.doorbell = doorbell;
    block_server_init(&disk.server, device, 0, &identity, depth);
    return 0;
}

int main(int argc, char **argv) {
    static const struct driver driver = {
        .name = "virtio-blk",
        .init = blk_init,
        .interrupt = blk_interrupt,
        .session = blk_session,
        .kick = blk_kick,
    };
    return driver_main(&driver, argc, argv);
}
