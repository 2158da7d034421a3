/* memfd_create and its seals. */
#pragma once

#include <stdint.h>

#include "linux/fs.h"

/* A file of zero bytes that no directory knows, open for reading and writing, whose name is shown as "/TEXT
 * (deleted)". The operations are tmpfs's (tmpfs_file_operations) or wrap them. NULL: no memory. */
struct file *memfd_open(const char *text, const struct file_operations *operations, void *data);

/* F_ADD_SEALS and F_GET_SEALS: -EINVAL for files that take none, -EPERM, -EBUSY. */
int64_t memfd_add_seals(struct file *file, uint32_t seals);
int64_t memfd_get_seals(struct file *file);
/* Whether a seal forbids new writes. F_SEAL_WRITE is refused (-EBUSY) while inode->shared_writable counts
 * anything: who maps the file shared counts first and asks then. */
bool memfd_write_sealed(struct file *file);
