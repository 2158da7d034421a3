/* Linux directory entries: the records of getdents and getdents64, and the file types in them. */
#pragma once

#include <stdint.h>

enum {
    DT_UNKNOWN = 0,
    DT_FIFO = 1,
    DT_CHR = 2,
    DT_DIR = 4,
    DT_BLK = 6,
    DT_REG = 8,
    DT_LNK = 10,
    DT_SOCK = 12
};

/* The type of a directory entry is the file type bits of the mode. */
static inline uint8_t dirent_type(uint32_t mode) {
    return (mode & 0170000) >> 12;
}

/* getdents64: followed by the name with its 0, the record padded to 8 bytes. */
struct linux_dirent64 {
    uint64_t ino;
    int64_t next_offset;
    uint16_t record_length;
    uint8_t type;
    char name[];
} __attribute__((packed));

enum { DIRENT64_HEADER = 19 };
_Static_assert(sizeof(struct linux_dirent64) == DIRENT64_HEADER, "struct linux_dirent64");

/* getdents: the type is the record's last byte. */
struct linux_dirent {
    uint64_t ino;
    uint64_t next_offset;
    uint16_t record_length;
    char name[];
} __attribute__((packed));

enum { DIRENT_HEADER = 18 };
_Static_assert(sizeof(struct linux_dirent) == DIRENT_HEADER, "struct linux_dirent");
