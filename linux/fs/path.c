/*
 * The walk from a text to a place. The position of a walk is a referenced struct path; symbolic links are
 * followed by putting their text in front of what is left, so that depth costs no stack. Each component costs
 * one look-up in the name table, and one question to the file system when the name is not there yet
 * (names.c).
 */
#include "linux/fs/path.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/mount.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task.h"

enum { LINKS_MAX = 40 };

struct walk {
    struct path at;
    const char *text; /* what is left */
    char *owned;      /* the block it lies in, once a link was followed */
    unsigned *links;
    bool slash; /* the component just taken had slashes behind it */
};

void path_get(const struct path *path) {
    if (path->mount)
        mount_get(path->mount);
    if (path->inode)
        inode_get(path->inode);
    if (path->name)
        name_get(path->name);
}

void path_put(struct path *path) {
    struct path old = *path;
    *path = (struct path){0};
    name_put(old.name);
    if (old.inode)
        inode_put(old.inode);
    if (old.mount)
        mount_put(old.mount);
}

/* The root and current directory of the calling task, referenced; helper threads see the first root. */
static void root_get(struct path *root) {
    struct task *task = task_current();
    struct fs_state *state = task ? task->fs : NULL;
    if (state)
        mutex_lock(&state->lock);
    *root = state ? state->root : fs_root;
    path_get(root);
    if (state)
        mutex_unlock(&state->lock);
}

static void cwd_get(struct path *cwd) {
    struct task *task = task_current();
    struct fs_state *state = task ? task->fs : NULL;
    if (state)
        mutex_lock(&state->lock);
    *cwd = state ? state->cwd : fs_root;
    path_get(cwd);
    if (state)
        mutex_unlock(&state->lock);
}

static bool same_place(const struct path *a, const struct path *b) {
    return a->name == b->name && a->mount == b->mount;
}

/* Puts the walk's position one up, as ".." does; the task's root is its own parent. */
static void step_up(struct path *at) {
    struct path root;
    root_get(&root);
    while (!same_place(at, &root) && at->name == at->mount->root)
        if (!mount_leave(at))
            break;
    struct name *parent = same_place(at, &root) || at->name == at->mount->root ? NULL : name_parent(at->name);
    if (parent) {
        struct path up = {at->mount, parent->inode, parent};
        mount_get(up.mount);
        inode_get(up.inode);
        path_put(at);
        *at = up;
        mount_enter(at);
    }
    path_put(&root);
}

static int lookup_in_filesystem(const struct path *directory, const char *text, size_t length,
                                struct name **name) {
    struct inode *inode = directory->inode, *found = NULL;
    mutex_lock(&inode->lock);
    int error = inode->operations->lookup ? inode->operations->lookup(inode, text, length, &found) : -ENOTDIR;
    if (!error) {
        *name = name_make(directory->name, text, length, found);
        inode_put(found);
        error = *name ? 0 : -ENOMEM;
    }
    mutex_unlock(&inode->lock);
    return error;
}

int path_lookup(const struct path *directory, const char *text, size_t length, struct path *found) {
    struct name *name = name_find(directory->name, text, length);
    int error = name ? 0 : lookup_in_filesystem(directory, text, length, &name);
    if (error)
        return error;
    *found = (struct path){mount_get(directory->mount), inode_get(name->inode), name};
    mount_enter(found);
    return 0;
}

int inode_link_text(struct inode *inode, char **text) {
    if (!inode->operations->readlink)
        return -EINVAL;
    char *block = heap_alloc(PATH_MAX);
    if (!block)
        return -ENOMEM;
    int64_t length = inode->operations->readlink(inode, block, PATH_MAX - 1);
    if (length < 0) {
        heap_free(block);
        return (int)length;
    }
    block[length] = 0;
    *text = block;
    return 0;
}

/* Puts a link's text in front of what is left; the walk goes on from the link's directory, or the root. */
static int expand_link(struct walk *walk, struct inode *link) {
    char *target;
    int error = inode_link_text(link, &target);
    if (error)
        return error;
    size_t length = strlen(target), rest = strlen(walk->text);
    char *joined = heap_alloc(length + rest + 2);
    if (!joined || !length) {
        heap_free(target);
        heap_free(joined);
        return joined ? -ENOENT : -ENOMEM;
    }
    memcpy(joined, target, length);
    size_t at = length;
    if (walk->slash)
        joined[at++] = '/';
    memcpy(joined + at, walk->text, rest);
    joined[at + rest] = 0;
    heap_free(target);
    heap_free(walk->owned);
    walk->owned = joined;
    walk->text = joined;
    if (joined[0] == '/') {
        path_put(&walk->at);
        root_get(&walk->at);
    }
    return 0;
}

