/*
 * File systems and where they are mounted. mounts_lock serialises changes and guards the list; mount->place
 * and inode->mounted (the mount that covers a directory) change under names_lock too (linux/fs/path.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/list.h"
#include "linux/fs.h"

struct linux_statfs;

/* One instance of a file system. */
struct filesystem {
    _Atomic uint32_t references;
    const struct filesystem_type *type;
    uint64_t device; /* st_dev */
    struct inode *root;
    _Atomic uint64_t next_ino;
    void *data;
};

struct filesystem_type {
    const char *name;
    bool no_cache;  /* names may vanish by themselves: every look-up asks the file system */
    bool no_device; /* "nodev" in /proc/filesystems */
    /* Makes an instance with its root inode; options is the text of mount(2)'s data, maybe empty. */
    int (*make)(const char *options, struct filesystem **made);
    void (*statfs)(struct filesystem *filesystem, struct linux_statfs *status); /* zeroed before */
    /* Text for /proc/mounts, with a leading comma; NULL: none. to is empty before. */
    void (*options)(struct filesystem *filesystem, char *to, size_t size);
    void (*release)(struct filesystem *filesystem);
};

struct mount {
    _Atomic uint32_t references;
    int32_t id;
    _Atomic uint32_t flags; /* MS_RDONLY, MS_NOSUID, … */
    struct filesystem *filesystem;
    struct name *root; /* of this mount (below the file system's root for a bind mount) */
    struct path place; /* what it covers; empty for the first */
    char *source;
    struct list link;
    bool detached;
};

/* Fresh instance with references 1, a device number of its own and no root. NULL: ENOMEM. */
struct filesystem *filesystem_create(const struct filesystem_type *type, void *data);
void filesystem_put(struct filesystem *filesystem);
/* Makes a type known to mount(2) and /proc/filesystems. At start only. */
void filesystem_register(const struct filesystem_type *type);
/* Walks the types: NULL after the last. */
const struct filesystem_type *filesystem_type_at(unsigned index);

/* A new inode of the file system with one reference, its mutex ready, number, times and block size set; NULL:
 * ENOMEM. */
struct inode *inode_create(struct filesystem *filesystem, uint32_t mode,
                           const struct inode_operations *operations,
                           const struct file_operations *default_file);
struct timestamp timestamp_now(void);
/* Takes over the attributes that `which` names (ATTR_…), but for the size, and the kind of the file; for
 * setattr, whose locks are held. */
void inode_change(struct inode *inode, const struct attributes *attributes, unsigned which);

struct mount *mount_get(struct mount *mount);
void mount_put(struct mount *mount);

/* Mounts a file system (its reference is taken over on success) at a place, NULL for the first root. */
int mount_add(struct filesystem *filesystem, const struct path *place, uint32_t flags, const char *source,
              struct mount **added);
/* Mounts an instance of a type known by name over an existing directory; used at start. */
int mount_type(const char *type, const char *source, const char *directory, uint32_t flags,
               const char *options);
/* The same at a place found already. -ENODEV: no such type. */
int mount_new(const char *type, const char *source, const struct path *place, uint32_t flags,
              const char *options);
/* Shows the place from at another one. */
int mount_bind(const struct path *from, const struct path *place, uint32_t flags);
/* Unmounts; the caller holds one reference. -EBUSY when it is in use and not lazy, -EINVAL for the first
 * root. */
int mount_remove(struct mount *mount, bool lazy);
/* Moves the mount whose root is from. -EINVAL, -ELOOP. */
int mount_move(const struct path *from, const struct path *to);
/* If path is covered, replaces it by the covering mount's root (as often as needed). */
void mount_enter(struct path *path);
/* If path is the root of a mount with a place, replaces it by that place; false at the top. */
bool mount_leave(struct path *path);
/* True for a mount that refuses changes. */
bool mount_read_only(const struct mount *mount);
/* Calls back for each mount in the order of mounting, under mounts_lock. */
void mount_each(void (*visit)(struct mount *mount, void *context), void *context);

/* The first root, which the tasks' fs_state starts from; set by fs_start. */
extern struct path fs_root;
/*
 * Starts the file systems: a tmpfs root with the archive at offset of the Vmo unpacked into it (HANDLE_NONE:
 * empty), /proc, /dev and /dev/shm mounted. Called once by main before any task exists. 0 or a negative
 * error; damage of the archive was then reported with log_line. error (size bytes) gets the message for the
 * user.
 */
int fs_start(handle_t archive, uint64_t offset, char *error, size_t size);
