/*
 * Opening: from a text (or a place) and flags to a struct file. The order of the checks is Linux's: what is
 * asked of the place, then permission, then the file's own open, then truncation.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/block/disk.h"
#include "linux/fs/device.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/fs/mount.h"
#include "linux/fs/namei.h"
#include "linux/fs/path.h"
#include "linux/fs/tmpfs.h"
#include "linux/heap.h"
#include "linux/io/pipe.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"

enum { LINKS_MAX = 40 };

/* How open's flags apply to a place: the parts that were known before the place was. */
struct request {
    uint32_t flags, mode;
    bool made; /* the file is new: no permission asked of it */
};

static bool writes(uint32_t flags) {
    return (flags & O_ACCMODE) != O_RDONLY;
}

static unsigned access_mask(uint32_t flags) {
    static const uint8_t masks[] = {R_OK, W_OK, R_OK | W_OK, R_OK | W_OK};
    return masks[flags & O_ACCMODE] | (flags & O_TRUNC ? W_OK : 0);
}

static int check_place(const struct path *path, uint32_t flags) {
    struct inode *inode = path->inode;
    uint32_t mode = inode->attributes.mode;
    if (S_ISLNK(mode))
        return -ELOOP;
    if (flags & O_DIRECTORY && !S_ISDIR(mode))
        return -ENOTDIR;
    if (S_ISDIR(mode) && access_mask(flags) & W_OK)
        return -EISDIR;
    if ((S_ISCHR(mode) || S_ISBLK(mode)) && path->mount && path->mount->flags & MS_NODEV)
        return -EACCES;
    if (access_mask(flags) & W_OK && (S_ISREG(mode) || S_ISDIR(mode)) && mount_read_only(path->mount))
        return -EROFS;
    int error = inode_permission(inode, access_mask(flags));
    if (error)
        return error;
    return flags & O_NOATIME && !inode_owned(inode) ? -EPERM : 0;
}

/* The file's own open, by kind. */
static int open_inode(struct inode *inode, struct file *file) {
    if (S_ISFIFO(inode->attributes.mode))
        return fifo_open(inode, file);
    if (S_ISCHR(inode->attributes.mode))
        return device_open(inode, file);
    if (S_ISBLK(inode->attributes.mode))
        return disk_open(inode, file);
    if (S_ISSOCK(inode->attributes.mode))
        return -ENXIO;
    return inode->operations->open ? inode->operations->open(inode, file) : 0;
}

static int truncate_opened(struct file *file) {
    struct attributes attributes = {.size = 0};
    struct inode *inode = file->path.inode;
    if (!S_ISREG(inode->attributes.mode) || !inode->operations->setattr)
        return 0;
    int error = inode_writer_add(inode); /* O_RDONLY | O_TRUNC may not shorten a program that runs either */
    if (error)
        return error;
    mutex_lock(&inode->lock);
    error = inode->operations->setattr(inode, &attributes, ATTR_SIZE);
    mutex_unlock(&inode->lock);
    inode_writer_remove(inode);
    return error;
}

static int count_writer(struct file *file) {
    struct inode *inode = file->path.inode;
    if (!writes(file->flags) || !S_ISREG(inode->attributes.mode))
        return 0;
    int error = inode_writer_add(inode);
    file->counted = !error;
    return error;
}

static int open_place(const struct path *path, const struct request *request, struct file **opened) {
    static const struct file_operations no_operations;
    uint32_t kept = O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_ASYNC | O_DIRECT | O_DIRECTORY |
                    O_NOFOLLOW | O_NOATIME | O_PATH | O_NOCTTY; /* O_NOCTTY for the open operation only */
    uint32_t flags = request->flags;
    int error = flags & O_PATH || request->made ? 0 : check_place(path, flags);
    if (error)
        return error;
    const struct file_operations *operations = path->inode->default_file;
    if (flags & O_PATH || !operations)
        operations = &no_operations;
    struct file *file =
        file_create(operations, path, (flags & kept) | (flags & O_PATH ? 0 : O_LARGEFILE), NULL);
    if (!file)
        return -ENOMEM;
    if (!(flags & O_PATH)) {
        error = count_writer(file);
        if (!error)
            error = open_inode(path->inode, file);
        file->flags &= ~(uint32_t)O_NOCTTY;
        if (error)
            file->operations = &no_operations; /* nothing to release */
        else if (flags & O_TRUNC && !request->made)
            error = truncate_opened(file);
    }
    if (error) {
        file_put(file);
        return error;
    }
    *opened = file;
    return 0;
}

