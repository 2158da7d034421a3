/* Nodes of /dev that come and go with devices, in the devtmpfs that was mounted at the start, wherever it is
 * seen now. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/fs/mount.h"
#include "linux/fs/namei.h"
#include "linux/fs/uevent.h"

static struct path place;

int device_nodes_start(void) {
    return path_walk(&fs_root, "/dev", WALK_FOLLOW | WALK_DIRECTORY, &place);
}

/* The directory and last component of "input/event0"; the directory is made when it is not there. */
static int node_place(const char *name, bool make, struct path *parent, struct last_name *last) {
    struct last_name directory = {.kind = LAST_NORMAL};
    const char *slash = strchr(name, '/');
    if (!place.inode)
        return -ENOENT;
    int error = path_walk_parent(&place, name, parent, last);
    if (error != -ENOENT || !make || !slash)
        return error;
    directory.length = (size_t)(slash - name);
    memcpy(directory.text, name, directory.length);
    error = namei_create(&place, &directory, S_IFDIR | 0755, 0, NULL, NULL);
    return error ? error : path_walk_parent(&place, name, parent, last);
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

void device_node_remove(const char *name) {
    struct last_name last;
    struct path parent;
    struct inode *victim;
    uint64_t number = 0;
    uint32_t mode = 0;
    if (node_place(name, false, &parent, &last))
        return;
    struct inode *directory = parent.inode;
    mutex_lock(&directory->lock);
    if (!directory->operations->lookup(directory, last.text, last.length, &victim)) {
        if (!directory->operations->unlink(directory, last.text, last.length, victim)) {
            name_remove(parent.name, last.text, last.length);
            number = victim->attributes.rdev;
            mode = victim->attributes.mode;
        }
        inode_put(victim);
    }
    mutex_unlock(&directory->lock);
    path_put(&parent);
    if (number)
        uevent_node("remove", name, mode, number);
}
