/* /proc/PID/fd and fdinfo: one entry per open descriptor. The links lead to the file itself, whatever their
 * text says. */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/fs/proc_internal.h"
#include "linux/io/anon.h"

/* The descriptor's file, referenced; *cloexec (may be NULL) its flag. */
static struct file *get_file(const struct proc_ref *ref, bool *cloexec) {
    mutex_lock(&tasks_lock);
    struct fd_table *table = proc_files(ref);
    struct file *file = table ? fd_table_file(table, ref->fd) : NULL;
    if (file && cloexec)
        *cloexec = fd_table_cloexec(table, ref->fd);
    mutex_unlock(&tasks_lock);
    return file;
}

/* The next open descriptor from fd on, or -1. */
static int next_fd(const struct proc_ref *ref, int fd) {
    mutex_lock(&tasks_lock);
    struct fd_table *table = proc_files(ref);
    fd = table ? fd_table_next(table, fd) : -1;
    mutex_unlock(&tasks_lock);
    return fd;
}

static int64_t link_fd(const struct proc_ref *ref, char *to, size_t size) {
    struct file *file = get_file(ref, NULL);
    if (!file)
        return -ENOENT;
    int64_t length = anon_describe(file, to, size);
    if (length == -ENOENT) {
        length = path_describe(&file->path, to, size, true);
        if (length > 0)
            length--;
    }
    file_put(file);
    return length;
}

static int follow_fd(const struct proc_ref *ref, struct path *place) {
    if (!proc_may_look(ref))
        return -EACCES;
    struct file *file = get_file(ref, NULL);
    if (!file)
        return -ENOENT;
    *place = file->path;
    path_get(place);
    file_put(file);
    return place->inode ? 0 : -ENOENT;
}

static int show_fdinfo(const struct proc_ref *ref, struct text *text) {
    bool cloexec = false;
    struct file *file = get_file(ref, &cloexec);
    if (file) {
        uint32_t flags = file->flags | (cloexec ? O_CLOEXEC : 0);
        text_add(text, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (unsigned long long)file->offset,
                 flags, file->path.mount ? file->path.mount->id : 15,
                 file->path.inode ? (unsigned long long)file->path.inode->attributes.ino : 0);
    }
    file_put(file);
    return file ? 0 : -ENOENT;
}

/* The permission bits of a link say how the file is open. */
static const struct proc_node fd_links[] = {
    [O_RDONLY] = {.name = "#fd", .mode = S_IFLNK | 0500, .link = link_fd, .follow = follow_fd},
    [O_WRONLY] = {.name = "#fd", .mode = S_IFLNK | 0300, .link = link_fd, .follow = follow_fd},
    [O_RDWR] = {.name = "#fd", .mode = S_IFLNK | 0700, .link = link_fd, .follow = follow_fd},
    [O_ACCMODE] = {.name = "#fd", .mode = S_IFLNK | 0100, .link = link_fd, .follow = follow_fd},
};
static const struct proc_node fdinfo_file = {.name = "#fdinfo", .mode = S_IFREG | 0400, .show = show_fdinfo};

/* Fills the child for an open descriptor; false when it is not open. */
static bool child_set(const struct proc_ref *directory, int fd, bool info, struct proc_child *child) {
    child->ref = *directory;
    child->ref.fd = fd;
    struct file *file = get_file(&child->ref, NULL);
    if (!file)
        return false;
    uint32_t mode = file->flags & O_PATH ? (uint32_t)O_ACCMODE : file->flags & O_ACCMODE;
    child->ref.node = info ? &fdinfo_file : &fd_links[mode];
    format_text(child->name, sizeof(child->name), "%d", fd);
    file_put(file);
    return true;
}

static int find(const struct proc_ref *directory, const char *name, size_t length, bool info,
                struct proc_child *child) {
    int32_t fd = proc_number(name, length);
    return fd >= 0 && child_set(directory, fd, info, child) ? 0 : -ENOENT;
}

static bool next(const struct proc_ref *directory, uint64_t *number, bool info, struct proc_child *child) {
    int fd = *number <= INT32_MAX ? next_fd(directory, (int)*number) : -1;
    while (fd >= 0 && !child_set(directory, fd, info, child))
        fd = next_fd(directory, fd + 1);
    if (fd < 0)
        return false;
    *number = (uint64_t)fd;
    return true;
}

int proc_fd_find(const struct proc_ref *directory, const char *name, size_t length,
                 struct proc_child *child) {
    return find(directory, name, length, false, child);
}

bool proc_fd_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    return next(directory, number, false, child);
}

int proc_fdinfo_find(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child) {
    return find(directory, name, length, true, child);
}

bool proc_fdinfo_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    return next(directory, number, true, child);
}
