/* See anon.h. The hidden file systems are made when first used. */
#include "linux/io/anon.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/mount.h"
#include "linux/io/epoll.h"

static const struct filesystem_type anon_types[] = {
    [ANON_PIPE] = {.name = "pipefs", .no_device = true},
    [ANON_SOCKET] = {.name = "sockfs", .no_device = true},
    [ANON_INODE] = {.name = "anon_inodefs", .no_device = true},
};

static struct mutex anon_lock = MUTEX_INIT(anon_lock);
static struct filesystem *filesystems[ANON_INODE + 1];
static struct inode *shared_inode; /* of ANON_INODE */

static const struct inode_operations anon_operations = {0};

static struct filesystem *anon_filesystem(enum anon_kind kind) {
    mutex_lock(&anon_lock);
    if (!filesystems[kind])
        filesystems[kind] = filesystem_create(&anon_types[kind], NULL);
    struct filesystem *filesystem = filesystems[kind];
    mutex_unlock(&anon_lock);
    return filesystem;
}

struct inode *anon_inode(enum anon_kind kind, uint32_t mode) {
    struct filesystem *filesystem = anon_filesystem(kind);
    return filesystem ? inode_create(filesystem, mode, &anon_operations, NULL) : NULL;
}

struct file *anon_file_at(struct inode *inode, const struct file_operations *operations, uint32_t flags,
                          void *data) {
    struct path path = {.inode = inode};
    return file_create(operations, &path, flags, data);
}

static struct inode *anon_shared_inode(void) {
    mutex_lock(&anon_lock);
    struct inode *inode = shared_inode;
    mutex_unlock(&anon_lock);
    if (inode)
        return inode;
    struct inode *made = anon_inode(ANON_INODE, 0600);
    mutex_lock(&anon_lock);
    if (!shared_inode) {
        shared_inode = made;
        made = NULL;
    }
    inode = shared_inode;
    mutex_unlock(&anon_lock);
    if (made)
        inode_put(made);
    return inode;
}

struct file *anon_file(const struct file_operations *operations, uint32_t flags, void *data) {
    struct inode *inode = anon_shared_inode();
    return inode ? anon_file_at(inode, operations, flags, data) : NULL;
}

int anon_file_install(const struct file_operations *operations, uint32_t flags, bool cloexec, void *data) {
    struct file *file = anon_file(operations, flags, data);
    if (!file)
        return -ENOMEM;
    int fd = fd_install(file, cloexec);
    if (fd < 0) {
        file->data = NULL;
        file_put(file);
    }
    return fd;
}

static const char *anon_name(const struct file *file) {
    if (file->operations == &eventfd_operations)
        return "[eventfd]";
    if (file->operations == &epoll_operations)
        return "[eventpoll]";
    if (file->operations == &timerfd_operations)
        return "[timerfd]";
    if (file->operations == &signalfd_operations)
        return "[signalfd]";
    return "[unknown]";
}

int64_t anon_describe(const struct file *file, char *to, size_t size) {
    const struct inode *inode = file->path.inode;
    if (!inode || file->path.name)
        return -ENOENT;
    unsigned long number = inode->attributes.ino;
    if (S_ISFIFO(inode->attributes.mode))
        return (int64_t)format_text(to, size, "pipe:[%lu]", number);
    if (S_ISSOCK(inode->attributes.mode))
        return (int64_t)format_text(to, size, "socket:[%lu]", number);
    return (int64_t)format_text(to, size, "anon_inode:%s", anon_name(file));
}
