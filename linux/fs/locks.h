/*
 * Advisory locks on whole files (flock) and byte ranges (fcntl). They hang on the inode; a lock's owner is an
 * open file (flock, open-file-description locks) or a descriptor table (POSIX locks).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "linux/fs.h"

struct linux_flock;
struct fd_table;

/* Frees an empty list with its inode. */
void locks_free(struct lock_list *list);
/* An open file ends: its flock and open-file-description locks go. */
void locks_release_file(struct inode *inode, struct file *file);
/* A descriptor of the file in a table (the owner) is closed: its POSIX locks go. */
void locks_release_process(struct inode *inode, const void *owner);

/* flock(2). -EWOULDBLOCK (EAGAIN), -ERESTARTSYS. */
int lock_flock(struct file *file, int operation);
/* fcntl's F_GETLK, F_SETLK, F_SETLKW and their OFD kinds on lock, which F_GETLK changes. */
int lock_fcntl(struct file *file, int command, struct linux_flock *lock);
