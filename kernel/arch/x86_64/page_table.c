/* See page_table.h. */
#include "kernel/arch/x86_64/page_table.h"

#include "kernel/arch/x86_64/vectors.h"

#include "kernel/job.h"
#include "kernel/page.h"
#include "kernel/space.h"
#include "kernel/user_page.h"
#include "lib/base/string.h"

enum {
    TABLE_SLOTS = 512,
    GROUP_SLOTS = 8,
    TOP_SHIFT = 39,
    TABLE_SHIFT = 21,
    LEVEL_BITS = 9,
    CLEAR_MOST = 32,
    PROTECT_MOST = 8,
    DESTROY_STEP = 64
};

#define TABLE_ENTRY (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED)

/* The addresses whose entries an operation changed for the worse, to be flushed. */
struct flush {
    uint64_t start, end;
};

static unsigned table_slot(uint64_t address, unsigned shift) {
    return address >> shift & (TABLE_SLOTS - 1);
}

static __attribute__((noinline)) uint64_t *table_virt(uint64_t entry) {
    return phys_to_virt(entry & -(uint64_t)PAGE_SIZE);
}

/* ---- table pages ---- */

static void table_link(struct space *space, struct page *page) {
    page->count = 0;
    page->groups = 0;
    page->prev = 0;
    page->next = space->tables;
    if (page->next)
        page_from_number(page->next)->prev = page_number(page);
    space->tables = page_number(page);
    space->table_pages++;
}

/* An empty table page of the space; 0: memory or quota exhausted. */
static uint64_t table_alloc(struct space *space) {
    uint64_t physical = table_page_alloc(space->object.job);
    if (physical)
        table_link(space, page_from_phys(physical));
    return physical;
}

/* What the root of a space has in its low bits, and its unified root with the odd number behind. By where the
 * space is, for spaces of one time lie side by side. */
static uint64_t root_tag(const struct space *space) {
    return ((uintptr_t)space >> 5 | TAG_FIRST) & machine.tag_bits & ~1U;
}

/* The page of a root, or its two pages when page tables are isolated: each a table that goes by itself. */
static uint64_t root_alloc(struct space *space) {
    if (!machine.isolated)
        return table_alloc(space);
    uint64_t physical = user_block_alloc(space->object.job, 1);
    if (!physical)
        return 0;
    table_link(space, page_from_phys(physical));
    table_link(space, page_from_phys(physical + PAGE_SIZE));
    return physical;
}

static void table_unlink(struct space *space, struct page *page) {
    if (page->next)
        page_from_number(page->next)->prev = page->prev;
    if (page->prev)
        page_from_number(page->prev)->next = page->next;
    else
        space->tables = page->next;
    space->table_pages--;
}

/* A table with few entries is emptied for the next use; one with many is cheaper to clear whole then. */
static void table_free(struct space *space, struct page *page) {
    uint64_t *table = page_virt(page);

    job_uncharge(space->object.job, JOB_PAGES, 1);
    if (page->count > CLEAR_MOST) {
        page_free(page_phys(page), 0);
        return;
    }
    for (uint64_t left = page->count ? page->groups : 0; left; left &= left - 1)
        words_clear(table + __builtin_ctzll(left) * GROUP_SLOTS, GROUP_SLOTS);
    page_free_clear(page_phys(page));
}

/* The first slot from one on that may be in use. */
static inline unsigned slot_in_use(const struct page *page, unsigned slot) {
    uint64_t left = slot < TABLE_SLOTS ? page->groups >> slot / GROUP_SLOTS : 0;
    if (left & 1)
        return slot;
    return left ? (slot / GROUP_SLOTS + (unsigned)__builtin_ctzll(left)) * GROUP_SLOTS : TABLE_SLOTS;
}

static void mirror_set(uint64_t *mirror, uint64_t value) {
    if (!*mirror)
        page_table_use(mirror);
    pte_store(mirror, value);
}

/* Copies a top-level entry to where else it belongs: the unified root, and what user mode sees of either when
 * page tables are isolated. */
static __attribute__((noinline)) void root_mirror(struct space *space, uint64_t *entry) {
    uint64_t *unified = entry;

    if (space->unified_root)
        unified = &table_virt(space->unified_root)[((uintptr_t)entry & (PAGE_SIZE - 1)) / sizeof *entry];
    mirror_set(unified, *entry);
    if (machine.isolated) {
        mirror_set(entry + TABLE_SLOTS, *entry);
        mirror_set(unified + TABLE_SLOTS, *entry);
    }
}

