/* /sys/class/virtio-ports: the ports of virtio consoles, with the names that the host gave them. A
 * reference's fd is the port's number, major and minor together, which outlasts changes of the list. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/proc_internal.h"
#include "linux/io/port.h"

enum { FILE_R = S_IFREG | 0444, DIRECTORY = S_IFDIR | 0755 };

static int port_of(const struct proc_ref *ref, struct port_info *info) {
    for (unsigned i = 0; port_at(i, info); i++)
        if (info->number == (uint64_t)ref->fd)
            return 0;
    return -ENODEV;
}

static int show_number(const struct proc_ref *ref, struct text *text) {
    struct port_info info;
    int error = port_of(ref, &info);
    if (!error)
        text_add(text, "%u:%u\n", device_major(info.number), device_minor(info.number));
    return error;
}

static int show_name(const struct proc_ref *ref, struct text *text) {
    struct port_info info;
    int error = port_of(ref, &info);
    if (!error)
        text_add(text, "%s\n", info.name);
    return error;
}

static int show_uevent(const struct proc_ref *ref, struct text *text) {
    struct port_info info;
    int error = port_of(ref, &info);
    if (!error)
        text_add(text, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", device_major(info.number),
                 device_minor(info.number), info.node);
    return error;
}

static const struct proc_node children[] = {
    {.name = "dev", .mode = FILE_R, .show = show_number},
    {.name = "uevent", .mode = FILE_R, .show = show_uevent},
    {.name = "name", .mode = FILE_R, .show = show_name},
};
/* A port without a name has no file of it. */
static const struct proc_node nameless = {
    .name = "port", .mode = DIRECTORY, .children = children, .count = PROC_COUNT(children) - 1};
static const struct proc_node named = {
    .name = "port", .mode = DIRECTORY, .children = children, .count = PROC_COUNT(children)};

static void child_make(struct proc_child *child, const struct port_info *info) {
    _Static_assert(sizeof child->name >= sizeof info->node, "a node's name");
    child->ref = (struct proc_ref){.node = info->name[0] ? &named : &nameless, .fd = (int32_t)info->number};
    memcpy(child->name, info->node, sizeof info->node);
}

int sysfs_ports_find(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child) {
    struct port_info info;
    (void)directory;
    for (unsigned i = 0; port_at(i, &info); i++)
        if (strlen(info.node) == length && !memcmp(name, info.node, length)) {
            child_make(child, &info);
            return 0;
        }
    return -ENOENT;
}

bool sysfs_ports_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    struct port_info info;
    (void)directory;
    bool found = port_at((unsigned)*number, &info);
    if (found)
        child_make(child, &info);
    return found;
}
