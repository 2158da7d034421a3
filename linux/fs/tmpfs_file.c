/*
 * The bytes of a regular tmpfs file. They live in a Vmo, and the kernel copies straight between it and the
 * guest's buffer. While nobody maps the file the Vmo is larger than the file, so that appending seldom
 * resizes; from the first mapping on it ends with the file's last page, so that touching what lies behind is
 * SIGBUS. Bytes behind the end of the file are zero.
 */
#include "abi/errors.h"
#include "abi/objects.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/resource.h"
#include "linux/abi/stat.h"
#include "linux/fs/file.h"
#include "linux/fs/path.h"
#include "linux/fs/tmpfs_internal.h"
#include "linux/platform.h"
#include "linux/system.h"
#include "linux/task.h"
#include "linux/task/mm.h"
#include "linux/task/signal.h"

enum { GROWTH_MIN = 65536, SIGXFSZ_NUMBER = 25, BLOCKS_PER_PAGE = 8, CHECK_PAGES = 64 };
#define FILE_SIZE_MAX INT64_MAX

static uint64_t page_up(uint64_t size) {
    return (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/* Kernel errors of a file's Vmo, as a program may see them. */
static int vmo_error(int64_t error) {
    return error == -ENOMEM ? -ENOSPC : error == -EINVAL ? -EFBIG : (int)error;
}

static int vmo_create(struct tmpfs_node *node, uint64_t size) {
    int64_t vmo = keel_vmo_create(size, 0);
    if (vmo < 0)
        return vmo_error(vmo);
    node->vmo_size = size;
    node->vmo = (handle_t)vmo;
    return 0;
}

static int vmo_set_size(struct tmpfs_node *node, uint64_t size) {
    int64_t error = keel_vmo_resize(node->vmo, size);
    if (error)
        return vmo_error(error);
    node->vmo_size = size;
    return 0;
}

/* Makes the Vmo reach up to size. */
static int reserve(struct tmpfs_node *node, uint64_t size) {
    uint64_t wanted = page_up(size);
    if (node->vmo && wanted <= node->vmo_size)
        return 0;
    if (!node->exact) {
        uint64_t step = node->vmo_size > GROWTH_MIN ? node->vmo_size : GROWTH_MIN;
        if (node->vmo && wanted < node->vmo_size + step)
            wanted = node->vmo_size + step;
    }
    return node->vmo ? vmo_set_size(node, wanted) : vmo_create(node, wanted);
}

static uint64_t page_of(uint64_t offset) {
    return offset / PAGE_SIZE;
}

static uint64_t page_behind(uint64_t offset) {
    return page_up(offset) / PAGE_SIZE;
}

/* Files must not take the last memory, which would end programs: asked once per CHECK_PAGES pages. */
static bool memory_left(void) {
    uint64_t total, unused;
    system_memory(&total, &unused);
    return unused > total / 32;
}

/* Notes that [offset, end) gets data and charges the pages that had none: -ENOSPC beyond the instance's
 * limit. */
static int charge(struct inode *inode, uint64_t offset, uint64_t end) {
    struct tmpfs *tmpfs = tmpfs_of(inode);
    struct extents *extents = &node_of(inode)->extents;
    uint64_t first = page_of(offset), last = page_behind(end);
    uint64_t pages = last - first - extents_count(extents, first, last);
    if (!pages)
        return 0;
    uint64_t total = atomic_fetch_add(&tmpfs->pages, pages) + pages;
    int error = tmpfs->page_limit && total > tmpfs->page_limit ? -ENOSPC : 0;
    if (!error && total / CHECK_PAGES != (total - pages) / CHECK_PAGES && !memory_left())
        error = -ENOSPC;
    if (!error && extents_add(extents, first, last))
        error = -ENOSPC;
    if (error)
        atomic_fetch_sub(&tmpfs->pages, pages);
    return error;
}

/* The pages [first, end) have no data any more. Never fails at the end of the file. */
static int uncharge(struct inode *inode, uint64_t first, uint64_t end) {
    struct extents *extents = &node_of(inode)->extents;
    uint64_t before = extents->pages;
    int error = extents_remove(extents, first, end);
    atomic_fetch_sub(&tmpfs_of(inode)->pages, before - extents->pages);
    return error;
}

int tmpfs_set_size(struct inode *inode, uint64_t size) {
    struct tmpfs_node *node = node_of(inode);
    uint64_t old = inode->attributes.size;
    int error = 0;
    if (size > FILE_SIZE_MAX)
        return -EFBIG;
    if ((size < old && node->seals & F_SEAL_SHRINK) || (size > old && node->seals & F_SEAL_GROW))
        return -EPERM;
    if (size > old) {
        error = reserve(node, size);
    } else if (size < old && node->vmo) {
        error = vmo_set_size(node, size); /* clears what lies behind */
        if (!error && size % PAGE_SIZE)
            error = vmo_set_size(node, page_up(size));
        uncharge(inode, page_behind(size), UINT64_MAX);
    }
    if (!error)
        inode->attributes.size = size;
    return error;
}

void tmpfs_file_release(struct tmpfs_node *node) {
    if (node->vmo)
        keel_handle_close(node->vmo);
    atomic_fetch_sub(&tmpfs_of(node->inode)->pages, node->extents.pages);
    extents_clear(&node->extents);
}

/* For a file that was mapped for writing the kernel knows what it holds. */
uint64_t tmpfs_blocks(struct inode *inode) {
    struct tmpfs_node *node = node_of(inode);
    struct vmo_info info = {0};
    if (node->written_by_map && keel_object_info(node->vmo, keel_pointer(&info), sizeof(info)) >= 0)
        return info.committed * BLOCKS_PER_PAGE;
    return node->extents.pages * BLOCKS_PER_PAGE;
}

static bool later(const struct timestamp *a, const struct timestamp *b) {
    return a->seconds != b->seconds ? a->seconds > b->seconds : a->nanoseconds > b->nanoseconds;
}

/* Linux's default, relatime: the access time moves on when a change was later. */
static void touch_accessed(struct file *file) {
    struct inode *inode = file->path.inode;
    struct attributes *a = &inode->attributes;
    if (!(file->flags & O_NOATIME) && (!later(&a->atime, &a->mtime) || !later(&a->atime, &a->ctime)))
        a->atime = timestamp_now();
}

/* Copies from the Vmo to the front of the buffer: bytes, 0 for a bad address. */
static int64_t copy_out(struct tmpfs_node *node, struct buffer *buffer, uint64_t offset, size_t length) {
    uint64_t address;
    size_t span = buffer_span(buffer, &address);
    if (span > length)
        span = length;
    if (!span)
        return 0;
    int64_t done;
    if (node->vmo) {
        do
            done = keel_vmo_read(node->vmo, offset, address, span);
        while (done == -EFAULT && !buffer->kernel && mm_page_in(address, true));
    } else if (buffer->kernel)
        done = memset(buffer->kernel, 0, span) ? (int64_t)span : 0;
    else
        done = guest_clear(address, span) ? 0 : (int64_t)span;
    if (done > 0)
        buffer_skip(buffer, (size_t)done);
    return done;
}

static int64_t tmpfs_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct inode *inode = file->path.inode;
    uint64_t size = inode->attributes.size;
    int64_t total = 0;
    if (*offset >= size)
        return 0;
    size_t length = buffer->length < size - *offset ? buffer->length : (size_t)(size - *offset);
    while (length) {
        int64_t done = copy_out(node_of(inode), buffer, *offset, length);
        if (done <= 0) {
            total = total ? total : done ? done : -EFAULT;
            break;
        }
        total += done;
        *offset += (uint64_t)done;
        length -= (size_t)done;
    }
    touch_accessed(file);
    return total;
}

/* How much may be written at offset: 0 or -EFBIG with SIGXFSZ at the task's file size limit. */
static int limit_length(uint64_t offset, size_t *length) {
    struct task *task = task_current();
    uint64_t limit = task ? task->process->limits[RLIMIT_FSIZE].current : FILE_SIZE_MAX;
    if (offset >= limit && limit < FILE_SIZE_MAX) {
        signal_send_task_kernel(task, SIGXFSZ_NUMBER);
        return -EFBIG;
    }
    if (limit > FILE_SIZE_MAX)
        limit = FILE_SIZE_MAX;
    if (offset >= limit)
        return -EFBIG;
    if (*length > limit - offset)
        *length = (size_t)(limit - offset);
    return 0;
}

static int64_t copy_in(struct tmpfs_node *node, struct buffer *buffer, uint64_t offset, size_t length) {
    uint64_t address;
    size_t span = buffer_span(buffer, &address);
    if (span > length)
        span = length;
    if (!span)
        return 0;
    int64_t done;
    do
        done = keel_vmo_write(node->vmo, offset, address, span);
    while (done == -EFAULT && !buffer->kernel && mm_page_in(address, false));
    if (done > 0)
        buffer_skip(buffer, (size_t)done);
    return done < 0 && done != -EFAULT ? vmo_error(done) : done;
}

/* A write by somebody without privilege takes set-user-id away. */
static void drop_privileges(struct inode *inode) {
    struct task *task = task_current();
    uint32_t mode = inode->attributes.mode;
    if (!(mode & (S_ISUID | S_ISGID)) || !task || task->credentials.fsuid == 0)
        return;
    mode &= ~(uint32_t)S_ISUID;
    if (mode & S_IXGRP)
        mode &= ~(uint32_t)S_ISGID;
    inode->attributes.mode = mode;
}

static int64_t write_locked(struct inode *inode, struct buffer *buffer, uint64_t *offset, size_t length) {
    struct tmpfs_node *node = node_of(inode);
    uint64_t end = *offset + length;
    int64_t total = 0, done = 0;
    int error;
    if (node->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) ||
        (node->seals & F_SEAL_GROW && end > inode->attributes.size))
        return -EPERM;
    error = charge(inode, *offset, end);
    if (!error)
        error = reserve(node, end);
    if (error) {
        uncharge(inode, page_behind(inode->attributes.size), UINT64_MAX);
        return error;
    }
    while (length && (done = copy_in(node, buffer, *offset, length)) > 0) {
        total += done;
        *offset += (uint64_t)done;
        length -= (size_t)done;
    }
    if (*offset > inode->attributes.size && total)
        inode->attributes.size = *offset;
    if (length) /* a bad address: what was not written behind the end is none of the file */
        uncharge(inode, page_behind(inode->attributes.size), UINT64_MAX);
    if (!total)
        return done ? done : -EFAULT;
    drop_privileges(inode);
    inode->attributes.mtime = inode->attributes.ctime = timestamp_now();
    return total;
}

