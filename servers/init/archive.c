/* See archive.h. The archive is small in files and read a handful of times: each look-up walks it. */
#include "servers/init/archive.h"

#include <errno.h>
#include <string.h>

#include "abi/boot_info.h"
#include "lib/base/cpio.h"
#include "lib/native/keel.h"

enum { PAGE_BYTES = 4096, MODE_TYPE = 0170000, MODE_REGULAR = 0100000 };

/* Bytes of the archive that the boot path loaded; the Vmo is larger by up to a page. */
static int64_t archive_length(handle_t boot, uint64_t *length) {
    int64_t got =
        keel_vmo_read(boot, offsetof(struct boot_info, archive_length), keel_pointer(length), sizeof *length);
    return got < 0 ? got : got != sizeof *length ? -EIO : 0;
}

/* Walks to the end; a damaged archive is refused as a whole. */
static int64_t archive_walk(struct archive *archive) {
    struct cpio cpio;
    struct cpio_entry entry;
    int result;
    cpio_open(&cpio, archive->bytes, archive->length, 0);
    while ((result = cpio_next(&cpio, &entry)) > 0)
        continue;
    if (result < 0) {
        log_line("the initial archive is damaged at byte %zu: %s", cpio.error_offset, cpio.error);
        return result;
    }
    uint64_t root = (cpio.offset + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    archive->root_offset = root < archive->length ? root : 0;
    return 0;
}

int64_t archive_open(struct archive *archive, handle_t vmo, handle_t boot) {
    int64_t error = archive_length(boot, &archive->length);
    if (error < 0 || archive->length == 0) {
        log_line("there is no initial archive");
        return error < 0 ? error : -ENOENT;
    }
    uint64_t pages = (archive->length + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    archive->bytes = memory_map(vmo, 0, pages, MAP_READ);
    if (!archive->bytes) {
        log_line("the initial archive cannot be mapped");
        return -ENOMEM;
    }
    return archive_walk(archive);
}

bool archive_next(const struct archive *archive, size_t *at, const char **path, struct archive_file *file) {
    struct cpio cpio;
    struct cpio_entry entry;
    cpio_open(&cpio, archive->bytes, archive->length, *at);
    while (cpio_next(&cpio, &entry) > 0) {
        if ((entry.mode & MODE_TYPE) != MODE_REGULAR)
            continue;
        *at = cpio.offset;
        *path = strncmp(entry.name, "./", 2) == 0 ? entry.name + 2 : entry.name;
        *file = (struct archive_file){entry.data, entry.size};
        return true;
    }
    return false;
}

int archive_find(const struct archive *archive, const char *name, struct archive_file *file) {
    const char *path;
    size_t at = 0;
    while (archive_next(archive, &at, &path, file))
        if (strcmp(path, name) == 0)
            return 0;
    return -ENOENT;
}
