/*
 * Descriptor tables and the file-system state of tasks (root, current directory, umask). table->guard is a
 * leaf spin lock; the tables of other processes may be read too (/proc/PID/fd).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "linux/fs.h"
#include "linux/lock.h"

struct fs_state;
struct task;

struct fd_table {
    _Atomic uint32_t references;
    struct spin guard;
    uint32_t capacity;   /* slots */
    uint32_t first_free; /* no free slot below it */
    uint32_t top;        /* no slot in use from it on */
    uintptr_t *slots;    /* pointer to a struct file with FD_CLOEXEC in bit 0; 0: free */
};

/* One reference; NULL: ENOMEM. */
struct fd_table *fd_table_create(void);
struct fd_table *fd_table_copy(struct fd_table *table);
struct fd_table *fd_table_get(struct fd_table *table);
void fd_table_put(struct fd_table *table); /* the last one closes everything, as the current task */
/* For execve: gives the task a table of its own and closes what is marked close-on-exec. 0 or -ENOMEM. */
int fd_table_exec(struct task *task);
int fd_table_unshare(struct task *task);

/* The file behind a descriptor of the calling task, referenced (file_put it); NULL: EBADF. fd_get refuses
 * O_PATH descriptors, fd_get_any does not. */
struct file *fd_get(int fd);
struct file *fd_get_any(int fd);
struct file *fd_table_file(struct fd_table *table, int fd); /* any task's */
/*
 * The same as fd_get for the length of one call, cheaper: while nobody shares the table, nobody can close the
 * descriptor under the caller, so that neither lock nor reference is needed. fd_return gives it back.
 */
struct file *fd_borrow(int fd, bool *counted);
static inline void fd_return(struct file *file, bool counted) {
    if (counted)
        file_put(file);
}
/* The first descriptor in use that is >= fd, or -1 (for /proc/PID/fd). */
int fd_table_next(struct fd_table *table, int fd);
bool fd_table_cloexec(struct fd_table *table, int fd);

/* Puts a file at the lowest free descriptor >= lowest; takes over the caller's reference on success only. The
 * descriptor, -EMFILE (RLIMIT_NOFILE), -ENOMEM. */
int fd_install(struct file *file, bool cloexec);
int fd_install_from(struct file *file, int lowest, bool cloexec);
/* Puts a file at just this descriptor, closing what was there; takes over the reference on success. The
 * descriptor, -EBADF beyond RLIMIT_NOFILE, -ENOMEM. */
int fd_replace(struct file *file, int fd, bool cloexec);
int fd_set_cloexec(int fd, bool cloexec); /* 0 or -EBADF */
/* 0, -EBADF, or what flush returned. */
int fd_close(int fd);

/* Root, current directory and umask. fs_state_create starts at fs_root with umask 022. NULL: ENOMEM. */
struct fs_state *fs_state_create(void);
struct fs_state *fs_state_copy(struct fs_state *state);
struct fs_state *fs_state_get(struct fs_state *state);
void fs_state_put(struct fs_state *state);