int file_open_path(const struct path *path, uint32_t flags, struct file **opened) {
    struct request request = {.flags = flags};
    return open_place(path, &request, opened);
}

/* Makes the file in the directory unless it exists; *found is the place in either case. */
static int find_or_make(const struct path *parent, const struct last_name *last, struct request *request,
                        struct path *found) {
    int error = path_lookup(parent, last->text, last->length, found);
    if (error != -ENOENT)
        return error;
    error = namei_create(parent, last, S_IFREG | (request->mode & S_IALLUGO), 0, NULL, found);
    if (error == -EEXIST) /* somebody was faster */
        return path_lookup(parent, last->text, last->length, found);
    request->made = !error;
    return error;
}

/* The place a symbolic link at the end leads to: its text is walked from the link's directory. */
static int follow_last(struct path *parent, struct last_name *last, struct path *link, unsigned *links,
                       bool *magic) {
    struct path next;
    char *text;
    *magic = link->inode->operations->follow != NULL;
    if (++*links > LINKS_MAX)
        return -ELOOP;
    if (*magic) {
        int error = link->inode->operations->follow(link->inode, &next);
        if (error)
            return error;
        path_put(link);
        *link = next;
        return 0;
    }
    int error = inode_link_text(link->inode, &text);
    if (error)
        return error;
    error = path_walk_parent_counted(parent, text, links, &next, last);
    heap_free(text);
    if (error)
        return error;
    path_put(parent);
    *parent = next;
    return 0;
}

/* open with O_CREAT below a parent directory, which is replaced along symbolic links. */
static int open_in_parent(struct path *parent, struct last_name *last, struct request *request,
                          unsigned *links, struct file **opened) {
    struct path found;
    for (;;) {
        bool magic = false;
        if (last->kind != LAST_NORMAL || last->slash)
            return -EISDIR;
        int error = find_or_make(parent, last, request, &found);
        if (error)
            return error;
        if (!request->made && request->flags & O_EXCL) {
            path_put(&found);
            return -EEXIST;
        }
        if (S_ISLNK(found.inode->attributes.mode) && !(request->flags & O_NOFOLLOW)) {
            error = follow_last(parent, last, &found, links, &magic);
            if (error || !magic)
                path_put(&found);
            if (error)
                return error;
            if (!magic)
                continue;
        }
        if (S_ISDIR(found.inode->attributes.mode))
            error = -EISDIR;
        else
            error = open_place(&found, request, opened);
        path_put(&found);
        return error;
    }
}

static int open_create(const struct path *base, const char *text, struct request *request,
                       struct file **opened) {
    unsigned links = 0;
    struct path parent;
    struct last_name last;
    int error = path_walk_parent_counted(base, text, &links, &parent, &last);
    if (error)
        return error;
    error = open_in_parent(&parent, &last, request, &links, opened);
    path_put(&parent);
    return error;
}

/* O_TMPFILE: a file without a name in the directory's file system. */
static int open_unnamed(const struct path *base, const char *text, struct request *request,
                        struct file **opened) {
    struct path directory;
    if (!writes(request->flags))
        return -EINVAL;
    int error = path_walk(base, text, WALK_FOLLOW | WALK_DIRECTORY, &directory);
    if (error)
        return error;
    struct inode *inode = NULL;
    if (mount_read_only(directory.mount))
        error = -EROFS;
    else if (directory.inode->filesystem->type != &tmpfs_type)
        error = -EOPNOTSUPP;
    else
        error = inode_permission(directory.inode, W_OK | X_OK);
    if (!error &&
        !(inode = tmpfs_anonymous(directory.inode->filesystem, S_IFREG | (request->mode & S_IALLUGO))))
        error = -ENOMEM;
    if (!error) {
        struct path place = {mount_get(directory.mount), inode, name_make(NULL, "#tmpfile", 8, inode)};
        request->made = true;
        request->flags &= ~(uint32_t)O_DIRECTORY;
        if (place.name)
            place.name->deleted = true;
        error = place.name ? open_place(&place, request, opened) : -ENOMEM;
        path_put(&place);
    }
    path_put(&directory);
    return error;
}

