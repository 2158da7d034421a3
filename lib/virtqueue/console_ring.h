/* Finds the rings of a console link (abi/console.h) in its mapped area, for both sides. */
#pragma once

#include "abi/console.h"
#include "lib/virtqueue/ring.h"

/* offset: CONSOLE_RX or CONSOLE_TX. */
static inline struct virtqueue_memory console_ring(uint8_t *area, uint32_t offset) {
    return (struct virtqueue_memory){
        .desc = (struct virtq_desc *)(area + offset),
        .avail = (struct virtq_avail *)(area + offset + CONSOLE_RING_AVAIL),
        .used = (struct virtq_used *)(area + offset + CONSOLE_RING_USED),
        .size = CONSOLE_QUEUE_SIZE,
    };
}
