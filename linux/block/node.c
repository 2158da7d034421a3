/* Open files of disks: what /dev/vda, /dev/nvme0n1 and /dev/sda do. */
#include "abi/errors.h"
#include "linux/abi/block.h"
#include "linux/abi/fcntl.h"
#include "linux/block/disk.h"
#include "linux/fs/file.h"
#include "linux/heap.h"
#include "linux/platform.h"

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

static int64_t disk_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct disk *disk = disk_of(file);
    bool direct = file->flags & O_DIRECT;
    int64_t result = direct ? direct_check(disk, buffer, *offset) : 0;
    uint64_t size = disk_bytes(disk), length = buffer->length;
    if (result || !length || *offset >= size)
        return result;
    if (length > size - *offset)
        length = size - *offset;
    mutex_lock(&disk->lock);
    if (direct) {
        cache_settle(disk, *offset, length);
        cache_forget(disk, *offset, length);
    }
    result = cache_read(disk, buffer, *offset, length, !direct);
    mutex_unlock(&disk->lock);
    if (result > 0)
        *offset += (uint64_t)result;
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
    mutex_lock(&disk->lock);
    uint32_t errors = disk->write_errors;
    result = cache_write(disk, buffer, *offset, length);
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
    .sync = disk_sync,
    .release = disk_close,
};
