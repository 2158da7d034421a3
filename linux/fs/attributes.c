/* Changing attributes: chmod, chown, times, truncate. The file system's setattr commits what was checked
 * here. */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/resource.h"
#include "linux/abi/stat.h"
#include "linux/abi/time.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { NANOSECONDS = 1000000000, SIGXFSZ_NUMBER = 25 };

/* Commits with the inode locked. */
static int set(struct inode *inode, const struct attributes *attributes, unsigned which) {
    if (!inode->operations || !inode->operations->setattr)
        return -EPERM;
    return inode->operations->setattr(inode, attributes, which);
}

static int change_mode(const struct path *path, uint32_t mode) {
    struct inode *inode = path->inode;
    struct attributes attributes = {.mode = (inode->attributes.mode & S_IFMT) | (mode & S_IALLUGO)};
    if (mount_read_only(path->mount))
        return -EROFS;
    if (S_ISLNK(inode->attributes.mode))
        return -EOPNOTSUPP;
    mutex_lock(&inode->lock);
    int error = inode_owned(inode) ? 0 : -EPERM;
    if (!in_group(inode->attributes.gid) && task_current() && task_current()->credentials.fsuid)
        attributes.mode &= ~(uint32_t)S_ISGID;
    if (!error)
        error = set(inode, &attributes, ATTR_MODE);
    mutex_unlock(&inode->lock);
    return error;
}

static int64_t chmod_at(int fd, uint64_t path, uint64_t mode, unsigned walk) {
    struct path found;
    int error = path_resolve(fd, path, walk, &found);
    if (error)
        return error;
    error = change_mode(&found, (uint32_t)mode);
    path_put(&found);
    return error;
}

int64_t sys_chmod(uint64_t path, uint64_t mode) {
    return chmod_at(AT_FDCWD, path, mode, WALK_FOLLOW);
}

int64_t sys_fchmodat(uint64_t fd, uint64_t path, uint64_t mode) {
    return chmod_at((int)fd, path, mode, WALK_FOLLOW);
}

int64_t sys_fchmod(uint64_t fd, uint64_t mode) {
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    int error = file->path.inode ? change_mode(&file->path, (uint32_t)mode) : -EINVAL;
    file_put(file);
    return error;
}

/* uid or gid -1 stays. Only root gives files away; owners may choose among their own groups. */
static int owner_allowed(const struct inode *inode, uint32_t uid, uint32_t gid) {
    struct task *task = task_current();
    bool root = !task || task->credentials.fsuid == 0;
    bool owner = root || task->credentials.fsuid == inode->attributes.uid;
    if (uid != UINT32_MAX && !root && !(owner && uid == inode->attributes.uid))
        return -EPERM;
    if (gid != UINT32_MAX && !root && !(owner && (gid == inode->attributes.gid || in_group(gid))))
        return -EPERM;
    return 0;
}

static int change_owner(const struct path *path, uint32_t uid, uint32_t gid) {
    struct inode *inode = path->inode;
    if (mount_read_only(path->mount))
        return -EROFS;
    mutex_lock(&inode->lock);
    uint32_t mode = inode->attributes.mode;
    struct attributes attributes = {.uid = uid, .gid = gid, .mode = mode};
    unsigned which = (uid != UINT32_MAX ? ATTR_UID : 0) | (gid != UINT32_MAX ? ATTR_GID : 0);
    int error = owner_allowed(inode, uid, gid);
    if (!S_ISDIR(mode)) { /* a new owner's file must not run with the old one's powers */
        attributes.mode &= ~(uint32_t)S_ISUID;
        if (mode & S_IXGRP)
            attributes.mode &= ~(uint32_t)S_ISGID;
    }
    if (attributes.mode != mode)
        which |= ATTR_MODE;
    if (!error)
        error = set(inode, &attributes, which);
    mutex_unlock(&inode->lock);
    return error;
}

static int64_t chown_at(int fd, uint64_t path, uint64_t uid, uint64_t gid, unsigned walk) {
    struct path found;
    int error = path_resolve(fd, path, walk, &found);
    if (error)
        return error;
    error = change_owner(&found, (uint32_t)uid, (uint32_t)gid);
    path_put(&found);
    return error;
}

int64_t sys_chown(uint64_t path, uint64_t uid, uint64_t gid) {
    return chown_at(AT_FDCWD, path, uid, gid, WALK_FOLLOW);
}

int64_t sys_lchown(uint64_t path, uint64_t uid, uint64_t gid) {
    return chown_at(AT_FDCWD, path, uid, gid, 0);
}

int64_t sys_fchown(uint64_t fd, uint64_t uid, uint64_t gid) {
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    int error = file->path.inode ? change_owner(&file->path, (uint32_t)uid, (uint32_t)gid) : -EINVAL;
    file_put(file);
    return error;
}

