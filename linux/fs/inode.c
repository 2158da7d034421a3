/* Inodes and open files: making, counting references, attributes. What an inode is, its operations say. */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/file.h"
#include "linux/fs/locks.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/io/pipe.h"
#include "linux/io/poll.h"
#include "linux/platform.h"

enum { NANOSECONDS = 1000000000 };

struct timestamp timestamp_now(void) {
    uint64_t now = clock_realtime();
    return (struct timestamp){(int64_t)(now / NANOSECONDS), (uint32_t)(now % NANOSECONDS)};
}

struct inode *inode_create(struct filesystem *filesystem, uint32_t mode,
                           const struct inode_operations *operations,
                           const struct file_operations *default_file) {
    struct inode *inode = heap_zalloc(sizeof(*inode));
    if (!inode)
        return NULL;
    struct attributes *attributes = &inode->attributes;
    inode->references = 1;
    inode->operations = operations;
    inode->default_file = default_file;
    inode->filesystem = filesystem;
    mutex_init(&inode->lock);
    attributes->mode = mode;
    attributes->nlink = 1;
    attributes->block_size = PAGE_SIZE;
    attributes->atime = attributes->mtime = attributes->ctime = timestamp_now();
    if (filesystem) {
        attributes->device = filesystem->device;
        attributes->ino = atomic_fetch_add(&filesystem->next_ino, 1);
    }
    return inode;
}

void inode_change(struct inode *inode, const struct attributes *attributes, unsigned which) {
    struct attributes *own = &inode->attributes;
    if (which & ATTR_MODE)
        own->mode = (own->mode & S_IFMT) | (attributes->mode & S_IALLUGO);
    if (which & ATTR_UID)
        own->uid = attributes->uid;
    if (which & ATTR_GID)
        own->gid = attributes->gid;
    if (which & ATTR_ATIME)
        own->atime = attributes->atime;
    if (which & ATTR_MTIME)
        own->mtime = attributes->mtime;
    own->ctime = timestamp_now();
}

struct inode *inode_get(struct inode *inode) {
    atomic_fetch_add_explicit(&inode->references, 1, memory_order_relaxed);
    return inode;
}

void inode_put(struct inode *inode) {
    if (!inode || atomic_fetch_sub(&inode->references, 1) > 1)
        return;
    locks_free(inode->locks);
    if (inode->fifo)
        fifo_free(inode);
    if (inode->operations && inode->operations->release)
        inode->operations->release(inode);
    heap_free(inode);
}

int inode_getattr(struct inode *inode, struct attributes *attributes) {
    if (inode->operations && inode->operations->getattr)
        return inode->operations->getattr(inode, attributes);
    *attributes = inode->attributes;
    return 0;
}

int inode_deny_write(struct inode *inode) {
    int32_t count = inode->writers;
    do {
        if (count > 0)
            return -ETXTBSY;
    } while (!atomic_compare_exchange_weak(&inode->writers, &count, count - 1));
    return 0;
}

void inode_allow_write(struct inode *inode) {
    atomic_fetch_add(&inode->writers, 1);
}

int inode_writer_add(struct inode *inode) {
    int32_t count = inode->writers;
    do {
        if (count < 0)
            return -ETXTBSY;
    } while (!atomic_compare_exchange_weak(&inode->writers, &count, count + 1));
    return 0;
}

void inode_writer_remove(struct inode *inode) {
    atomic_fetch_sub(&inode->writers, 1);
}

struct file *file_create(const struct file_operations *operations, const struct path *path, uint32_t flags,
                         void *data) {
    struct file *file = heap_zalloc(sizeof(*file));
    if (!file)
        return NULL;
    file->references = 1;
    file->operations = operations;
    file->flags = flags;
    file->data = data;
    mutex_init(&file->lock);
    if (path) {
        path_get(path);
        file->path = *path;
    }
    return file;
}

struct file *file_get(struct file *file) {
    atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
    return file;
}

void file_put(struct file *file) {
    if (!file || atomic_fetch_sub(&file->references, 1) > 1)
        return;
    struct inode *inode = file->path.inode;
    if (file->epoll_items)
        epoll_file_gone(file);
    if (inode && inode->locks)
        locks_release_file(inode, file);
    if (file->operations && file->operations->release)
        file->operations->release(file);
    if (file->counted)
        inode_writer_remove(inode);
    path_put(&file->path);
    heap_free(file);
}
