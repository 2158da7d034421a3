/* The calls on descriptors themselves: close, dup, fcntl, flock, and the part of ioctl that is the same for
 * all files. */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/resource.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/fs/locks.h"
#include "linux/fs/memfd.h"
#include "linux/io/pipe.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"

enum {
    FIONREAD = 0x541b,
    FIONBIO = 0x5421,
    FIONCLEX = 0x5450,
    FIOCLEX = 0x5451,
    FIOASYNC = 0x5452,
    FIGETBSZ = 2,
};

int64_t sys_close(uint64_t fd) {
    return fd_close((int)fd);
}

/* Applies to all descriptors from first to last; with CLOSE_RANGE_UNSHARE in a table of the task's own. */
int64_t sys_close_range(uint64_t first, uint64_t last, uint64_t flags) {
    struct task *task = task_current();
    if (flags & ~(uint64_t)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || (uint32_t)first > (uint32_t)last)
        return -EINVAL;
    int error = flags & CLOSE_RANGE_UNSHARE ? fd_table_unshare(task) : 0;
    if (error || (uint32_t)first > INT32_MAX)
        return error;
    int end = (uint32_t)last > INT32_MAX ? INT32_MAX : (int)last;
    for (int fd = fd_table_next(task->files, (int)first); fd >= 0 && fd <= end;
         fd = fd_table_next(task->files, fd + 1)) {
        if (flags & CLOSE_RANGE_CLOEXEC)
            fd_set_cloexec(fd, true);
        else
            fd_close(fd);
    }
    return 0;
}

/* Installs another descriptor of a file; consumes the reference either way. */
static int64_t install(struct file *file, int lowest, bool cloexec) {
    int fd = fd_install_from(file, lowest, cloexec);
    if (fd < 0)
        file_put(file);
    return fd;
}

int64_t sys_dup(uint64_t fd) {
    struct file *file = fd_get_any((int)fd);
    return file ? install(file, 0, false) : -EBADF;
}

static int64_t duplicate_to(int old_fd, int new_fd, bool cloexec) {
    struct file *file = fd_get_any(old_fd);
    if (!file)
        return -EBADF;
    int result = fd_replace(file, new_fd, cloexec);
    if (result < 0)
        file_put(file);
    return result;
}

int64_t sys_dup2(uint64_t old_fd, uint64_t new_fd) {
    if ((int)old_fd != (int)new_fd)
        return duplicate_to((int)old_fd, (int)new_fd, false);
    struct file *file = fd_get_any((int)old_fd);
    file_put(file);
    return file ? (int)new_fd : -EBADF;
}

int64_t sys_dup3(uint64_t old_fd, uint64_t new_fd, uint64_t flags) {
    if (flags & ~(uint64_t)O_CLOEXEC || (int)old_fd == (int)new_fd)
        return -EINVAL;
    return duplicate_to((int)old_fd, (int)new_fd, flags & O_CLOEXEC);
}

/* F_SETFL changes these only. */
static int64_t set_flags(struct file *file, uint32_t flags) {
    const uint32_t changeable = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC;
    if (flags & O_NOATIME && !(file->flags & O_NOATIME) && file->path.inode) {
        struct task *task = task_current();
        uint32_t uid = task->credentials.fsuid;
        if (uid && uid != file->path.inode->attributes.uid)
            return -EPERM;
    }
    uint32_t old = file->flags;
    while (!atomic_compare_exchange_weak(&file->flags, &old, (old & ~changeable) | (flags & changeable)))
        ;
    return 0;
}

static int64_t lock_command(struct file *file, int command, uint64_t guest) {
    struct linux_flock lock;
    if (guest_copy_in(&lock, guest, sizeof(lock)))
        return -EFAULT;
    int error = lock_fcntl(file, command, &lock);
    if (!error && (command == F_GETLK || command == F_OFD_GETLK))
        error = guest_copy_out(guest, &lock, sizeof(lock));
    return error;
}

