/* The initial archive as init and devices see it: the cpio of native files, and behind it the Linux root
 * archive. */
#pragma once

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"

struct archive {
    const uint8_t *bytes; /* mapped read-only */
    uint64_t length;      /* bytes, as loaded */
    uint64_t root_offset; /* of the Linux root archive; 0: there is none */
};

struct archive_file {
    const void *bytes;
    size_t length;
};

/* vmo is the archive, boot the Vmo with struct boot_info. Maps the archive and walks it once. 0, or a negated
 * error after a log line that says what is wrong and where. */
int64_t archive_open(struct archive *archive, handle_t vmo, handle_t boot);

/* Finds a regular file. 0 or -ENOENT. */
int archive_find(const struct archive *archive, const char *name, struct archive_file *file);

/* Steps through the regular files, from *at == 0: false at the end. */
bool archive_next(const struct archive *archive, size_t *at, const char **path, struct archive_file *file);
