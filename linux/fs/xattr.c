/* Extended attributes: no file system here has any. Arguments are looked at first, as Linux does. */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/fs/fd.h"
#include "linux/fs/path.h"
#include "linux/platform.h"
#include "linux/syscalls.h"

enum { XATTR_NAME_MAX = 255 };

static int check_path(uint64_t path, unsigned walk) {
    struct path found;
    int error = path_resolve(AT_FDCWD, path, walk, &found);
    if (!error)
        path_put(&found);
    return error;
}

static int check_fd(uint64_t fd) {
    struct file *file = fd_get((int)fd);
    file_put(file);
    return file ? 0 : -EBADF;
}

/* The answer to a call that names an attribute of an object that was found. */
static int64_t named(int error, uint64_t name) {
    char text[XATTR_NAME_MAX + 1];
    if (error)
        return error;
    int64_t length = guest_string_in(text, name, sizeof(text));
    if (length == 0 || length == -ENAMETOOLONG)
        return -ERANGE;
    return length < 0 ? length : -EOPNOTSUPP;
}

int64_t sys_setxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size, uint64_t flags) {
    (void)value, (void)size;
    return flags & ~3ULL ? -EINVAL : named(check_path(path, WALK_FOLLOW), name);
}

int64_t sys_lsetxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size, uint64_t flags) {
    (void)value, (void)size;
    return flags & ~3ULL ? -EINVAL : named(check_path(path, 0), name);
}

int64_t sys_fsetxattr(uint64_t fd, uint64_t name, uint64_t value, uint64_t size, uint64_t flags) {
    (void)value, (void)size;
    return flags & ~3ULL ? -EINVAL : named(check_fd(fd), name);
}

int64_t sys_getxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size) {
    (void)value, (void)size;
    return named(check_path(path, WALK_FOLLOW), name);
}

int64_t sys_lgetxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size) {
    (void)value, (void)size;
    return named(check_path(path, 0), name);
}

int64_t sys_fgetxattr(uint64_t fd, uint64_t name, uint64_t value, uint64_t size) {
    (void)value, (void)size;
    return named(check_fd(fd), name);
}

int64_t sys_listxattr(uint64_t path, uint64_t list, uint64_t size) {
    (void)list, (void)size;
    return check_path(path, WALK_FOLLOW);
}

int64_t sys_llistxattr(uint64_t path, uint64_t list, uint64_t size) {
    (void)list, (void)size;
    return check_path(path, 0);
}

int64_t sys_flistxattr(uint64_t fd, uint64_t list, uint64_t size) {
    (void)list, (void)size;
    return check_fd(fd);
}

int64_t sys_removexattr(uint64_t path, uint64_t name) {
    return named(check_path(path, WALK_FOLLOW), name);
}

int64_t sys_lremovexattr(uint64_t path, uint64_t name) {
    return named(check_path(path, 0), name);
}

int64_t sys_fremovexattr(uint64_t fd, uint64_t name) {
    return named(check_fd(fd), name);
}
