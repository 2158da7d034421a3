/*
 * The driver's end of a block link (abi/block.h): describes the disk, takes requests, checks everything in
 * them against the disk and the area, and gives them back in any order. What a driver gets is a struct
 * block_io whose numbers it may hand to the device. Requests that are wrong or that need no device are
 * answered here. Not locked: one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/block.h"
#include "lib/virtqueue/device.h"

struct block_identity {
    uint64_t sectors;    /* of 512 bytes */
    uint32_t block_size; /* logical, bytes */
    uint32_t features;
    bool read_only;
    char serial[BLOCK_SERIAL_SIZE];
};

struct block_io {
    uint16_t head; /* of its chain */
    uint32_t type; /* BLOCK_IN, BLOCK_OUT, BLOCK_FLUSH or BLOCK_DISCARD */
    uint64_t sector;
    uint32_t sectors; /* moved or discarded */
    uint64_t offset;  /* of the data in the area; the status byte is in nobody's reach but ours */
    uint32_t length;  /* bytes of data, sectors * 512 for BLOCK_IN and BLOCK_OUT */
    uint64_t status;  /* offset of the status byte */
};

struct block_link {
    uint8_t *area;
    uint64_t length;
    bool attached; /* there is a client */
    struct block_identity identity;
    struct virtqueue_device queue;
};

/* Attaches to an area and describes the disk; before the driver announces itself (lib/driver). */
void block_link_init(struct block_link *link, void *area, uint64_t length,
                     const struct block_identity *identity);

/* A client laid its ring, or left (begun false). What is under way in the device belongs to nobody now. */
void block_link_session(struct block_link *link, bool begun);

/* The next request for the device: true when there is one. */
bool block_link_take(struct block_link *link, struct block_io *io);

/* Answers a request with an enum BLOCK_STATUS_…; only in the session it was taken in. */
void block_link_done(struct block_link *link, const struct block_io *io, uint8_t status);

/* Makes answers visible: true when the call event is to be signalled. */
bool block_link_publish(struct block_link *link);

/* Asks for kicks; true when there is work already. */
bool block_link_await(struct block_link *link);
/* Suppresses kicks while the driver looks by itself. */
void block_link_busy(struct block_link *link);
