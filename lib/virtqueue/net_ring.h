/* Finds the rings of a net link (abi/net.h) in its mapped area, for both sides. */
#pragma once

#include "abi/net.h"
#include "lib/virtqueue/ring.h"

/* at: NET_RECEIVE or NET_TRANSMIT. */
static inline struct virtqueue_memory net_ring(uint8_t *area, uint32_t at) {
    return (struct virtqueue_memory){
        .desc = (struct virtq_desc *)(area + at),
        .avail = (struct virtq_avail *)(area + at + NET_RING_AVAIL),
        .used = (struct virtq_used *)(area + at + NET_RING_USED),
        .size = NET_QUEUE_SIZE,
    };
}

static inline struct net_header *net_header(uint8_t *area) {
    return (struct net_header *)area;
}
