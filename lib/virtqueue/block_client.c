/* See block_client.h. The token of a chain in the queue is the number of its slot. */
#include "lib/virtqueue/block_client.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "lib/virtqueue/block_ring.h"

enum { SEGMENTS = 3, BLOCK_SIZE_MOST = 4096 };

_Static_assert(BLOCK_SLOT_COUNT == 64, "a bit per slot");
_Static_assert(BLOCK_SLOT_COUNT *SEGMENTS <= BLOCK_QUEUE_SIZE, "descriptors never run out before slots");

int block_client_init(struct block_client *client, void *area, uint64_t length) {
    if (length < BLOCK_AREA_MIN)
        return -EINVAL;
    memset(client, 0, sizeof(*client));
    client->area = area;
    client->length = length;
    client->free_slots = UINT64_MAX;
    client->queue.broken = true; /* until a session begins */
    struct link_header *header = &block_header(client->area)->link;
    client->session = ring_load(header->session);
    client->presence = ring_load(header->presence);
    ring_store(header->session, 0);
    ring_store(header->awaited, 0);
    return 0;
}

static uint64_t slot_offset(unsigned slot) {
    return BLOCK_SLOTS + slot * BLOCK_SLOT_SIZE;
}

/* ---- ends ---- */

static void slot_end(struct block_client *client, unsigned slot, int32_t result) {
    client->results[slot] = result;
    client->ended |= 1ULL << slot;
}

static uint64_t slots_busy(const struct block_client *client) {
    return ~(client->free_slots | client->ended);
}

void block_client_fail(struct block_client *client) {
    client->gone = true;
    client->queue.broken = true;
    ring_store(block_header(client->area)->link.awaited, 0);
    for (uint64_t busy = slots_busy(client); busy; busy &= busy - 1)
        slot_end(client, (unsigned)__builtin_ctzll(busy), -EIO);
}

/* ---- sessions ---- */

/* Reads what the driver says of the disk, once. */
static bool disk_read(struct block_client *client, struct block_disk *disk) {
    struct block_header *header = block_header(client->area);
    memset(disk, 0, sizeof(*disk));
    disk->sectors = ring_load(header->sectors);
    disk->block_size = ring_load(header->block_size);
    disk->features = ring_load(header->features);
    disk->read_only = ring_load(header->read_only) != 0;
    for (unsigned i = 0; i < BLOCK_SERIAL_SIZE; i++)
        disk->serial[i] = ring_load(header->serial[i]);
    uint32_t size = disk->block_size;
    return size >= BLOCK_SECTOR && size <= BLOCK_SIZE_MOST && !(size & (size - 1)) &&
           disk->sectors <= INT64_MAX / BLOCK_SECTOR && disk->sectors % (size / BLOCK_SECTOR) == 0;
}

static bool disk_same(const struct block_disk *a, const struct block_disk *b) {
    return a->sectors == b->sectors && a->block_size == b->block_size && a->read_only == b->read_only &&
           !memcmp(a->serial, b->serial, BLOCK_SERIAL_SIZE);
}

static bool moves_in(uint32_t type) {
    return type == BLOCK_IN || type == BLOCK_GET_ID;
}

/* Puts a slot's request into the ring. Room for it is certain: there are descriptors for every slot. */
static void slot_enter(struct block_client *client, unsigned slot) {
    const struct block_request *request = &client->requests[slot];
    uint64_t at = slot_offset(slot);
    struct block_request_header header = {.type = request->type, .sector = request->sector};
    struct virtqueue_buffer buffers[SEGMENTS] = {{at, sizeof(header)}};
    unsigned count = 1, readable = 1;
    memcpy(client->area + at, &header, sizeof(header));
    client->area[at + BLOCK_STATUS] = UINT8_MAX;
    if (request->length)
        buffers[count++] = (struct virtqueue_buffer){request->offset, request->length};
    if (!moves_in(request->type))
        readable = count;
    buffers[count++] = (struct virtqueue_buffer){at + BLOCK_STATUS, 1};
    if (virtqueue_add(&client->queue, buffers, readable, count - readable, slot) == 0)
        client->dirty = true;
}

