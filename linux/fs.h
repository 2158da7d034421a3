/*
 * The virtual file system's contract: inodes, names and open files, and the operations that each file system
 * or device supplies. Reference counts are atomic. Errors are negative Linux numbers.
 *
 * Locks: inode->lock guards an inode's attributes, size and (for directories) its entries; fs_rename_lock,
 * outermost, is held by rename of directories. file->lock guards the offset.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"
#include "linux/lock.h"

struct file;
struct path;
struct poll_watch;
struct epoll_item;
struct filesystem;
struct fifo;
struct lock_list;
struct name;
struct inode;
struct linux_iovec;
struct mount;
struct task;

/*
 * Where read and write bytes come from or go to: guest memory (the usual case) or the personality's own. A
 * vector (readv) is one buffer with several segments. Only buffer_get, buffer_put, buffer_span and
 * buffer_skip look at the address; everybody may read length.
 */
struct buffer {
    uint64_t guest; /* guest address, when kernel is NULL */
    void *kernel;
    size_t length;                  /* bytes left in all segments; copies advance it */
    size_t span;                    /* bytes left in this segment, when more follow */
    const struct linux_iovec *more; /* the next segments; NULL: this one holds all of length */
};
int buffer_get(struct buffer *buffer, void *to, size_t length); /* consumes length bytes; 0 or -EFAULT */
int buffer_put(struct buffer *buffer, const void *from, size_t length); /* fills length bytes */
/* The contiguous bytes at the front (not longer than length): *address is a guest or own address, already
 * checked to lie below GUEST_END when it is a guest's. */
size_t buffer_span(const struct buffer *buffer, uint64_t *address);
void buffer_skip(struct buffer *buffer, size_t length); /* consumes without a copy */
/* A buffer of guest segments, which are cut at RW_MAX bytes in all and belong to it until it is used up.
 * -EINVAL a negative length, -EFAULT one outside the guest's half. */
int buffer_segments(struct buffer *buffer, struct linux_iovec *segments, size_t count);

struct timestamp {
    int64_t seconds;
    uint32_t nanoseconds;
};

struct attributes {
    uint64_t ino, device, rdev, size, blocks; /* blocks of 512 bytes */
    uint32_t mode, nlink, uid, gid, block_size;
    struct timestamp atime, mtime, ctime;
};

enum { ATTR_MODE = 1, ATTR_UID = 2, ATTR_GID = 4, ATTR_SIZE = 8, ATTR_ATIME = 16, ATTR_MTIME = 32 };

/* Gives one directory entry to the caller; false: no room, stop and repeat this one next time. */
typedef bool (*directory_emit)(void *context, const char *name, size_t length, uint64_t ino, uint8_t type,
                               uint64_t next_offset);

/* Directory and name operations; a NULL entry gives the error named. The directory's lock is held by the
 * caller for lookup, create, link, unlink, rmdir; both directories' for rename. Names are not terminated. */
struct inode_operations {
    int (*lookup)(struct inode *directory, const char *name, size_t length,
                  struct inode **found); /* ENOTDIR */
    /* Makes a file of any type; target is the text of a symbolic link. EPERM */
    int (*create)(struct inode *directory, const char *name, size_t length, uint32_t mode, uint64_t rdev,
                  const char *target, struct inode **made);
    int (*link)(struct inode *directory, const char *name, size_t length, struct inode *inode);
    int (*unlink)(struct inode *directory, const char *name, size_t length, struct inode *victim);
    int (*rmdir)(struct inode *directory, const char *name, size_t length, struct inode *victim);
    int (*rename)(struct inode *from, const char *name, size_t length, struct inode *to, const char *new_name,
                  size_t new_length, struct inode *moved, struct inode *replaced, unsigned flags);
    int64_t (*readlink)(struct inode *inode, char *to, size_t size); /* EINVAL */
    /* For magic links (/proc/self/fd/N, /proc/self/exe): the place itself instead of a text. */
    int (*follow)(struct inode *inode, struct path *result);
    int (*getattr)(struct inode *inode, struct attributes *attributes); /* from the inode */
    int (*setattr)(struct inode *inode, const struct attributes *attributes, unsigned which);
    int (*open)(struct inode *inode, struct file *file); /* sets file->operations and data */
    void (*release)(struct inode *inode);                /* the last reference went */
};

/* A touch of a page that shows a file with a pager. */
struct page_touch {
    const void *owner;   /* whose area it is: a struct mm */
    handle_t space;      /* that it is to be mapped in; the calling thread has it attached */
    uint64_t address;    /* of the page */
    uint64_t offset;     /* in the file, of the page */
    uint64_t start, end; /* the area around it: neighbours may be shown as well */
    bool write;
    bool copy; /* the area is private: what is written must not reach the file */
};