/* Changes an entry of the level that shift tells, in both roots when it is one of theirs. */
static void entry_store(struct space *space, uint64_t *entry, uint64_t value, unsigned shift) {
    pte_store(entry, value);
    if (shift == TOP_SHIFT)
        root_mirror(space, entry);
}

/* Hangs an empty table into an entry of the level that shift tells. */
static bool table_add(struct space *space, uint64_t *entry, uint64_t address, unsigned shift) {
    if (shift == TOP_SHIFT && space->shared_ready && address >= GUEST_LIMIT)
        return false;
    uint64_t physical = table_alloc(space);
    if (!physical)
        return false;
    page_table_use(entry);
    entry_store(space, entry, physical | TABLE_ENTRY, shift);
    return true;
}

/* ---- entries ---- */

/* Moves the write protection of a table's entry into the table (page_table_protect). */
static void table_unprotect(struct space *space, uint64_t *entry, unsigned shift) {
    uint64_t *table = table_virt(*entry);

    for (uint64_t left = page_from_phys(*entry)->groups; left; left &= left - 1) {
        uint64_t *slot = table + __builtin_ctzll(left) * GROUP_SLOTS;
        for (uint64_t *end = slot + GROUP_SLOTS; slot < end; slot++)
            *slot &= ~(uint64_t)PTE_WRITE;
    }
    atomic_thread_fence(memory_order_release);
    entry_store(space, entry, *entry | PTE_WRITE, shift);
}

/* Takes a large entry away, and out of the TLBs; false when it is none. */
static bool entry_drop(struct space *space, uint64_t *entry, uint64_t address) {
    if (!(*entry & PTE_LARGE))
        return false;
    pte_store(entry, 0);
    page_from_phys(virt_to_phys(entry))->count--;
    space->resident -= TABLE_SLOTS;
    address &= -(1ULL << TABLE_SHIFT);
    tlb_shootdown(space, address, address + (1ULL << TABLE_SHIFT));
    return true;
}

/* Walks down to the entry of a level for an address, creating the tables that are missing; NULL as
 * page_table_entry. Not inline: the table is usually at hand. */
static __attribute__((noinline)) uint64_t *table_walk(struct space *space, uint64_t address, unsigned level) {
    uint64_t *table = table_virt(space->root);

    for (unsigned shift = TOP_SHIFT; shift > level; shift -= LEVEL_BITS) {
        uint64_t *entry = &table[table_slot(address, shift)];
        entry_drop(space, entry, address);
        if (!*entry && !table_add(space, entry, address, shift))
            return NULL;
        if (!(*entry & PTE_WRITE))
            table_unprotect(space, entry, shift);
        table = table_virt(*entry);
    }
    if (level == PAGE_SHIFT) {
        space->last_table = table;
        space->last_table_place = address >> TABLE_SHIFT;
    }
    return &table[table_slot(address, level)];
}

uint64_t *page_table_entry(struct space *space, uint64_t address) {
    uint64_t *table = space->last_table;
    if (table && space->last_table_place == address >> TABLE_SHIFT)
        return &table[table_slot(address, PAGE_SHIFT)];
    return table_walk(space, address, PAGE_SHIFT);
}

bool page_table_set_large(struct space *space, uint64_t address, uint64_t value) {
    uint64_t *entry = table_walk(space, address, TABLE_SHIFT);
    if (!entry || *entry)
        return false;
    page_table_use(entry);
    space->resident += TABLE_SLOTS;
    pte_store(entry, value | PTE_LARGE);
    return true;
}

/* The entry of a level, told by its shift, for an address, or a large one above it, or NULL. *next is the
 * first address behind what the entry covers, or what the absent one in its place would. */
static uint64_t *entry_find(struct space *space, uint64_t address, unsigned level, uint64_t *next) {
    uint64_t *table = table_virt(space->root);

    for (unsigned shift = TOP_SHIFT;; shift -= LEVEL_BITS) {
        uint64_t *entry = &table[table_slot(address, shift)];
        if (!*entry || shift == level || *entry & PTE_LARGE) {
            *next = ((address >> shift) + 1) << shift;
            return *entry ? entry : NULL;
        }
        table = table_virt(*entry);
    }
}

