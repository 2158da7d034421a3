/* Removing entries: unlink and rmdir. The entry's inode lives on while names, files or links use it. */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/syscalls.h"

/* Checks and removes with the directory locked. */
static int remove_locked(const struct path *parent, const struct last_name *last, bool directory) {
    struct inode *from = parent->inode, *victim;
    const struct inode_operations *operations = from->operations;
    int error = operations->lookup(from, last->text, last->length, &victim);
    if (error)
        return error;
    bool is_directory = S_ISDIR(victim->attributes.mode);
    if (mount_read_only(parent->mount))
        error = -EROFS;
    else
        error = inode_may_delete(from, victim);
    if (!error && directory != is_directory)
        error = directory ? -ENOTDIR : -EISDIR;
    if (!error && !directory && last->slash)
        error = -ENOTDIR;
    if (!error && victim->mounted)
        error = -EBUSY;
    if (!error && directory)
        error = operations->rmdir ? operations->rmdir(from, last->text, last->length, victim) : -EPERM;
    else if (!error)
        error = operations->unlink ? operations->unlink(from, last->text, last->length, victim) : -EPERM;
    if (!error)
        name_remove(parent->name, last->text, last->length);
    inode_put(victim);
    return error;
}

static int check_kind(const struct last_name *last, bool directory) {
    if (last->kind == LAST_NORMAL)
        return 0;
    if (!directory)
        return -EISDIR;
    return last->kind == LAST_DOT ? -EINVAL : last->kind == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
}

static int64_t remove_at(int fd, uint64_t guest, bool directory) {
    struct path parent;
    struct last_name last;
    int error = path_resolve_parent(fd, guest, &parent, &last);
    if (error)
        return error;
    error = check_kind(&last, directory);
    if (!error) {
        mutex_lock(&parent.inode->lock);
        error = remove_locked(&parent, &last, directory);
        mutex_unlock(&parent.inode->lock);
    }
    path_put(&parent);
    return error;
}

int64_t sys_unlink(uint64_t path) {
    return remove_at(AT_FDCWD, path, false);
}

int64_t sys_rmdir(uint64_t path) {
    return remove_at(AT_FDCWD, path, true);
}

int64_t sys_unlinkat(uint64_t fd, uint64_t path, uint64_t flags) {
    if (flags & ~(uint64_t)AT_REMOVEDIR)
        return -EINVAL;
    return remove_at((int)fd, path, flags & AT_REMOVEDIR);
}
