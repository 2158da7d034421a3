/*
 * Pipes and FIFOs: a ring of pages between readers and writers. The pipe's mutex guards all of it; copies to
 * and from the guest are made under it. Writes of at most PIPE_BUF bytes are atomic.
 */
#pragma once

#include "linux/fs.h"

enum { PIPE_BUF = 4096, PIPE_SIZE = 65536, PIPE_SIZE_MAX = 1 << 20 };

/* Opens a FIFO (an inode of mode S_IFIFO): the open operation for such inodes. Blocks for the other end as
 * O_NONBLOCK and the access mode demand; -ENXIO, -ERESTARTSYS, -ENOMEM. The inode's lock must not be held. */
int fifo_open(struct inode *inode, struct file *file);
/* From the inode's release, when inode->fifo is not NULL. */
void fifo_free(struct inode *inode);

/* F_GETPIPE_SZ and F_SETPIPE_SZ: bytes, -EBADF when the file is not a pipe, -EBUSY, -EPERM, -EINVAL, -ENOMEM.
 */
int64_t pipe_size_get(struct file *file);
int64_t pipe_size_set(struct file *file, uint64_t size);

/* Makes both ends (not installed): ends[0] for reading, ends[1] for writing; flags O_NONBLOCK. 0 or -ENOMEM.
 */
int pipe_create(struct file *ends[2], uint32_t flags);
