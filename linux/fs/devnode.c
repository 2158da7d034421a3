/* Nodes of /dev that come and go with devices, in the devtmpfs that was mounted at the start, wherever it is
 * seen now. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/fs/mount.h"
#include "linux/fs/namei.h"
#include "linux/fs/uevent.h"

enum { NODE_NAME = 64 };

static struct path place;

int device_nodes_start(void) {
    return path_walk(&fs_root, "/dev", WALK_FOLLOW | WALK_DIRECTORY, &place);
}

/* The directory and last component of "bus/usb/001/002"; directories that are not there are made. */
static int node_place(const char *name, bool make, struct path *parent, struct last_name *last) {
    if (!place.inode)
        return -ENOENT;
    int error = path_walk_parent(&place, name, parent, last);
    for (const char *slash = name; error == -ENOENT && make && (slash = strchr(slash, '/')); slash++) {
        char directory[NODE_NAME];
        struct last_name step;
        struct path above;
        size_t length = (size_t)(slash - name);
        if (length >= sizeof(directory))
            return -ENAMETOOLONG;
        memcpy(directory, name, length);
        directory[length] = 0;
        int made = path_walk_parent(&place, directory, &above, &step);
        if (made)
            return made;
        made = namei_create(&above, &step, S_IFDIR | 0755, 0, NULL, NULL);
        path_put(&above);
        if (made && made != -EEXIST)
            return made;
    }
    return error == -ENOENT && make ? path_walk_parent(&place, name, parent, last) : error;
}

static int entry_make(const char *name, uint32_t mode, uint64_t number, const char *target) {
    struct last_name last;
    struct path parent;
    int error = node_place(name, true, &parent, &last);
    if (error)
        return error;
    error = namei_create(&parent, &last, mode, number, target, NULL);
    path_put(&parent);
    return error;
}

int device_node_make(const char *name, uint32_t mode, uint64_t number) {
    int error = entry_make(name, mode, number, NULL);
    if (!error)
        uevent_node("add", name, mode, number);
    return error;
}

int device_link_make(const char *name, const char *target) {
    return entry_make(name, S_IFLNK | 0777, 0, target);
}

int device_node_place(const char *name, uint32_t mode, uint64_t number) {
    return entry_make(name, mode, number, NULL);
}

/* What it was: its number, 0 when there was none. */
static uint64_t entry_remove(const char *name, uint32_t *mode) {
    struct last_name last;
    struct path parent;
    struct inode *victim;
    uint64_t number = 0;
    if (node_place(name, false, &parent, &last))
        return 0;
    struct inode *directory = parent.inode;
    mutex_lock(&directory->lock);
    if (!directory->operations->lookup(directory, last.text, last.length, &victim)) {
        if (!directory->operations->unlink(directory, last.text, last.length, victim)) {
            name_remove(parent.name, last.text, last.length);
            number = victim->attributes.rdev;
            *mode = victim->attributes.mode;
        }
        inode_put(victim);
    }
    mutex_unlock(&directory->lock);
    path_put(&parent);
    return number;
}

void device_node_remove(const char *name) {
    uint32_t mode = 0;
    uint64_t number = entry_remove(name, &mode);
    if (number)
        uevent_node("remove", name, mode, number);
}

void device_node_take(const char *name) {
    uint32_t mode;
    (void)entry_remove(name, &mode);
}
