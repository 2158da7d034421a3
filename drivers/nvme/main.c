/*
 * The NVMe driver: one admin queue pair, used at the start only and by polling, and one pair for requests.
 * Data go between the controller and the client's area by page lists in the driver's own DMA memory:
 *
 *   page 0 admin submissions   1 admin completions   2 submissions   3 completions   4 identify   5 … extras
 *
 * A command's id is its tag, and a submission queue has room for every tag and one more, so that it is never
 * full.
 */
#include <errno.h>
#include <string.h>

#include "drivers/nvme/command.h"
#include "lib/driver/block.h"
#include "lib/native/keel.h"
#include "lib/virtqueue/ring.h"

enum nvme_register {
    CAPABILITIES = 0x00,
    CONFIGURATION = 0x14,
    STATUS = 0x1c,
    ADMIN_SIZES = 0x24,
    ADMIN_SUBMISSIONS = 0x28,
    ADMIN_COMPLETIONS = 0x30,
    DOORBELLS = 0x1000,
};
enum {
    CONFIGURATION_ON = 1 | 6 << 16 | 4 << 20, /* enabled; 64-byte commands, 16-byte completions, 4 KB pages */
    STATUS_READY = 1,
    STATUS_FATAL = 2,
    CQ_CONTIGUOUS_INTERRUPT = 3,
    SQ_CONTIGUOUS = 1,
};
enum { PAGE_ADMIN_SQ, PAGE_ADMIN_CQ, PAGE_SQ, PAGE_CQ, PAGE_IDENTIFY, PAGE_EXTRAS };
enum { ADMIN_ENTRIES = 16, ENTRIES_MOST = BLOCK_TAGS, ADMIN_TRIES = 100000 };
#define POLL_NS 50000ULL

struct queue {
    struct nvme_command *submissions;
    volatile struct nvme_completion *completions;
    uint16_t entries, tail, head;
    uint16_t phase; /* of the completions that are new */
    uint32_t tail_doorbell, head_doorbell;
};

static struct nvme {
    struct driver_device *device;
    const struct driver_bar *bar;
    uint32_t stride; /* bytes between doorbells */
    uint32_t timeout_ms, entries, block_size;
    struct queue admin, io;
    struct nvme_extra *extras;
    struct block_server server;
} nvme;

/* ---- registers and memory ---- */

static uint64_t read64(enum nvme_register at) {
    return bar_read(nvme.bar, at, 4) | (uint64_t)bar_read(nvme.bar, at + 4, 4) << 32;
}

static void write64(enum nvme_register at, uint64_t value) {
    bar_write(nvme.bar, at, 4, (uint32_t)value);
    bar_write(nvme.bar, at + 4, 4, (uint32_t)(value >> 32));
}

static uint8_t *page_at(unsigned page) {
    return nvme.device->dma.bytes + page * NVME_PAGE;
}

static uint64_t page_address(unsigned page) {
    return nvme.device->dma.physical + page * NVME_PAGE;
}

static void queue_open(struct queue *queue, unsigned number, unsigned page, uint32_t entries) {
    *queue = (struct queue){
        .submissions = (struct nvme_command *)page_at(page),
        .completions = (volatile struct nvme_completion *)page_at(page + 1),
        .entries = (uint16_t)entries,
        .phase = 1,
        .tail_doorbell = DOORBELLS + 2 * number * nvme.stride,
        .head_doorbell = DOORBELLS + (2 * number + 1) * nvme.stride,
    };
    memset(page_at(page), 0, 2 * (size_t)NVME_PAGE);
}

static void queue_put(struct queue *queue, const struct nvme_command *command) {
    queue->submissions[queue->tail] = *command;
    queue->tail = (uint16_t)((queue->tail + 1) % queue->entries);
}

static void queue_ring(const struct queue *queue) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    bar_write(nvme.bar, queue->tail_doorbell, 4, queue->tail);
}

/* The next completion's id and status; false when there is none. queue_taken tells the controller. */
static bool queue_take(struct queue *queue, uint16_t *id, uint16_t *status) {
    volatile struct nvme_completion *completion = &queue->completions[queue->head];
    *status = ring_load(completion->status);
    if ((*status & 1) != queue->phase)
        return false;
    *id = completion->id;
    if (++queue->head == queue->entries) {
        queue->head = 0;
        queue->phase ^= 1;
    }
    return true;
}

static void queue_taken(const struct queue *queue) {
    bar_write(nvme.bar, queue->head_doorbell, 4, queue->head);
}

/* ---- requests ---- */

static void start(struct block_server *server, unsigned tag, const struct block_io *io, uint64_t data) {
    struct nvme_command command;
    uint64_t extra = page_address(PAGE_EXTRAS) + tag * sizeof(struct nvme_extra);
    (void)server;
    nvme_translate(&command, io, data, &nvme.extras[tag], extra, nvme.block_size);
    command.id = (uint16_t)tag;
    queue_put(&nvme.io, &command);
}

static void doorbell(struct block_server *server) {
    (void)server;
    queue_ring(&nvme.io);
}

static bool answers_take(void) {
    uint16_t id, status;
    bool taken = false;
    while (queue_take(&nvme.io, &id, &status)) {
        if (!block_server_complete(&nvme.server, id, nvme_status(status)))
            driver_fail("an answer to no request", -EPROTO);
        taken = true;
    }
    if (taken)
        queue_taken(&nvme.io);
    return taken;
}