/* A file whose pages come and go, like a disk's: areas show them where they are touched, and each may be
 * taken back at any time. */
struct file_pager {
    /* Maps the page, and does not block: 0, -EAGAIN it has to be fetched, -ENXIO there is none (SIGBUS),
     * -ENOMEM. */
    int (*show)(struct file *file, const struct page_touch *touch);
    /* Gets the page into memory, where it need not stay. Blocks. 0, -ENXIO, -EIO. */
    int (*fetch)(struct file *file, uint64_t offset);
    /* Unmaps what show mapped in the range for this owner: 0 or -ENOMEM, with a part of it still shown. Does
     * not fail when the space has ended and its handle is stale. */
    int (*hide)(struct file *file, const void *owner, uint64_t start, uint64_t end);
    bool (*present)(struct file *file, uint64_t offset); /* in memory, for mincore */
};

/* Operations of an open file; a NULL entry gives the error named. They may block (through task_wait). */
struct file_operations {
    /* offset: position to use and advance (NULL for streams). Bytes, 0 at the end, or an error. EINVAL */
    int64_t (*read)(struct file *file, struct buffer *buffer, uint64_t *offset);
    int64_t (*write)(struct file *file, struct buffer *buffer, uint64_t *offset); /* EINVAL */
    int64_t (*seek)(struct file *file, int64_t offset, int whence);               /* ESPIPE */
    bool no_position; /* can be sought in, yet reads and writes look at no offset (/dev/null) */
    int64_t (*ioctl)(struct file *file, uint64_t command, uint64_t argument); /* ENOTTY */
    /* Ready events now (POLLIN …); enters the waiter into the queue(s) that announce changes, when it is not
     * NULL: poll_watch(watch, queue) does that and forgets nothing. NULL: always readable and writable. */
    uint32_t (*poll)(struct file *file, struct poll_watch *watch);
    int (*readdir)(struct file *file, uint64_t *offset, directory_emit emit, void *context); /* ENOTDIR */
    int (*truncate)(struct file *file, uint64_t size);                                       /* EINVAL */
    int (*allocate)(struct file *file, int mode, uint64_t offset, uint64_t length);          /* EOPNOTSUPP */
    int (*sync)(struct file *file);                                                          /* 0 */
    /* The Vmo whose bytes are the file's, for mmap and exec (borrowed; VMO READ, and WRITE when the file is
     * open for writing). ENODEV */
    int (*map)(struct file *file, handle_t *vmo);
    const struct file_pager *pager; /* mmap without map */
    /* One more, or one less, area of some address space shows it. Its mm may be locked. */
    void (*mapped)(struct file *file);
    void (*unmapped)(struct file *file);
    int (*flush)(struct file *file);    /* each close of a descriptor */
    void (*release)(struct file *file); /* the last reference went */
};

struct inode {
    _Atomic uint32_t references;
    const struct inode_operations *operations;
    const struct file_operations *default_file; /* for open() without an open operation */
    struct filesystem *filesystem;
    struct mutex lock;
    struct attributes attributes;
    struct mount *mounted;   /* what covers this directory; see linux/fs/mount.h */
    struct fifo *fifo;       /* the open ends of a FIFO (linux/io/pipe.c) */
    struct lock_list *locks; /* advisory locks (flock, fcntl) */
    _Atomic int32_t writers; /* open for writing when positive, running programs when negative (ETXTBSY) */
    _Atomic uint32_t shared_writable; /* areas of memory through which it may be written: for memfd's seals */
    void *data;                       /* the file system's own */
};

struct path {
    struct mount *mount;
    struct inode *inode;
    struct name *name; /* position in the name tree, for getcwd and ".."; see linux/fs/path.h */
};

struct file {
    _Atomic uint32_t references;
    const struct file_operations *operations;
    struct path path; /* inode may be NULL for anonymous files (pipes have one) */
    struct mutex lock;
    uint64_t offset;
    bool counted;           /* as one of inode->writers */
    _Atomic uint32_t flags; /* O_ACCMODE, O_APPEND, O_NONBLOCK, … as fcntl(F_GETFL) shows them */
    void *data;
    struct epoll_item *_Atomic
        epoll_items; /* epoll sets that hold the file; file_put calls epoll_file_gone when not NULL */
};

/* Reference counting; the last put releases. */
struct inode *inode_get(struct inode *inode);
void inode_put(struct inode *inode);
struct file *file_get(struct file *file);
void file_put(struct file *file);

/* A new open file with one reference; takes over nothing. NULL: ENOMEM. path may be NULL. */
struct file *file_create(const struct file_operations *operations, const struct path *path, uint32_t flags,
                         void *data);

/* poll: see struct file_operations.poll. */
struct poll_watch;
void poll_watch(struct poll_watch *watch, struct waitq *queue);
