/* See block.h. */
#include "lib/driver/block.h"

#include <errno.h>

#include "lib/native/keel.h"

void block_server_init(struct block_server *server, struct driver_device *device, unsigned link,
                       const struct block_identity *identity, unsigned depth) {
    if (link >= device->link_count || device->links[link].area.length < BLOCK_AREA_MIN)
        driver_fail("the link's area", -EINVAL);
    server->link = &device->links[link];
    server->tags = depth >= BLOCK_TAGS ? UINT64_MAX : (1ULL << depth) - 1;
    server->free = server->tags;
    server->stale = 0;
    block_link_init(&server->ring, server->link->area.bytes, server->link->area.length, identity);
}

void block_server_session(struct block_server *server) {
    server->stale = server->tags & ~server->free;
    block_link_session(&server->ring, server->link->session != 0);
}

static bool request_start(struct block_server *server) {
    unsigned tag = (unsigned)__builtin_ctzll(server->free);
    struct block_io *io = &server->ios[tag];
    if (!block_link_take(&server->ring, io))
        return false;
    server->free &= ~(1ULL << tag);
    server->start(server, tag, io, io->length ? server->link->area.physical + io->offset : 0);
    return true;
}

void block_server_run(struct block_server *server) {
    bool started = false;
    /* What an earlier session left may still write to buffers that the new one uses. */
    if (!server->stale) {
        do {
            block_link_busy(&server->ring);
            while (server->free && request_start(server))
                started = true;
        } while (server->free && block_link_await(&server->ring));
    }
    if (started && server->doorbell)
        server->doorbell(server);
    if (block_link_publish(&server->ring))
        driver_call(server->link);
}

bool block_server_complete(struct block_server *server, unsigned tag, uint8_t status) {
    uint64_t bit = tag < BLOCK_TAGS ? 1ULL << tag : 0;
    if (!(bit & server->tags & ~server->free))
        return false;
    server->free |= bit;
    if (server->stale & bit)
        server->stale &= ~bit;
    else
        block_link_done(&server->ring, &server->ios[tag], status);
    return true;
}
