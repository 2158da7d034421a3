/* mount, umount2, statfs and their kin. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/fd.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"

enum { KEPT_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME };

static int text_or_empty(uint64_t guest, char **text) {
    if (guest)
        return path_text_in(guest, text);
    *text = heap_zalloc(1);
    return *text ? 0 : -ENOMEM;
}

static int bind(const char *source, const struct path *place, uint32_t flags) {
    struct path from, cwd;
    int error = path_base(AT_FDCWD, &cwd);
    if (error)
        return error;
    error = *source ? path_walk(&cwd, source, WALK_FOLLOW, &from) : -EINVAL;
    path_put(&cwd);
    if (error)
        return error;
    if (!from.name || !from.mount)
        error = -EINVAL;
    else if (S_ISDIR(from.inode->attributes.mode) != S_ISDIR(place->inode->attributes.mode))
        error = -ENOTDIR;
    else if (flags & MS_MOVE)
        error = mount_move(&from, place);
    else
        error = mount_bind(&from, place, from.mount->flags);
    path_put(&from);
    return error;
}

static int mount_at(const char *source, const struct path *place, const char *type, uint32_t flags,
                    const char *options) {
    if (!place->name || !place->mount)
        return -EINVAL;
    if (flags & MS_REMOUNT) {
        if (place->name != place->mount->root)
            return -EINVAL;
        place->mount->flags = flags & KEPT_FLAGS;
        return 0;
    }
    if (flags & (MS_BIND | MS_MOVE))
        return bind(source, place, flags);
    if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
        return 0; /* there is one namespace: propagation has nowhere to go */
    if (!*type)
        return -EINVAL;
    if (!S_ISDIR(place->inode->attributes.mode))
        return -ENOTDIR;
    uint32_t kept = flags & KEPT_FLAGS;
    return mount_new(type, *source ? source : "none", place, kept & MS_NOATIME ? kept : kept | MS_RELATIME,
                     options);
}

/* The texts of mount's arguments: source, type, options. */
struct texts {
    char *source, *type, *options;
};

static int texts_in(struct texts *texts, uint64_t source, uint64_t type, uint64_t options) {
    *texts = (struct texts){0};
    int error = text_or_empty(type, &texts->type);
    if (!error)
        error = text_or_empty(source, &texts->source);
    if (!error)
        error = text_or_empty(options, &texts->options);
    return error;
}

static void texts_free(struct texts *texts) {
    heap_free(texts->source);
    heap_free(texts->type);
    heap_free(texts->options);
}

int64_t sys_mount(uint64_t source, uint64_t target, uint64_t type, uint64_t flags64, uint64_t options) {
    uint32_t flags = (uint32_t)flags64;
    struct texts texts;
    struct path place;
    if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
        flags &= ~MS_MGC_MSK;
    int error = texts_in(&texts, source, type, options);
    if (!error)
        error = path_resolve(AT_FDCWD, target, WALK_FOLLOW, &place);
    if (!error) {
        if (!task_is_root(task_current()))
            error = -EPERM;
        else
            error = mount_at(texts.source, &place, texts.type, flags, texts.options);
        path_put(&place);
    }
    texts_free(&texts);
    return error;
}

int64_t sys_umount2(uint64_t target, uint64_t flags) {
    struct path place;
    if (flags & ~(uint64_t)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
        return -EINVAL;
    if (!task_is_root(task_current()))
        return -EPERM;
    int error = path_resolve(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &place);
    if (error)
        return error;
    struct mount *mount = place.mount && place.name == place.mount->root ? mount_get(place.mount) : NULL;
    path_put(&place);
    if (!mount)
        return -EINVAL;
    error = mount_remove(mount, flags & MNT_DETACH);
    mount_put(mount);
    return error;
}

static uint32_t status_flags(const struct mount *mount) {
    uint32_t flags = mount ? mount->flags : 0, result = ST_VALID;
    result |= flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC); /* the same bits */
    result |= flags & MS_NOATIME ? ST_NOATIME : 0;
    result |= flags & MS_NODIRATIME ? ST_NODIRATIME : 0;
    result |= flags & MS_RELATIME ? ST_RELATIME : 0;
    return result;
}

static int64_t status_out(const struct path *path, uint64_t to) {
    struct linux_statfs status = {
        .block_size = PAGE_SIZE, .fragment_size = PAGE_SIZE, .name_length = NAME_MAX};
    struct filesystem *filesystem = path->mount   ? path->mount->filesystem
                                    : path->inode ? path->inode->filesystem
                                                  : NULL;
    if (!filesystem)
        return -ENOSYS;
    if (filesystem->type->statfs)
        filesystem->type->statfs(filesystem, &status);
    status.fsid[0] = (int32_t)filesystem->device;
    status.flags = status_flags(path->mount);
    return guest_copy_out(to, &status, sizeof(status));
}

int64_t sys_statfs(uint64_t path, uint64_t to) {
    struct path found;
    int64_t result = path_resolve(AT_FDCWD, path, WALK_FOLLOW, &found);
    if (result)
        return result;
    result = status_out(&found, to);
    path_put(&found);
    return result;
}

int64_t sys_fstatfs(uint64_t fd, uint64_t to) {
    struct file *file = fd_get_any((int)fd);
    if (!file)
        return -EBADF;
    int64_t result = status_out(&file->path, to);
    file_put(file);
    return result;
}