int64_t sys_fchownat(uint64_t fd, uint64_t path, uint64_t uid, uint64_t gid, uint64_t flags) {
    if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    unsigned walk =
        (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
    return chown_at((int)fd, path, uid, gid, walk);
}

/* ---- times ---- */

struct times {
    struct timestamp time[2];
    bool now[2], omit[2];
};

static int change_times(const struct path *path, const struct times *times) {
    struct inode *inode = path->inode;
    struct attributes attributes = {.atime = times->time[0], .mtime = times->time[1]};
    struct timestamp now = timestamp_now();
    bool only_now = times->now[0] && times->now[1];
    if (times->omit[0] && times->omit[1])
        return 0;
    if (mount_read_only(path->mount))
        return -EROFS;
    if (times->now[0])
        attributes.atime = now;
    if (times->now[1])
        attributes.mtime = now;
    mutex_lock(&inode->lock);
    int error = 0;
    if (!inode_owned(inode))
        error = only_now ? inode_permission(inode, W_OK) : -EPERM;
    if (!error)
        error =
            set(inode, &attributes, (times->omit[0] ? 0 : ATTR_ATIME) | (times->omit[1] ? 0 : ATTR_MTIME));
    mutex_unlock(&inode->lock);
    return error;
}

static int64_t times_at(int fd, uint64_t path, const struct times *times, unsigned flags) {
    struct path found;
    int error;
    if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (!path) { /* futimens */
        struct file *file = fd == AT_FDCWD ? NULL : fd_get(fd);
        if (fd == AT_FDCWD)
            return -EFAULT;
        if (!file)
            return -EBADF;
        error = flags ? -EINVAL : file->path.inode ? change_times(&file->path, times) : -EINVAL;
        file_put(file);
        return error;
    }
    unsigned walk =
        (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
    error = path_resolve(fd, path, walk, &found);
    if (error)
        return error;
    error = change_times(&found, times);
    path_put(&found);
    return error;
}

int64_t sys_utimensat(uint64_t fd, uint64_t path, uint64_t guest, uint64_t flags) {
    struct times times = {.now = {true, true}};
    struct timespec64 spec[2];
    if (guest) {
        if (guest_copy_in(spec, guest, sizeof(spec)))
            return -EFAULT;
        for (unsigned i = 0; i < 2; i++) {
            times.now[i] = spec[i].nanoseconds == UTIME_NOW;
            times.omit[i] = spec[i].nanoseconds == UTIME_OMIT;
            if (!times.now[i] && !times.omit[i] && (uint64_t)spec[i].nanoseconds >= NANOSECONDS)
                return -EINVAL;
            times.time[i] = (struct timestamp){spec[i].seconds, (uint32_t)spec[i].nanoseconds};
        }
    }
    return times_at((int)fd, path, &times, (unsigned)flags);
}

static int64_t utimes_at(int fd, uint64_t path, uint64_t guest) {
    struct times times = {.now = {true, true}};
    struct timeval64 value[2];
    if (guest) {
        if (guest_copy_in(value, guest, sizeof(value)))
            return -EFAULT;
        for (unsigned i = 0; i < 2; i++) {
            if ((uint64_t)value[i].microseconds >= 1000000)
                return -EINVAL;
            times.now[i] = false;
            times.time[i] = (struct timestamp){value[i].seconds, (uint32_t)value[i].microseconds * 1000};
        }
    }
    return times_at(fd, path, &times, 0);
}

int64_t sys_utimes(uint64_t path, uint64_t guest) {
    return path ? utimes_at(AT_FDCWD, path, guest) : -EFAULT;
}

int64_t sys_futimesat(uint64_t fd, uint64_t path, uint64_t guest) {
    return utimes_at((int)fd, path, guest);
}

int64_t sys_utime(uint64_t path, uint64_t guest) {
    struct times times = {.now = {true, true}};
    int64_t seconds[2];
    if (!path)
        return -EFAULT;
    if (guest) {
        if (guest_copy_in(seconds, guest, sizeof(seconds)))
            return -EFAULT;
        for (unsigned i = 0; i < 2; i++) {
            times.now[i] = false;
            times.time[i] = (struct timestamp){seconds[i], 0};
        }
    }
    return times_at(AT_FDCWD, path, &times, 0);
}

/* ---- truncate ---- */

int file_size_check(uint64_t size, uint64_t old_size) {
    struct task *task = task_current();
    if (task && size > old_size && size > task->process->limits[RLIMIT_FSIZE].current) {
        signal_send_task_kernel(task, SIGXFSZ_NUMBER);
        return -EFBIG;
    }
    return 0;
}

static int change_size(struct inode *inode, uint64_t size) {
    struct attributes attributes = {.size = size};
    mutex_lock(&inode->lock);
    int error = file_size_check(size, inode->attributes.size);
    if (!error)
        error = set(inode, &attributes, ATTR_SIZE);
    mutex_unlock(&inode->lock);
    return error;
}

static int truncate_path(const struct path *path, uint64_t size) {
    struct inode *inode = path->inode;
    if (S_ISDIR(inode->attributes.mode))
        return -EISDIR;
    if (!S_ISREG(inode->attributes.mode))
        return -EINVAL;
    if (mount_read_only(path->mount))
        return -EROFS;
    int error = inode_permission(inode, W_OK);
    if (!error)
        error = inode_writer_add(inode);
    if (error)
        return error;
    error = change_size(inode, size);
    inode_writer_remove(inode);
    return error;
}

int64_t sys_truncate(uint64_t path, uint64_t size) {
    struct path found;
    if ((int64_t)size < 0)
        return -EINVAL;
    int error = path_resolve(AT_FDCWD, path, WALK_FOLLOW, &found);
    if (error)
        return error;
    error = truncate_path(&found, size);
    path_put(&found);
    return error;
}

int64_t sys_ftruncate(uint64_t fd, uint64_t size) {
    if ((int64_t)size < 0)
        return -EINVAL;
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    struct inode *inode = file->path.inode;
    int error = -EINVAL;
    if (inode && S_ISREG(inode->attributes.mode) && (file->flags & O_ACCMODE) != O_RDONLY)
        error =
            file->operations->truncate ? file->operations->truncate(file, size) : change_size(inode, size);
    file_put(file);
    return error;
}
