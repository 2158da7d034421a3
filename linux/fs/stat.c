/* The stat family and access: what an inode is, for whoever can reach it. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"

static int stat_out(const struct attributes *from, uint64_t to) {
    struct linux_stat status = {
        .dev = from->device,
        .ino = from->ino,
        .nlink = from->nlink,
        .mode = from->mode,
        .uid = from->uid,
        .gid = from->gid,
        .rdev = from->rdev,
        .size = (int64_t)from->size,
        .block_size = from->block_size,
        .blocks = (int64_t)from->blocks,
        .atime = from->atime.seconds,
        .atime_nsec = from->atime.nanoseconds,
        .mtime = from->mtime.seconds,
        .mtime_nsec = from->mtime.nanoseconds,
        .ctime = from->ctime.seconds,
        .ctime_nsec = from->ctime.nanoseconds,
    };
    return guest_copy_out(to, &status, sizeof(status));
}

static int64_t stat_path(int fd, uint64_t path, unsigned walk, uint64_t to) {
    struct attributes attributes;
    struct path found;
    int error = path_resolve(fd, path, walk, &found);
    if (error)
        return error;
    error = inode_getattr(found.inode, &attributes);
    path_put(&found);
    return error ? error : stat_out(&attributes, to);
}

static int64_t stat_fd(int fd, uint64_t to) {
    struct attributes attributes;
    struct file *file = fd_get_any(fd);
    if (!file)
        return -EBADF;
    int error = file->path.inode ? inode_getattr(file->path.inode, &attributes) : -EBADF;
    file_put(file);
    return error ? error : stat_out(&attributes, to);
}

int64_t sys_stat(uint64_t path, uint64_t to) {
    return stat_path(AT_FDCWD, path, WALK_FOLLOW, to);
}

int64_t sys_lstat(uint64_t path, uint64_t to) {
    return stat_path(AT_FDCWD, path, 0, to);
}

int64_t sys_fstat(uint64_t fd, uint64_t to) {
    return stat_fd((int)fd, to);
}

static unsigned walk_flags(unsigned flags) {
    return (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

/* Empty path with AT_EMPTY_PATH: fstat, the way glibc does it. */
static bool is_empty(uint64_t path, unsigned flags) {
    char first;
    return flags & AT_EMPTY_PATH && !guest_copy_in(&first, path, 1) && !first;
}

int64_t sys_newfstatat(uint64_t fd, uint64_t path, uint64_t to, uint64_t flags64) {
    unsigned flags = (unsigned)flags64;
    if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC |
                            AT_STATX_DONT_SYNC))
        return -EINVAL;
    if ((int)fd >= 0 && is_empty(path, flags))
        return stat_fd((int)fd, to);
    return stat_path((int)fd, path, walk_flags(flags), to);
}

static struct linux_statx_time statx_time(struct timestamp time) {
    return (struct linux_statx_time){.seconds = time.seconds, .nanoseconds = time.nanoseconds};
}

static void statx_fill(struct linux_statx *to, const struct attributes *from, const struct path *path) {
    *to = (struct linux_statx){
        .mask = STATX_BASIC_STATS | STATX_MNT_ID,
        .block_size = from->block_size,
        .nlink = from->nlink,
        .uid = from->uid,
        .gid = from->gid,
        .mode = (uint16_t)from->mode,
        .ino = from->ino,
        .size = from->size,
        .blocks = from->blocks,
        .atime = statx_time(from->atime),
        .ctime = statx_time(from->ctime),
        .mtime = statx_time(from->mtime),
        .rdev_major = device_major(from->rdev),
        .rdev_minor = device_minor(from->rdev),
        .dev_major = device_major(from->device),
        .dev_minor = device_minor(from->device),
        .mount_id = path->mount ? (uint64_t)path->mount->id : 0,
        .attributes_mask = STATX_ATTR_MOUNT_ROOT,
    };
    if (path->mount && path->mount->root == path->name)
        to->attributes |= STATX_ATTR_MOUNT_ROOT;
}

int64_t sys_statx(uint64_t fd, uint64_t path, uint64_t flags64, uint64_t mask, uint64_t to) {
    unsigned flags = (unsigned)flags64, sync = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
    struct attributes attributes;
    struct linux_statx status;
    struct path found;
    if ((uint32_t)mask & (uint32_t)STATX_RESERVED || (flags & sync) == sync)
        return -EINVAL;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | sync))
        return -EINVAL;
    int error = path_resolve((int)fd, path, walk_flags(flags), &found);
    if (error)
        return error;
    error = found.inode ? inode_getattr(found.inode, &attributes) : -EBADF;
    if (!error)
        statx_fill(&status, &attributes, &found);
    path_put(&found);
    return error ? error : guest_copy_out(to, &status, sizeof(status));
}

static int64_t access_at(int fd, uint64_t path, unsigned mode, unsigned flags) {
    struct path found;
    if (mode & ~7u || flags & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int error = path_resolve(fd, path, walk_flags(flags), &found);
    if (error)
        return error;
    uint32_t type = found.inode->attributes.mode & S_IFMT;
    if (mode & X_OK && type == S_IFREG && found.mount && found.mount->flags & MS_NOEXEC)
        error = -EACCES;
    else if (mode)
        error = flags & AT_EACCESS ? inode_permission(found.inode, mode)
                                   : inode_permission_real(found.inode, mode);
    bool writable_type = type == S_IFREG || type == S_IFDIR || type == S_IFLNK;
    if (!error && mode & W_OK && writable_type && mount_read_only(found.mount))
        error = -EROFS;
    path_put(&found);
    return error;
}

int64_t sys_access(uint64_t path, uint64_t mode) {
    return access_at(AT_FDCWD, path, (unsigned)mode, 0);
}

int64_t sys_faccessat(uint64_t fd, uint64_t path, uint64_t mode) {
    return access_at((int)fd, path, (unsigned)mode, 0);
}

int64_t sys_faccessat2(uint64_t fd, uint64_t path, uint64_t mode, uint64_t flags) {
    return access_at((int)fd, path, (unsigned)mode, (unsigned)flags);
}

static int64_t readlink_at(int fd, uint64_t path, uint64_t to, int size) {
    struct path found;
    char *text;
    if (size <= 0)
        return -EINVAL;
    int64_t result = path_resolve(fd, path, WALK_EMPTY, &found);
    if (result)
        return result;
    bool empty = false;
    if (!S_ISLNK(found.inode->attributes.mode)) {
        char first = 1;
        empty = !guest_copy_in(&first, path, 1) && !first;
        result = empty ? -ENOENT : -EINVAL;
    } else {
        result = inode_link_text(found.inode, &text);
    }
    path_put(&found);
    if (result)
        return result;
    size_t length = strlen(text);
    if (length > (size_t)size)
        length = (size_t)size;
    result = guest_copy_out(to, text, length);
    heap_free(text);
    return result ? result : (int64_t)length;
}

int64_t sys_readlink(uint64_t path, uint64_t to, uint64_t size) {
    return readlink_at(AT_FDCWD, path, to, (int)size);
}

int64_t sys_readlinkat(uint64_t fd, uint64_t path, uint64_t to, uint64_t size) {
    return readlink_at((int)fd, path, to, (int)size);
}
