/* Making directory entries, shared by open, mknod, mkdir, symlink and the start of the file systems. */
#pragma once

#include <stdint.h>

#include "linux/fs/path.h"

/* The calling task's umask; 0 without a task. */
uint32_t namei_umask(void);

/*
 * Makes an entry in a directory that is not locked: mode has type and permission bits (the umask was
 * applied); owner and set-group-id inheritance as Linux has them. *found (may be NULL) is the new place,
 * referenced. -EEXIST, -ENOENT in a removed directory, -EACCES, -EROFS, -ENOSPC …
 */
int namei_create(const struct path *parent, const struct last_name *last, uint32_t mode, uint64_t rdev,
                 const char *target, struct path *found);
