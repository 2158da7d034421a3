/*
 * tmpfs: instance, inodes and the operations on names. The callers in linux/fs (namei.c, remove.c, rename.c)
 * checked permissions and kinds and hold the directories' locks.
 */
#include "linux/fs/tmpfs.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/file.h"
#include "linux/fs/options.h"
#include "linux/fs/tmpfs_internal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/system.h"

enum { ENTRY_SIZE = 20, EMPTY_SIZE = 2 * ENTRY_SIZE }; /* what Linux shows as a directory's size */

static void touch(struct inode *inode) {
    inode->attributes.mtime = inode->attributes.ctime = timestamp_now();
}

static struct inode *tmpfs_inode(struct filesystem *filesystem, uint32_t mode) {
    struct tmpfs *tmpfs = filesystem->data;
    if (tmpfs->inode_limit && tmpfs->inodes >= tmpfs->inode_limit)
        return NULL;
    bool directory = S_ISDIR(mode);
    struct tmpfs_node *node = heap_zalloc(sizeof(*node));
    struct inode *inode = inode_create(
        filesystem, mode, directory ? &tmpfs_directory_inode_operations : &tmpfs_inode_operations,
        directory       ? &tmpfs_directory_operations
        : S_ISREG(mode) ? &tmpfs_file_operations
                        : NULL);
    if (!node || !inode) {
        heap_free(node);
        heap_free(inode);
        return NULL;
    }
    node->inode = inode;
    inode->data = node;
    if (directory) {
        inode->attributes.nlink = 2;
        inode->attributes.size = EMPTY_SIZE;
    }
    atomic_fetch_add(&tmpfs->inodes, 1);
    return inode;
}

struct inode *tmpfs_anonymous(struct filesystem *filesystem, uint32_t mode) {
    struct inode *inode = tmpfs_inode(filesystem, mode);
    if (inode) {
        inode->attributes.nlink = 0;
        node_of(inode)->linkable = true;
    }
    return inode;
}

uint64_t tmpfs_committed(struct inode *inode) {
    return tmpfs_blocks(inode) * 512;
}

static void tmpfs_release(struct inode *inode) {
    struct tmpfs_node *node = node_of(inode);
    if (S_ISDIR(inode->attributes.mode))
        directory_free(&node->directory);
    else if (S_ISLNK(inode->attributes.mode))
        heap_free(node->target);
    else if (S_ISREG(inode->attributes.mode))
        tmpfs_file_release(node);
    heap_free(node);
    atomic_fetch_sub(&tmpfs_of(inode)->inodes, 1);
}

static int tmpfs_lookup(struct inode *directory, const char *name, size_t length, struct inode **found) {
    struct tmpfs_entry *entry = directory_find(&node_of(directory)->directory, name, length);
    if (!entry)
        return -ENOENT;
    *found = inode_get(entry->inode);
    return 0;
}

/* Enters an inode into a directory and does the bookkeeping of its size and links. */
static int enter(struct inode *directory, const char *name, size_t length, struct inode *inode) {
    int error = directory_add(&node_of(directory)->directory, name, length, inode);
    if (error)
        return -ENOSPC;
    directory->attributes.size += ENTRY_SIZE;
    if (S_ISDIR(inode->attributes.mode)) {
        directory->attributes.nlink++;
        node_of(inode)->directory.parent = directory;
    }
    touch(directory);
    return 0;
}

static void leave_entry(struct inode *directory, struct tmpfs_entry *entry) {
    struct inode *inode = directory_take(&node_of(directory)->directory, entry);
    directory->attributes.size -= ENTRY_SIZE;
    if (S_ISDIR(inode->attributes.mode))
        directory->attributes.nlink--;
    touch(directory);
    inode_put(inode);
}

static void leave(struct inode *directory, const char *name, size_t length) {
    leave_entry(directory, directory_find(&node_of(directory)->directory, name, length));
}

static int set_target(struct inode *inode, const char *target) {
    size_t length = strlen(target);
    char *copy = heap_alloc(length + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, target, length + 1);
    node_of(inode)->target = copy;
    inode->attributes.size = length;
    return 0;
}

