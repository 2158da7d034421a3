/*
 * SCSI commands as sticks take them (SPC-4, SBC-3), in the wrappers of the bulk-only transport (USB Mass
 * Storage Class, Bulk-Only Transport 1.0), and what is believed of the answers. Pure: bytes in, bytes out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/virtqueue/block_link.h"

enum {
    SCSI_COMMAND_MOST = 16,
    BULK_COMMAND_SIZE = 31,
    BULK_STATUS_SIZE = 13,
    SCSI_INQUIRY_SIZE = 36,
    SCSI_SENSE_SIZE = 18,
    SCSI_MODE_SIZE = 4,
    SCSI_CAPACITY_SIZE = 8,
    SCSI_CAPACITY_LONG_SIZE = 32,
};

struct scsi_command {
    uint8_t bytes[SCSI_COMMAND_MOST];
    uint8_t length;
    bool in;       /* the data come from the device */
    uint32_t data; /* bytes of data */
};

enum scsi_key { SCSI_NOT_READY = 2, SCSI_ILLEGAL = 5, SCSI_ATTENTION = 6 };

/* TEST UNIT READY, REQUEST SENSE, INQUIRY, READ CAPACITY (10) and (16), MODE SENSE (6) of all pages. */
struct scsi_command scsi_ready(void);
struct scsi_command scsi_sense(void);
struct scsi_command scsi_inquiry(void);
struct scsi_command scsi_capacity(void);
struct scsi_command scsi_capacity_long(void);
struct scsi_command scsi_mode(void);
/* BLOCK_IN, BLOCK_OUT or BLOCK_FLUSH of a disk with these blocks: the 16-byte commands where the 10-byte ones
 * do not reach. */
struct scsi_command scsi_request(const struct block_io *io, uint32_t block_size);

/* True: a disk. */
bool scsi_inquiry_read(const uint8_t *bytes, size_t length);
/* The sense key; 0 when there is none. */
unsigned scsi_sense_read(const uint8_t *bytes, size_t length);
/* Fills sectors and block_size. 0, -EOVERFLOW: ask by the long command; -ENOTSUP blocks of such size, or no
 * block at all. */
int scsi_capacity_read(struct block_identity *identity, const uint8_t *bytes, size_t length);
int scsi_capacity_long_read(struct block_identity *identity, const uint8_t *bytes, size_t length);
bool scsi_mode_read_only(const uint8_t *bytes, size_t length);

/* A command's wrapper, for the device's first unit. */
void bulk_wrap(uint8_t bytes[BULK_COMMAND_SIZE], const struct scsi_command *command, uint32_t tag);

enum bulk_status { BULK_PASSED = 0, BULK_FAILED = 1, BULK_PHASE = 2, BULK_INVALID = 3 };
/* The device's answer to the command with this tag; left: what it says of data did not move, in range. */
enum bulk_status bulk_answer(const uint8_t *bytes, size_t length, uint32_t tag, uint32_t data,
                             uint32_t *left);
