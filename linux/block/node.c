/* Open files of disks: what /dev/vda, /dev/nvme0n1 and /dev/sda do. */
#include "abi/errors.h"
#include "linux/abi/block.h"
#include "linux/abi/fcntl.h"
#include "linux/block/disk.h"
#include "linux/fs/file.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task/mm.h"

enum { PAGE_BYTES = 4096, READ_AHEAD_SECTORS = 256 };

static struct disk *disk_of(const struct file *file) {
    return ((struct disk_file *)file->data)->disk;
}

/* Writes that failed since this file was told last. The lock is held. */
static int errors_take(struct file *file) {
    struct disk_file *own = file->data;
    uint32_t errors = own->disk->write_errors;
    int error = errors != own->write_errors ? -EIO : 0;
    own->write_errors = errors;
    return error;
}

/* O_DIRECT moves whole blocks to and from aligned memory. */
static int direct_check(const struct disk *disk, const struct buffer *buffer, uint64_t offset) {
    uint64_t address, mask = disk->client.disk.block_size - 1;
    if (!buffer->length)
        return 0;
    (void)buffer_span(buffer, &address);
    return (address & (BLOCK_SECTOR - 1)) || ((offset | buffer->length) & mask) ? -EINVAL : 0;
}

/* ---- read and write ----
 *
 * Copies between the cache and a program are made under the disk's lock, where no page of a disk can be
 * touched: that takes this lock, and perhaps a wait. Where a copy fails, its part is done again by way of
 * memory of our own, which is copied from or to the program without the lock. */

/* Moves a part of the buffer, within one chunk: bytes or an error. */
static int64_t move_apart(struct disk *disk, struct buffer *buffer, uint64_t offset, uint64_t length,
                          bool write) {
    uint64_t room = CHUNK_SIZE - offset % CHUNK_SIZE;
    uint64_t count = length < room ? length : room;
    void *bytes = heap_alloc(count);
    if (!bytes)
        return -ENOMEM;
    struct buffer own = {.kernel = bytes, .length = count};
    int64_t result = write && buffer_get(buffer, bytes, count) ? -EFAULT : 0;
    if (!result) {
        mutex_lock(&disk->lock);
        result = write ? cache_write(disk, &own, offset, count) : cache_read(disk, &own, offset, count, true);
        mutex_unlock(&disk->lock);
    }
    if (!write && result > 0 && buffer_put(buffer, bytes, (size_t)result))
        result = -EFAULT;
    heap_free(bytes);
    return result;
}

static int64_t move_locked(struct disk *disk, struct buffer *buffer, uint64_t offset, uint64_t length,
                           bool write, bool ahead) {
    mutex_lock(&disk->lock);
    mm_hold_pages(true);
    int64_t result =
        write ? cache_write(disk, buffer, offset, length) : cache_read(disk, buffer, offset, length, ahead);
    mm_hold_pages(false);
    mutex_unlock(&disk->lock);
    return result;
}

/* Bytes, or an error when none. The buffer is not advanced. */
static int64_t move(struct disk *disk, const struct buffer *buffer, uint64_t offset, uint64_t length,
                    bool write, bool ahead) {
    uint64_t done = 0;
    int64_t result = 0;
    struct buffer rest = *buffer;
    while (done < length) {
        struct buffer copy = rest;
        result = move_locked(disk, &copy, offset + done, length - done, write, ahead);
        if (result == -EFAULT && !rest.kernel) {
            copy = rest;
            result = move_apart(disk, &copy, offset + done, length - done, write);
        }
        if (result <= 0)
            break;
        buffer_skip(&rest, (size_t)result);
        done += (uint64_t)result;
    }
    return done ? (int64_t)done : result;
}

static int64_t disk_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct disk *disk = disk_of(file);
    bool direct = file->flags & O_DIRECT;
    int64_t result = direct ? direct_check(disk, buffer, *offset) : 0;
    uint64_t size = disk_bytes(disk), length = buffer->length;
    if (result || !length || *offset >= size)
        return result;
    if (length > size - *offset)
        length = size - *offset;
    if (direct) {
        mutex_lock(&disk->lock);
        cache_settle(disk, *offset, length);
        cache_forget(disk, *offset, length);
        mutex_unlock(&disk->lock);
    }
    result = move(disk, buffer, *offset, length, false, !direct);
    if (result > 0) {
        buffer_skip(buffer, (size_t)result);
        *offset += (uint64_t)result;
    }
    return result;
}

