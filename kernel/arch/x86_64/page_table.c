/* See page_table.h. */
#include "kernel/arch/x86_64/page_table.h"

#include "kernel/job.h"
#include "kernel/page.h"
#include "kernel/space.h"
#include "lib/base/string.h"

enum { TABLE_SLOTS = 512, TOP_SHIFT = 39, TABLE_SHIFT = 21, LEVEL_BITS = 9, DESTROY_STEP = 64 };

#define TABLE_ENTRY (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED)

/* The addresses whose entries an operation changed for the worse, to be flushed. */
struct flush {
    uint64_t start, end;
};

static unsigned table_slot(uint64_t address, unsigned shift) {
    return address >> shift & (TABLE_SLOTS - 1);
}

static uint64_t *table_virt(uint64_t entry) {
    return phys_to_virt(entry & -(uint64_t)PAGE_SIZE);
}

/* ---- table pages ---- */

/* A table page of the space, contents undefined; 0: memory or quota exhausted. */
static uint64_t table_alloc(struct space *space) {
    if (!job_charge(space->object.job, JOB_PAGES, 1))
        return 0;
    uint64_t physical = page_alloc(0);
    if (!physical) {
        job_uncharge(space->object.job, JOB_PAGES, 1);
        return 0;
    }
    struct page *page = page_from_phys(physical);
    page->count = 0;
    page->prev = 0;
    page->next = space->tables;
    if (page->next)
        page_from_number(page->next)->prev = page_number(page);
    space->tables = page_number(page);
    space->table_pages++;
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

static void table_free(struct space *space, struct page *page) {
    page_free(page_phys(page), 0);
    job_uncharge(space->object.job, JOB_PAGES, 1);
}

/* Hangs an empty table into an entry of the level that shift tells. */
static bool table_add(struct space *space, uint64_t *entry, uint64_t address, unsigned shift) {
    if (shift == TOP_SHIFT && space->shared_ready && address >= GUEST_LIMIT)
        return false;
    uint64_t physical = table_alloc(space);
    if (!physical)
        return false;
    page_clear(phys_to_virt(physical));
    *entry = physical | TABLE_ENTRY;
    if (shift == TOP_SHIFT && space->unified_root)
        table_virt(space->unified_root)[table_slot(address, TOP_SHIFT)] = *entry;
    return true;
}

/* ---- entries ---- */

/* Walks down to the last-level table of an address, creating what is missing; NULL as page_table_entry. */
static uint64_t *table_walk(struct space *space, uint64_t address) {
    uint64_t *table = table_virt(space->root);

    for (unsigned shift = TOP_SHIFT; shift > PAGE_SHIFT; shift -= LEVEL_BITS) {
        uint64_t *entry = &table[table_slot(address, shift)];
        if (!*entry && !table_add(space, entry, address, shift))
            return NULL;
        table = table_virt(*entry);
    }
    space->last_table = table;
    space->last_table_place = address >> TABLE_SHIFT;
    return table;
}

uint64_t *page_table_entry(struct space *space, uint64_t address) {
    uint64_t *table = space->last_table;
    if (!table || space->last_table_place != address >> TABLE_SHIFT)
        table = table_walk(space, address);
    return table ? &table[table_slot(address, PAGE_SHIFT)] : NULL;
}

/* The entry that leads to the last-level table of an address, or NULL. *next is the first address behind that
 * table, or behind the absent one in its place. */
static uint64_t *table_find(struct space *space, uint64_t address, uint64_t *next) {
    uint64_t *table = table_virt(space->root);

    for (unsigned shift = TOP_SHIFT;; shift -= LEVEL_BITS) {
        uint64_t *entry = &table[table_slot(address, shift)];
        if (!*entry || shift == TABLE_SHIFT) {
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

/* Clears the entries of one table in [start, end); frees nothing. */
static void table_clear(struct space *space, uint64_t *table, uint64_t start, uint64_t end,
                        struct flush *flush) {
    struct page *page = page_from_phys(virt_to_phys(table));

    for (uint64_t at = start; at < end && page->count; at += PAGE_SIZE) {
        uint64_t *entry = &table[table_slot(at, PAGE_SHIFT)];
        if (!*entry)
            continue;
        pte_store(entry, 0);
        page->count--;
        space->resident--;
        flush_add(flush, at, at + PAGE_SIZE);
    }
}

void page_table_unmap(struct space *space, uint64_t start, uint64_t end, bool free_tables) {
    struct flush flush = {0};
    uint32_t freed = 0;

    spin_lock(&space->table_lock);
    for (uint64_t at = start, next; at < end; at = next) {
        uint64_t *entry = table_find(space, at, &next);
        if (next > end)
            next = end;
        if (!entry)
            continue;
        struct page *page = page_from_phys(*entry);
        bool whole = next - at == 1ULL << TABLE_SHIFT;
        if (!whole)
            table_clear(space, table_virt(*entry), at, next, &flush);
        if (!whole && (page->count || !free_tables))
            continue;
        space->resident -= page->count;
        space->last_table = NULL;
        *entry = 0;
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

void page_table_restrict(struct space *space, uint64_t start, uint64_t end, bool write, bool exec) {
    uint64_t take = write ? 0 : PTE_WRITE, add = exec ? 0 : PTE_NO_EXEC;
    struct flush flush = {0};

    spin_lock(&space->table_lock);
    for (uint64_t at = start, next; at < end; at = next) {
        uint64_t *table = table_find(space, at, &next);
        if (next > end)
            next = end;
        if (!table)
            continue;
        table = table_virt(*table);
        for (uint64_t address = at; address < next; address += PAGE_SIZE) {
            uint64_t *entry = &table[table_slot(address, PAGE_SHIFT)];
            if (!*entry || (!(*entry & take) && (*entry & add) == add))
                continue;
            pte_store(entry, (*entry & ~take) | add);
            flush_add(&flush, address, address + PAGE_SIZE);
        }
    }
    if (flush.end)
        tlb_shootdown(space, flush.start, flush.end);
    spin_unlock(&space->table_lock);
}

/* ---- whole spaces ---- */

bool page_table_create(struct space *space, uint64_t kernel_root) {
    space->root = table_alloc(space);
    if (!space->root)
        return false;
    page_copy(phys_to_virt(space->root), phys_to_virt(kernel_root));
    table_virt(space->root)[0] = 0;
    if (!space->native)
        return true;
    uint64_t *unified;
    space->unified_root = table_alloc(space);
    if (!space->unified_root)
        return false;
    unified = table_virt(space->unified_root);
    page_copy(unified, table_virt(space->native->root));
    memset(unified, 0, (GUEST_LIMIT >> TOP_SHIFT) * sizeof *unified);
    return true;
}

bool page_table_share(struct space *native) {
    uint64_t *root = table_virt(native->root);
    bool done = true;

    spin_lock(&native->table_lock);
    for (unsigned i = 0; !native->shared_ready && i < SPACE_SHARED_SLOTS && done; i++) {
        uint64_t address = GUEST_LIMIT + ((uint64_t)i << TOP_SHIFT);
        uint64_t *entry = &root[table_slot(address, TOP_SHIFT)];
        done = *entry || table_add(native, entry, address, TOP_SHIFT);
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
