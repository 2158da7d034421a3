/*
 * The start of the file systems: root from its archive, /dev with the nodes of all registered devices, /proc,
 * /sys. The archive is mapped into the personality's own half while it is unpacked.
 */
#include "abi/errors.h"
#include "abi/objects.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/device.h"
#include "linux/fs/memory_devices.h"
#include "linux/fs/mount.h"
#include "linux/fs/namei.h"
#include "linux/fs/path.h"
#include "linux/fs/proc.h"
#include "linux/fs/tmpfs.h"
#include "linux/fs/unpack.h"
#include "linux/ipc/mqueue.h"
#include "linux/platform.h"

/* Where the archive is mapped: far from the heap (linux/heap.c) and the program. */
#define ARCHIVE_ADDRESS 0x600000000000ULL

static int mount_root(void) {
    struct filesystem *filesystem;
    struct mount *mount;
    int error = tmpfs_type.make("mode=0755,size=90%", &filesystem);
    if (error)
        return error;
    error = mount_add(filesystem, NULL, MS_RELATIME, "root", &mount);
    if (error) {
        filesystem_put(filesystem);
        return error;
    }
    fs_root = (struct path){mount_get(mount), inode_get(filesystem->root), name_get(mount->root)};
    return 0;
}

static int unpack_root(handle_t archive, uint64_t offset, char *error, size_t size) {
    struct vmo_info info = {0};
    int64_t result = keel_object_info(archive, keel_pointer(&info), sizeof(info));
    if (result >= 0 && offset > info.size)
        result = -EINVAL;
    if (result < 0) {
        format_text(error, size, "root archive: cannot be read (error %lld)", (long long)-result);
        return (int)result;
    }
    uint64_t length = (info.size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    if (!length)
        return 0;
    result = keel_space_map(0, ARCHIVE_ADDRESS, archive, 0, length, MAP_READ);
    if (result < 0) {
        format_text(error, size, "root archive: cannot be mapped (error %lld)", (long long)-result);
        return (int)result;
    }
    const void *bytes = (const void *)(uintptr_t)ARCHIVE_ADDRESS; /* just mapped there */
    result = unpack_archives((const char *)bytes + offset, info.size - offset, 0, error, size);
    keel_space_unmap(0, ARCHIVE_ADDRESS, length);
    return (int)result;
}

static struct last_name last_of(const char *text) {
    struct last_name last = {.kind = LAST_NORMAL, .length = strlen(text)};
    memcpy(last.text, text, last.length + 1);
    return last;
}

/* Makes a directory, node or link below a directory, unless it is there. */
static int make(const char *directory, const char *name, uint32_t mode, uint64_t rdev, const char *target) {
    struct path parent;
    struct last_name last = last_of(name);
    int error = path_walk(&fs_root, directory, WALK_FOLLOW | WALK_DIRECTORY, &parent);
    if (error)
        return error;
    error = namei_create(&parent, &last, mode, rdev, target, NULL);
    path_put(&parent);
    return error == -EEXIST ? 0 : error;
}

static int make_nodes(void) {
    const struct device *device;
    int error = 0;
    for (unsigned i = 0; !error && (device = device_at(i)); i++)
        if (device->name)
            error = make("/dev", device->name, S_IFCHR | device->mode,
                         device_number(device->major, device->minor), NULL);
    return error;
}

static int make_dev(void) {
    static const char *const links[][2] = {{"fd", "/proc/self/fd"},
                                           {"stdin", "/proc/self/fd/0"},
                                           {"stdout", "/proc/self/fd/1"},
                                           {"stderr", "/proc/self/fd/2"}};
    int error = mount_type("devtmpfs", "dev", "/dev", MS_NOSUID | MS_RELATIME, "");
    if (!error)
        error = device_nodes_start();
    if (!error)
        error = make_nodes();
    for (unsigned i = 0; !error && i < sizeof(links) / sizeof(links[0]); i++)
        error = make("/dev", links[i][0], S_IFLNK | S_IRWXUGO, 0, links[i][1]);
    if (!error)
        error = make("/dev", "pts", S_IFDIR | 0755, 0, NULL);
    if (!error)
        error = make("/dev", "shm", S_IFDIR | 01777, 0, NULL);
    if (!error)
        error = mount_type("tmpfs", "shm", "/dev/shm", MS_NOSUID | MS_NODEV | MS_RELATIME, "");
    return error;
}

enum { PSEUDO_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME };

static int make_tree(void) {
    int error = make("/", "dev", S_IFDIR | 0755, 0, NULL);
    if (!error)
        error = make("/", "proc", S_IFDIR | 0555, 0, NULL);
    if (!error)
        error = make("/", "sys", S_IFDIR | 0555, 0, NULL);
    if (!error)
        error = make("/", "tmp", S_IFDIR | 01777, 0, NULL);
    if (!error)
        error = make_dev();
    if (!error)
        error = mount_type("proc", "proc", "/proc", PSEUDO_FLAGS, "");
    if (!error)
        error = mount_type("sysfs", "sysfs", "/sys", PSEUDO_FLAGS, "");
    return error;
}

int fs_start(handle_t archive, uint64_t offset, char *error, size_t size) {
    filesystem_register(&tmpfs_type);
    filesystem_register(&devtmpfs_type);
    filesystem_register(&mqueue_type);
    filesystem_register(&proc_type);
    filesystem_register(&sysfs_type);
    memory_devices_register();
    error[0] = 0;
    int result = mount_root();
    if (!result && archive)
        result = unpack_root(archive, offset, error, size);
    if (!result)
        result = make_tree();
    if (result && !error[0])
        format_text(error, size, "the root file system cannot be made (error %d)", -result);
    if (result)
        log_line("%s", error);
    return result;
}
