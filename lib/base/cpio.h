/*
 * Reading cpio archives of the "newc" kind (magic 070701, and 070702 with the checksum verified) in memory,
 * the format of Linux's initramfs. The bytes are untrusted: nothing outside them is read, and damage is
 * reported with what is wrong and where. An archive ends at its entry TRAILER!!!; zeros and another archive
 * may follow in the same memory. Freestanding, no allocation; entries point into the archive.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct cpio {
    const unsigned char *bytes;
    size_t length;
    size_t offset;       /* of the next header; after the end, of the first byte behind the archive */
    const char *error;   /* what is wrong, once cpio_next returned an error */
    size_t error_offset; /* and where, in bytes from the start of the memory */
};

struct cpio_entry {
    const char *name; /* ends with a 0, contains none; may be absolute or hold ".." */
    size_t name_length;
    const unsigned char *data;
    size_t size;
    size_t offset; /* of the header */
    uint32_t ino, mode, uid, gid, nlink, mtime;
    uint32_t device_major,
        device_minor; /* of the file system the entry came from: links share ino and these */
    uint32_t special_major, special_minor; /* of a device node */
};

/* Starts reading at bytes[offset]; offset must not be greater than length. */
void cpio_open(struct cpio *cpio, const void *bytes, size_t length, size_t offset);

/* Returns 1 and fills entry; 0 at the archive's end; -EINVAL for damage, now and on every later call. */
int cpio_next(struct cpio *cpio, struct cpio_entry *entry);

/* After cpio_next returned 0: skips the zeros behind the archive. Returns the offset of what follows them,
 * which is the length of the memory when nothing does. */
size_t cpio_skip_padding(const struct cpio *cpio);
