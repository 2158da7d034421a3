/* Linux struct statfs, file system magic numbers and mount flags. */
#pragma once

#include <stdint.h>

struct linux_statfs {
    int64_t type, block_size;
    uint64_t blocks, blocks_free, blocks_available, files, files_free;
    int32_t fsid[2];
    int64_t name_length, fragment_size, flags;
    int64_t spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 120, "struct statfs");

enum {
    TMPFS_MAGIC = 0x01021994,
    PROC_SUPER_MAGIC = 0x9fa0,
    DEVPTS_SUPER_MAGIC = 0x1cd1,
    PIPEFS_MAGIC = 0x50495045,
    ANON_INODE_FS_MAGIC = 0x09041934,
    SOCKFS_MAGIC = 0x534f434b,
    SYSFS_MAGIC = 0x62656572,
};

enum {
    MS_RDONLY = 1,
    MS_NOSUID = 2,
    MS_NODEV = 4,
    MS_NOEXEC = 8,
    MS_SYNCHRONOUS = 16,
    MS_REMOUNT = 32,
    MS_NOATIME = 1024,
    MS_NODIRATIME = 2048,
    MS_BIND = 4096,
    MS_MOVE = 8192,
    MS_REC = 16384,
    MS_SILENT = 32768,
    MS_UNBINDABLE = 1 << 17,
    MS_PRIVATE = 1 << 18,
    MS_SLAVE = 1 << 19,
    MS_SHARED = 1 << 20,
    MS_RELATIME = 1 << 21,
    MS_STRICTATIME = 1 << 24,
};
#define MS_MGC_VAL 0xc0ed0000u
#define MS_MGC_MSK 0xffff0000u

enum { MNT_FORCE = 1, MNT_DETACH = 2, MNT_EXPIRE = 4, UMOUNT_NOFOLLOW = 8 };

/* statfs.flags */
enum {
    ST_RDONLY = 1,
    ST_NOSUID = 2,
    ST_NODEV = 4,
    ST_NOEXEC = 8,
    ST_VALID = 0x20,
    ST_NOATIME = 0x400,
    ST_NODIRATIME = 0x800,
    ST_RELATIME = 0x1000,
};
