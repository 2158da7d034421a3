/* See block_link.h. */
#include "lib/virtqueue/block_link.h"

#include "lib/base/string.h"
#include "lib/virtqueue/block_ring.h"

void block_link_init(struct block_link *link, void *area, uint64_t length,
                     const struct block_identity *identity) {
    *link = (struct block_link){.area = area, .length = length, .identity = *identity};
    struct block_header *header = block_header(link->area);
    ring_store(header->sectors, identity->sectors);
    ring_store(header->block_size, identity->block_size);
    ring_store(header->read_only, identity->read_only);
    ring_store(header->features, identity->features);
    for (unsigned i = 0; i < BLOCK_SERIAL_SIZE; i++)
        ring_store(header->serial[i], identity->serial[i]);
}

void block_link_session(struct block_link *link, bool begun) {
    link->attached = begun;
    if (!begun)
        return;
    struct virtqueue_memory ring = block_ring(link->area);
    virtqueue_device_init(&link->queue, &ring, link->area, link->length, false);
}

/* ---- requests ---- */

/* The data's direction, place and alignment fit its type. */
static bool shape_check(const struct block_link *link, const struct virtqueue_chain *chain,
                        const struct block_request_header *header, struct block_io *io) {
    unsigned last = (unsigned)chain->readable + chain->writable - 1;
    bool data = last == 2, data_in = data && chain->writable == 2;
    uint32_t block = link->identity.block_size;
    io->type = header->type;
    io->sector = header->sector;
    if (data) {
        io->offset = (uint64_t)(chain->segments[1].bytes - link->area);
        io->length = chain->segments[1].length;
    }
    if (io->offset % BLOCK_SECTOR || io->length > BLOCK_REQUEST_MAX || (data && io->offset < BLOCK_DATA))
        return false;
    switch (io->type) {
    case BLOCK_IN:
    case BLOCK_OUT:
        io->sectors = io->length / BLOCK_SECTOR;
        return io->length > 0 && io->length % block == 0 && data_in == (io->type == BLOCK_IN);
    case BLOCK_DISCARD:
        return data && !data_in && io->length == sizeof(struct block_range);
    case BLOCK_GET_ID:
        return data_in && io->length == BLOCK_SERIAL_SIZE;
    default:
        return !data;
    }
}

/* The sectors exist and are whole blocks. */
static bool range_check(const struct block_link *link, const struct block_io *io) {
    uint32_t sectors = link->identity.block_size / BLOCK_SECTOR;
    return io->sector <= link->identity.sectors && io->sectors <= link->identity.sectors - io->sector &&
           io->sector % sectors == 0 && io->sectors % sectors == 0;
}

/* Fills the request; false with the status when the device is not asked. */
static bool request_read(const struct block_link *link, const struct virtqueue_chain *chain,
                         struct block_io *io, uint8_t *status) {
    struct block_request_header header;
    struct block_range range;
    memcpy(&header, chain->segments[0].bytes, sizeof(header));
    *status = BLOCK_STATUS_ERROR;
    if (!shape_check(link, chain, &header, io))
        return false;
    switch (io->type) {
    case BLOCK_GET_ID:
        memcpy(link->area + io->offset, link->identity.serial, BLOCK_SERIAL_SIZE);
        *status = BLOCK_STATUS_OK;
        return false;
    case BLOCK_DISCARD:
        memcpy(&range, link->area + io->offset, sizeof(range));
        io->sector = range.sector;
        io->sectors = range.count;
        if (!(link->identity.features & BLOCK_FEATURE_DISCARD))
            *status = BLOCK_STATUS_UNSUPPORTED;
        return *status == BLOCK_STATUS_ERROR && !link->identity.read_only && range_check(link, io);
    case BLOCK_OUT:
        return !link->identity.read_only && range_check(link, io);
    case BLOCK_IN:
        return range_check(link, io);
    case BLOCK_FLUSH:
        io->sector = 0;
        if (link->identity.features & BLOCK_FEATURE_FLUSH)
            return true;
        break;
    default:
        break;
    }
    *status = BLOCK_STATUS_UNSUPPORTED;
    return false;
}

/* A header that is read, maybe data, a status byte that is written; otherwise nothing can be answered. */
static bool chain_check(const struct virtqueue_chain *chain) {
    unsigned count = (unsigned)chain->readable + chain->writable;
    return (count == 2 || count == 3) && chain->readable >= 1 && chain->writable >= 1 &&
           chain->segments[0].length == sizeof(struct block_request_header) &&
           chain->segments[count - 1].length == 1;
}

bool block_link_take(struct block_link *link, struct block_io *io) {
    struct virtqueue_chain chain;
    uint8_t status;
    while (link->attached && virtqueue_pop(&link->queue, &chain) == 1) {
        if (!chain_check(&chain)) {
            link->queue.broken = true;
            return false;
        }
        unsigned last = (unsigned)chain.readable + chain.writable - 1;
        *io = (struct block_io){.head = chain.head,
                                .status = (uint64_t)(chain.segments[last].bytes - link->area)};
        if (request_read(link, &chain, io, &status))
            return true;
        block_link_done(link, io, status);
    }
    return false;
}

void block_link_done(struct block_link *link, const struct block_io *io, uint8_t status) {
    bool filled = status == BLOCK_STATUS_OK && (io->type == BLOCK_IN || io->type == BLOCK_GET_ID);
    uint32_t written = filled ? io->length + 1 : 1;
    ring_store(link->area[io->status], status);
    virtqueue_push(&link->queue, io->head, written);
}

bool block_link_publish(struct block_link *link) {
    return link->attached && virtqueue_device_publish(&link->queue);
}

bool block_link_await(struct block_link *link) {
    return link->attached && virtqueue_device_enable(&link->queue);
}

void block_link_busy(struct block_link *link) {
    if (link->attached)
        virtqueue_device_disable(&link->queue);
}
