/*
 * The mount table. Mounts form a tree by their places; the list keeps them in the order of mounting, which
 * /proc/mounts shows. mounts_lock serialises changes; a walk only looks at inode->mounted and mount->place
 * under names_lock.
 */
#include "linux/fs/mount.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/platform.h"

enum { TYPES_MAX = 16 };

struct path fs_root;

static struct mutex mounts_lock = MUTEX_INIT(mounts_lock);
static struct list mounts = LIST_INIT(mounts);
static int32_t next_mount_id = 20;
static _Atomic uint32_t next_device = 1;
static const struct filesystem_type *types[TYPES_MAX];
static unsigned type_count;

void filesystem_register(const struct filesystem_type *type) {
    for (unsigned i = 0; i < type_count; i++)
        if (types[i] == type)
            return;
    if (type_count == TYPES_MAX)
        fatal("more than %d file system types", TYPES_MAX);
    types[type_count++] = type;
}

const struct filesystem_type *filesystem_type_at(unsigned index) {
    return index < type_count ? types[index] : NULL;
}

static const struct filesystem_type *type_find(const char *name) {
    for (unsigned i = 0; i < type_count; i++)
        if (!strcmp(types[i]->name, name))
            return types[i];
    return NULL;
}

struct filesystem *filesystem_create(const struct filesystem_type *type, void *data) {
    struct filesystem *filesystem = heap_zalloc(sizeof(*filesystem));
    if (!filesystem)
        return NULL;
    filesystem->references = 1;
    filesystem->type = type;
    filesystem->device = device_number(0, atomic_fetch_add(&next_device, 1));
    filesystem->next_ino = 1;
    filesystem->data = data;
    return filesystem;
}

void filesystem_put(struct filesystem *filesystem) {
    if (!filesystem || atomic_fetch_sub(&filesystem->references, 1) > 1)
        return;
    inode_put(filesystem->root);
    if (filesystem->type->release)
        filesystem->type->release(filesystem);
    heap_free(filesystem);
}

struct mount *mount_get(struct mount *mount) {
    atomic_fetch_add_explicit(&mount->references, 1, memory_order_relaxed);
    return mount;
}

void mount_put(struct mount *mount) {
    if (atomic_fetch_sub(&mount->references, 1) > 1)
        return;
    names_trim(mount->filesystem);
    name_put(mount->root);
    path_put(&mount->place);
    filesystem_put(mount->filesystem);
    heap_free(mount->source);
    heap_free(mount);
}

bool mount_read_only(const struct mount *mount) {
    return mount && mount->flags & MS_RDONLY;
}

void mount_each(void (*visit)(struct mount *mount, void *context), void *context) {
    struct mount *mount;
    mutex_lock(&mounts_lock);
    list_for_each(mount, &mounts, link) visit(mount, context);
    mutex_unlock(&mounts_lock);
}

/* The mount that covers a place, referenced, or NULL. */
static struct mount *covering(const struct path *path) {
    if (!path->inode->mounted)
        return NULL;
    spin_acquire(&names_lock);
    struct mount *mount = path->inode->mounted;
    mount = mount && mount->place.mount == path->mount ? mount_get(mount) : NULL;
    spin_release(&names_lock);
    return mount;
}

void mount_enter(struct path *path) {
    struct mount *mount;
    while (path->inode && (mount = covering(path))) {
        struct path root = {mount, inode_get(mount->root->inode), name_get(mount->root)};
        path_put(path);
        *path = root;
    }
}

bool mount_leave(struct path *path) {
    spin_acquire(&names_lock);
    struct path place = path->mount->place;
    if (place.mount)
        path_get(&place);
    spin_release(&names_lock);
    if (!place.mount)
        return false;
    path_put(path);
    *path = place;
    return true;
}

