/*
 * One direction of a port: chains of the client's queue (lib/virtqueue/port_ring.h) go to the device's queue
 * and come back when it is done with them. The device reaches the client's buffers where they lie.
 *
 * What the device has of whom is noted in a journal beside its rings, in the driver's DMA memory, which
 * outlives the driver: its successor finds there what the device finished and nobody told the client
 * (stream_settle). Only a buffer that the device had begun with and not finished is unknown: it is offered
 * again.
 *
 * The device, the client and what a predecessor left behind are believed nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/virtqueue/device.h"
#include "lib/virtqueue/driver.h"
#include "lib/virtqueue/port_ring.h"

struct stream_journal {
    uint32_t session,
        generation; /* of the client when the first chain was handed over; session 0: none was */
    uint32_t used;  /* where the device's used ring lies in the DMA memory */
    uint32_t size;  /* of the device's queue */
    uint16_t heads[PORT_QUEUE_SIZE]; /* by the device's descriptor: the client's chain */
};

struct stream {
    struct virtqueue_driver *device;
    struct virtqueue_device client;
    struct stream_journal *journal;
    uint64_t physical; /* of the area */
    bool receives;     /* the device writes */
    bool attached;     /* the client has a session */
};

/* A session has begun in an area of PORT_AREA_SIZE bytes; the device holds nothing. used: offset of the
 * device's used ring in the DMA memory. */
void stream_attach(struct stream *stream, uint8_t *area, uint64_t physical, uint32_t used);
void stream_detach(struct stream *stream);

/* Hands over what the client offers and the device has room for: how many chains, or -EPROTO: the client
 * broke the protocol; nothing more is taken from it in this session. */
int stream_forward(struct stream *stream);

/* Takes back what the device is done with, and gives it to the client; stream_publish shows it. How many, or
 * -EPROTO: the device broke the protocol. */
int stream_return(struct stream *stream);

/* Shows the client what came back; true when it is to be called. */
bool stream_publish(struct stream *stream);

/* Asks the client for kicks; true when there is more already. */
bool stream_await(struct stream *stream);

/* Gives an earlier driver's client, whose area this is, what the device finished for it; the device does
 * nothing any more. dma: the memory that the journal lies in. How many chains. */
unsigned stream_settle(const struct stream_journal *journal, uint8_t *dma, uint64_t dma_length, uint8_t *area,
                       bool receives);
