/* The mount table as files: mounts, mountinfo; and filesystems, devices. */
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/device.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/fs/proc_internal.h"
#include "linux/heap.h"

/* A mount, copied out of the table. */
struct shown {
    struct mount *mount; /* referenced */
    struct path place;   /* its root as a path */
};

struct listing {
    struct shown *list;
    size_t count, capacity;
};

static void count_mount(struct mount *mount, void *context) {
    (void)mount;
    ((struct listing *)context)->capacity++;
}

static void copy_mount(struct mount *mount, void *context) {
    struct listing *listing = context;
    if (listing->count == listing->capacity)
        return;
    struct shown *shown = &listing->list[listing->count++];
    shown->mount = mount_get(mount);
    shown->place = (struct path){mount_get(mount), inode_get(mount->root->inode), name_get(mount->root)};
}

static bool listing_get(struct listing *listing) {
    *listing = (struct listing){0};
    mount_each(count_mount, listing);
    listing->capacity += 4;
    listing->list = heap_alloc(listing->capacity * sizeof(*listing->list));
    if (listing->list)
        mount_each(copy_mount, listing);
    return listing->list;
}

static void listing_put(struct listing *listing) {
    for (size_t i = 0; i < listing->count; i++) {
        path_put(&listing->list[i].place);
        mount_put(listing->list[i].mount);
    }
    heap_free(listing->list);
}

static void add_flags(struct text *text, uint32_t flags) {
    text_add(text, flags & MS_RDONLY ? "ro" : "rw");
    if (flags & MS_NOSUID)
        text_add(text, ",nosuid");
    if (flags & MS_NODEV)
        text_add(text, ",nodev");
    if (flags & MS_NOEXEC)
        text_add(text, ",noexec");
    if (flags & MS_NOATIME)
        text_add(text, ",noatime");
    if (flags & MS_NODIRATIME)
        text_add(text, ",nodiratime");
    if (flags & MS_RELATIME)
        text_add(text, ",relatime");
}

static void add_options(struct text *text, struct filesystem *filesystem) {
    char options[128] = "";
    if (filesystem->type->options)
        filesystem->type->options(filesystem, options, sizeof(options));
    text_add(text, "%s", options);
}

/* Mounts that cannot be reached from the task's root are left out, as on Linux. */
static bool reachable(const char *place) {
    return place[0] == '/';
}

static void add_mount(struct text *text, const struct shown *shown, const char *place) {
    text_escaped(text, shown->mount->source, " \t\n\\");
    text_add(text, " ");
    text_escaped(text, place, " \t\n\\");
    text_add(text, " %s ", shown->mount->filesystem->type->name);
    add_flags(text, shown->mount->flags);
    add_options(text, shown->mount->filesystem);
    text_add(text, " 0 0\n");
}

static void add_mountinfo(struct text *text, const struct shown *shown, const char *place) {
    const struct mount *mount = shown->mount, *parent = mount->place.mount;
    text_add(text, "%d %d %u:%u / ", mount->id, parent ? parent->id : mount->id,
             device_major(mount->filesystem->device), device_minor(mount->filesystem->device));
    text_escaped(text, place, " \t\n\\");
    text_add(text, " ");
    add_flags(text, mount->flags);
    text_add(text, " - %s ", mount->filesystem->type->name);
    text_escaped(text, mount->source, " \t\n\\");
    text_add(text, mount->flags & MS_RDONLY ? " ro" : " rw");
    add_options(text, mount->filesystem);
    text_add(text, "\n");
}

static int show(struct text *text, void (*add)(struct text *, const struct shown *, const char *)) {
    struct listing listing;
    char *place = heap_alloc(PATH_MAX);
    if (!place || !listing_get(&listing)) {
        heap_free(place);
        text->failed = true;
        return 0;
    }
    for (size_t i = 0; i < listing.count; i++)
        if (path_describe(&listing.list[i].place, place, PATH_MAX, false) > 0 && reachable(place))
            add(text, &listing.list[i], place);
    listing_put(&listing);
    heap_free(place);
    return 0;
}

int proc_show_mounts(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    return show(text, add_mount);
}

int proc_show_mountinfo(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    return show(text, add_mountinfo);
}

int proc_show_filesystems(const struct proc_ref *ref, struct text *text) {
    const struct filesystem_type *type;
    (void)ref;
    for (unsigned i = 0; (type = filesystem_type_at(i)); i++)
        text_add(text, "%s\t%s\n", type->no_device ? "nodev" : "", type->name);
    return 0;
}

/* The device with the least major number from one on; NULL: there is none. */
static const struct device *device_from(uint32_t major) {
    const struct device *device, *found = NULL;
    for (unsigned i = 0; (device = device_at(i)); i++)
        if (device->major >= major && (!found || device->major < found->major))
            found = device;
    return found;
}

int proc_show_devices(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "Character devices:\n");
    for (const struct device *device = device_from(0); device; device = device_from(device->major + 1))
        text_add(text, "%3u %s\n", device->major, device->family ? device->family : device->name);
    text_add(text, "\nBlock devices:\n  8 sd\n254 virtblk\n259 blkext\n");
    return 0;
}
