/* Nodes of /dev that come and go with devices, in the devtmpfs that was mounted at the start, wherever it is
 * seen now. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/fs/device.h"
#include "linux/fs/mount.h"
#include "linux/fs/namei.h"

static struct path place;

int device_nodes_start(void) {
    return path_walk(&fs_root, "/dev", WALK_FOLLOW | WALK_DIRECTORY, &place);
}

int device_node_make(const char *name, uint32_t mode, uint64_t number) {
    struct last_name last = {.kind = LAST_NORMAL, .length = strlen(name)};
    if (!place.inode || last.length >= sizeof(last.text))
        return -ENOENT;
    memcpy(last.text, name, last.length + 1);
    return namei_create(&place, &last, mode, number, NULL, NULL);
}

void device_node_remove(const char *name) {
    struct inode *directory = place.inode, *victim;
    size_t length = strlen(name);
    if (!directory)
        return;
    mutex_lock(&directory->lock);
    if (!directory->operations->lookup(directory, name, length, &victim)) {
        if (!directory->operations->unlink(directory, name, length, victim))
            name_remove(place.name, name, length);
        inode_put(victim);
    }
    mutex_unlock(&directory->lock);
}
