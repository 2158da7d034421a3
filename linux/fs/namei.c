/* Making entries: mknod, mkdir, symlink, link. Removing and renaming them is in remove.c and rename.c. */
#include "linux/fs/namei.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/mount.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"

uint32_t namei_umask(void) {
    struct task *task = task_current();
    return task ? task->fs->umask : 0;
}

/* The owner of a new inode; a set-group-id directory hands down its group, and to directories the bit. */
static void set_owner(struct inode *inode, const struct inode *directory) {
    struct task *task = task_current();
    struct attributes *attributes = &inode->attributes;
    if (task) {
        attributes->uid = task->credentials.fsuid;
        attributes->gid = task->credentials.fsgid;
    }
    if (directory->attributes.mode & S_ISGID) {
        attributes->gid = directory->attributes.gid;
        if (S_ISDIR(attributes->mode))
            attributes->mode |= S_ISGID;
    }
    bool foreign_group = S_ISREG(attributes->mode) && !in_group(attributes->gid);
    if (foreign_group && task && task->credentials.fsuid && attributes->mode & S_IXGRP)
        attributes->mode &= ~(uint32_t)S_ISGID;
}

/* What must hold before an entry can be made or linked; the directory is locked. */
static int may_create(const struct path *parent) {
    if (!parent->inode->attributes.nlink)
        return -ENOENT;
    if (mount_read_only(parent->mount))
        return -EROFS;
    return inode_permission(parent->inode, W_OK | X_OK);
}

static bool entry_exists(struct inode *directory, const struct last_name *last) {
    struct inode *found;
    if (directory->operations->lookup(directory, last->text, last->length, &found))
        return false;
    inode_put(found);
    return true;
}

int namei_create(const struct path *parent, const struct last_name *last, uint32_t mode, uint64_t rdev,
                 const char *target, struct path *found) {
    struct inode *directory = parent->inode, *made = NULL;
    struct name *name = NULL;
    mutex_lock(&directory->lock);
    int error = entry_exists(directory, last) ? -EEXIST : may_create(parent);
    if (!error && !directory->operations->create)
        error = -EPERM;
    if (!error)
        error = directory->operations->create(directory, last->text, last->length, mode, rdev, target, &made);
    if (!error) {
        set_owner(made, directory);
        if (found && !(name = name_make(parent->name, last->text, last->length, made)))
            error = -ENOMEM;
        inode_put(made);
    }
    mutex_unlock(&directory->lock);
    if (!error && found)
        *found = (struct path){mount_get(parent->mount), inode_get(name->inode), name};
    return error;
}

/* Walks to where a new entry shall stand. Only a directory's name may end in slashes. */
static int walk_to_new(int fd, uint64_t guest, bool directory, struct path *parent, struct last_name *last) {
    struct path existing;
    int error = path_resolve_parent(fd, guest, parent, last);
    if (error)
        return error;
    if (last->kind != LAST_NORMAL)
        error = -EEXIST;
    else if (last->slash && !directory) {
        error = path_lookup(parent, last->text, last->length, &existing);
        if (!error)
            path_put(&existing);
        error = error ? error : -EEXIST;
    }
    if (error)
        path_put(parent);
    return error;
}

static int64_t make_at(int fd, uint64_t path, uint32_t mode, uint64_t rdev, const char *target) {
    struct path parent;
    struct last_name last;
    int error = walk_to_new(fd, path, S_ISDIR(mode), &parent, &last);
    if (error)
        return error;
    error = namei_create(&parent, &last, mode, rdev, target, NULL);
    path_put(&parent);
    return error;
}

static int64_t mkdir_at(int fd, uint64_t path, uint64_t mode) {
    return make_at(fd, path, S_IFDIR | ((uint32_t)mode & (S_IRWXUGO | S_ISVTX) & ~namei_umask()), 0, NULL);
}

int64_t sys_mkdir(uint64_t path, uint64_t mode) {
    return mkdir_at(AT_FDCWD, path, mode);
}

int64_t sys_mkdirat(uint64_t fd, uint64_t path, uint64_t mode) {
    return mkdir_at((int)fd, path, mode);
}

static int64_t mknod_at(int fd, uint64_t path, uint32_t mode, uint64_t device) {
    uint32_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
    bool special = S_ISCHR(type) || S_ISBLK(type);
    if (S_ISDIR(type))
        return -EPERM;
    if (!special && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK)
        return -EINVAL;
    if (special && !task_is_root(task_current()))
        return -EPERM;
    return make_at(fd, path, type | (mode & S_IALLUGO & ~namei_umask()), special ? (uint32_t)device : 0,
                   NULL);
}

int64_t sys_mknod(uint64_t path, uint64_t mode, uint64_t device) {
    return mknod_at(AT_FDCWD, path, (uint32_t)mode, device);
}

int64_t sys_mknodat(uint64_t fd, uint64_t path, uint64_t mode, uint64_t device) {
    return mknod_at((int)fd, path, (uint32_t)mode, device);
}

static int64_t symlink_at(uint64_t target, int fd, uint64_t path) {
    char *text;
    int64_t error = path_text_in(target, &text);
    if (error)
        return error;
    error = *text ? make_at(fd, path, S_IFLNK | S_IRWXUGO, 0, text) : -ENOENT;
    heap_free(text);
    return error;
}

int64_t sys_symlink(uint64_t target, uint64_t path) {
    return symlink_at(target, AT_FDCWD, path);
}

int64_t sys_symlinkat(uint64_t target, uint64_t fd, uint64_t path) {
    return symlink_at(target, (int)fd, path);
}

static int link_locked(const struct path *parent, const struct last_name *last, const struct path *old) {
    struct inode *directory = parent->inode, *inode = old->inode;
    int error = entry_exists(directory, last) ? -EEXIST : may_create(parent);
    if (error)
        return error;
    if (parent->mount != old->mount || directory->filesystem != inode->filesystem)
        return -EXDEV;
    if (S_ISDIR(inode->attributes.mode) || !directory->operations->link)
        return -EPERM;
    return directory->operations->link(directory, last->text, last->length, inode);
}

static int64_t link_at(int old_fd, uint64_t old_path, int new_fd, uint64_t new_path, unsigned flags) {
    struct path old, parent;
    struct last_name last;
    if (flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    unsigned walk = (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
    int error = path_resolve(old_fd, old_path, walk, &old);
    if (error)
        return error;
    error = walk_to_new(new_fd, new_path, false, &parent, &last);
    if (!error) {
        mutex_lock(&parent.inode->lock);
        error = link_locked(&parent, &last, &old);
        mutex_unlock(&parent.inode->lock);
        path_put(&parent);
    }
    path_put(&old);
    return error;
}

int64_t sys_link(uint64_t old_path, uint64_t new_path) {
    return link_at(AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}

int64_t sys_linkat(uint64_t old_fd, uint64_t old_path, uint64_t new_fd, uint64_t new_path, uint64_t flags) {
    return link_at((int)old_fd, old_path, (int)new_fd, new_path, (unsigned)flags);
}
