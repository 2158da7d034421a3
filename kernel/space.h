/*
 * Address spaces: page tables (page_table.h) and the mappings that explain them.
 *
 *   native space   one root: user memory of a process, below USER_LIMIT
 *   guest space    made by a personality's (native) space, memory below GUEST_LIMIT, two roots:
 *                    root          lower half only, for the Linux program
 *                    unified_root  the same lower half and the native space's half from GUEST_LIMIT up
 *
 * The roots share every table below the top level. When the first guest space is made, the tables for the
 * slots that a personality uses (SPACE_SHARED_SLOTS from GUEST_LIMIT up, 512 GB each) are created in the
 * native space and copied into each unified root; from then on the native space maps nothing in other slots
 * of that half (-ENOMEM).
 *
 * A mapping shows a range of a Vmo. MAP_COPY mappings show a Vmo of their own, which nothing else refers to
 * but pieces cut from the same mapping, so their pages can be freed when they are unmapped. Page tables are
 * only a cache of the mappings: faults fill them.
 *
 * Locks: struct space.lock guards the mappings; table_lock the page tables, which Vmos change too, without
 * the space's lock. Order: space, Vmo, tables. A mapping's range changes only with the space's and the Vmo's
 * lock. The integrity of active_cpus is the scheduler's: a CPU sets its bit before it loads a root of the
 * space (for a unified root also in the native space) and clears it after it has left.
 */
#pragma once

#include "abi/objects.h"
#include "kernel/lock.h"
#include "kernel/object.h"
#include "lib/base/list.h"
#include "lib/base/tree.h"

struct vmo;

enum { SPACE_SHARED_SLOTS = 4 };

struct mapping {
    struct tree_node node; /* key: first address */
    struct list vmo_link;  /* the Vmo's lock */
    struct space *space;
    struct vmo *vmo; /* referenced */
    uint64_t end;    /* first address behind */
    uint64_t offset; /* into the Vmo, of the first address, bytes */
    uint32_t flags;  /* MAP_ */
    bool dirty;      /* a writable page-table entry may exist; the Vmo's lock */
};

struct space {
    struct object object;
    struct spinlock lock; /* rank SPACE: mappings, last_hit, spare, mapping_count */
    struct spinlock
        table_lock; /* rank TABLE: everything the roots lead to, and what begins with table or last_table */
    uint64_t root;  /* as CR3 has it: physical, and the tag; constant */
    struct space *native; /* guest space: the personality's, referenced; else NULL */
    struct tree mappings;
    struct mapping *last_hit;     /* where the last fault was; NULL while there are clones */
    struct mapping *spare;        /* allocated, for the next mapping */
    uint64_t *last_table;         /* the last-level table used last, … */
    uint64_t last_table_place;    /* … and its place: address >> 21 */
    uint64_t resident;            /* pages; table_lock */
    uint32_t tables;              /* list of the table pages, by struct page.next */
    bool shared_ready;            /* native space: has guest spaces, its upper half's slots are fixed */
    _Atomic uint64_t active_cpus; /* bit per CPU that has one of the roots loaded */
    _Atomic uint64_t stamp;       /* of what the roots lead to since the last shoot-down: kernel/tag.h */
    uint64_t unified_root;        /* guest space; else 0 */
    uint64_t limit;               /* of what may be mapped; constant */
    uint64_t mapping_count, table_pages;
    _Atomic uint64_t clones; /* unfinished ones of this space: until there are none, no fault is resolved */
    /* While space_clone makes it, known only to that call: of what, referenced, up to where, and which of all
     * clones. */
    struct space *clone_of;
    uint64_t clone_end, clone_serial;
};

/* Both: 0 or -ENOMEM. Tables, mappings and anonymous memory are charged to the job. */
int space_create_native(struct job *job, struct space **made);
int space_create_guest(struct space *native, struct job *job, struct space **made);

/*
 * The calls below return 0 or:
 *   - -EINVAL: address, offset or length not page-aligned, empty, outside the space's range, wrapping;
 * unknown flags
 *   - -ENOMEM: memory or quota exhausted
 *   - -EAGAIN: bounded part done, call again with the same arguments
 * The rights to the Vmo are the caller's to check.
 */

/* In the flags of space_map: protection that space_protect may raise the mapping to, beyond what it starts
 * with. The system call passes what the Vmo's handle allows. Memory of the mapping's own (fresh, or MAP_COPY)
 * allows all, since its content could be written anywhere else as well. */
#define MAP_ALLOW(protection) ((uint32_t)(protection) << 8)

/* Maps a Vmo, whose reference is used up, or fresh zero memory where vmo is NULL, in place of whatever was
 * there. flags: MAP_ and MAP_ALLOW. With MAP_COPY the Vmo's present content is mapped, private to the mapping
 * (-EINVAL for pinned and physical ones). */
int space_map(struct space *space, uint64_t address, struct vmo *vmo, uint64_t offset, uint64_t length,
              unsigned flags);
/* Unmaps what is mapped in the range. */
int space_unmap(struct space *space, uint64_t address, uint64_t length);
/* These two change a range with very many mappings in parts: a positive result is how many bytes are done,
 * from the start; call again for the rest. */
/* Sets the protection (MAP_PROT_MASK bits). Also -ENOMEM when part of the range is not mapped and -EACCES
 * when part of it does not allow the protection; then this part is not changed. */
int64_t space_protect(struct space *space, uint64_t address, uint64_t length, uint64_t protection);
/* Moves mappings to a range that does not overlap, in place of whatever was there. -EFAULT when part of the
 * old range is not mapped. */
int64_t space_move(struct space *space, uint64_t address, uint64_t length, uint64_t to);
/* A new guest space of the same native space with the same mappings: MAP_COPY ones are snapshotted, others
 * shared. Page tables start empty. 0, -EINVAL (a native space), -ENOMEM, and -EAGAIN, when *made is the
 * unfinished copy, to be passed in again; else it is NULL before. What changes among the mappings between the
 * steps may be missed. Of what each thread writes meanwhile, the copy has all up to some moment and nothing
 * after it: from the first step until the copy is finished, or gone, faults in the space are not resolved. */
int space_clone(struct space *space, struct job *job, struct space **made);

/* A page fault: access is the one MAP_READ, MAP_WRITE or MAP_EXEC bit wanted. 0: resolved, retry; -EFAULT
 * nothing mapped; -EACCES protection; -ENXIO beyond the Vmo's end; -ENOMEM; -EAGAIN the space is being
 * cloned. No lock may be held. */
int space_fault(struct space *space, uint64_t address, unsigned access);

void space_info(struct space *space, struct space_info *info);

/* Destructor: a bounded step; true when the space is gone. Nothing runs in it any more. */
bool space_destroy_step(struct space *space);

/* Flushes the range on every CPU that runs the space and waits for it (kernel/tlb.c). Any locks may be held.
 * Flushes the paging-structure caches too, as one invlpg does. With 0, 0 every CPU that still has a root of
 * the space loaded leaves it instead: for a space in which nothing runs any more. */
void tlb_shootdown(struct space *space, uint64_t start, uint64_t end);
/* A stamp that no other space has or had. */
uint64_t tlb_stamp(void);