/* Commands that O_PATH descriptors take too. */
static int64_t descriptor_command(int fd, int command, uint64_t argument, struct file *file) {
    uint64_t limit = task_current()->process->limits[RLIMIT_NOFILE].current;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if ((int)argument < 0 || argument >= limit)
            return -EINVAL;
        return install(file_get(file), (int)argument, command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return fd_table_cloexec(task_current()->files, fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
        return fd_set_cloexec(fd, argument & FD_CLOEXEC);
    case F_GETFL:
        return file->flags;
    default:
        return file->flags & O_PATH ? -EBADF : -ENOSYS;
    }
}

static int64_t file_command(struct file *file, int command, uint64_t argument) {
    switch (command) {
    case F_SETFL:
        return set_flags(file, (uint32_t)argument);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock_command(file, command, argument);
    case F_GETPIPE_SZ:
        return pipe_size_get(file);
    case F_SETPIPE_SZ:
        return pipe_size_set(file, (uint32_t)argument);
    case F_GETOWN:
    case F_GETSIG:
    case F_SETOWN:
        return 0; /* nobody is ever signalled: O_ASYNC has no effect */
    case F_SETSIG:
        return argument > 64 ? -EINVAL : 0;
    case F_GETLEASE:
        return F_UNLCK;
    case F_SETLEASE:
        return (int)argument == F_UNLCK ? -EAGAIN : -EINVAL;
    case F_ADD_SEALS:
        return memfd_add_seals(file, (uint32_t)argument);
    case F_GET_SEALS:
        return memfd_get_seals(file);
    default:
        return -EINVAL;
    }
}

int64_t sys_fcntl(uint64_t fd, uint64_t command, uint64_t argument) {
    struct file *file = fd_get_any((int)fd);
    if (!file)
        return -EBADF;
    int64_t result = descriptor_command((int)fd, (int)command, argument, file);
    if (result == -ENOSYS)
        result = file_command(file, (int)command, argument);
    file_put(file);
    return result;
}

int64_t sys_flock(uint64_t fd, uint64_t operation) {
    int kind = (int)operation & ~LOCK_NB;
    struct file *file = fd_get((int)fd);
    if (!file)
        return -EBADF;
    int error =
        kind == LOCK_SH || kind == LOCK_EX || kind == LOCK_UN ? lock_flock(file, (int)operation) : -EINVAL;
    file_put(file);
    return error;
}

static int64_t set_flag(struct file *file, uint32_t flag, uint64_t guest) {
    uint32_t on;
    if (guest_copy_in(&on, guest, sizeof(on)))
        return -EFAULT;
    if (on)
        atomic_fetch_or(&file->flags, flag);
    else
        atomic_fetch_and(&file->flags, ~flag);
    return 0;
}

/* What a regular file or directory answers by itself. */
static int64_t stored_ioctl(struct file *file, uint32_t command, uint64_t argument) {
    struct inode *inode = file->path.inode;
    bool regular = inode && S_ISREG(inode->attributes.mode);
    if (command == FIONREAD && regular) {
        int32_t left = (int32_t)(inode->attributes.size - file->offset);
        return guest_copy_out(argument, &left, sizeof(left));
    }
    if (command == FIGETBSZ && inode && (regular || S_ISDIR(inode->attributes.mode)))
        return guest_copy_out(argument, &inode->attributes.block_size, sizeof(int32_t));
    return -ENOTTY;
}

int64_t sys_ioctl(uint64_t fd, uint64_t command64, uint64_t argument) {
    uint32_t command = (uint32_t)command64;
    struct file *file = fd_get((int)fd);
    int64_t result;
    if (!file)
        return -EBADF;
    if (command == FIOCLEX || command == FIONCLEX)
        result = fd_set_cloexec((int)fd, command == FIOCLEX);
    else if (command == FIONBIO)
        result = set_flag(file, O_NONBLOCK, argument);
    else if (command == FIOASYNC)
        result = set_flag(file, O_ASYNC, argument);
    else if (file->operations->ioctl)
        result = file->operations->ioctl(file, command, argument);
    else
        result = stored_ioctl(file, command, argument);
    file_put(file);
    return result;
}
