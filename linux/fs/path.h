/*
 * From texts to places. The name tree remembers under which name each directory (and each open file) is
 * known, for
 * "..", getcwd and /proc; a directory entry that is in use has exactly one struct name, which rename moves
 * and unlink marks deleted. names_lock (a leaf spin lock inside path.c) guards parents, texts and the hash of
 * names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux/fs.h"

struct name {
    _Atomic uint32_t references;
    bool deleted, hashed;
    uint16_t length;
    uint32_t hash;
    struct name *parent; /* referenced; NULL for a file system's root */
    struct inode *inode; /* referenced */
    struct name *next;   /* in the hash bucket */
    struct list unused;  /* in the list of cached names, while unreferenced */
    char *text;          /* small, or a heap block */
    char small[24];
};

/* Flags of the walk. */
enum {
    WALK_FOLLOW = 1,    /* a symbolic link as the last component is followed */
    WALK_DIRECTORY = 2, /* the result must be a directory */
    WALK_EMPTY = 4,     /* an empty text means the base itself (AT_EMPTY_PATH) */
};

/* The last component of a walk to a parent directory. Only LAST_NORMAL can be made or removed. */
enum last_kind { LAST_NORMAL, LAST_ROOT, LAST_DOT, LAST_DOTDOT };
struct last_name {
    enum last_kind kind;
    char text[256];
    size_t length;
    bool slash; /* slashes followed: only a directory will do */
};

/* References: a path owns one on each of its non-NULL parts. */
void path_get(const struct path *path);
void path_put(struct path *path); /* empties it */

/*
 * Walks text from base (or the root of the calling task when it begins with '/'); on success *found holds
 * references. Checks search permission on the way. -ENOENT, -ENOTDIR, -EACCES, -ELOOP (40 links),
 * -ENAMETOOLONG, -ENOMEM.
 */
int path_walk(const struct path *base, const char *text, unsigned flags, struct path *found);
/* Walks to the directory that holds the last component, which need not exist. */
int path_walk_parent(const struct path *base, const char *text, struct path *parent, struct last_name *last);
/* For open with O_CREAT: the same, counting links in *links over several walks. */
int path_walk_parent_counted(const struct path *base, const char *text, unsigned *links, struct path *parent,
                             struct last_name *last);
/* The text of a symbolic link in a heap block (heap_free), or -EINVAL, -ENOMEM. */
int inode_link_text(struct inode *inode, char **text);
/* Looks one name up in a directory that is not locked; enters mounts; does not follow links. */
int path_lookup(const struct path *directory, const char *text, size_t length, struct path *found);

/* Where relative paths of an *at call start: AT_FDCWD or a directory's descriptor. References. */
int path_base(int fd, struct path *base);
/* A path text from guest memory into a heap block (*text, heap_free): 0, -EFAULT, -ENAMETOOLONG, -ENOMEM. */
int path_text_in(uint64_t guest, char **text);
/* Both in one: resolves a guest path of an *at call. WALK_EMPTY also allows descriptors of any type. */
int path_resolve(int fd, uint64_t guest, unsigned flags, struct path *found);
/* Likewise the directory that holds the last component, which need not exist. */
int path_resolve_parent(int fd, uint64_t guest, struct path *parent, struct last_name *last);

/* The absolute text of a place as the calling task's root sees it, with its 0: length including the 0, or
 * -ERANGE. A place outside the root gets "(unreachable)" in front, a deleted one " (deleted)" behind when
 * mark. */
int64_t path_describe(const struct path *path, char *to, size_t size, bool mark);
/* A place was removed: its name is marked as deleted (for getcwd: -ENOENT). */
bool path_is_deleted(const struct path *path);
/* True when place is ancestor or lies below it. */
bool path_is_below(const struct path *place, const struct path *ancestor);

/* The name tree, linux/fs/names.c. Entries change with the directory's lock held. */
struct name *name_get(struct name *name);
void name_put(struct name *name);
/* A name for an entry, the existing one if there is one: referenced. parent NULL makes a root or an anonymous
 * name that no look-up finds. NULL: ENOMEM. */
struct name *name_make(struct name *parent, const char *text, size_t length, struct inode *inode);
/* The cached name of an entry, referenced, or NULL. */
struct name *name_find(struct name *parent, const char *text, size_t length);
/* Referenced; NULL for a root. */
struct name *name_parent(struct name *name);
/* The entry went: forgets it, and marks the name deleted where it is in use. */
void name_remove(struct name *parent, const char *text, size_t length);
/* Drops cached names that nobody uses: of one file system, or all of them (NULL). */
void names_trim(const struct filesystem *filesystem);

/* Rename: memory first, so that the change itself cannot fail. */
struct name_move {
    char *texts[4]; /* two to use, two that were replaced */
};
int name_move_prepare(struct name_move *move, size_t length, size_t new_length); /* 0 or -ENOMEM */
/* Moves the entry's name, if it has one; what stood at the new place is deleted, or takes the old place
 * (exchange). */
void name_move_commit(struct name_move *move, struct name *parent, const char *text, size_t length,
                      struct name *new_parent, const char *new_text, size_t new_length, bool exchange);
void name_move_cancel(struct name_move *move);

/* Guards parents and texts of names, mount->place and inode->mounted. A leaf: no call while it is held. */
extern struct spin names_lock;

/* linux/fs/permission.c: mask of R_OK, W_OK, X_OK against the calling task's file-system ids. 0 or -EACCES.
 */
int inode_permission(struct inode *inode, unsigned mask);
/* The same with the real ids, for access(). */
int inode_permission_real(struct inode *inode, unsigned mask);
/* The caller owns the inode or is privileged. */
bool inode_owned(const struct inode *inode);
/* May directory lose (or rename away) victim: write permission and the sticky bit. 0, -EACCES, -EPERM. */
int inode_may_delete(struct inode *directory, struct inode *victim);
bool in_group(uint32_t gid);
