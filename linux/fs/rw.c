/*
 * read and write in all their forms. A call becomes a struct buffer (checked to lie in the guest's half) and
 * goes to the file's operation: with the file's own offset, under its lock, when the file has positions, or
 * with the offset of pread. Streams get none.
 */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"

enum { SEGMENTS_ON_STACK = 8, RWF_SUPPORTED = 0x17 /* HIPRI, DSYNC, SYNC, APPEND */, RWF_APPEND = 0x10 };

static bool readable(const struct file *file) {
    uint32_t mode = file->flags & O_ACCMODE;
    return mode == O_RDONLY || mode == O_RDWR;
}

static bool writable(const struct file *file) {
    uint32_t mode = file->flags & O_ACCMODE;
    return mode == O_WRONLY || mode == O_RDWR;
}

static bool is_directory(const struct file *file) {
    return file->path.inode && S_ISDIR(file->path.inode->attributes.mode);
}

typedef int64_t (*transfer)(struct file *file, struct buffer *buffer, uint64_t *offset);

/* The operation to use, or an error. */
static int choose(struct file *file, bool write, transfer *operation) {
    if (write ? !writable(file) : !readable(file))
        return -EBADF;
    *operation = write ? file->operations->write : file->operations->read;
    return *operation ? 0 : is_directory(file) ? -EISDIR : -EINVAL;
}

/* At the file's own position. */
static int64_t run_chosen(struct file *file, struct buffer *buffer, transfer operation) {
    if (!file->operations->seek || file->operations->no_position)
        return operation(file, buffer, NULL);
    mutex_lock(&file->lock);
    int64_t result = operation(file, buffer, &file->offset);
    mutex_unlock(&file->lock);
    return result;
}

static int64_t run(struct file *file, struct buffer *buffer, bool write) {
    transfer operation;
    int error = choose(file, write, &operation);
    return error ? error : run_chosen(file, buffer, operation);
}

/* At a position of the caller's. */
static int64_t run_at(struct file *file, struct buffer *buffer, uint64_t offset, bool write) {
    transfer operation;
    if ((int64_t)offset < 0)
        return -EINVAL;
    if (!file->operations->seek)
        return -ESPIPE;
    int error = choose(file, write, &operation);
    return error ? error : operation(file, buffer, &offset);
}

int64_t file_read(struct file *file, struct buffer *buffer) {
    return run(file, buffer, false);
}

int64_t file_write(struct file *file, struct buffer *buffer) {
    return run(file, buffer, true);
}

int64_t file_read_at(struct file *file, void *to, size_t length, uint64_t offset) {
    size_t done = 0;
    if (!file->operations->read || is_directory(file))
        return is_directory(file) ? -EISDIR : -EINVAL;
    while (done < length) {
        struct buffer buffer = {.kernel = (char *)to + done, .length = length - done};
        uint64_t position = offset + done;
        int64_t part = file->operations->read(file, &buffer, &position);
        if (part < 0)
            return done ? (int64_t)done : part;
        if (!part)
            break;
        done += (size_t)part;
    }
    return (int64_t)done;
}

static int buffer_make(struct buffer *buffer, uint64_t address, uint64_t length) {
    if ((int64_t)length < 0)
        return -EINVAL;
    if (address > GUEST_END || length > GUEST_END - address)
        return -EFAULT;
    *buffer = (struct buffer){.guest = address, .length = length < RW_MAX ? length : RW_MAX};
    return 0;
}

static int64_t read_or_write(int fd, uint64_t address, uint64_t length, bool write) {
    struct buffer buffer;
    bool counted;
    struct file *file = fd_borrow(fd, &counted);
    if (!file)
        return -EBADF;
    transfer operation;
    int64_t result = choose(file, write, &operation);
    if (!result)
        result = buffer_make(&buffer, address, length);
    if (!result)
        result = run_chosen(file, &buffer, operation);
    fd_return(file, counted);
    return result;
}

int64_t sys_read(uint64_t fd, uint64_t address, uint64_t length) {
    return read_or_write((int)fd, address, length, false);
}

int64_t sys_write(uint64_t fd, uint64_t address, uint64_t length) {
    return read_or_write((int)fd, address, length, true);
}

