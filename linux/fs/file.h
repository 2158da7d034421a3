/* Opening files and the reading and writing of open files, for the personality's own use and for its calls.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "linux/fs.h"

/* Opens a place already found. flags are O_*, access is checked unless the caller did. */
int file_open_path(const struct path *path, uint32_t flags, struct file **opened);
/* Opens by text, as open(2) does, for the calling task; mode for O_CREAT (the umask applies). */
int file_open(const struct path *base, const char *text, uint32_t flags, uint32_t mode, struct file **opened);
/* Opens a program for execve: regular, executable, not on a noexec mount, else -EACCES. flags: AT_EMPTY_PATH,
 * AT_SYMLINK_NOFOLLOW. fd AT_FDCWD and an absolute or relative text of the personality. */
int file_open_program(int fd, const char *text, unsigned flags, struct file **opened);

/* Positioned reading into the personality's memory: bytes (short at the end only), or an error. */
int64_t file_read_at(struct file *file, void *to, size_t length, uint64_t offset);
/* As read(2) and write(2) do: mode checks, offset and its lock. */
int64_t file_read(struct file *file, struct buffer *buffer);
int64_t file_write(struct file *file, struct buffer *buffer);

/* Whether the calling task's limit lets a file become so long: 0, or -EFBIG after SIGXFSZ. */
int file_size_check(uint64_t size, uint64_t old_size);

/* Attributes as stat shows them. */
int inode_getattr(struct inode *inode, struct attributes *attributes);
/* The plain seek for files with a size (inode->attributes.size), with SEEK_DATA and SEEK_HOLE for unbroken
 * data. */
int64_t file_seek_sized(struct file *file, int64_t offset, int whence);

/* The seek of directories and of files that only have a position. */
int64_t file_seek_position(struct file *file, int64_t offset, int whence);

/* Counts programs and writers for ETXTBSY: a file that runs cannot be opened for writing and the other way
 * round. */
int inode_deny_write(struct inode *inode);
void inode_allow_write(struct inode *inode);
int inode_writer_add(struct inode *inode); /* 0 or -ETXTBSY */
void inode_writer_remove(struct inode *inode);