static int tmpfs_create(struct inode *directory, const char *name, size_t length, uint32_t mode,
                        uint64_t rdev, const char *target, struct inode **made) {
    struct inode *inode = tmpfs_inode(directory->filesystem, mode);
    if (!inode)
        return -ENOSPC;
    inode->attributes.rdev = rdev;
    int error = S_ISLNK(mode) ? set_target(inode, target) : 0;
    if (!error)
        error = enter(directory, name, length, inode);
    if (error) {
        inode_put(inode);
        return error;
    }
    *made = inode;
    return 0;
}

static int tmpfs_link(struct inode *directory, const char *name, size_t length, struct inode *inode) {
    struct tmpfs_node *node = node_of(inode);
    bool unnamed = S_ISREG(inode->attributes.mode) && node->linkable;
    if (!inode->attributes.nlink && !unnamed)
        return -ENOENT;
    int error = enter(directory, name, length, inode);
    if (error)
        return error;
    if (unnamed)
        node->linkable = false;
    inode->attributes.nlink++;
    inode->attributes.ctime = timestamp_now();
    return 0;
}

static int tmpfs_unlink(struct inode *directory, const char *name, size_t length, struct inode *victim) {
    leave(directory, name, length);
    victim->attributes.nlink--;
    victim->attributes.ctime = directory->attributes.ctime;
    return 0;
}

static int tmpfs_rmdir(struct inode *directory, const char *name, size_t length, struct inode *victim) {
    if (node_of(victim)->directory.entries)
        return -ENOTEMPTY;
    leave(directory, name, length);
    victim->attributes.nlink = 0;
    victim->attributes.ctime = directory->attributes.ctime;
    return 0;
}

/* An entry gets another inode: links of the directory and the inode's parent follow. */
static void replace_inode(struct inode *directory, struct tmpfs_entry *entry, struct inode *inode) {
    directory->attributes.nlink -= S_ISDIR(entry->inode->attributes.mode) ? 1 : 0;
    entry->inode = inode;
    if (S_ISDIR(inode->attributes.mode)) {
        directory->attributes.nlink++;
        node_of(inode)->directory.parent = directory;
    }
    directory_renew(&node_of(directory)->directory, entry);
    touch(directory);
    inode->attributes.ctime = directory->attributes.ctime;
}

static int exchange(struct inode *from, struct tmpfs_entry *entry, struct inode *to,
                    struct tmpfs_entry *other) {
    struct inode *moved = entry->inode, *replaced = other->inode;
    replace_inode(from, entry, replaced);
    replace_inode(to, other, moved);
    return 0;
}

static int tmpfs_rename(struct inode *from, const char *name, size_t length, struct inode *to,
                        const char *new_name, size_t new_length, struct inode *moved, struct inode *replaced,
                        unsigned flags) {
    struct tmpfs_entry *over = directory_find(&node_of(to)->directory, new_name, new_length);
    if (flags & RENAME_EXCHANGE)
        return exchange(from, directory_find(&node_of(from)->directory, name, length), to, over);
    bool over_directory = replaced && S_ISDIR(replaced->attributes.mode);
    if (over_directory && node_of(replaced)->directory.entries)
        return -ENOTEMPTY;
    /* The new entry comes first, beside the one it replaces: nothing can fail after it. */
    int error = enter(to, new_name, new_length, moved);
    if (error)
        return error;
    if (over)
        leave_entry(to, over);
    leave(from, name, length);
    moved->attributes.ctime = from->attributes.ctime;
    if (replaced) {
        replaced->attributes.nlink = over_directory ? 0 : replaced->attributes.nlink - 1;
        replaced->attributes.ctime = from->attributes.ctime;
    }
    return 0;
}

static int64_t tmpfs_readlink(struct inode *inode, char *to, size_t size) {
    if (!S_ISLNK(inode->attributes.mode))
        return -EINVAL;
    size_t length = inode->attributes.size < size ? (size_t)inode->attributes.size : size;
    memcpy(to, node_of(inode)->target, length);
    return (int64_t)length;
}

static int tmpfs_getattr(struct inode *inode, struct attributes *attributes) {
    mutex_lock(&inode->lock);
    *attributes = inode->attributes;
    if (S_ISREG(inode->attributes.mode))
        attributes->blocks = tmpfs_blocks(inode);
    mutex_unlock(&inode->lock);
    return 0;
}

