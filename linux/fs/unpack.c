/*
 * The root archive becomes files. Entries are made in their order with the personality's own authority; ".."
 * cannot lead above the root. Entries with several links share an inode: the first becomes the file, the
 * others are linked to it, and the one that carries the bytes fills it. Directories get their times last,
 * since filling them changes them.
 */
#include "linux/fs/unpack.h"

#include "abi/errors.h"
#include "lib/base/cpio.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "lib/base/tree.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/file.h"
#include "linux/fs/mount.h"
#include "linux/fs/namei.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/platform.h"

/* An inode of the archive that has several links, by its number. */
struct shared_inode {
    struct tree_node node;
    struct shared_inode *next; /* same number, other device */
    uint32_t device_major, device_minor;
    struct inode *inode;
};

/* A directory whose time is to be set at the end. */
struct dated {
    struct dated *next;
    struct inode *inode;
    uint32_t mtime;
};

struct unpack {
    struct tree shared;
    struct dated *dated;
    struct path parent; /* of the last entry, kept for the next ones */
    char *parent_text;  /* its text with the last slash, PATH_MAX bytes */
    size_t parent_length;
    const char *what; /* a complaint of ours */
};

static struct timestamp mtime_of(uint32_t mtime) {
    return (struct timestamp){.seconds = mtime};
}

static struct inode *shared_find(struct unpack *unpack, const struct cpio_entry *entry) {
    struct tree_node *node = tree_find_le(&unpack->shared, entry->ino);
    if (!node || node->key != entry->ino)
        return NULL;
    struct shared_inode *shared = container_of(node, struct shared_inode, node);
    while (shared &&
           (shared->device_major != entry->device_major || shared->device_minor != entry->device_minor))
        shared = shared->next;
    return shared ? shared->inode : NULL;
}

static int shared_add(struct unpack *unpack, const struct cpio_entry *entry, struct inode *inode) {
    struct shared_inode *shared = heap_zalloc(sizeof(*shared));
    if (!shared)
        return -ENOMEM;
    shared->device_major = entry->device_major;
    shared->device_minor = entry->device_minor;
    shared->inode = inode_get(inode);
    struct tree_node *node = tree_find_le(&unpack->shared, entry->ino);
    if (node && node->key == entry->ino) {
        struct shared_inode *first = container_of(node, struct shared_inode, node);
        shared->next = first->next;
        first->next = shared;
    } else {
        tree_insert(&unpack->shared, &shared->node, entry->ino);
    }
    return 0;
}

static void shared_clear(struct unpack *unpack) {
    struct tree_node *node;
    while ((node = tree_first(&unpack->shared))) {
        struct shared_inode *shared = container_of(node, struct shared_inode, node);
        tree_remove(&unpack->shared, node);
        while (shared) {
            struct shared_inode *next = shared->next;
            inode_put(shared->inode);
            heap_free(shared);
            shared = next;
        }
    }
}

static int make_directory(const struct path *parent, const struct last_name *last, struct path *found) {
    int error = namei_create(parent, last, S_IFDIR | 0755, 0, NULL, found);
    return error == -EEXIST ? path_lookup(parent, last->text, last->length, found) : error;
}

/* Walks to the directory that holds the entry, making what is missing on the way. */
static int find_parent(const char *name, struct path *parent, struct last_name *last) {
    char *text = heap_alloc(PATH_MAX);
    if (!text)
        return -ENOMEM;
    int error = path_walk_parent(&fs_root, name, parent, last);
    for (const char *slash = strchr(name + 1, '/'); error == -ENOENT && slash;
         slash = strchr(slash + 1, '/')) {
        struct path above, made;
        size_t length = (size_t)(slash - name);
        memcpy(text, name, length);
        text[length] = 0;
        if (path_walk_parent(&fs_root, text, &above, last))
            continue;
        int failed = last->kind == LAST_NORMAL ? make_directory(&above, last, &made) : 0;
        if (!failed && last->kind == LAST_NORMAL)
            path_put(&made);
        path_put(&above);
        if (failed) {
            heap_free(text);
            return failed;
        }
    }
    heap_free(text);
    return error == -ENOENT ? path_walk_parent(&fs_root, name, parent, last) : error;
}