static void flush_add(struct flush *flush, uint64_t start, uint64_t end) {
    if (!flush->end)
        flush->start = start;
    flush->end = end;
}

/* ---- ranges ---- */

static inline void entry_clear(struct space *space, uint64_t *entry, uint64_t address, struct flush *flush) {
    if (!*entry)
        return;
    pte_store(entry, 0);
    page_from_phys(virt_to_phys(entry))->count--;
    space->resident--;
    flush_add(flush, address, address + PAGE_SIZE);
}

/* Bits that entries lose and get. */
struct restriction {
    uint64_t take, add;
};

/* Changes the entries of one table in [start, end), perhaps to nothing; frees nothing. */
static void table_change(struct space *space, uint64_t *table, uint64_t start, uint64_t end,
                         struct restriction restriction, struct flush *flush) {
    struct page *page = page_from_phys(virt_to_phys(table));
    uint64_t base = start & -(1ULL << TABLE_SHIFT);
    unsigned last = table_slot(end - 1, PAGE_SHIFT), cleared = 0;

    for (unsigned slot = table_slot(start, PAGE_SHIFT); slot <= last; slot++) {
        if (slot % GROUP_SLOTS == 0 && (slot = slot_in_use(page, slot)) > last)
            break;
        uint64_t entry = table[slot], value = (entry & ~restriction.take) | restriction.add;
        if (!entry || value == entry)
            continue;
        pte_store(&table[slot], value);
        cleared += !value;
        flush_add(flush, base + slot * PAGE_SIZE, base + (slot + 1) * PAGE_SIZE);
    }
    page->count -= cleared;
    space->resident -= cleared;
}

static const struct restriction everything = {UINT64_MAX, 0};

static inline bool table_is_last(const struct space *space, uint64_t address) {
    return space->last_table && space->last_table_place == address >> TABLE_SHIFT;
}

uint64_t page_table_reach(struct space *space, uint64_t start, uint64_t end) {
    uint64_t next = start;
    spin_lock(&space->table_lock);
    while (next < end && !entry_find(space, next, TABLE_SHIFT, &next)) {
    }
    spin_unlock(&space->table_lock);
    return next < end ? next : end;
}

void page_table_unmap(struct space *space, uint64_t start, uint64_t end, bool free_tables) {
    struct flush flush = {0};
    uint32_t freed = 0;

    spin_lock_inline(&space->table_lock);
    if (table_is_last(space, start) && table_is_last(space, end - 1) && end - start < 1ULL << TABLE_SHIFT) {
        /* It stays, even if it is empty now: it is likely to be used next. */
        if (end - start > PAGE_SIZE)
            table_change(space, space->last_table, start, end, everything, &flush);
        else
            entry_clear(space, &space->last_table[table_slot(start, PAGE_SHIFT)], start, &flush);
        start = end;
    }
    for (uint64_t at = start, next; at < end; at = next) {
        uint64_t *entry = entry_find(space, at, TABLE_SHIFT, &next);
        if (next > end)
            next = end;
        if (!entry || entry_drop(space, entry, at))
            continue;
        struct page *page = page_from_phys(*entry);
        bool whole = next - at == 1ULL << TABLE_SHIFT;
        if (!whole)
            table_change(space, table_virt(*entry), at, next, everything, &flush);
        if (!whole && (page->count || !free_tables))
            continue;
        space->resident -= page->count;
        if (table_is_last(space, at))
            space->last_table = NULL;
        *entry = 0;
        page_from_phys(virt_to_phys(entry))->count--;
        flush_add(&flush, at, next);
        table_unlink(space, page);
        page->next = freed;
        freed = page_number(page);
    }
    if (flush.end)
        tlb_shootdown(space, flush.start, flush.end);
    while (freed) {
        struct page *page = page_from_number(freed);
        freed = page->next;
        table_free(space, page);
    }
    spin_unlock(&space->table_lock);
}

