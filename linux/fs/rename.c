/*
 * rename: moves an entry, over another one if there is one, or exchanges two. Renames that move between
 * directories are serialised by rename_lock, so that the tree cannot change shape while a move below itself
 * is ruled out; then both directories are locked, in the order of their addresses.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/syscalls.h"

static struct mutex rename_lock = MUTEX_INIT(rename_lock);

struct rename {
    struct path from, to; /* the parent directories */
    struct last_name name, new_name;
    unsigned flags;
    struct inode *moved, *replaced; /* replaced may be NULL */
};

static void lock_both(struct inode *a, struct inode *b) {
    if (a > b) {
        struct inode *swap = a;
        a = b;
        b = swap;
    }
    mutex_lock(&a->lock);
    if (a != b)
        mutex_lock(&b->lock);
}

static void unlock_both(struct inode *a, struct inode *b) {
    mutex_unlock(&a->lock);
    if (a != b)
        mutex_unlock(&b->lock);
}

/* True when the directory lies at or below the inode; both on one file system. */
static bool lies_below(const struct path *directory, const struct inode *inode) {
    struct name *name = name_get(directory->name);
    bool below = false;
    while (name && !(below = name->inode == inode)) {
        struct name *parent = name_parent(name);
        name_put(name);
        name = parent;
    }
    name_put(name);
    return below;
}

static int check_kinds(const struct rename *rename) {
    bool directory = S_ISDIR(rename->moved->attributes.mode);
    if (!directory && rename->name.slash)
        return -ENOTDIR;
    if (!(rename->flags & RENAME_EXCHANGE) && !directory && rename->new_name.slash)
        return -ENOTDIR;
    if (!rename->replaced)
        return 0;
    bool over_directory = S_ISDIR(rename->replaced->attributes.mode);
    if (rename->flags & RENAME_EXCHANGE)
        return !over_directory && rename->new_name.slash ? -ENOTDIR : 0;
    if (directory != over_directory)
        return directory ? -ENOTDIR : -EISDIR;
    return 0;
}

static int check_permissions(const struct rename *rename) {
    int error = inode_may_delete(rename->from.inode, rename->moved);
    if (error)
        return error;
    if (!rename->replaced)
        error =
            rename->to.inode->attributes.nlink ? inode_permission(rename->to.inode, W_OK | X_OK) : -ENOENT;
    else
        error = inode_may_delete(rename->to.inode, rename->replaced);
    if (!error && rename->from.inode != rename->to.inode && S_ISDIR(rename->moved->attributes.mode))
        error = inode_permission(rename->moved, W_OK); /* its ".." changes */
    return error;
}

/* Everything is found and locked: check, then commit. */
static int rename_found(struct rename *rename) {
    struct inode *from = rename->from.inode, *to = rename->to.inode;
    struct name_move move;
    if (rename->flags & RENAME_NOREPLACE && rename->replaced)
        return -EEXIST;
    if (rename->flags & RENAME_EXCHANGE && !rename->replaced)
        return -ENOENT;
    if (lies_below(&rename->to, rename->moved))
        return -EINVAL;
    if (rename->replaced && lies_below(&rename->from, rename->replaced))
        return rename->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
    if (rename->moved == rename->replaced)
        return 0;
    int error = check_permissions(rename);
    if (!error)
        error = check_kinds(rename);
    if (!error && (rename->moved->mounted || (rename->replaced && rename->replaced->mounted)))
        error = -EBUSY;
    if (!error && !from->operations->rename)
        error = -EPERM;
    if (!error)
        error = name_move_prepare(&move, rename->name.length, rename->new_name.length);
    if (error)
        return error;
    error = from->operations->rename(from, rename->name.text, rename->name.length, to, rename->new_name.text,
                                     rename->new_name.length, rename->moved, rename->replaced, rename->flags);
    if (error)
        name_move_cancel(&move);
    else
        name_move_commit(&move, rename->from.name, rename->name.text, rename->name.length, rename->to.name,
                         rename->new_name.text, rename->new_name.length, rename->flags & RENAME_EXCHANGE);
    return error;
}

static int rename_locked(struct rename *rename) {
    struct inode *from = rename->from.inode, *to = rename->to.inode;
    int error = from->operations->lookup(from, rename->name.text, rename->name.length, &rename->moved);
    if (error)
        return error;
    error = to->operations->lookup(to, rename->new_name.text, rename->new_name.length, &rename->replaced);
    if (error == -ENOENT) {
        rename->replaced = NULL;
        error = 0;
    }
    if (!error)
        error = rename_found(rename);
    inode_put(rename->replaced);
    inode_put(rename->moved);
    return error;
}

static int rename_parents(struct rename *rename) {
    if (rename->from.mount != rename->to.mount)
        return -EXDEV;
    if (rename->name.kind != LAST_NORMAL)
        return -EBUSY;
    if (rename->new_name.kind != LAST_NORMAL)
        return rename->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
    if (mount_read_only(rename->from.mount))
        return -EROFS;
    mutex_lock(&rename_lock);
    lock_both(rename->from.inode, rename->to.inode);
    int error = rename_locked(rename);
    unlock_both(rename->from.inode, rename->to.inode);
    mutex_unlock(&rename_lock);
    return error;
}

static int walk_parent_at(int fd, const char *text, struct path *parent, struct last_name *last) {
    struct path base = {0};
    if (!*text)
        return -ENOENT;
    int error = *text == '/' ? 0 : path_base(fd, &base);
    if (!error)
        error = path_walk_parent(&base, text, parent, last);
    path_put(&base);
    return error;
}

static int rename_texts(int old_fd, const char *old_text, int new_fd, const char *new_text,
                        struct rename *rename) {
    int error = walk_parent_at(old_fd, old_text, &rename->from, &rename->name);
    if (error)
        return error;
    error = walk_parent_at(new_fd, new_text, &rename->to, &rename->new_name);
    if (!error) {
        error = rename_parents(rename);
        path_put(&rename->to);
    }
    path_put(&rename->from);
    return error;
}

static int64_t rename_at(int old_fd, uint64_t old_path, int new_fd, uint64_t new_path, unsigned flags) {
    char *old_text, *new_text;
    unsigned both = RENAME_NOREPLACE | RENAME_EXCHANGE;
    if (flags & ~both || (flags & both) == both)
        return -EINVAL;
    int error = path_text_in(old_path, &old_text);
    if (error)
        return error;
    error = path_text_in(new_path, &new_text);
    if (!error) {
        struct rename *rename = heap_zalloc(sizeof(*rename));
        if (rename)
            rename->flags = flags;
        error = rename ? rename_texts(old_fd, old_text, new_fd, new_text, rename) : -ENOMEM;
        heap_free(rename);
        heap_free(new_text);
    }
    heap_free(old_text);
    return error;
}

int64_t sys_rename(uint64_t old_path, uint64_t new_path) {
    return rename_at(AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}

int64_t sys_renameat(uint64_t old_fd, uint64_t old_path, uint64_t new_fd, uint64_t new_path) {
    return rename_at((int)old_fd, old_path, (int)new_fd, new_path, 0);
}

int64_t sys_renameat2(uint64_t old_fd, uint64_t old_path, uint64_t new_fd, uint64_t new_path,
                      uint64_t flags) {
    return rename_at((int)old_fd, old_path, (int)new_fd, new_path, (unsigned)flags);
}
