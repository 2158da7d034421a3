/* What the files of tmpfs share: instance, node, directory entries. A node's fields are guarded by its
 * inode's lock. */
#pragma once

#include "abi/rights.h"
#include "lib/base/tree.h"
#include "linux/fs/extents.h"
#include "linux/fs/mount.h"
#include "linux/fs/tmpfs.h"

/* One instance. Pages that calls write are counted, so that a size limit holds; those only touched through a
 * mapping are not. */
struct tmpfs {
    uint64_t page_limit, inode_limit; /* 0: none */
    _Atomic uint64_t pages, inodes;
    bool sized; /* page_limit came from the options: /proc/mounts shows it */
};

/* A directory entry: in the directory's hash table by name, and in its tree by serial number, which gives
 * readdir stable positions and the order of Linux's tmpfs (newest first). */
struct tmpfs_entry {
    struct tree_node node;    /* key: serial */
    struct tmpfs_entry *next; /* in the hash bucket */
    struct inode *inode;      /* referenced */
    uint32_t hash;
    uint16_t length;
    char name[];
};

struct tmpfs_directory {
    struct tmpfs_entry **buckets;
    uint32_t bucket_count, entries; /* bucket_count: 0 or a power of two */
    uint64_t next_serial;
    struct tree order;
    struct inode *parent; /* not referenced: for the inode number of ".." */
};

struct tmpfs_node {
    struct inode *inode;
    union {
        struct tmpfs_directory directory;
        char *target; /* symbolic link */
        struct {
            _Atomic handle_t vmo; /* HANDLE_NONE while the file has no bytes */
            bool exact;           /* mapped once: the Vmo ends with the file's last page */
            bool written_by_map;  /* mapped for writing once: extents may lack pages */
            bool linkable;        /* O_TMPFILE: may get a name although it has none */
            _Atomic uint32_t seals;
            uint64_t vmo_size;      /* bytes */
            struct extents extents; /* pages with data; each is charged to the instance */
        };
    };
};

static inline struct tmpfs *tmpfs_of(const struct inode *inode) {
    return inode->filesystem->data;
}
static inline struct tmpfs_node *node_of(const struct inode *inode) {
    return inode->data;
}

extern const struct file_operations tmpfs_file_operations, tmpfs_directory_operations;
extern const struct inode_operations tmpfs_inode_operations, tmpfs_directory_inode_operations;

/* tmpfs_directory.c: 0 or -ENOMEM; names are not there yet. The inode's reference is the entry's own. */
int directory_add(struct tmpfs_directory *directory, const char *name, size_t length, struct inode *inode);
struct tmpfs_entry *directory_find(const struct tmpfs_directory *directory, const char *name, size_t length);
/* Takes an entry out and frees it; its inode reference goes to the caller. */
struct inode *directory_take(struct tmpfs_directory *directory, struct tmpfs_entry *entry);
/* The entry becomes the newest. */
void directory_renew(struct tmpfs_directory *directory, struct tmpfs_entry *entry);
/* Drops all entries below, however deep, without recursion. */
void directory_free(struct tmpfs_directory *directory);
int tmpfs_readdir(struct file *file, uint64_t *offset, directory_emit emit, void *context);

/* tmpfs_file.c, inode locked. */
int tmpfs_set_size(struct inode *inode, uint64_t size);
void tmpfs_file_release(struct tmpfs_node *node);
uint64_t tmpfs_blocks(struct inode *inode);
