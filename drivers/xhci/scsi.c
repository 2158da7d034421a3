/* See scsi.h. SCSI's numbers are big-endian, the wrapper's little-endian. */
#include "drivers/xhci/scsi.h"

#include <errno.h>
#include <string.h>

enum operation {
    TEST_UNIT_READY = 0x00,
    REQUEST_SENSE = 0x03,
    INQUIRY = 0x12,
    MODE_SENSE_6 = 0x1a,
    READ_CAPACITY_10 = 0x25,
    READ_10 = 0x28,
    WRITE_10 = 0x2a,
    SYNCHRONIZE_CACHE_10 = 0x35,
    READ_16 = 0x88,
    WRITE_16 = 0x8a,
    SERVICE_IN_16 = 0x9e,
    READ_CAPACITY_16 = 0x10, /* service action */
};
enum {
    SHORT = 6,
    MIDDLE = 10,
    LONG = 16,
    MODE_ALL_PAGES = 0x3f,
    MODE_WRITE_PROTECTED = 0x80,
    BLOCK_MOST = 4096
};
enum { COMMAND_SIGNATURE = 0x43425355, STATUS_SIGNATURE = 0x53425355, WRAP_IN = 0x80 };

static void put_big(uint8_t *to, unsigned count, uint64_t value) {
    for (unsigned i = 0; i < count; i++)
        to[i] = (uint8_t)(value >> 8 * (count - 1 - i));
}

static uint64_t get_big(const uint8_t *from, unsigned count) {
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value << 8 | from[i];
    return value;
}

static void put_little(uint8_t *to, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_little(const uint8_t *from) {
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* ---- commands ---- */

/* A command that brings `data` bytes. */
static struct scsi_command command_make(enum operation operation, uint8_t length, uint32_t data) {
    return (struct scsi_command){.bytes = {(uint8_t)operation}, .length = length, .in = true, .data = data};
}

struct scsi_command scsi_ready(void) {
    return command_make(TEST_UNIT_READY, SHORT, 0);
}

/* With the length where 6-byte commands have it. */
static struct scsi_command short_make(enum operation operation, uint8_t data) {
    struct scsi_command command = command_make(operation, SHORT, data);
    command.bytes[4] = data;
    return command;
}

struct scsi_command scsi_sense(void) {
    return short_make(REQUEST_SENSE, SCSI_SENSE_SIZE);
}

struct scsi_command scsi_inquiry(void) {
    return short_make(INQUIRY, SCSI_INQUIRY_SIZE);
}

struct scsi_command scsi_mode(void) {
    struct scsi_command command = short_make(MODE_SENSE_6, SCSI_MODE_SIZE);
    command.bytes[2] = MODE_ALL_PAGES;
    return command;
}

struct scsi_command scsi_capacity(void) {
    return command_make(READ_CAPACITY_10, MIDDLE, SCSI_CAPACITY_SIZE);
}

struct scsi_command scsi_capacity_long(void) {
    struct scsi_command command = command_make(SERVICE_IN_16, LONG, SCSI_CAPACITY_LONG_SIZE);
    command.bytes[1] = READ_CAPACITY_16;
    put_big(command.bytes + 10, 4, SCSI_CAPACITY_LONG_SIZE);
    return command;
}

struct scsi_command scsi_request(const struct block_io *io, uint32_t block_size) {
    uint32_t ratio = block_size / BLOCK_SECTOR;
    uint64_t first = io->sector / ratio, count = io->sectors / ratio;
    bool in = io->type == BLOCK_IN, far = first + count > UINT32_MAX;
    if (io->type == BLOCK_FLUSH)
        return command_make(SYNCHRONIZE_CACHE_10, MIDDLE, 0);
    enum operation operation = far ? (in ? READ_16 : WRITE_16) : in ? READ_10 : WRITE_10;
    struct scsi_command command = command_make(operation, far ? LONG : MIDDLE, io->length);
    command.in = in;
    if (far) {
        put_big(command.bytes + 2, 8, first);
        put_big(command.bytes + 10, 4, count);
    } else {
        put_big(command.bytes + 2, 4, first);
        put_big(command.bytes + 7, 2, count);
    }
    return command;
}

/* ---- answers ---- */

bool scsi_inquiry_read(const uint8_t *bytes, size_t length) {
    return length >= 5 && (bytes[0] & 0x1f) == 0 && bytes[0] >> 5 == 0;
}

unsigned scsi_sense_read(const uint8_t *bytes, size_t length) {
    unsigned format = length >= 3 ? bytes[0] & 0x7f : 0;
    if (format == 0x70 || format == 0x71)
        return bytes[2] & 15;
    return format == 0x72 || format == 0x73 ? bytes[1] & 15 : 0;
}

static int capacity_set(struct block_identity *identity, uint64_t last, uint64_t size) {
    if (size < BLOCK_SECTOR || size > BLOCK_MOST || size & (size - 1) || last >= UINT64_MAX / BLOCK_MOST)
        return -ENOTSUP;
    identity->block_size = (uint32_t)size;
    identity->sectors = (last + 1) * (size / BLOCK_SECTOR);
    return 0;
}

int scsi_capacity_read(struct block_identity *identity, const uint8_t *bytes, size_t length) {
    if (length < SCSI_CAPACITY_SIZE)
        return -ENOTSUP;
    if (get_big(bytes, 4) == UINT32_MAX)
        return -EOVERFLOW;
    return capacity_set(identity, get_big(bytes, 4), get_big(bytes + 4, 4));
}

int scsi_capacity_long_read(struct block_identity *identity, const uint8_t *bytes, size_t length) {
    if (length < 12)
        return -ENOTSUP;
    return capacity_set(identity, get_big(bytes, 8), get_big(bytes + 8, 4));
}

bool scsi_mode_read_only(const uint8_t *bytes, size_t length) {
    return length >= SCSI_MODE_SIZE && bytes[2] & MODE_WRITE_PROTECTED;
}

/* ---- wrappers ---- */

void bulk_wrap(uint8_t bytes[BULK_COMMAND_SIZE], const struct scsi_command *command, uint32_t tag) {
    memset(bytes, 0, BULK_COMMAND_SIZE);
    put_little(bytes, COMMAND_SIGNATURE);
    put_little(bytes + 4, tag);
    put_little(bytes + 8, command->data);
    bytes[12] = command->in && command->data ? WRAP_IN : 0;
    bytes[14] = command->length;
    memcpy(bytes + 15, command->bytes, command->length);
}

enum bulk_status bulk_answer(const uint8_t *bytes, size_t length, uint32_t tag, uint32_t data,
                             uint32_t *left) {
    if (length != BULK_STATUS_SIZE || get_little(bytes) != STATUS_SIGNATURE || get_little(bytes + 4) != tag ||
        bytes[12] > BULK_PHASE)
        return BULK_INVALID;
    *left = get_little(bytes + 8);
    if (*left > data)
        return bytes[12] == BULK_PHASE ? BULK_PHASE : BULK_INVALID;
    return (enum bulk_status)bytes[12];
}
