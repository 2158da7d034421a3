/*
 * Four-level page tables of a space. Table pages are charged to the space's job and linked in space->tables;
 * struct page.count counts a table's entries in use, so that a table that is unmapped whole, or empty, goes
 * without being read; struct page.groups tells where they are, so that a sparse one is not read through and
 * is free of entries again, for its next use, at little cost. Callers hold space->table_lock, except where it
 * says that it is taken.
 *
 * Where 2 MB of a mapping are contiguous memory, one large entry may stand in the place of a last-level
 * table. Nothing is behind it: what concerns only a part of it takes it away, and faults bring back the rest
 * by small entries, so that splitting cannot fail.
 *
 * A range of any size is write-protected at once in the entries of a level where it has only a few: what is
 * below such an entry keeps its own write bits, which mean nothing until a walk to a last-level table moves
 * the protection down. So a protected entry may take the ability to write from neighbours of the range, too;
 * a fault gives it back.
 *
 * With page-table isolation a root is two pages: the second is for user mode, has the same user half, and of
 * the kernel's only ISOLATED_BASE (vectors.h). Bit 12 of CR3 chooses; everything else knows the first.
 */
#pragma once

#include "kernel/page.h"
#include "kernel/space.h"

enum pte_bits {
    PTE_PRESENT = 1,
    PTE_WRITE = 2,
    PTE_USER = 4,
    PTE_UNCACHED = 0x18, /* PCD and PWT: UC in the PAT as it is after reset */
    PTE_ACCESSED = 0x20,
    PTE_DIRTY = 0x40,
    PTE_LARGE = 0x80, /* in the place of a last-level table: 2 MB at once */
};
#define PTE_NO_EXEC (1ULL << 63)
#define PTE_ADDRESS 0x000ffffffffff000ULL

/* Bits of an entry for a protection (MAP_READ, MAP_WRITE, MAP_EXEC; some access is allowed). */
static inline uint64_t pte_flags(unsigned protection) {
    uint64_t flags = PTE_PRESENT | PTE_USER | PTE_ACCESSED;
    if (protection & MAP_WRITE)
        flags |= PTE_WRITE | PTE_DIRTY;
    if (!(protection & MAP_EXEC))
        flags |= PTE_NO_EXEC;
    return flags;
}

/* Whether a page-aligned address is the first one of another last-level table than the page before. */
static inline bool table_ends(uint64_t address) {
    return !(address >> PAGE_SHIFT & 511);
}

static inline __attribute__((always_inline)) void pte_store(uint64_t *entry, uint64_t value) {
    __atomic_store_n(entry, value, __ATOMIC_RELAXED);
}

/* The last-level entry of an address; its table and those above are created. NULL: memory or quota exhausted,
 * or a slot of the personality's half that is not shared. Entries of one table are adjacent. */
uint64_t *page_table_entry(struct space *space, uint64_t address);
/* Notes that an empty entry is about to be filled. */
static inline void page_table_use(uint64_t *entry) {
    struct page *table = page_from_phys(virt_to_phys(entry));
    table->count++;
    table->groups |= 1ULL << ((uintptr_t)entry >> 6 & 63);
}
/* Fills an entry: a new one, or with more rights than it had. */
static inline void page_table_set(struct space *space, uint64_t *entry, uint64_t value) {
    if (!*entry) {
        page_table_use(entry);
        space->resident++;
    }
    pte_store(entry, value);
}

/* Enters 2 MB at once, at a multiple of 2 MB, unless something is there: whether it did. The value is as for
 * a small entry. */
bool page_table_set_large(struct space *space, uint64_t address, uint64_t value);

/* How far into [start, end) the first last-level table or large entry reaches. Takes table_lock. */
uint64_t page_table_reach(struct space *space, uint64_t start, uint64_t end);
/* Removes every entry in [start, end), flushes TLBs, frees tables left empty when asked to. Takes table_lock.
 */
void page_table_unmap(struct space *space, uint64_t start, uint64_t end, bool free_tables);
/* Takes the ability to write from all of [start, end), and perhaps from what is near, in a number of steps
 * that does not depend on the size; flushes TLBs. Takes table_lock. */
void page_table_protect(struct space *space, uint64_t start, uint64_t end);
/* Takes rights from the entries in [start, end): the ability to write, or to execute; flushes TLBs. Takes
 * table_lock. */
void page_table_restrict(struct space *space, uint64_t start, uint64_t end, bool write, bool exec);

/* Creates the roots of a space. native is NULL or the personality's space. False: memory or quota exhausted;
 * what was made is freed by page_table_destroy. */
bool page_table_create(struct space *space);
/* Creates what unified roots share of a native space. False: memory or quota. Takes table_lock. */
bool page_table_share(struct space *native);
/* Frees table pages, at most a bounded number; true when all are gone. */
bool page_table_destroy_step(struct space *space);
