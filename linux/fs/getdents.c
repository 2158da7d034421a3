/*
 * getdents64 and getdents. The file system gives entry after entry; each is put into a record in a block of
 * the personality's, which goes to the guest in one copy.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/dirent.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"

enum { BLOCK_MAX = 32768 };

struct listing {
    char *block;
    size_t used, size;
    bool old_format; /* getdents */
    bool too_small;  /* the first entry did not fit */
};

static bool emit(void *context, const char *name, size_t length, uint64_t ino, uint8_t type,
                 uint64_t next_offset) {
    struct listing *listing = context;
    size_t header = listing->old_format ? DIRENT_HEADER : DIRENT64_HEADER;
    size_t record = (header + length + 1 + (listing->old_format ? 1 : 0) + 7) & ~(size_t)7;
    if (record > listing->size - listing->used) {
        listing->too_small = !listing->used;
        return false;
    }
    char *at = listing->block + listing->used;
    memset(at, 0, record);
    if (listing->old_format) {
        *(struct linux_dirent *)(void *)at = (struct linux_dirent){ino, next_offset, (uint16_t)record};
        at[record - 1] = (char)type;
    } else {
        *(struct linux_dirent64 *)(void *)at =
            (struct linux_dirent64){ino, (int64_t)next_offset, (uint16_t)record, type};
    }
    memcpy(at + header, name, length);
    listing->used += record;
    return true;
}

static int64_t list(struct file *file, uint64_t to, struct listing *listing) {
    struct inode *inode = file->path.inode;
    mutex_lock(&file->lock);
    uint64_t offset = file->offset;
    mutex_lock(&inode->lock);
    int error = inode->attributes.nlink ? file->operations->readdir(file, &offset, emit, listing) : -ENOENT;
    mutex_unlock(&inode->lock);
    if (!error && listing->too_small)
        error = -EINVAL;
    if (!error && guest_copy_out(to, listing->block, listing->used))
        error = -EFAULT;
    if (!error)
        file->offset = offset;
    mutex_unlock(&file->lock);
    return error ? error : (int64_t)listing->used;
}

static int64_t list_fd(int fd, uint64_t to, uint64_t size, bool old_format) {
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    size = (uint32_t)size;
    struct listing listing = {.size = size < BLOCK_MAX ? (size_t)size : BLOCK_MAX, .old_format = old_format};
    int64_t result = -ENOTDIR;
    if (file->operations->readdir && file->path.inode) {
        listing.block = heap_alloc(listing.size ? listing.size : 1);
        result = listing.block ? list(file, to, &listing) : -ENOMEM;
        heap_free(listing.block);
    }
    file_put(file);
    return result;
}

int64_t sys_getdents64(uint64_t fd, uint64_t to, uint64_t size) {
    return list_fd((int)fd, to, size, false);
}

int64_t sys_getdents(uint64_t fd, uint64_t to, uint64_t size) {
    return list_fd((int)fd, to, size, true);
}