/* The same with the last entry's directory remembered: archives list a directory's entries together. */
static int locate(struct unpack *unpack, const char *name, struct last_name *last) {
    const char *slash = strrchr(name, '/');
    size_t length = slash ? (size_t)(slash - name) + 1 : 0;
    size_t rest = strlen(name) - length;
    bool plain = rest && rest <= NAME_MAX && name[length] != '.';
    if (plain && unpack->parent.inode && length == unpack->parent_length &&
        !memcmp(name, unpack->parent_text, length)) {
        *last = (struct last_name){.kind = LAST_NORMAL, .length = rest};
        memcpy(last->text, name + length, rest + 1);
        return 0;
    }
    path_put(&unpack->parent);
    int error = find_parent(name, &unpack->parent, last);
    if (!error && length < PATH_MAX) {
        memcpy(unpack->parent_text, name, length);
        unpack->parent_length = length;
    }
    return error;
}

static int write_all(struct inode *inode, const void *data, size_t size) {
    struct path path = {.inode = inode};
    struct file *file;
    int error = file_open_path(&path, O_WRONLY | O_TRUNC, &file);
    if (error)
        return error;
    struct buffer buffer = {.kernel = (void *)(uintptr_t)data, .length = size};
    while (!error && buffer.length) {
        int64_t done = file_write(file, &buffer);
        error = done < 0 ? (int)done : done == 0 ? -ENOSPC : 0;
    }
    file_put(file);
    return error;
}

static int set_attributes(struct inode *inode, const struct cpio_entry *entry) {
    struct attributes attributes = {.mode = entry->mode, .uid = entry->uid, .gid = entry->gid};
    attributes.atime = attributes.mtime = mtime_of(entry->mtime);
    mutex_lock(&inode->lock);
    int error = inode->operations->setattr(inode, &attributes,
                                           ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME);
    mutex_unlock(&inode->lock);
    return error;
}

static int date_later(struct unpack *unpack, struct inode *inode, uint32_t mtime) {
    struct dated *dated = heap_alloc(sizeof(*dated));
    if (!dated)
        return -ENOMEM;
    *dated = (struct dated){unpack->dated, inode_get(inode), mtime};
    unpack->dated = dated;
    return 0;
}

static void set_dates(struct unpack *unpack) {
    while (unpack->dated) {
        struct dated *dated = unpack->dated;
        unpack->dated = dated->next;
        dated->inode->attributes.mtime = dated->inode->attributes.atime = mtime_of(dated->mtime);
        inode_put(dated->inode);
        heap_free(dated);
    }
}

/* Removes what stands where something else shall be made; a directory stays, and is an error unless it is
 * wanted. */
static int clear_place(const struct path *parent, const struct last_name *last, bool want_directory) {
    struct inode *directory = parent->inode, *old;
    mutex_lock(&directory->lock);
    int error = directory->operations->lookup(directory, last->text, last->length, &old);
    if (!error) {
        bool is_directory = S_ISDIR(old->attributes.mode);
        if (is_directory && !want_directory)
            error = -EISDIR;
        else if (!is_directory)
            error = directory->operations->unlink(directory, last->text, last->length, old);
        if (!error && !is_directory)
            name_remove(parent->name, last->text, last->length);
        inode_put(old);
    }
    mutex_unlock(&directory->lock);
    return error == -ENOENT ? 0 : error;
}

static int link_to(const struct path *parent, const struct last_name *last, struct inode *inode) {
    struct inode *directory = parent->inode;
    mutex_lock(&directory->lock);
    int error = directory->operations->link(directory, last->text, last->length, inode);
    mutex_unlock(&directory->lock);
    return error;
}

static int make_link_text(const struct path *parent, const struct last_name *last,
                          const struct cpio_entry *entry, struct path *found) {
    if (!entry->size || entry->size >= PATH_MAX)
        return -ENAMETOOLONG;
    char *target = heap_alloc(entry->size + 1);
    if (!target)
        return -ENOMEM;
    memcpy(target, entry->data, entry->size);
    target[entry->size] = 0;
    int error = namei_create(parent, last, S_IFLNK | S_IRWXUGO, 0, target, found);
    heap_free(target);
    return error;
}