/* Follows a link, whose place is taken over. */
static int follow(struct walk *walk, struct path *link) {
    int error;
    struct path result;
    if (++*walk->links > LINKS_MAX)
        error = -ELOOP;
    else if (!link->inode->operations->follow)
        error = expand_link(walk, link->inode);
    else if (!(error = link->inode->operations->follow(link->inode, &result))) {
        path_put(&walk->at);
        walk->at = result;
    }
    path_put(link);
    return error;
}

/* Cuts the next component off the text: its length, 0 at the end. Notes whether slashes follow. */
static size_t next_component(struct walk *walk, const char **component) {
    while (*walk->text == '/')
        walk->text++;
    *component = walk->text;
    while (*walk->text && *walk->text != '/')
        walk->text++;
    size_t length = (size_t)(walk->text - *component);
    walk->slash = *walk->text == '/';
    while (*walk->text == '/')
        walk->text++;
    return length;
}

static enum last_kind kind_of(const char *component, size_t length) {
    if (component[0] != '.' || length > 2)
        return LAST_NORMAL;
    if (length == 1)
        return LAST_DOT;
    return component[1] == '.' ? LAST_DOTDOT : LAST_NORMAL;
}

static void last_set(struct last_name *last, const struct walk *walk, const char *component, size_t length,
                     enum last_kind kind) {
    last->kind = kind;
    memcpy(last->text, component, length);
    last->text[length] = 0;
    last->length = length;
    last->slash = walk->slash;
}

/* One step to a named entry; links are followed in the middle of the text, and at its end when asked to. */
static int step_down(struct walk *walk, const char *component, size_t length, unsigned flags) {
    struct path child;
    int error = path_lookup(&walk->at, component, length, &child);
    if (error)
        return error;
    if (S_ISLNK(child.inode->attributes.mode) && (*walk->text || walk->slash || flags & WALK_FOLLOW))
        return follow(walk, &child);
    path_put(&walk->at);
    walk->at = child;
    return 0;
}

/* Runs the walk to its end, or to the directory of the last component when last is given. */
static int walk_run(struct walk *walk, unsigned flags, struct last_name *last) {
    const char *component;
    size_t length;
    bool directory = flags & WALK_DIRECTORY;
    while ((length = next_component(walk, &component))) {
        if (length > NAME_MAX)
            return -ENAMETOOLONG;
        if (!walk->at.inode || !walk->at.name || !S_ISDIR(walk->at.inode->attributes.mode))
            return -ENOTDIR;
        int error = inode_permission(walk->at.inode, X_OK);
        if (error)
            return error;
        enum last_kind kind = kind_of(component, length);
        directory = walk->slash || flags & WALK_DIRECTORY;
        if (last && !*walk->text) {
            last_set(last, walk, component, length, kind);
            return 0;
        }
        if (kind == LAST_DOTDOT)
            step_up(&walk->at);
        else if (kind == LAST_NORMAL)
            error = step_down(walk, component, length, flags);
        if (error)
            return error;
    }
    if (last)
        last->kind = LAST_ROOT;
    return directory && !(walk->at.inode && S_ISDIR(walk->at.inode->attributes.mode)) ? -ENOTDIR : 0;
}

static int walk_from(const struct path *base, const char *text, unsigned flags, unsigned *links,
                     struct path *found, struct last_name *last) {
    struct walk walk = {.text = text, .links = links};
    if (!*text && !(flags & WALK_EMPTY))
        return -ENOENT;
    if (*text == '/') {
        root_get(&walk.at);
    } else {
        walk.at = *base;
        path_get(&walk.at);
    }
    int error = walk_run(&walk, flags, last);
    heap_free(walk.owned);
    if (error) {
        path_put(&walk.at);
        return error;
    }
    *found = walk.at;
    return 0;
}

int path_walk(const struct path *base, const char *text, unsigned flags, struct path *found) {
    unsigned links = 0;
    return walk_from(base, text, flags, &links, found, NULL);
}

int path_walk_parent_counted(const struct path *base, const char *text, unsigned *links, struct path *parent,
                             struct last_name *last) {
    return walk_from(base, text, 0, links, parent, last);
}

int path_walk_parent(const struct path *base, const char *text, struct path *parent, struct last_name *last) {
    unsigned links = 0;
    return walk_from(base, text, 0, &links, parent, last);
}

