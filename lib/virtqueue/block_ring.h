/* Finds the ring of a block link (abi/block.h) in its mapped area, for both sides. */
#pragma once

#include "abi/block.h"
#include "lib/virtqueue/ring.h"

static inline struct virtqueue_memory block_ring(uint8_t *area) {
    return (struct virtqueue_memory){
        .desc = (struct virtq_desc *)(area + BLOCK_DESC),
        .avail = (struct virtq_avail *)(area + BLOCK_AVAIL),
        .used = (struct virtq_used *)(area + BLOCK_USED),
        .size = BLOCK_QUEUE_SIZE,
    };
}

static inline struct block_header *block_header(uint8_t *area) {
    return (struct block_header *)area;
}
