/* Copies between two open files inside the personality: sendfile, copy_file_range, splice. A block goes from
 * one file's read to the other's write; what could not be written is put back by not advancing the input's
 * position. */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"

enum { BLOCK_SIZE = 65536 };

static bool mode_allows(const struct file *file, bool write) {
    uint32_t mode = file->flags & O_ACCMODE;
    return mode == O_RDWR || mode == (write ? O_WRONLY : O_RDONLY);
}

static bool is_type(const struct file *file, uint32_t type) {
    return file->path.inode && (file->path.inode->attributes.mode & S_IFMT) == type;
}

/* One block at positions that are advanced by what was done; NULL for a stream. Bytes or an error. */
static int64_t copy_block(struct file *in, uint64_t *in_offset, struct file *out, uint64_t *out_offset,
                          char *block, size_t length) {
    struct buffer buffer = {.kernel = block, .length = length};
    uint64_t from = in_offset ? *in_offset : 0;
    int64_t got = in->operations->read(in, &buffer, in_offset ? &from : NULL), done = 0;
    while (done < got) {
        buffer = (struct buffer){.kernel = block + done, .length = (size_t)(got - done)};
        int64_t part = out->operations->write(out, &buffer, out_offset);
        if (part <= 0) {
            if (!done)
                done = part;
            break;
        }
        done += part;
        if (in_offset && done < got && out->flags & O_NONBLOCK)
            break;
    }
    if (got <= 0)
        return got;
    if (in_offset && done > 0)
        *in_offset += (uint64_t)done;
    return done;
}

static int64_t copy(struct file *in, uint64_t *in_offset, struct file *out, uint64_t *out_offset,
                    uint64_t length, bool once) {
    int64_t total = 0;
    length = length < RW_MAX ? length : RW_MAX;
    char *block = heap_alloc(BLOCK_SIZE);
    if (!block)
        return -ENOMEM;
    while (length) {
        size_t size = length < BLOCK_SIZE ? (size_t)length : BLOCK_SIZE;
        int64_t done = copy_block(in, in_offset, out, out_offset, block, size);
        if (done <= 0) {
            total = total ? total : done;
            break;
        }
        total += done;
        length -= (uint64_t)done;
        if (once || (uint64_t)done < size)
            break;
    }
    heap_free(block);
    return total;
}

/* A position for the copy: the caller's from guest memory, or the file's own; NULL in *offset for a stream.
 */
struct position {
    uint64_t guest, value, *offset;
    struct file *file;
};

static int position_in(struct position *position, struct file *file, uint64_t guest) {
    *position = (struct position){.guest = guest, .file = file};
    if (!file->operations->seek)
        return guest ? -ESPIPE : 0;
    position->offset = &position->value;
    if (!guest)
        position->value = file->offset;
    else if (guest_copy_in(&position->value, guest, sizeof(position->value)))
        return -EFAULT;
    return (int64_t)position->value < 0 ? -EINVAL : 0;
}

static int position_out(const struct position *position) {
    if (!position->offset)
        return 0;
    if (position->guest)
        return guest_copy_out(position->guest, &position->value, sizeof(position->value));
    mutex_lock(&position->file->lock);
    position->file->offset = position->value;
    mutex_unlock(&position->file->lock);
    return 0;
}

static int check_files(const struct file *in, const struct file *out) {
    if (!in || !out || !mode_allows(in, false) || !mode_allows(out, true))
        return -EBADF;
    return in->operations->read && out->operations->write ? 0 : -EINVAL;
}

static int64_t copy_files(struct file *in, uint64_t in_guest, struct file *out, uint64_t out_guest,
                          uint64_t length, bool once) {
    struct position from = {0}, to = {0};
    int64_t result = position_in(&from, in, in_guest);
    if (!result)
        result = position_in(&to, out, out_guest);
    if (!result)
        result = copy(in, from.offset, out, to.offset, length, once);
    if (result > 0 && (position_out(&from) || position_out(&to)))
        result = -EFAULT;
    return result;
}

int64_t sys_sendfile(uint64_t out_fd, uint64_t in_fd, uint64_t offset, uint64_t length) {
    struct file *in = fd_get((int)in_fd), *out = fd_get((int)out_fd);
    int64_t result = check_files(in, out);
    if (!result && (int64_t)length < 0)
        result = -EINVAL;
    if (!result && (!in->operations->seek || out->flags & O_APPEND))
        result = -EINVAL;
    if (!result)
        result = copy_files(in, offset, out, 0, length, false);
    file_put(in);
    file_put(out);
    return result;
}

static int check_range(const struct file *in, const struct file *out, uint64_t flags) {
    int error = check_files(in, out);
    if (flags)
        return -EINVAL;
    if (error)
        return error;
    if (is_type(in, S_IFDIR) || is_type(out, S_IFDIR))
        return -EISDIR;
    if (!is_type(in, S_IFREG) || !is_type(out, S_IFREG))
        return -EINVAL;
    if (out->flags & O_APPEND)
        return -EBADF;
    return in->path.inode->filesystem != out->path.inode->filesystem ? -EXDEV : 0;
}

/* Copies onto itself must not overlap. */
static int check_overlap(const struct file *in, const struct file *out, uint64_t from, uint64_t to,
                         uint64_t length) {
    if (in->path.inode != out->path.inode)
        return 0;
    return from < to + length && to < from + length ? -EINVAL : 0;
}

int64_t sys_copy_file_range(uint64_t in_fd, uint64_t in_offset, uint64_t out_fd, uint64_t out_offset,
                            uint64_t length, uint64_t flags) {
    struct file *in = fd_get((int)in_fd), *out = fd_get((int)out_fd);
    struct position from = {0}, to = {0};
    int64_t result = check_range(in, out, flags);
    length = length < RW_MAX ? length : RW_MAX;
    if (!result)
        result = position_in(&from, in, in_offset);
    if (!result)
        result = position_in(&to, out, out_offset);
    if (!result)
        result = check_overlap(in, out, from.value, to.value, length);
    if (!result)
        result = copy_files(in, in_offset, out, out_offset, length, false);
    file_put(in);
    file_put(out);
    return result;
}

int64_t sys_splice(uint64_t in_fd, uint64_t in_offset, uint64_t out_fd, uint64_t out_offset, uint64_t length,
                   uint64_t flags) {
    struct file *in = fd_get((int)in_fd), *out = fd_get((int)out_fd);
    int64_t result = flags & ~15ULL ? -EINVAL : check_files(in, out);
    if (!result && !is_type(in, S_IFIFO) && !is_type(out, S_IFIFO))
        result = -EINVAL;
    if (!result && in->path.inode == out->path.inode)
        result = -EINVAL;
    if (!result && length)
        result = copy_files(in, in_offset, out, out_offset, length, true);
    file_put(in);
    file_put(out);
    return result;
}

int64_t sys_vmsplice(uint64_t fd, uint64_t segments, uint64_t count, uint64_t flags) {
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    int64_t error = flags & ~15ULL ? -EINVAL : !is_type(file, S_IFIFO) ? -EBADF : 0;
    bool write = mode_allows(file, true);
    file_put(file);
    if (error)
        return error;
    return write ? sys_writev(fd, segments, count) : sys_readv(fd, segments, count);
}