static int make_inode(const struct path *parent, const struct last_name *last, const struct cpio_entry *entry,
                      struct path *found) {
    uint32_t type = entry->mode & S_IFMT;
    if (type == S_IFDIR)
        return make_directory(parent, last, found);
    if (type == S_IFLNK)
        return make_link_text(parent, last, entry, found);
    uint64_t rdev =
        type == S_IFCHR || type == S_IFBLK ? device_number(entry->special_major, entry->special_minor) : 0;
    return namei_create(parent, last, type | 0600, rdev, NULL, found);
}

/* Makes a new inode with its bytes and attributes. */
static int make_entry(struct unpack *unpack, const struct last_name *last, const struct cpio_entry *entry) {
    struct path found;
    int error = make_inode(&unpack->parent, last, entry, &found);
    if (error)
        return error;
    bool directory = S_ISDIR(entry->mode);
    if (S_ISREG(entry->mode) && entry->size)
        error = write_all(found.inode, entry->data, entry->size);
    if (!error)
        error = set_attributes(found.inode, entry);
    if (!error && directory)
        error = date_later(unpack, found.inode, entry->mtime);
    if (!error && !directory && entry->nlink > 1)
        error = shared_add(unpack, entry, found.inode);
    path_put(&found);
    return error;
}

static bool type_is_known(uint32_t mode) {
    uint32_t type = mode & S_IFMT;
    return type == S_IFREG || type == S_IFDIR || type == S_IFLNK || type == S_IFCHR || type == S_IFBLK ||
           type == S_IFIFO || type == S_IFSOCK;
}

static int unpack_entry(struct unpack *unpack, const struct cpio_entry *entry) {
    struct last_name last;
    const char *name = entry->name;
    while (*name == '/')
        name++;
    if (!type_is_known(entry->mode)) {
        unpack->what = "unknown file type";
        return -EINVAL;
    }
    int error = *name ? locate(unpack, name, &last) : 0;
    if (error)
        return error;
    if (!*name || last.kind != LAST_NORMAL) /* the root itself */
        return S_ISDIR(entry->mode) ? set_attributes(fs_root.inode, entry) : 0;
    error = clear_place(&unpack->parent, &last, S_ISDIR(entry->mode));
    if (error)
        return error;
    struct inode *first = S_ISDIR(entry->mode) || entry->nlink < 2 ? NULL : shared_find(unpack, entry);
    if (!first || ((first->attributes.mode ^ entry->mode) & S_IFMT))
        return make_entry(unpack, &last, entry);
    error = link_to(&unpack->parent, &last, first);
    if (!error && S_ISREG(entry->mode) && entry->size) {
        error = write_all(first, entry->data, entry->size);
        if (!error)
            error = set_attributes(first, entry);
    }
    return error;
}

static const char *error_text(int error) {
    switch (-error) {
#define ERROR(name, number, text)                                                                            \
    case name:                                                                                               \
        return text;
#include "abi/errors.def"
#undef ERROR
    default:
        return "unknown error";
    }
}

/* One archive; *offset moves behind it. */
static int unpack_one(struct unpack *unpack, struct cpio *cpio, char *error, size_t size) {
    struct cpio_entry entry = {0};
    int result;
    while ((result = cpio_next(cpio, &entry)) > 0) {
        int failed = unpack_entry(unpack, &entry);
        if (!failed)
            continue;
        format_text(error, size, "root archive: %s: %s at offset %zu", entry.name,
                    unpack->what ? unpack->what : error_text(failed), entry.offset);
        return failed;
    }
    if (result < 0)
        format_text(error, size, "root archive: %s at offset %zu", cpio->error, cpio->error_offset);
    return result;
}

int unpack_archives(const void *bytes, size_t length, size_t offset, char *error, size_t size) {
    struct unpack unpack = {.parent_text = heap_alloc(PATH_MAX)};
    struct cpio cpio;
    int result = unpack.parent_text ? 0 : -ENOMEM;
    if (result)
        format_text(error, size, "root archive: %s at offset %zu", error_text(result), offset);
    while (!result && offset < length) {
        cpio_open(&cpio, bytes, length, offset);
        result = unpack_one(&unpack, &cpio, error, size);
        shared_clear(&unpack);
        if (!result)
            offset = cpio_skip_padding(&cpio);
    }
    path_put(&unpack.parent);
    set_dates(&unpack);
    heap_free(unpack.parent_text);
    return result;
}