static void nvme_interrupt(struct driver_device *device, unsigned index) {
    (void)device, (void)index;
    while (answers_take())
        block_server_run(&nvme.server);
    if (bar_read(nvme.bar, STATUS, 4) & STATUS_FATAL)
        driver_fail("the controller reports a fatal error", -EIO);
}

static void nvme_session(struct driver_device *device, struct driver_link *link) {
    (void)device, (void)link;
    block_server_session(&nvme.server);
}

static void nvme_kick(struct driver_device *device, struct driver_link *link) {
    (void)device, (void)link;
    block_server_run(&nvme.server);
}

/* ---- start ---- */

static int64_t ready_wait(uint32_t ready) {
    for (uint64_t end = clock_now() + nvme.timeout_ms * 1000000ULL; clock_now() < end;) {
        if ((bar_read(nvme.bar, STATUS, 4) & STATUS_READY) == ready)
            return 0;
        (void)keel_thread_wait(clock_now() + POLL_NS);
    }
    return -ETIMEDOUT;
}

static int64_t controller_start(void) {
    bar_write(nvme.bar, CONFIGURATION, 4, 0);
    int64_t error = ready_wait(0);
    if (error)
        return error;
    queue_open(&nvme.admin, 0, PAGE_ADMIN_SQ, ADMIN_ENTRIES);
    bar_write(nvme.bar, ADMIN_SIZES, 4, (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1));
    write64(ADMIN_SUBMISSIONS, page_address(PAGE_ADMIN_SQ));
    write64(ADMIN_COMPLETIONS, page_address(PAGE_ADMIN_CQ));
    bar_write(nvme.bar, CONFIGURATION, 4, CONFIGURATION_ON);
    return ready_wait(STATUS_READY);
}

static int64_t admin_perform(const struct nvme_command *command) {
    uint16_t id, status;
    queue_put(&nvme.admin, command);
    queue_ring(&nvme.admin);
    for (unsigned tries = 0; !queue_take(&nvme.admin, &id, &status); tries++) {
        if (tries == ADMIN_TRIES)
            return -ETIMEDOUT;
        (void)keel_thread_wait(clock_now() + POLL_NS);
    }
    queue_taken(&nvme.admin);
    return nvme_status(status) == BLOCK_STATUS_OK ? 0 : -EIO;
}

static int64_t identify(uint32_t what, uint32_t namespace, uint8_t *to) {
    struct nvme_command command = {.opcode = NVME_IDENTIFY,
                                   .namespace = namespace,
                                   .prp1 = page_address(PAGE_IDENTIFY),
                                   .words = {what}};
    int64_t error = admin_perform(&command);
    memcpy(to, page_at(PAGE_IDENTIFY), NVME_IDENTIFY_SIZE);
    return error;
}

static int64_t io_queues_create(void) {
    queue_open(&nvme.io, 1, PAGE_SQ, nvme.entries);
    uint32_t size = (nvme.entries - 1) << 16 | 1;
    struct nvme_command completions = {
        .opcode = NVME_CREATE_CQ, .prp1 = page_address(PAGE_CQ), .words = {size, CQ_CONTIGUOUS_INTERRUPT}};
    struct nvme_command submissions = {
        .opcode = NVME_CREATE_SQ, .prp1 = page_address(PAGE_SQ), .words = {size, 1 << 16 | SQ_CONTIGUOUS}};
    int64_t error = admin_perform(&completions);
    return error ? error : admin_perform(&submissions);
}

/* What the controller can do: 4 KB pages, the NVM command set, how many entries, how long it may take. */
static int64_t capabilities_read(void) {
    uint64_t capabilities = read64(CAPABILITIES);
    uint32_t entries = (uint32_t)(capabilities & 0xffff) + 1;
    nvme.entries = entries < ENTRIES_MOST ? entries : ENTRIES_MOST;
    nvme.timeout_ms = ((uint32_t)(capabilities >> 24 & 0xff) + 1) * 500;
    nvme.stride = 4U << (capabilities >> 32 & 15);
    bool pages = (capabilities >> 48 & 15) == 0, commands = capabilities >> 37 & 1;
    return pages && commands && entries > 1 ? 0 : -ENOTSUP;
}

static int64_t nvme_init(struct driver_device *device) {
    static uint8_t controller[NVME_IDENTIFY_SIZE], namespace[NVME_IDENTIFY_SIZE];
    struct block_identity identity = {0};
    uint64_t extras = (uint64_t)PAGE_EXTRAS * NVME_PAGE + BLOCK_TAGS * sizeof(struct nvme_extra);
    nvme.device = device;
    nvme.bar = &device->bars[0];
    if (device->dma.length < extras)
        return -ENOMEM;
    nvme.extras = (struct nvme_extra *)page_at(PAGE_EXTRAS);
    int64_t error = capabilities_read();
    if (!error)
        error = controller_start();
    if (!error)
        error = identify(NVME_IDENTIFY_CONTROLLER, 0, controller);
    if (!error)
        error = identify(NVME_IDENTIFY_NAMESPACE, NVME_NAMESPACE, namespace);
    if (!error)
        error = nvme_identify_read(&identity, controller, namespace);
    if (!error)
        error = io_queues_create();
    if (error)
        return error;
    nvme.block_size = identity.block_size;
    nvme.server.start = start;
    nvme.server.doorbell = doorbell;
    block_server_init(&nvme.server, device, 0, &identity, nvme.entries - 1);
    return 0;
}

int main(int argc, char **argv) {
    static const struct driver driver = {
        .name = "nvme",
        .init = nvme_init,
        .interrupt = nvme_interrupt,
        .session = nvme_session,
        .kick = nvme_kick,
    };
    return driver_main(&driver, argc, argv);
}
