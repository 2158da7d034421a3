/*
 * See cpio.h. A header is 110 characters: the magic and 13 fields of eight hexadecimal digits. The name
 * follows, with its 0; header and name together, and the data, are padded to 4 bytes counted from the start
 * of the memory.
 */
#include "lib/base/cpio.h"

#include <stdbool.h>

#if __STDC_HOSTED__
#include <errno.h>
#else
#include "abi/errors.h"
#endif

#include "lib/base/string.h"

enum { MAGIC_SIZE = 6, DIGITS = 8, NAME_MAX_SIZE = 4096 };

enum field {
    FIELD_INO,
    FIELD_MODE,
    FIELD_UID,
    FIELD_GID,
    FIELD_NLINK,
    FIELD_MTIME,
    FIELD_SIZE,
    FIELD_DEVICE_MAJOR,
    FIELD_DEVICE_MINOR,
    FIELD_SPECIAL_MAJOR,
    FIELD_SPECIAL_MINOR,
    FIELD_NAME_SIZE,
    FIELD_CHECKSUM,
    FIELDS
};

enum { HEADER_SIZE = MAGIC_SIZE + FIELDS * DIGITS };

struct header {
    uint32_t field[FIELDS];
    bool checksummed;
};

static int damage(struct cpio *cpio, size_t offset, const char *what) {
    cpio->error = what;
    cpio->error_offset = offset;
    return -EINVAL;
}

void cpio_open(struct cpio *cpio, const void *bytes, size_t length, size_t offset) {
    *cpio = (struct cpio){.bytes = bytes, .length = length, .offset = offset};
}

static int hex_digit(unsigned char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_number(const unsigned char *digits, uint32_t *number) {
    *number = 0;
    for (int i = 0; i < DIGITS; i++) {
        int digit = hex_digit(digits[i]);
        if (digit < 0)
            return false;
        *number = *number << 4 | (uint32_t)digit;
    }
    return true;
}

static int read_header(struct cpio *cpio, struct header *header) {
    const unsigned char *at = cpio->bytes + cpio->offset;
    size_t left = cpio->length - cpio->offset;

    if (left == 0)
        return damage(cpio, cpio->offset, "no TRAILER!!! before the end");
    size_t magic = left < MAGIC_SIZE ? left : MAGIC_SIZE;
    if (memcmp(at, "070701", magic) && memcmp(at, "070702", magic))
        return damage(cpio, cpio->offset,
                      left >= 2 && at[0] == 0x1f && at[1] == 0x8b ? "gzip data" : "bad magic");
    if (left < HEADER_SIZE)
        return damage(cpio, cpio->offset, "header cut off");
    header->checksummed = at[MAGIC_SIZE - 1] == '2';
    for (int i = 0; i < FIELDS; i++) {
        size_t digits = MAGIC_SIZE + (size_t)i * DIGITS;
        if (!read_number(at + digits, &header->field[i]))
            return damage(cpio, cpio->offset + digits, "bad hexadecimal number");
    }
    return 0;
}

/* Moves *at up to a multiple of 4, but not past the end. */
static void align_offset(const struct cpio *cpio, size_t *at) {
    size_t padding = -*at & 3;
    *at = padding < cpio->length - *at ? *at + padding : cpio->length;
}

static int read_name(struct cpio *cpio, size_t *at, size_t size, struct cpio_entry *entry) {
    if (size == 0 || size > NAME_MAX_SIZE)
        return damage(cpio, cpio->offset, "bad name length");
    if (size > cpio->length - *at)
        return damage(cpio, *at, "name cut off");
    entry->name = (const char *)cpio->bytes + *at;
    entry->name_length = strnlen(entry->name, size);
    if (entry->name_length != size - 1)
        return damage(cpio, *at, "name does not end where its length says");
    *at += size;
    return 0;
}

static int read_data(struct cpio *cpio, size_t *at, const struct header *header, struct cpio_entry *entry) {
    size_t size = header->field[FIELD_SIZE];

    if (size > cpio->length - *at)
        return damage(cpio, *at, "file data cut off");
    entry->data = cpio->bytes + *at;
    entry->size = size;
    if (header->checksummed) {
        uint32_t sum = 0;
        for (size_t i = 0; i < size; i++)
            sum += entry->data[i];
        if (sum != header->field[FIELD_CHECKSUM])
            return damage(cpio, *at, "wrong checksum");
    }
    *at += size;
    return 0;
}

static void fill_entry(struct cpio_entry *entry, const uint32_t *field) {
    entry->ino = field[FIELD_INO];
    entry->mode = field[FIELD_MODE];
    entry->uid = field[FIELD_UID];
    entry->gid = field[FIELD_GID];
    entry->nlink = field[FIELD_NLINK];
    entry->mtime = field[FIELD_MTIME];
    entry->device_major = field[FIELD_DEVICE_MAJOR];
    entry->device_minor = field[FIELD_DEVICE_MINOR];
    entry->special_major = field[FIELD_SPECIAL_MAJOR];
    entry->special_minor = field[FIELD_SPECIAL_MINOR];
}

int cpio_next(struct cpio *cpio, struct cpio_entry *entry) {
    struct header header;

    if (cpio->error)
        return -EINVAL;
    int error = read_header(cpio, &header);
    if (error)
        return error;
    entry->offset = cpio->offset;
    fill_entry(entry, header.field);

    size_t at = cpio->offset + HEADER_SIZE;
    error = read_name(cpio, &at, header.field[FIELD_NAME_SIZE], entry);
    if (error)
        return error;
    align_offset(cpio, &at);
    error = read_data(cpio, &at, &header, entry);
    if (error)
        return error;
    align_offset(cpio, &at);
    cpio->offset = at;
    return strcmp(entry->name, "TRAILER!!!") != 0;
}

size_t cpio_skip_padding(const struct cpio *cpio) {
    size_t at = cpio->offset;
    while (at < cpio->length && cpio->bytes[at] == 0)
        at++;
    return at;
}