static int64_t tmpfs_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct inode *inode = file->path.inode;
    size_t length = buffer->length;
    mutex_lock(&inode->lock);
    if (file->flags & O_APPEND)
        *offset = inode->attributes.size;
    int64_t result = length ? limit_length(*offset, &length) : 0;
    if (!result && length)
        result = write_locked(inode, buffer, offset, length);
    mutex_unlock(&inode->lock);
    return result;
}

static int tmpfs_map(struct file *file, handle_t *vmo) {
    struct inode *inode = file->path.inode;
    struct tmpfs_node *node = node_of(inode);
    uint64_t size = page_up(inode->attributes.size);
    int error = 0;
    mutex_lock(&inode->lock);
    if (!node->vmo)
        error = vmo_create(node, size);
    else if (!node->exact && node->vmo_size != size)
        error = vmo_set_size(node, size);
    if (!error) {
        node->exact = true;
        node->written_by_map |= (file->flags & O_ACCMODE) != O_RDONLY;
        *vmo = node->vmo;
    }
    mutex_unlock(&inode->lock);
    return error == -ENOSPC ? -ENOMEM : error;
}

/* Zeroes [offset, offset + length) and gives whole pages back. */
static int punch(struct inode *inode, uint64_t offset, uint64_t length) {
    static const char zeros[PAGE_SIZE];
    struct tmpfs_node *node = node_of(inode);
    uint64_t end = offset + length;
    if (!node->vmo || offset >= node->vmo_size)
        return 0;
    end = end < node->vmo_size ? end : node->vmo_size;
    uint64_t first = page_up(offset), last = end & ~(PAGE_SIZE - 1);
    int64_t error = last > first ? uncharge(inode, page_of(first), page_of(last)) : 0;
    if (first > end)
        first = end;
    if (!error && offset < first)
        error = keel_vmo_write(node->vmo, offset, keel_pointer(zeros), first - offset);
    if (error >= 0 && last < end && last >= first)
        error = keel_vmo_write(node->vmo, last, keel_pointer(zeros), end - last);
    if (error >= 0 && last > first)
        error = keel_vmo_discard(node->vmo, first, last - first);
    return error < 0 ? vmo_error(error) : 0;
}

