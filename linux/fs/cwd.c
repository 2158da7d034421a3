/* Where a task stands: current directory, root, umask. */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"

/* Replaces one of the paths of the task's state; takes over the reference. */
static void place_set(struct fs_state *state, struct path *slot, const struct path *place) {
    mutex_lock(&state->lock);
    struct path old = *slot;
    *slot = *place;
    mutex_unlock(&state->lock);
    path_put(&old);
}

static int64_t change_to(uint64_t text, bool root) {
    struct fs_state *state = task_current()->fs;
    struct path found;
    int error = path_resolve(AT_FDCWD, text, WALK_FOLLOW | WALK_DIRECTORY, &found);
    if (error)
        return error;
    error = inode_permission(found.inode, X_OK);
    if (!error && root && !task_is_root(task_current()))
        error = -EPERM;
    if (error)
        path_put(&found);
    else
        place_set(state, root ? &state->root : &state->cwd, &found);
    return error;
}

int64_t sys_chdir(uint64_t path) {
    return change_to(path, false);
}

int64_t sys_chroot(uint64_t path) {
    return change_to(path, true);
}

int64_t sys_fchdir(uint64_t fd) {
    struct fs_state *state = task_current()->fs;
    struct file *file = fd_get_any((int)fd);
    if (!file)
        return -EBADF;
    struct path place = file->path;
    int error = -ENOTDIR;
    if (place.inode && place.name && S_ISDIR(place.inode->attributes.mode))
        error = inode_permission(place.inode, X_OK);
    if (!error) {
        path_get(&place);
        place_set(state, &state->cwd, &place);
    }
    file_put(file);
    return error;
}

int64_t sys_getcwd(uint64_t to, uint64_t size) {
    struct fs_state *state = task_current()->fs;
    struct path cwd;
    mutex_lock(&state->lock);
    cwd = state->cwd;
    path_get(&cwd);
    mutex_unlock(&state->lock);
    char *text = heap_alloc(PATH_MAX);
    int64_t length = !text                   ? -ENOMEM
                     : path_is_deleted(&cwd) ? -ENOENT
                                             : path_describe(&cwd, text, PATH_MAX, false);
    path_put(&cwd);
    if (length == -ERANGE)
        length = -ENAMETOOLONG;
    if (length > 0 && (uint64_t)length > size)
        length = -ERANGE;
    if (length > 0 && guest_copy_out(to, text, (size_t)length))
        length = -EFAULT;
    heap_free(text);
    return length;
}

int64_t sys_umask(uint64_t mask) {
    struct fs_state *state = task_current()->fs;
    mutex_lock(&state->lock);
    uint32_t old = state->umask;
    state->umask = (uint32_t)mask & S_IRWXUGO;
    mutex_unlock(&state->lock);
    return old;
}
