/*
 * The link of a port of a virtio console (abi/devices.h, class DEVICES_CONSOLE): a stream of bytes each way,
 * by the two queues of such a port, driver side in the client, in the link's area. A chain is one buffer.
 * Those of the receive queue come back filled, those of the transmit queue when their bytes have left.
 *
 *   0                  struct link_header
 *   PORT_STATE         struct port_state, by the driver
 *   PORT_CLIENT        struct port_wish, by the client, followed by a kick
 *   PORT_RX            receive queue: descriptors, available ring, used ring
 *   PORT_TX            transmit queue, likewise
 *   PORT_RX_BUFFERS    a buffer for each entry
 *   PORT_TX_BUFFERS    likewise
 *
 * Both queues outlive the driver: before a driver that was started again announces its generation, it gives
 * back, in the old session, what the device had finished and its predecessor had not told. So a client that
 * takes what is used before it begins the next session knows which bytes arrived, and offers the others anew.
 */
#pragma once

#include "abi/devices.h"
#include "lib/virtqueue/ring.h"

enum {
    PORT_QUEUE_SIZE = 32,
    PORT_STATE = 0x100,
    PORT_CLIENT = 0x200,
    PORT_RX = 0x1000,
    PORT_TX = 0x2000,
    PORT_RING_AVAIL = 0x400,
    PORT_RING_USED = 0x800,
    PORT_RX_BUFFERS = 0x3000,
    PORT_RX_BUFFER_SIZE = 512,
    PORT_TX_BUFFERS = 0x8000,
    PORT_TX_BUFFER_SIZE = 1024,
    PORT_AREA_SIZE = PORT_TX_BUFFERS + PORT_QUEUE_SIZE * PORT_TX_BUFFER_SIZE,
    PORT_NAME_SIZE = 64,
};

_Static_assert(PORT_RX_BUFFERS + PORT_QUEUE_SIZE * PORT_RX_BUFFER_SIZE <= PORT_TX_BUFFERS, "no overlap");
_Static_assert(PORT_AREA_SIZE == 0x10000, "a link of 64K");

enum port_flag {
    PORT_CONSOLE = 1,   /* it is meant for a terminal; stays */
    PORT_HOST_OPEN = 2, /* somebody listens at the other end */
};

struct port_state {
    uint32_t flags;            /* enum port_flag */
    uint16_t columns, rows;    /* 0: not known */
    char name[PORT_NAME_SIZE]; /* ends in a 0; "": none */
};

struct port_wish {
    uint32_t open; /* 1: a program has it open */
};

/* Finds a ring in a mapped area, for both sides: PORT_RX or PORT_TX. */
static inline struct virtqueue_memory port_ring(uint8_t *area, uint32_t offset) {
    return (struct virtqueue_memory){
        .desc = (struct virtq_desc *)(area + offset),
        .avail = (struct virtq_avail *)(area + offset + PORT_RING_AVAIL),
        .used = (struct virtq_used *)(area + offset + PORT_RING_USED),
        .size = PORT_QUEUE_SIZE,
    };
}