/* Pages are charged here and committed when they are touched. */
static int reserve_range(struct inode *inode, uint64_t offset, uint64_t end, bool keep_size) {
    if (node_of(inode)->seals & F_SEAL_GROW && end > inode->attributes.size)
        return -EPERM;
    int error = file_size_check(end, inode->attributes.size);
    if (!error)
        error = charge(inode, offset, end);
    if (!error && !keep_size && end > inode->attributes.size)
        error = tmpfs_set_size(inode, end);
    return error;
}

static int tmpfs_allocate(struct file *file, int mode, uint64_t offset, uint64_t length) {
    struct inode *inode = file->path.inode;
    int error = 0;
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
        return -EOPNOTSUPP;
    mutex_lock(&inode->lock);
    if (mode & FALLOC_FL_PUNCH_HOLE)
        error = node_of(inode)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) ? -EPERM
                                                                             : punch(inode, offset, length);
    else
        error = reserve_range(inode, offset, offset + length, mode & FALLOC_FL_KEEP_SIZE);
    if (!error)
        inode->attributes.mtime = inode->attributes.ctime = timestamp_now();
    mutex_unlock(&inode->lock);
    return error;
}

static int64_t seek_data(struct inode *inode, int64_t offset, int whence) {
    struct tmpfs_node *node = node_of(inode);
    uint64_t size = inode->attributes.size, page = page_of((uint64_t)offset), found;
    if (offset < 0 || (uint64_t)offset >= size)
        return -ENXIO;
    if (whence == SEEK_DATA)
        found = node->written_by_map ? page : extents_next(&node->extents, page);
    else
        found = node->written_by_map ? page_behind(size) : extents_next_gap(&node->extents, page);
    if (found == page)
        return offset;
    if (found < page_behind(size))
        return (int64_t)(found * PAGE_SIZE);
    return whence == SEEK_DATA ? -ENXIO : (int64_t)size;
}

static int64_t tmpfs_seek(struct file *file, int64_t offset, int whence) {
    struct inode *inode = file->path.inode;
    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return file_seek_sized(file, offset, whence);
    mutex_lock(&inode->lock);
    int64_t result = seek_data(inode, offset, whence);
    mutex_unlock(&inode->lock);
    return result;
}

const struct file_operations tmpfs_file_operations = {
    .read = tmpfs_read,
    .write = tmpfs_write,
    .seek = tmpfs_seek,
    .map = tmpfs_map,
    .allocate = tmpfs_allocate,
};