int file_open(const struct path *base, const char *text, uint32_t flags, uint32_t mode,
              struct file **opened) {
    struct request request = {.flags = flags, .mode = mode & ~namei_umask()};
    struct path found;
    if (flags & O_PATH)
        request.flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    else if ((flags & O_TMPFILE) == O_TMPFILE)
        return open_unnamed(base, text, &request, opened);
    else if (flags & O_CREAT)
        return flags & O_DIRECTORY ? -EINVAL : open_create(base, text, &request, opened);
    unsigned walk = flags & O_NOFOLLOW ? 0 : WALK_FOLLOW;
    int error = path_walk(base, text, walk | (flags & O_DIRECTORY ? WALK_DIRECTORY : 0), &found);
    if (error)
        return error;
    error = open_place(&found, &request, opened);
    path_put(&found);
    return error;
}

static int check_program(const struct path *path) {
    if (!S_ISREG(path->inode->attributes.mode))
        return -EACCES;
    if (path->mount && path->mount->flags & MS_NOEXEC)
        return -EACCES;
    return inode_permission(path->inode, X_OK);
}

int file_open_program(int fd, const char *text, unsigned flags, struct file **opened) {
    struct path base = {0}, found;
    struct request request = {.flags = O_RDONLY, .made = true}; /* x is enough, r is not asked */
    int error = *text == '/' ? 0 : path_base(fd, &base);
    if (error)
        return error;
    unsigned walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
    error = path_walk(&base, text, walk | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0), &found);
    path_put(&base);
    if (error)
        return error;
    error = S_ISLNK(found.inode->attributes.mode) ? -ELOOP : check_program(&found);
    if (!error)
        error = open_place(&found, &request, opened);
    path_put(&found);
    return error;
}

/* O_CREAT's mode means nothing without it. */
static uint32_t mode_of(uint32_t flags, uint64_t mode) {
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? (uint32_t)mode & S_IALLUGO : 0;
}

static int64_t open_at(int fd, uint64_t path, uint32_t flags, uint64_t mode) {
    struct path base = {0};
    struct file *file;
    char *text;
    int error = path_text_in(path, &text);
    if (error)
        return error;
    if (*text != '/')
        error = *text ? path_base(fd, &base) : -ENOENT;
    if (!error)
        error = file_open(&base, text, flags, mode_of(flags, mode), &file);
    path_put(&base);
    heap_free(text);
    if (error)
        return error;
    int descriptor = fd_install(file, flags & O_CLOEXEC);
    if (descriptor < 0)
        file_put(file);
    return descriptor;
}

int64_t sys_open(uint64_t path, uint64_t flags, uint64_t mode) {
    return open_at(AT_FDCWD, path, (uint32_t)flags, mode);
}

int64_t sys_openat(uint64_t fd, uint64_t path, uint64_t flags, uint64_t mode) {
    return open_at((int)fd, path, (uint32_t)flags, mode);
}

int64_t sys_creat(uint64_t path, uint64_t mode) {
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* struct open_how; RESOLVE_ flags restrict the walk, which is not supported: programs fall back on openat. */
int64_t sys_openat2(uint64_t fd, uint64_t path, uint64_t how, uint64_t size) {
    struct {
        uint64_t flags, mode, resolve;
    } request;
    if (size < sizeof(request))
        return -EINVAL;
    if (size > sizeof(request))
        return -E2BIG;
    if (guest_copy_in(&request, how, sizeof(request)))
        return -EFAULT;
    bool creates = request.flags & O_CREAT || (request.flags & O_TMPFILE) == O_TMPFILE;
    if (request.resolve || request.flags > UINT32_MAX || request.mode & ~(uint64_t)S_IALLUGO ||
        (request.mode && !creates))
        return -EINVAL;
    return open_at((int)fd, path, (uint32_t)request.flags, request.mode);
}