static int64_t disk_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct disk *disk = disk_of(file);
    uint32_t flags = file->flags;
    int64_t result = flags & O_DIRECT ? direct_check(disk, buffer, *offset) : 0;
    uint64_t size = disk_bytes(disk), length = buffer->length;
    if (result || !length)
        return result;
    if (*offset >= size)
        return -ENOSPC;
    if (length > size - *offset)
        length = size - *offset;
    uint32_t errors = disk->write_errors;
    result = move(disk, buffer, *offset, length, true, false);
    if (result > 0)
        buffer_skip(buffer, (size_t)result);
    mutex_lock(&disk->lock);
    if (result > 0 && flags & (O_DIRECT | O_DSYNC)) {
        cache_settle(disk, *offset, (uint64_t)result);
        int error = disk->client.gone || disk->write_errors != errors ? -EIO : 0;
        if (!error && flags & O_DSYNC)
            error = disk_flush(disk);
        if (error)
            result = error;
    }
    mutex_unlock(&disk->lock);
    if (result > 0)
        *offset += (uint64_t)result;
    return result;
}

static int64_t disk_seek(struct file *file, int64_t offset, int whence) {
    int64_t size = (int64_t)disk_bytes(disk_of(file));
    if (whence == SEEK_END)
        return offset > 0 || size + offset < 0 ? -EINVAL : size + offset;
    int64_t result = file_seek_position(file, offset, whence);
    return result > size ? -EINVAL : result;
}

static int disk_sync(struct file *file) {
    struct disk *disk = disk_of(file);
    mutex_lock(&disk->lock);
    cache_settle(disk, 0, UINT64_MAX);
    int error = disk_flush(disk), failed = errors_take(file);
    mutex_unlock(&disk->lock);
    return error ? error : failed;
}

/* ---- mmap ---- */

static int page_show(struct file *file, const struct page_touch *touch) {
    struct disk *disk = disk_of(file);
    mutex_lock(&disk->lock);
    int error = views_show(disk, touch);
    mutex_unlock(&disk->lock);
    return error;
}

static int page_fetch(struct file *file, uint64_t offset) {
    struct disk *disk = disk_of(file);
    mutex_lock(&disk->lock);
    int error = cache_fetch(disk, offset);
    mutex_unlock(&disk->lock);
    return error;
}

static int pages_hide(struct file *file, const void *owner, uint64_t start, uint64_t end) {
    struct disk *disk = disk_of(file);
    mutex_lock(&disk->lock);
    int error = views_hide_range(disk, owner, start, end);
    disk_run(disk); /* what the program has written goes to the device */
    mutex_unlock(&disk->lock);
    return error;
}

static bool page_present(struct file *file, uint64_t offset) {
    struct disk *disk = disk_of(file);
    mutex_lock(&disk->lock);
    bool present = cache_present(disk, offset);
    mutex_unlock(&disk->lock);
    return present;
}

static const struct file_pager disk_pager = {
    .show = page_show, .fetch = page_fetch, .hide = pages_hide, .present = page_present};

/* ---- ioctl ---- */

static int64_t discard(struct file *file, uint64_t argument) {
    struct disk *disk = disk_of(file);
    uint64_t range[2], size = disk_bytes(disk), mask = disk->client.disk.block_size - 1;
    if ((file->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (guest_copy_in(range, argument, sizeof(range)))
        return -EFAULT;
    if ((range[0] | range[1]) & mask || !range[1] || range[0] > size || range[1] > size - range[0])
        return -EINVAL;
    mutex_lock(&disk->lock);
    int error = disk_discard(disk, range[0], range[1]);
    mutex_unlock(&disk->lock);
    return error;
}

static int64_t give32(uint64_t to, uint32_t value) {
    return guest_copy_out(to, &value, sizeof(value));
}

static int64_t give64(uint64_t to, uint64_t value) {
    return guest_copy_out(to, &value, sizeof(value));
}

static int64_t disk_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    const struct block_disk *disk = &disk_of(file)->client.disk;
    switch ((uint32_t)command) {
    case BLKGETSIZE64:
        return give64(argument, disk->sectors * BLOCK_SECTOR);
    case BLKGETSIZE:
        return give64(argument, disk->sectors);
    case BLKSSZGET:
    case BLKPBSZGET:
    case BLKIOMIN:
        return give32(argument, disk->block_size);
    case BLKBSZGET:
        return give32(argument, PAGE_BYTES);
    case BLKIOOPT:
    case BLKALIGNOFF:
        return give32(argument, 0);
    case BLKROGET:
        return give32(argument, disk->read_only);
    case BLKRAGET:
    case BLKFRAGET:
        return give64(argument, READ_AHEAD_SECTORS);
    case BLKROTATIONAL:
        return guest_copy_out(argument, &(uint16_t){0}, sizeof(uint16_t));
    case BLKDISCARDZEROES:
        return give32(argument, 0);
    case BLKFLSBUF:
        return disk_sync(file);
    case BLKDISCARD:
        return discard(file, argument);
    case BLKRRPART:
        return -EINVAL;
    default:
        return -ENOTTY;
    }
}

static void disk_close(struct file *file) {
    disk_put(disk_of(file));
    heap_free(file->data);
}

const struct file_operations disk_file_operations = {
    .read = disk_read,
    .write = disk_write,
    .seek = disk_seek,
    .ioctl = disk_ioctl,
    .pager = &disk_pager,
    .sync = disk_sync,
    .release = disk_close,
};
