/* See net_link.h. */
#include "lib/virtqueue/net_link.h"

#include "lib/base/string.h"
#include "lib/virtqueue/net_ring.h"

void net_link_init(struct net_link *link, void *area, uint64_t length, const struct net_identity *identity) {
    *link = (struct net_link){.area = area, .length = length, .identity = *identity};
    struct net_header *header = net_header(link->area);
    for (unsigned i = 0; i < NET_ADDRESS; i++)
        ring_store(header->address[i], identity->address[i]);
    ring_store(header->mtu, identity->mtu);
}

void net_link_session(struct net_link *link, bool begun) {
    link->attached = begun;
    if (!begun)
        return;
    struct virtqueue_memory receive = net_ring(link->area, NET_RECEIVE);
    struct virtqueue_memory transmit = net_ring(link->area, NET_TRANSMIT);
    virtqueue_device_init(&link->receive, &receive, link->area, link->length, false);
    virtqueue_device_init(&link->transmit, &transmit, link->area, link->length, false);
}

/* ---- buffers ---- */

/* The next chain of a ring, when it is one segment behind the rings; what is none ends the session. */
static bool take(struct net_link *link, struct virtqueue_device *queue, bool writable,
                 struct net_buffer *buffer) {
    struct virtqueue_chain chain;
    if (!link->attached || virtqueue_pop(queue, &chain) != 1)
        return false;
    const struct virtqueue_segment *segment = &chain.segments[0];
    uint64_t at = (uint64_t)(segment->bytes - link->area);
    if (chain.readable + chain.writable != 1 || (chain.writable == 1) != writable || at < NET_BUFFERS ||
        segment->length < NET_FRAME || (writable && segment->length < NET_FRAME + NET_FRAME_MOST)) {
        queue->broken = true;
        return false;
    }
    *buffer = (struct net_buffer){
        .head = chain.head, .length = segment->length - NET_FRAME, .offset = at + NET_FRAME};
    return true;
}

bool net_link_take_room(struct net_link *link, struct net_buffer *buffer) {
    return take(link, &link->receive, true, buffer);
}

bool net_link_take_frame(struct net_link *link, struct net_buffer *buffer) {
    while (take(link, &link->transmit, false, buffer)) {
        if (buffer->length >= NET_ETHERNET &&
            buffer->length <= (uint32_t)NET_ETHERNET + NET_VLAN + link->identity.mtu)
            return true;
        link->refused++;
        net_link_sent(link, buffer->head);
    }
    return false;
}

void net_link_received(struct net_link *link, uint16_t head, uint32_t length) {
    virtqueue_push(&link->receive, head, length ? NET_FRAME + length : 0);
}

void net_link_sent(struct net_link *link, uint16_t head) {
    virtqueue_push(&link->transmit, head, 0);
}

/* ---- notifications ---- */

bool net_link_publish(struct net_link *link) {
    bool received = link->attached && virtqueue_device_publish(&link->receive);
    bool sent = link->attached && virtqueue_device_publish(&link->transmit);
    return received || sent;
}

bool net_link_await(struct net_link *link, bool frames, bool room) {
    bool offered = frames && link->attached && virtqueue_device_enable(&link->transmit);
    bool more = room && link->attached && virtqueue_device_enable(&link->receive);
    return offered || more;
}

void net_link_busy(struct net_link *link) {
    if (!link->attached)
        return;
    virtqueue_device_disable(&link->transmit);
    virtqueue_device_disable(&link->receive);
}

void net_link_status(struct net_link *link, bool up) {
    ring_store(net_header(link->area)->link_up, up);
}

uint32_t net_link_mode(const struct net_link *link) {
    return ring_load(net_header(link->area)->mode);
}
