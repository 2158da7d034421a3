/*
 * Inside the address-space code: mappings, and how a range of a space is changed. Every change runs in the
 * same steps, under the lock of the space, so that it happens as a whole or not at all:
 *
 *   change_prepare   allocates what cutting mappings at both ends of the range may need; shortens a range
 * that has very many mappings, so that the calls go through it in parts change_discard   frees pages that
 * only mappings about to be cut show; bounded, may ask to be called again change_isolate   cuts, so that
 * every mapping lies inside or outside of the range; cannot fail change_clear     removes the mappings in the
 * range change_end       without the lock: frees what was removed or not needed
 */
#pragma once

#include "kernel/space.h"
#include "kernel/user_page.h"
#include "kernel/vmo.h"

/* All of it under the lock of the space, unless it says otherwise. */

struct change {
    struct space *space;
    uint64_t start, end;
    bool empty;             /* nothing is mapped there */
    bool partial;           /* the range ends before the one that was asked for */
    struct mapping *spares; /* allocated, linked by node.right */
    struct mapping *dead;   /* removed, linked by node.right; Vmo still referenced */
    struct page_list pages;
};

/* Fills in what a mapping that starts as a part or copy of another takes over; address and links are left
 * out. */
static inline void mapping_describe(struct mapping *mapping, const struct mapping *like) {
    mapping->space = like->space;
    mapping->vmo = like->vmo;
    mapping->end = like->end;
    mapping->offset = like->offset;
    mapping->flags = like->flags;
    mapping->dirty = false;
}

/* Charged to the space's job as an object; uninitialised. NULL: quota or memory exhausted. */
struct mapping *mapping_alloc_fresh(const struct space *space);
static inline __attribute__((always_inline)) struct mapping *mapping_alloc(struct space *space) {
    struct mapping *spare = space->spare;
    if (!spare)
        return mapping_alloc_fresh(space);
    space->spare = NULL;
    return spare;
}
void mapping_free(struct mapping *mapping, struct job *job);
/* The same, but the space keeps one for its next mapping. */
void mapping_keep(struct mapping *mapping);

/* Puts a mapping into its space, at an address, and at the end of its Vmo's list that it belongs to. */
static inline __attribute__((always_inline)) void
mapping_link(struct mapping *mapping, struct space *space, uint64_t address, struct vmo *vmo, bool dirty) {
    struct list *list = &vmo->mappings;

    spin_lock_inline(&vmo->lock);
    tree_insert(&space->mappings, &mapping->node, address);
    list_insert_before(dirty ? list->next : list, &mapping->vmo_link);
    spin_unlock(&vmo->lock);
    space->mapping_count++;
}
/* As above, filled in. The Vmo reference is the mapping's. */
void mapping_insert(struct mapping *mapping, uint64_t address);
/* Takes it out again; the Vmo stays referenced. */
void mapping_remove(struct mapping *mapping);
/* Notes that it may have writable page-table entries; the Vmo's lock is held. */
void mapping_set_dirty(struct mapping *mapping);
/* Moves its end, where no other mapping is and no page-table entry would be left behind. */
void mapping_set_end(struct mapping *mapping, uint64_t end);

/* The first mapping that ends above an address, or NULL. */
struct mapping *mapping_from(const struct space *space, uint64_t address);
struct mapping *mapping_next(const struct mapping *mapping);

static inline bool mapping_contains(const struct mapping *mapping, uint64_t address) {
    return address - mapping->node.key < mapping->end - mapping->node.key;
}

/* A longer range goes page table by page table. */
enum { CHANGE_BYTES = 2 << 20 };

/* 0 or -ENOMEM. Needs change_end in any case. */
int change_prepare(struct change *change, struct space *space, uint64_t start, uint64_t length);
/* 0 or -EAGAIN. */
int change_discard(struct change *change);
void change_isolate(struct change *change);
void change_clear(struct change *change);
/* Removes one mapping, for change_end to free. */
void change_remove(struct change *change, struct mapping *mapping);
void change_end(struct change *change);

#define change_for_each(mapping, change)                                                                     \
    for (mapping = mapping_from((change)->space, (change)->start);                                           \
         mapping && mapping->node.key < (change)->end; mapping = mapping_next(mapping))