static void session_begin(struct block_client *client) {
    struct link_header *header = &block_header(client->area)->link;
    struct virtqueue_memory ring = block_ring(client->area);
    ring_store(header->session, 0);
    virtqueue_driver_init(&client->queue, &ring);
    client->session = client->session + 1 ? client->session + 1 : 1;
    for (uint64_t busy = slots_busy(client); busy; busy &= busy - 1)
        slot_enter(client, (unsigned)__builtin_ctzll(busy));
    (void)virtqueue_publish(&client->queue);
    client->dirty = false;
    ring_store(header->session_generation, client->generation);
    ring_store(header->session, client->session);
}

/* No sessions more with this driver: what is under way waits for the next one, which devices starts when a
 * request waits too long. */
static void driver_refuse(struct block_client *client) {
    client->queue.broken = true;
    if (++client->refusals == BLOCK_CLIENT_PATIENCE)
        block_client_fail(client);
}

/* Whether another driver than that of the session announces itself. */
static bool driver_changed(const struct block_client *client, uint32_t *generation) {
    uint32_t announced = ring_load(block_header(client->area)->link.generation);
    *generation = link_generation_seen(announced, client->presence);
    return *generation && *generation != client->generation;
}

/* A session with a driver that has just come; false when it gets none. */
static bool session_open(struct block_client *client, uint32_t generation) {
    struct block_disk disk;
    client->generation = generation;
    if (!disk_read(client, &disk) || (client->described && !disk_same(&disk, &client->disk))) {
        driver_refuse(client);
        return false;
    }
    client->disk = disk;
    client->described = true;
    client->failures = 0;
    session_begin(client);
    return true;
}

/* ---- requests ---- */

int block_client_submit(struct block_client *client, const struct block_request *request) {
    if (client->gone)
        return -EIO;
    if (request->length && (request->offset < BLOCK_DATA || request->offset > client->length ||
                            request->length > client->length - request->offset))
        return -EINVAL;
    if (request->length > BLOCK_REQUEST_MAX)
        return -EINVAL;
    if (!client->free_slots)
        return -EAGAIN;
    unsigned slot = (unsigned)__builtin_ctzll(client->free_slots);
    client->free_slots &= client->free_slots - 1;
    client->requests[slot] = *request;
    request_ages_begin(&client->ages, slot);
    if (!client->queue.broken)
        slot_enter(client, slot);
    return 0;
}

static int32_t status_result(uint8_t status) {
    return status == BLOCK_STATUS_OK ? 0 : status == BLOCK_STATUS_UNSUPPORTED ? -EOPNOTSUPP : -EIO;
}

static void queue_collect(struct block_client *client) {
    uint64_t slot;
    uint32_t length;
    while (virtqueue_get_used(&client->queue, &slot, &length) == 1) {
        uint8_t status = ring_load(client->area[slot_offset((unsigned)slot) + BLOCK_STATUS]);
        slot_end(client, (unsigned)slot, status_result(status));
        client->failures = client->refusals = 0;
    }
}

/* A ring that the driver broke is given up, for a fresh one. */
static bool session_renew(struct block_client *client) {
    if (++client->failures < BLOCK_CLIENT_PATIENCE)
        session_begin(client);
    else
        driver_refuse(client);
    return true;
}

static bool client_run(struct block_client *client) {
    uint32_t generation;
    bool kick = false, working = !client->queue.broken;
    /* A ring laid for a driver that has died may still hold what it completed. */
    if (working)
        queue_collect(client);
    if (driver_changed(client, &generation))
        return session_open(client, generation);
    if (working && client->queue.broken)
        return session_renew(client);
    if (client->dirty && !client->queue.broken) {
        kick = virtqueue_publish(&client->queue);
        client->dirty = false;
    }
    return kick;
}

bool block_client_run(struct block_client *client) {
    if (client->gone)
        return false;
    bool kick = client_run(client);
    uint32_t before = client->ages.oldest;
    if (request_ages_oldest(&client->ages, slots_busy(client)) != before)
        ring_store(block_header(client->area)->link.awaited, client->ages.oldest);
    return kick;
}

bool block_client_ended(struct block_client *client, uint64_t *token, int32_t *result) {
    if (!client->ended)
        return false;
    unsigned slot = (unsigned)__builtin_ctzll(client->ended);
    client->ended &= client->ended - 1;
    client->free_slots |= 1ULL << slot;
    *token = client->requests[slot].token;
    *result = client->results[slot];
    return true;
}
