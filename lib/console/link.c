/* See link.h. */
#include "lib/console/link.h"

#include <string.h>

#include "lib/virtqueue/console_ring.h"

void link_init(struct link *link, void *area) {
    memset(link, 0, sizeof *link);
    link->area = area;
    link->first = true;
}

bool link_follow(struct link *link) {
    struct console_header *header = (struct console_header *)link->area;
    uint32_t session = ring_load(header->session);
    if (session == link->session)
        return false;
    link->session = session;
    link->sending = false;
    if (session == 0)
        return false;
    struct virtqueue_memory rx = console_ring(link->area, CONSOLE_RX),
                            tx = console_ring(link->area, CONSOLE_TX);
    virtqueue_device_init(&link->rx, &rx, link->area, CONSOLE_AREA_SIZE, link->first);
    virtqueue_device_init(&link->tx, &tx, link->area, CONSOLE_AREA_SIZE, link->first);
    link->first = false;
    return true;
}

bool link_pending(struct link *link) {
    if (!link->sending && link->session != 0 && virtqueue_pop(&link->tx, &link->chain) == 1) {
        link->sending = true;
        link->segment = 0;
        link->offset = 0;
    }
    return link->sending;
}

size_t link_take(struct link *link, uint8_t *bytes, size_t limit) {
    size_t taken = 0;
    if (!link_pending(link))
        return 0;
    while (taken < limit && link->segment < link->chain.readable) {
        const struct virtqueue_segment *segment = &link->chain.segments[link->segment];
        size_t part = segment->length - link->offset;
        if (part > limit - taken)
            part = limit - taken;
        memcpy(bytes + taken, segment->bytes + link->offset, part);
        taken += part;
        link->offset += (uint32_t)part;
        if (link->offset == segment->length) {
            link->segment++;
            link->offset = 0;
        }
    }
    return taken;
}

bool link_chain_done(const struct link *link) {
    return link->sending && link->segment == link->chain.readable;
}

void link_sent(struct link *link) {
    virtqueue_push(&link->tx, link->chain.head, 0);
    link->sending = false;
}

size_t link_room(const struct link *link) {
    return LINK_HELD - link->held_count;
}

void link_receive(struct link *link, uint8_t byte) {
    link->held[(link->held_first + link->held_count) % LINK_HELD] = byte;
    link->held_count++;
}

/* Fills the writable part of a chain; returns the bytes written. */
static uint32_t chain_fill(struct link *link, const struct virtqueue_chain *chain) {
    uint32_t written = 0;
    for (unsigned i = chain->readable; i < (unsigned)chain->readable + chain->writable; i++) {
        const struct virtqueue_segment *segment = &chain->segments[i];
        for (uint32_t at = 0; at < segment->length && link->held_count > 0; at++) {
            segment->bytes[at] = link->held[link->held_first];
            link->held_first = (link->held_first + 1) % LINK_HELD;
            link->held_count--;
            written++;
        }
    }
    return written;
}

void link_deliver(struct link *link) {
    struct virtqueue_chain chain;
    while (link->session != 0 && link->held_count > 0 && virtqueue_pop(&link->rx, &chain) == 1)
        virtqueue_push(&link->rx, chain.head, chain_fill(link, &chain));
}

bool link_publish(struct link *link) {
    if (link->session == 0)
        return false;
    bool rx = virtqueue_device_publish(&link->rx);
    bool tx = virtqueue_device_publish(&link->tx);
    return rx || tx;
}

bool link_await(struct link *link) {
    if (link->session == 0)
        return ring_load(((struct console_header *)link->area)->session) != 0;
    bool more = !link->sending && virtqueue_device_enable(&link->tx);
    if (link->held_count > 0)
        more = virtqueue_device_enable(&link->rx) || more;
    return more;
}

void link_busy(struct link *link) {
    if (link->session == 0)
        return;
    virtqueue_device_disable(&link->tx);
    if (link->held_count == 0)
        virtqueue_device_disable(&link->rx);
}

bool link_broken(const struct link *link) {
    return link->session != 0 && (link->rx.broken || link->tx.broken);
}
