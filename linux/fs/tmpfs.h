/*
 * The file system in memory: root, /dev/shm, what mount -t tmpfs gives, and memfds. A regular file's bytes
 * live in a kernel Vmo, sized up in steps while nobody maps it and exactly to its pages afterwards.
 */
#pragma once

#include <stdint.h>

#include "linux/fs.h"

extern const struct filesystem_type tmpfs_type;
extern const struct filesystem_type devtmpfs_type;

/* A file without a name, for memfd_create, O_TMPFILE and shared anonymous memory. NULL: ENOMEM. */
struct inode *tmpfs_anonymous(struct filesystem *filesystem, uint32_t mode);
/* Bytes (with padding to pages) that the file holds, for tests. */
uint64_t tmpfs_committed(struct inode *inode);