static int64_t at_offset(int fd, uint64_t address, uint64_t length, uint64_t offset, bool write) {
    struct buffer buffer;
    bool counted;
    struct file *file = (int64_t)offset < 0 ? NULL : fd_borrow(fd, &counted);
    if (!file)
        return (int64_t)offset < 0 ? -EINVAL : -EBADF;
    int64_t result = buffer_make(&buffer, address, length);
    if (!result)
        result = run_at(file, &buffer, offset, write);
    fd_return(file, counted);
    return result;
}

int64_t sys_pread64(uint64_t fd, uint64_t address, uint64_t length, uint64_t offset) {
    return at_offset((int)fd, address, length, offset, false);
}

int64_t sys_pwrite64(uint64_t fd, uint64_t address, uint64_t length, uint64_t offset) {
    return at_offset((int)fd, address, length, offset, true);
}

/* ---- vectors ---- */

struct vector {
    struct linux_iovec small[SEGMENTS_ON_STACK];
    struct linux_iovec *segments;
    struct buffer buffer;
};

/* Reads and checks the segments; vector_free afterwards, in any case. */
static int vector_in(struct vector *vector, uint64_t guest, uint64_t count) {
    vector->segments = vector->small;
    if (count > IOV_MAX)
        return -EINVAL;
    if (count > SEGMENTS_ON_STACK)
        vector->segments = heap_alloc(count * sizeof(struct linux_iovec));
    if (!vector->segments)
        return -ENOMEM;
    if (guest_copy_in(vector->segments, guest, count * sizeof(struct linux_iovec)))
        return -EFAULT;
    return buffer_segments(&vector->buffer, vector->segments, count);
}

static void vector_free(struct vector *vector) {
    if (vector->segments != vector->small)
        heap_free(vector->segments);
}

static int64_t transfer_vector(struct file *file, uint64_t guest, uint64_t count, const uint64_t *offset,
                               bool write) {
    struct vector vector;
    int64_t result = write ? (writable(file) ? 0 : -EBADF) : (readable(file) ? 0 : -EBADF);
    if (result)
        return result;
    result = vector_in(&vector, guest, count);
    if (!result && !vector.buffer.length)
        result = 0;
    else if (!result)
        result = offset ? run_at(file, &vector.buffer, *offset, write) : run(file, &vector.buffer, write);
    vector_free(&vector);
    return result;
}

static int64_t vector_call(int fd, uint64_t guest, uint64_t count, const uint64_t *offset, bool write) {
    if (offset && (int64_t)*offset < 0)
        return -EINVAL;
    bool counted;
    struct file *file = fd_borrow(fd, &counted);
    if (!file)
        return -EBADF;
    int64_t result =
        offset && !file->operations->seek ? -ESPIPE : transfer_vector(file, guest, count, offset, write);
    fd_return(file, counted);
    return result;
}

int64_t sys_readv(uint64_t fd, uint64_t guest, uint64_t count) {
    return vector_call((int)fd, guest, count, NULL, false);
}

int64_t sys_writev(uint64_t fd, uint64_t guest, uint64_t count) {
    return vector_call((int)fd, guest, count, NULL, true);
}

int64_t sys_preadv(uint64_t fd, uint64_t guest, uint64_t count, uint64_t offset, uint64_t high) {
    (void)high; /* the upper half on 32-bit machines */
    return vector_call((int)fd, guest, count, &offset, false);
}

int64_t sys_pwritev(uint64_t fd, uint64_t guest, uint64_t count, uint64_t offset, uint64_t high) {
    (void)high;
    return vector_call((int)fd, guest, count, &offset, true);
}

int64_t sys_preadv2(uint64_t fd, uint64_t guest, uint64_t count, uint64_t offset, uint64_t high,
                    uint64_t flags) {
    (void)high;
    if (flags & ~(uint64_t)RWF_SUPPORTED)
        return -EOPNOTSUPP;
    return vector_call((int)fd, guest, count, offset == UINT64_MAX ? NULL : &offset, false);
}

int64_t sys_pwritev2(uint64_t fd, uint64_t guest, uint64_t count, uint64_t offset, uint64_t high,
                     uint64_t flags) {
    (void)high;
    if (flags & ~(uint64_t)RWF_SUPPORTED || flags & RWF_APPEND)
        return -EOPNOTSUPP;
    return vector_call((int)fd, guest, count, offset == UINT64_MAX ? NULL : &offset, true);
}
