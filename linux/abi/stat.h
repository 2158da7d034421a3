/* Linux x86-64 struct stat, struct statx and the mode bits. */
#pragma once

#include <stdint.h>

enum {
    S_IFMT = 0170000,
    S_IFSOCK = 0140000,
    S_IFLNK = 0120000,
    S_IFREG = 0100000,
    S_IFBLK = 0060000,
    S_IFDIR = 0040000,
    S_IFCHR = 0020000,
    S_IFIFO = 0010000,
    S_ISUID = 04000,
    S_ISGID = 02000,
    S_ISVTX = 01000,
    S_IRWXU = 0700,
    S_IXUSR = 0100,
    S_IRWXG = 0070,
    S_IXGRP = 0010,
    S_IRWXO = 0007,
    S_IXOTH = 0001,
    S_IRWXUGO = 0777,
    S_IALLUGO = 07777,
    S_IXUGO = 0111,
};

static inline int S_ISREG(uint32_t mode) {
    return (mode & S_IFMT) == S_IFREG;
}
static inline int S_ISDIR(uint32_t mode) {
    return (mode & S_IFMT) == S_IFDIR;
}
static inline int S_ISLNK(uint32_t mode) {
    return (mode & S_IFMT) == S_IFLNK;
}
static inline int S_ISCHR(uint32_t mode) {
    return (mode & S_IFMT) == S_IFCHR;
}
static inline int S_ISBLK(uint32_t mode) {
    return (mode & S_IFMT) == S_IFBLK;
}
static inline int S_ISFIFO(uint32_t mode) {
    return (mode & S_IFMT) == S_IFIFO;
}
static inline int S_ISSOCK(uint32_t mode) {
    return (mode & S_IFMT) == S_IFSOCK;
}

/* dev_t as user space sees it: 12 bits of major number, 20 of minor. */
static inline uint64_t device_number(uint32_t major, uint32_t minor) {
    return (minor & 0xff) | (uint64_t)(major & 0xfff) << 8 | (uint64_t)(minor & ~0xffu) << 12;
}
static inline uint32_t device_major(uint64_t device) {
    return device >> 8 & 0xfff;
}
static inline uint32_t device_minor(uint64_t device) {
    return (device & 0xff) | (device >> 12 & 0xfff00);
}

struct linux_stat {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, padding;
    uint64_t rdev;
    int64_t size, block_size, blocks;
    int64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
    int64_t unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "struct stat");

struct linux_statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};

struct linux_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, padding;
    uint64_t ino, size, blocks, attributes_mask;
    struct linux_statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mount_id;
    uint32_t dio_mem_align, dio_offset_align;
    uint64_t spare[12];
};
_Static_assert(sizeof(struct linux_statx) == 256, "struct statx");

enum {
    STATX_BASIC_STATS = 0x7ff,
    STATX_BTIME = 0x800,
    STATX_MNT_ID = 0x1000,
    STATX_RESERVED = (int)0x80000000,
    STATX_ATTR_MOUNT_ROOT = 0x2000,
};

/* utimensat */
#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe
