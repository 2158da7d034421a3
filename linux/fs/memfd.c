/* Files that no directory knows: memfds and System V segments live in a tmpfs instance of their own that is
 * mounted nowhere. */
#include "linux/fs/memfd.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/fs/tmpfs_internal.h"
#include "linux/platform.h"
#include "linux/syscalls.h"

enum { MEMFD_NAME_MAX = 249, ALL_SEALS = 31 };

static struct mutex instance_lock = MUTEX_INIT(instance_lock);
static struct filesystem *instance;

static struct filesystem *get_instance(void) {
    mutex_lock(&instance_lock);
    if (!instance && tmpfs_type.make("size=100%", &instance))
        instance = NULL;
    mutex_unlock(&instance_lock);
    return instance;
}

struct file *memfd_open(const char *text, const struct file_operations *operations, void *data) {
    struct filesystem *filesystem = get_instance();
    struct inode *inode = filesystem ? tmpfs_anonymous(filesystem, S_IFREG | S_IRWXUGO) : NULL;
    if (!inode)
        return NULL;
    struct path path = {.inode = inode, .name = name_make(NULL, text, strlen(text), inode)};
    struct file *file = NULL;
    if (path.name) {
        path.name->deleted = true;
        node_of(inode)->seals = F_SEAL_SEAL;
        file = file_create(operations, &path, O_RDWR | O_LARGEFILE, data);
    }
    path_put(&path);
    return file;
}

int64_t sys_memfd_create(uint64_t guest, uint64_t flags) {
    char name[MEMFD_NAME_MAX + 1], text[MEMFD_NAME_MAX + 8];
    if (flags & ~(uint64_t)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
        return -EINVAL;
    int64_t length = guest_string_in(name, guest, sizeof(name));
    if (length < 0)
        return length == -ENAMETOOLONG ? -EINVAL : length;
    format_text(text, sizeof(text), "memfd:%s", name);
    struct file *file = memfd_open(text, &tmpfs_file_operations, NULL);
    if (!file)
        return -ENOMEM;
    if (flags & MFD_ALLOW_SEALING)
        node_of(file->path.inode)->seals = 0;
    int fd = fd_install(file, flags & MFD_CLOEXEC);
    if (fd < 0)
        file_put(file);
    return fd;
}

static struct tmpfs_node *sealable(struct file *file) {
    return file->operations == &tmpfs_file_operations ? node_of(file->path.inode) : NULL;
}

int64_t memfd_add_seals(struct file *file, uint32_t seals) {
    struct tmpfs_node *node = sealable(file);
    if (!node || seals & ~(uint32_t)ALL_SEALS)
        return -EINVAL;
    if ((file->flags & O_ACCMODE) == O_RDONLY)
        return -EPERM;
    mutex_lock(&node->inode->lock);
    int error = node->seals & F_SEAL_SEAL ? -EPERM : 0;
    uint32_t before = node->seals;
    if (!error)
        atomic_fetch_or(&node->seals, seals);
    if (!error && seals & ~before & F_SEAL_WRITE && node->inode->shared_writable) {
        node->seals = before;
        error = -EBUSY;
    }
    mutex_unlock(&node->inode->lock);
    return error;
}

bool memfd_write_sealed(struct file *file) {
    const struct tmpfs_node *node = sealable(file);
    return node && node->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
}

int64_t memfd_get_seals(struct file *file) {
    struct tmpfs_node *node = sealable(file);
    return node ? (int64_t)node->seals : -EINVAL;
}