static int tmpfs_setattr(struct inode *inode, const struct attributes *attributes, unsigned which) {
    if (which & ATTR_SIZE) {
        int error = tmpfs_set_size(inode, attributes->size);
        if (error)
            return error;
        inode->attributes.mtime = timestamp_now();
    }
    inode_change(inode, attributes, which);
    return 0;
}

const struct inode_operations tmpfs_inode_operations = {
    .readlink = tmpfs_readlink,
    .getattr = tmpfs_getattr,
    .setattr = tmpfs_setattr,
    .release = tmpfs_release,
};

const struct inode_operations tmpfs_directory_inode_operations = {
    .lookup = tmpfs_lookup,
    .create = tmpfs_create,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rmdir = tmpfs_rmdir,
    .rename = tmpfs_rename,
    .getattr = tmpfs_getattr,
    .setattr = tmpfs_setattr,
    .release = tmpfs_release,
};

const struct file_operations tmpfs_directory_operations = {
    .readdir = tmpfs_readdir,
    .seek = file_seek_position,
};

/* ---- the instance ---- */

static int make(const struct filesystem_type *type, const char *options, struct filesystem **made) {
    struct tmpfs *tmpfs = heap_zalloc(sizeof(*tmpfs));
    struct filesystem *filesystem = tmpfs ? filesystem_create(type, tmpfs) : NULL;
    if (!filesystem) {
        heap_free(tmpfs);
        return -ENOMEM;
    }
    uint64_t total, unused, mode = 01777, uid = 0, gid = 0, size;
    system_memory(&total, &unused);
    tmpfs->page_limit = tmpfs->inode_limit = total / PAGE_SIZE / 2;
    option_number(options, "mode", 8, &mode);
    option_number(options, "uid", 10, &uid);
    option_number(options, "gid", 10, &gid);
    option_number(options, "nr_inodes", 10, &tmpfs->inode_limit);
    if (option_size(options, "size", total, &size)) {
        tmpfs->page_limit = (size + PAGE_SIZE - 1) / PAGE_SIZE;
        tmpfs->sized = true;
    }
    filesystem->root = tmpfs_inode(filesystem, S_IFDIR | ((uint32_t)mode & S_IALLUGO));
    if (!filesystem->root) {
        filesystem_put(filesystem);
        return -ENOMEM;
    }
    filesystem->root->attributes.uid = (uint32_t)uid;
    filesystem->root->attributes.gid = (uint32_t)gid;
    *made = filesystem;
    return 0;
}

static int tmpfs_make(const char *options, struct filesystem **made) {
    return make(&tmpfs_type, options, made);
}

static int devtmpfs_make(const char *options, struct filesystem **made) {
    (void)options;
    return make(&devtmpfs_type, "mode=0755", made);
}

static void tmpfs_statfs(struct filesystem *filesystem, struct linux_statfs *status) {
    struct tmpfs *tmpfs = filesystem->data;
    uint64_t pages = tmpfs->pages, inodes = tmpfs->inodes;
    status->type = TMPFS_MAGIC;
    status->block_size = status->fragment_size = PAGE_SIZE;
    status->name_length = NAME_MAX;
    status->blocks = tmpfs->page_limit;
    status->blocks_free = status->blocks_available =
        pages < tmpfs->page_limit ? tmpfs->page_limit - pages : 0;
    status->files = tmpfs->inode_limit;
    status->files_free = inodes < tmpfs->inode_limit ? tmpfs->inode_limit - inodes : 0;
}

static void tmpfs_options(struct filesystem *filesystem, char *to, size_t size) {
    struct tmpfs *tmpfs = filesystem->data;
    if (tmpfs->sized)
        format_text(to, size, ",size=%lluk", (unsigned long long)(tmpfs->page_limit * (PAGE_SIZE / 1024)));
}

static void tmpfs_instance_release(struct filesystem *filesystem) {
    heap_free(filesystem->data);
}

const struct filesystem_type tmpfs_type = {
    .name = "tmpfs",
    .no_device = true,
    .make = tmpfs_make,
    .statfs = tmpfs_statfs,
    .options = tmpfs_options,
    .release = tmpfs_instance_release,
};

const struct filesystem_type devtmpfs_type = {
    .name = "devtmpfs",
    .no_device = true,
    .make = devtmpfs_make,
    .statfs = tmpfs_statfs,
    .release = tmpfs_instance_release,
};