__attribute__((noinline)) void page_table_restrict(struct space *space, uint64_t start, uint64_t end,
                                                   bool write, bool exec) {
    const struct restriction restriction = {write ? 0 : PTE_WRITE, exec ? 0 : PTE_NO_EXEC};
    struct flush flush = {0};

    spin_lock(&space->table_lock);
    for (uint64_t at = start, next; at < end; at = next) {
        uint64_t *table = entry_find(space, at, TABLE_SHIFT, &next);
        if (next > end)
            next = end;
        if (!table || entry_drop(space, table, at))
            continue;
        table_change(space, table_virt(*table), at, next, restriction, &flush);
    }
    if (flush.end)
        tlb_shootdown(space, flush.start, flush.end);
    spin_unlock(&space->table_lock);
}

void page_table_protect(struct space *space, uint64_t start, uint64_t end) {
    unsigned top = space->shared_ready && end > GUEST_LIMIT ? TOP_SHIFT - LEVEL_BITS : TOP_SHIFT;
    unsigned level = PAGE_SHIFT;
    struct flush flush = {0};

    while (level < top && ((end - 1) >> level) - (start >> level) >= PROTECT_MOST)
        level += LEVEL_BITS;
    spin_lock(&space->table_lock);
    for (uint64_t at = start, next; at < end; at = next) {
        uint64_t *entry = entry_find(space, at, level, &next);
        if (!entry && level == TOP_SHIFT) /* most are absent */
            next = (uint64_t)slot_in_use(page_from_phys(space->root), table_slot(next, TOP_SHIFT))
                   << TOP_SHIFT;
        if (!entry || !(*entry & PTE_WRITE))
            continue;
        entry_store(space, entry, *entry & ~(uint64_t)PTE_WRITE, level);
        /* Neighbours, too: what has lost the ability in the tables must not keep it in a TLB. */
        flush_add(&flush, at & -(1ULL << level), next);
    }
    if (flush.end) {
        space->last_table = NULL;
        tlb_shootdown(space, flush.start, flush.end);
    }
    spin_unlock(&space->table_lock);
}

/* ---- whole spaces ---- */

/* Copies the top-level entries [first, TABLE_SLOTS) of a root into an empty one; for user mode there are
 * fewer.
 */
static void root_inherit(uint64_t empty, uint64_t parent, unsigned first) {
    uint64_t *root = table_virt(empty);
    const uint64_t *from = table_virt(parent);
    uint64_t groups = page_from_phys(parent)->groups & UINT64_MAX << first / GROUP_SLOTS;
    for (; groups; groups &= groups - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(groups) * GROUP_SLOTS;
        for (unsigned end = slot + GROUP_SLOTS; slot < end; slot++) {
            if (!from[slot])
                continue;
            page_table_use(&root[slot]);
            root[slot] = from[slot];
            if (machine.isolated && from[slot + TABLE_SLOTS])
                mirror_set(&root[slot + TABLE_SLOTS], from[slot + TABLE_SLOTS]);
        }
    }
}

bool page_table_create(struct space *space) {
    uint64_t tag = root_tag(space);
    space->root = root_alloc(space);
    if (!space->root)
        return false;
    space->root |= tag;
    root_inherit(space->root, machine.root, TABLE_SLOTS / 2);
    if (!space->native)
        return true;
    space->unified_root = root_alloc(space);
    if (!space->unified_root)
        return false;
    space->unified_root |= tag | tag / TAG_FIRST;
    root_inherit(space->unified_root, space->native->root, GUEST_LIMIT >> TOP_SHIFT);
    return true;
}

bool page_table_share(struct space *native) {
    uint64_t *root = table_virt(native->root);
    bool done = true;

    spin_lock(&native->table_lock);
    /* Write protection goes from the top level, where copies of an entry could not be told. */
    for (unsigned i = GUEST_LIMIT >> TOP_SHIFT; !native->shared_ready && i < TABLE_SLOTS / 2 && done; i++) {
        uint64_t *entry = &root[i];
        if (!*entry && i < (GUEST_LIMIT >> TOP_SHIFT) + SPACE_SHARED_SLOTS)
            done = table_add(native, entry, (uint64_t)i << TOP_SHIFT, TOP_SHIFT);
        if (*entry && !(*entry & PTE_WRITE))
            table_unprotect(native, entry, TOP_SHIFT);
    }
    native->shared_ready |= done;
    spin_unlock(&native->table_lock);
    return done;
}

bool page_table_destroy_step(struct space *space) {
    for (unsigned i = 0; i < DESTROY_STEP && space->tables; i++) {
        struct page *page = page_from_number(space->tables);
        space->tables = page->next;
        table_free(space, page);
    }
    return !space->tables;
}
