/*
 * Files without a place in any directory: pipes, sockets, eventfd and their like. Each kind lives in a hidden
 * file system of its own, so that fstat and /proc/PID/fd show what Linux shows.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "linux/fs.h"

enum anon_kind { ANON_PIPE, ANON_SOCKET, ANON_INODE };

/* A fresh inode of the kind, one reference; mode holds the type bits. NULL: no memory. */
struct inode *anon_inode(enum anon_kind kind, uint32_t mode);

/* An open file over the inode (its own reference is taken). NULL: no memory. */
struct file *anon_file_at(struct inode *inode, const struct file_operations *operations, uint32_t flags,
                          void *data);

/* An open file of the shared anonymous inode (eventfd, epoll …). NULL: no memory, and data stays the
 * caller's. */
struct file *anon_file(const struct file_operations *operations, uint32_t flags, void *data);
/* The same, installed at a descriptor: the descriptor or an error; on an error data was not released. */
int anon_file_install(const struct file_operations *operations, uint32_t flags, bool cloexec, void *data);

/* What /proc/PID/fd/N points at for a file without a name: "pipe:[5]", "socket:[6]", "anon_inode:[eventfd]".
 * Returns the length without the 0 it writes when it fits, or -ENOENT for files that have a name (path.name
 * is not NULL). */
int64_t anon_describe(const struct file *file, char *to, size_t size);