int path_base(int fd, struct path *base) {
    if (fd == AT_FDCWD) {
        cwd_get(base);
        return 0;
    }
    struct file *file = fd_get_any(fd);
    if (!file)
        return -EBADF;
    *base = file->path;
    path_get(base);
    file_put(file);
    return 0;
}

int path_text_in(uint64_t guest, char **text) {
    char small[256];
    int64_t length = guest_string_in(small, guest, sizeof(small));
    if (length >= 0) {
        *text = heap_alloc((size_t)length + 1);
        if (*text)
            memcpy(*text, small, (size_t)length + 1);
        return *text ? 0 : -ENOMEM;
    }
    if (length != -ENAMETOOLONG)
        return (int)length;
    char *block = heap_alloc(PATH_MAX);
    if (!block)
        return -ENOMEM;
    length = guest_string_in(block, guest, PATH_MAX);
    if (length < 0) {
        heap_free(block);
        return (int)length;
    }
    *text = block;
    return 0;
}

/* An absolute path needs no base: its descriptor is not even looked at. */
int path_resolve(int fd, uint64_t guest, unsigned flags, struct path *found) {
    struct path base = {0};
    char *text;
    int error = path_text_in(guest, &text);
    if (error)
        return error;
    if (!*text && !(flags & WALK_EMPTY))
        error = -ENOENT;
    else if (*text != '/')
        error = path_base(fd, &base);
    if (!error)
        error = path_walk(&base, text, flags, found);
    path_put(&base);
    heap_free(text);
    return error;
}

int path_resolve_parent(int fd, uint64_t guest, struct path *parent, struct last_name *last) {
    struct path base = {0};
    char *text;
    int error = path_text_in(guest, &text);
    if (error)
        return error;
    if (*text != '/')
        error = *text ? path_base(fd, &base) : -ENOENT;
    if (!error)
        error = path_walk_parent(&base, text, parent, last);
    path_put(&base);
    heap_free(text);
    return error;
}

bool path_is_deleted(const struct path *path) {
    return path->name && path->name->deleted;
}

bool path_is_below(const struct path *place, const struct path *ancestor) {
    bool below = false;
    spin_acquire(&names_lock);
    const struct mount *mount = place->mount;
    for (const struct name *name = place->name; name && !below;) {
        below = name == ancestor->name && mount == ancestor->mount;
        if (name == mount->root && mount->place.mount) {
            name = mount->place.name;
            mount = mount->place.mount;
        } else {
            name = name->parent;
        }
    }
    spin_release(&names_lock);
    return below;
}

/* Writes text in front of *at; false when there is no room. */
static bool prepend(const char *buffer, char **at, const char *text, size_t length) {
    if ((size_t)(*at - buffer) < length)
        return false;
    *at -= length;
    memcpy(*at, text, length);
    return true;
}

/* Writes the names from the place up to root in front of *at. reached tells whether root was met. */
static bool prepend_names(const char *buffer, char **at, const struct path *path, const struct path *root,
                          bool *reached) {
    const struct name *name = path->name;
    const struct mount *mount = path->mount;
    for (;;) {
        *reached = name == root->name && mount == root->mount;
        if (*reached)
            return true;
        if (mount && name == mount->root) {
            if (!mount->place.mount || !mount->place.name)
                return true;
            name = mount->place.name;
            mount = mount->place.mount;
            continue;
        }
        if (!prepend(buffer, at, name->text, name->length) || !prepend(buffer, at, "/", 1))
            return false;
        if (!name->parent) {
            *reached = true; /* an anonymous name, such as a memfd's */
            return true;
        }
        name = name->parent;
    }
}

int64_t path_describe(const struct path *path, char *to, size_t size, bool mark) {
    static const char deleted[] = " (deleted)", unreachable[] = "(unreachable)";
    char *at = to + size;
    bool reached = false;
    if (!path->name || !prepend(to, &at, "", 1))
        return path->name ? -ERANGE : -ENOENT;
    if (mark && path->name->deleted && !prepend(to, &at, deleted, sizeof(deleted) - 1))
        return -ERANGE;
    char *tail = at;
    struct path root;
    root_get(&root);
    spin_acquire(&names_lock);
    bool fits = prepend_names(to, &at, path, &root, &reached);
    spin_release(&names_lock);
    path_put(&root);
    if (fits && at == tail)
        fits = prepend(to, &at, "/", 1);
    if (fits && !reached)
        fits = prepend(to, &at, unreachable, sizeof(unreachable) - 1);
    if (!fits)
        return -ERANGE;
    size_t length = (size_t)(to + size - at);
    memmove(to, at, length);
    return (int64_t)length;
}
