/* lseek, and making bytes durable: only disks have something to wait for, everything else lives in memory. */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/block/disk.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/syscalls.h"

int64_t file_seek_position(struct file *file, int64_t offset, int whence) {
    int64_t base = whence == SEEK_CUR ? (int64_t)file->offset : 0;
    if (whence != SEEK_SET && whence != SEEK_CUR)
        return -EINVAL;
    if (offset > 0 && base > INT64_MAX - offset)
        return -EOVERFLOW;
    return base + offset < 0 ? -EINVAL : base + offset;
}

int64_t file_seek_sized(struct file *file, int64_t offset, int whence) {
    int64_t size = (int64_t)file->path.inode->attributes.size;
    switch (whence) {
    case SEEK_END:
        if (offset > INT64_MAX - size)
            return -EOVERFLOW;
        return size + offset < 0 ? -EINVAL : size + offset;
    case SEEK_DATA:
        return offset < 0 || offset >= size ? -ENXIO : offset;
    case SEEK_HOLE:
        return offset < 0 || offset >= size ? -ENXIO : size;
    default:
        return file_seek_position(file, offset, whence);
    }
}

int64_t sys_lseek(uint64_t fd, uint64_t offset, uint64_t whence) {
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    int64_t result = -ESPIPE;
    if ((uint32_t)whence > SEEK_HOLE) {
        result = -EINVAL;
    } else if (file->operations->seek) {
        mutex_lock(&file->lock);
        result = file->operations->seek(file, (int64_t)offset, (int)whence);
        if (result >= 0)
            file->offset = (uint64_t)result;
        mutex_unlock(&file->lock);
    }
    file_put(file);
    return result;
}

static bool is_stored(const struct file *file) {
    return file->path.inode &&
           (S_ISREG(file->path.inode->attributes.mode) || S_ISDIR(file->path.inode->attributes.mode));
}

int64_t sys_fsync(uint64_t fd) {
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    int error = file->operations->sync ? file->operations->sync(file) : is_stored(file) ? 0 : -EINVAL;
    file_put(file);
    return error;
}

int64_t sys_fdatasync(uint64_t fd) {
    return sys_fsync(fd);
}

int64_t sys_sync(void) {
    disks_sync();
    return 0;
}

static int64_t need_fd(uint64_t fd) {
    struct file *file = fd_get((int)fd);
    file_put(file);
    return file ? 0 : -EBADF;
}

int64_t sys_syncfs(uint64_t fd) {
    return need_fd(fd);
}

int64_t sys_sync_file_range(uint64_t fd, uint64_t offset, uint64_t length, uint64_t flags) {
    if ((int64_t)offset < 0 || (int64_t)(offset + length) < (int64_t)offset || flags & ~7ULL)
        return -EINVAL;
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    int error = is_stored(file) ? 0 : -ESPIPE;
    file_put(file);
    return error;
}

int64_t sys_readahead(uint64_t fd, uint64_t offset, uint64_t length) {
    (void)offset, (void)length;
    struct file *file = fd_get((int)fd);
    if (!file || (file->flags & O_ACCMODE) == O_WRONLY) {
        file_put(file);
        return -EBADF;
    }
    bool regular = file->path.inode && S_ISREG(file->path.inode->attributes.mode);
    file_put(file);
    return regular ? 0 : -EINVAL;
}

int64_t sys_fadvise64(uint64_t fd, uint64_t offset, uint64_t length, uint64_t advice) {
    (void)offset;
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    bool pipe = file->path.inode && S_ISFIFO(file->path.inode->attributes.mode);
    file_put(file);
    return pipe ? -ESPIPE : (int64_t)length < 0 || advice > 5 ? -EINVAL : 0;
}

int64_t sys_fallocate(uint64_t fd, uint64_t mode, uint64_t offset, uint64_t length) {
    if ((int64_t)offset < 0 || (int64_t)length <= 0)
        return -EINVAL;
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    uint32_t type = file->path.inode ? file->path.inode->attributes.mode & S_IFMT : 0;
    int error = 0;
    if (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE))
        error = -EOPNOTSUPP;
    else if ((file->flags & O_ACCMODE) == O_RDONLY)
        error = -EBADF;
    else if (type == S_IFIFO)
        error = -ESPIPE;
    else if (type == S_IFDIR)
        error = -EISDIR;
    else if (type != S_IFREG)
        error = -ENODEV;
    else if (offset > (uint64_t)INT64_MAX - length)
        error = -EFBIG;
    else if (!file->operations->allocate)
        error = -EOPNOTSUPP;
    else
        error = file->operations->allocate(file, (int)mode, offset, length);
    file_put(file);
    return error;
}
