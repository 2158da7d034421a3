/*
 * Memory objects. A Vmo is a size and a radix tree of pages (vmo_tree.h) that may share nodes copy-on-write
 * with the trees of other Vmos, so that a snapshot costs O(1) and pays per page written. A physical Vmo
 * stands for memory outside the allocator instead: device registers, or boot data.
 *
 * Invariants, all under the Vmo's lock:
 *   - a present page-table entry of a mapping maps what the tree (or the physical range) holds at that index;
 *   - it is writable only when the page is exclusive to this Vmo: no node on its path and not the page is
 * shared;
 *   - before a page leaves the tree, its entries leave all mappings and the TLBs.
 *
 * Locks: struct vmo.lock, under the lock of a space, over the page-table lock of any space. Two are never
 * held at once. Calls that return -EAGAIN did a bounded part of their work: call again with the same
 * arguments (from user mode anew, so that interrupts get through).
 */
#pragma once

#include "abi/objects.h"
#include "kernel/lock.h"
#include "kernel/object.h"
#include "kernel/user_page.h"
#include "kernel/vmo_tree.h"
#include "lib/base/list.h"

struct mapping;

#define VMO_SIZE_MAX   (1ULL << 47) /* bytes */
#define VMO_PINNED_MAX (16ULL << 20)
/* vmo_read_user and vmo_write_user copy at most this many bytes a call, and return the short count. */
#define VMO_COPY_MAX (256ULL << 10)

/* struct vmo.kind */
enum {
    VMO_KIND_PINNED = 1,    /* committed and never moved: no snapshot, resize, discard */
    VMO_KIND_PHYSICAL = 2,  /* base instead of a tree: no snapshot, resize, discard */
    VMO_KIND_CACHED = 4,    /* physical, but memory: cached, and readable by vmo_read_user */
    VMO_KIND_ANONYMOUS = 8, /* made by space_map, no handle: may grow with its mapping */
    VMO_KIND_BLOCK =
        16, /* physical and cached; the memory is one block of the allocator, and the Vmo's own */
};

struct vmo {
    struct object object;
    struct spinlock lock; /* rank VMO: guards everything below */
    uint8_t kind;
    uint64_t size; /* bytes */
    uint64_t base; /* physical Vmo: first address; else 0 */
    struct vmo_tree tree;
    struct list mappings; /* struct mapping.vmo_link; those that may have writable entries come first */
    struct vmo *clone;    /* the snapshot made of this while a space was cloned; the lock of the space */
    union {
        uint64_t clone_serial; /* which clone that was: struct space.clone_serial */
        uint64_t
            filled; /* of a pinned one or a block, before anybody sees it: bytes that are there and zero */
    };
};

/* Zero-filled, committed on demand, or at once with VMO_PINNED. size 0 is allowed. 0, -EINVAL (flags, size),
 * -ENOMEM, and -EAGAIN, when vmo_fill does the rest. *made: what there is of it, also with these two, or
 * NULL. */
int vmo_create(struct job *job, uint64_t size, uint64_t flags, struct vmo **made);

/* Fresh memory for space_map. 0 or -ENOMEM. */
int vmo_create_anonymous(struct job *job, uint64_t size, struct vmo **made);

/* Memory outside the allocator; page-aligned, not empty. cached: it is RAM below the end of the direct map
 * (the initial archive), else it is mapped uncached. 0, -EINVAL, -ENOMEM. */
int vmo_create_physical(struct job *job, uint64_t base, uint64_t size, bool cached, struct vmo **made);

/* One zeroed block of memory that ends at or below a limit (0: none, less than PAGE_LIMIT_ISA: that). The
 * size is a power of two. No lock may be held. 0, -EINVAL (size), -ENOMEM, -EAGAIN as above. */
int vmo_create_block(struct job *job, uint64_t size, uint64_t limit, struct vmo **made);

/* Goes on with one of those that nobody else knows yet: 0, -EAGAIN or -ENOMEM. */
int vmo_fill(struct vmo *vmo);

/* A copy-on-write copy, charged to the job. -EINVAL for pinned and physical ones; -ENOMEM; -EAGAIN. */
int vmo_snapshot(struct vmo *vmo, struct job *job, struct vmo **made);

/* The same, but mappings keep the ability to write what is shared now: to be taken from them before anybody
 * sees the copy. */
int vmo_share(struct vmo *vmo, struct job *job, struct vmo **made);

/* Changes the size (bytes). Pages beyond a smaller size are freed and unmapped; what the last page holds
 * beyond the smaller of both sizes is zeroed. 0, -EINVAL, -ENOMEM, -EAGAIN; the size changes with the last
 * step. */
int vmo_resize(struct vmo *vmo, uint64_t size);

/* Frees the pages of a page-aligned range; they read as zero afterwards. 0, -EINVAL, -ENOMEM, -EAGAIN. */
int vmo_discard(struct vmo *vmo, uint64_t offset, uint64_t length);

/* Copy from or to the current thread's memory: bytes copied (short at the end of the object, at VMO_COPY_MAX
 * or at a bad user page), -EFAULT when that is none but should have been some, -ENOMEM, -EINVAL (physical).
 * Reading commits nothing. No lock may be held. */
int64_t vmo_read_user(struct vmo *vmo, uint64_t offset, uint64_t to, uint64_t length);
int64_t vmo_write_user(struct vmo *vmo, uint64_t offset, uint64_t from, uint64_t length);

void vmo_info(struct vmo *vmo, struct vmo_info *info);

/* Destructor: a bounded step; true when the Vmo is gone. */
bool vmo_destroy_step(struct vmo *vmo);

/* ---- for fault.c and mapping.c, with the Vmo's lock held ---- */

/* What vmo_commit found. */
struct vmo_found {
    struct vmo_node *leaf; /* holds the page; its path is exclusive when path_exclusive */
    struct page *page;
    bool path_exclusive;
    bool fresh; /* was committed just now */
};

/* Finds a page of a Vmo with a tree, committing it when absent, and for a write making it exclusive. Pages it
 * replaced go to the list. The index is below the size. 0 or -ENOMEM. */
int vmo_commit(struct vmo *vmo, uint64_t index, bool write, struct vmo_found *found, struct page_list *list);

/* Commits an absent page in a leaf that exists and whose path is exclusive; NULL: memory or quota exhausted.
 */
struct page *vmo_commit_fresh(struct vmo *vmo, uint64_t index);

/* Removes the pages [first, last] from mappings and tree, at most *budget of them (VMO_STEP for a call that
 * may be restarted), which is lowered. 0, -EAGAIN, -ENOMEM. */
enum { VMO_STEP = 32 };
int vmo_remove(struct vmo *vmo, uint64_t first, uint64_t last, unsigned *budget, struct page_list *list);

static inline uint64_t vmo_page_count(const struct vmo *vmo) {
    return (vmo->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}