static char *text_copy(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = heap_alloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

/* Enters a finished mount into the tree at place (NULL: nowhere). mounts_lock held. */
static void attach(struct mount *mount, const struct path *place) {
    mount->id = next_mount_id++;
    list_push_back(&mounts, &mount->link);
    if (!place)
        return;
    path_get(place);
    spin_acquire(&names_lock);
    mount->place = *place;
    place->inode->mounted = mount;
    spin_release(&names_lock);
}

/* root's reference is taken over on success. */
static int add_root(struct filesystem *filesystem, struct name *root, const struct path *place,
                    uint32_t flags, const char *source, struct mount **added) {
    struct mount *mount = heap_zalloc(sizeof(*mount));
    char *copy = text_copy(source);
    if (!mount || !copy) {
        heap_free(mount);
        heap_free(copy);
        return -ENOMEM;
    }
    mount->references = 1;
    mount->flags = flags;
    mount->filesystem = filesystem;
    mount->root = root;
    mount->source = copy;
    mutex_lock(&mounts_lock);
    attach(mount, place);
    mutex_unlock(&mounts_lock);
    if (added)
        *added = mount;
    return 0;
}

int mount_add(struct filesystem *filesystem, const struct path *place, uint32_t flags, const char *source,
              struct mount **added) {
    struct name *root = name_make(NULL, "", 0, filesystem->root);
    int error = root ? add_root(filesystem, root, place, flags, source, added) : -ENOMEM;
    if (error)
        name_put(root);
    return error;
}

int mount_bind(const struct path *from, const struct path *place, uint32_t flags) {
    atomic_fetch_add(&from->mount->filesystem->references, 1);
    name_get(from->name);
    int error = add_root(from->mount->filesystem, from->name, place, flags, from->mount->source, NULL);
    if (error) {
        name_put(from->name);
        filesystem_put(from->mount->filesystem);
    }
    return error;
}

int mount_new(const char *type_name, const char *source, const struct path *place, uint32_t flags,
              const char *options) {
    const struct filesystem_type *type = type_find(type_name);
    struct filesystem *filesystem;
    if (!type)
        return -ENODEV;
    int error = type->make(options, &filesystem);
    if (error)
        return error;
    error = mount_add(filesystem, place, flags, source, NULL);
    if (error)
        filesystem_put(filesystem);
    return error;
}

int mount_type(const char *type, const char *source, const char *directory, uint32_t flags,
               const char *options) {
    struct path place;
    int error = path_walk(&fs_root, directory, WALK_FOLLOW | WALK_DIRECTORY, &place);
    if (error)
        return error;
    error = mount_new(type, source, &place, flags, options);
    path_put(&place);
    return error;
}

/* A mount whose place lies in this one, or NULL. mounts_lock held. */
static struct mount *child_of(const struct mount *mount) {
    struct mount *other;
    list_for_each(other, &mounts, link) {
        if (other->place.mount == mount)
            return other;
    }
    return NULL;
}

/* Takes a mount with a place out of the tree; the place's references go to the caller. mounts_lock held. */
static struct path detach(struct mount *mount) {
    list_remove(&mount->link);
    spin_acquire(&names_lock);
    struct path place = mount->place;
    mount->place = (struct path){0};
    if (place.inode)
        place.inode->mounted = NULL;
    mount->detached = true;
    spin_release(&names_lock);
    return place;
}

/* Detaches the mounts below a mount, deepest first, and it. The list's references end up in gone. mounts_lock
 * held. */
static void detach_tree(struct mount *mount, struct list *gone) {
    struct mount *lowest;
    do {
        lowest = mount;
        for (struct mount *child; (child = child_of(lowest));)
            lowest = child;
        struct path place = detach(lowest);
        list_push_back(gone, &lowest->link);
        path_put(&place);
    } while (lowest != mount);
}

int mount_remove(struct mount *mount, bool lazy) {
    struct list gone = LIST_INIT(gone), *link;
    int error = 0;
    names_trim(mount->filesystem);
    mutex_lock(&mounts_lock);
    if (mount->detached || !mount->place.mount)
        error = -EINVAL;
    else if (!lazy && (child_of(mount) || mount->references > 2)) /* the list's and the caller's */
        error = -EBUSY;
    else
        detach_tree(mount, &gone);
    mutex_unlock(&mounts_lock);
    while ((link = list_pop_front(&gone)))
        mount_put(list_entry(link, struct mount, link));
    return error;
}

int mount_move(const struct path *from, const struct path *to) {
    struct mount *mount = from->mount;
    int error = 0;
    mutex_lock(&mounts_lock);
    if (from->name != mount->root || !mount->place.mount) {
        error = -EINVAL;
    } else if (path_is_below(to, from)) {
        error = -ELOOP;
    } else {
        int32_t id = mount->id;
        struct path old = detach(mount);
        mount->detached = false;
        attach(mount, to);
        mount->id = id;
        path_put(&old);
    }
    mutex_unlock(&mounts_lock);
    return error;
}
