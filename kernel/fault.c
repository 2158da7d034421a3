/*
 * Page faults: the mapping tells the Vmo and the page, the Vmo's tree has or gets the page, the page table
 * gets the entry. A fault that found its page present brings its neighbours along (AROUND), because a fault
 * costs far more than an entry; one that committed a page behind two others commits a few more (AHEAD).
 */
#include "abi/errors.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/mapping.h"

enum { AROUND = 16, AHEAD = 3 };
#define LARGE_BYTES (2ULL << 20)

/* One fault under way; space and Vmo are locked. */
struct fault {
    struct space *space;
    struct mapping *mapping;
    uint64_t address; /* of the page */
    uint64_t index;   /* in the Vmo */
    uint64_t flags;   /* page-table bits of the mapping */
    struct vmo_found found;
};

/* The entry's value for a page of the tree: writable only when it is exclusive. */
static uint64_t fault_entry(struct fault *fault, struct page *page) {
    uint64_t value = page_phys(page) | fault->flags;
    if (!fault->found.path_exclusive || !user_page_exclusive(page))
        value &= ~(uint64_t)(PTE_WRITE | PTE_DIRTY);
    if (value & PTE_WRITE && !fault->mapping->dirty)
        mapping_set_dirty(fault->mapping);
    return value;
}

/* Fills empty entries around the one of the fault with pages of the same leaf; all in one table. */
static void fault_around(struct fault *fault, uint64_t *entry) {
    uint64_t low = fault->index % AROUND, high = AROUND - 1 - low;
    uint64_t below = (fault->address - fault->mapping->node.key) >> PAGE_SHIFT;
    uint64_t above = ((fault->mapping->end - fault->address) >> PAGE_SHIFT) - 1;
    uint64_t slot = fault->address >> PAGE_SHIFT & 511;

    low = low < below ? low : below;
    low = low < slot ? low : slot;
    high = high < above ? high : above;
    high = high < 511 - slot ? high : 511 - slot;
    for (uint64_t i = fault->index - low; i <= fault->index + high; i++) {
        uint64_t *neighbour = entry + (int64_t)(i - fault->index);
        struct page *page = fault->found.leaf->slots[vmo_node_slot(i)].page;
        if (!*neighbour && page)
            page_table_set(fault->space, neighbour, fault_entry(fault, page));
    }
}

/* Commits and maps the pages that a program which fills memory in ascending order will touch next. */
static void fault_ahead(struct fault *fault, uint64_t *entry) {
    struct vmo *vmo = fault->mapping->vmo;
    unsigned slot = vmo_node_slot(fault->index);
    uint64_t address = fault->address, index = fault->index;

    if (slot < 2 || !fault->found.leaf->slots[slot - 1].page || !fault->found.leaf->slots[slot - 2].page)
        return;
    for (unsigned i = 0; i < AHEAD && vmo_node_slot(++index); i++) {
        address += PAGE_SIZE;
        if (address == fault->mapping->end || index == vmo_page_count(vmo) || table_ends(address) ||
            fault->found.leaf->slots[vmo_node_slot(index)].page)
            return;
        struct page *page = vmo_commit_fresh(vmo, index);
        if (!page)
            return;
        page_table_set(fault->space, ++entry, fault_entry(fault, page));
    }
}

/* Enters the page found, and others by the way. */
static void fault_enter(struct fault *fault, uint64_t *entry, unsigned access) {
    page_table_set(fault->space, entry, fault_entry(fault, fault->found.page));
    if (fault->found.fresh)
        fault_ahead(fault, entry);
    else if (access != MAP_WRITE)
        fault_around(fault, entry);
}

/* All of the 2 MB around, where they are in one place and shown whole. */
static __attribute__((noinline)) bool fault_enter_large(struct fault *fault) {
    const struct mapping *mapping = fault->mapping;
    const struct vmo *vmo = mapping->vmo;
    uint64_t physical = vmo->base + (fault->index << PAGE_SHIFT), inset = fault->address % LARGE_BYTES;
    uint64_t uncached = vmo->kind & VMO_KIND_CACHED ? 0 : PTE_UNCACHED;

    return physical % LARGE_BYTES == inset && fault->address - mapping->node.key >= inset &&
           mapping->end - fault->address >= LARGE_BYTES - inset &&
           vmo->base + vmo->size - physical >= LARGE_BYTES - inset &&
           page_table_set_large(fault->space, fault->address, (physical - inset) | fault->flags | uncached);
}

static void fault_enter_physical(struct fault *fault, uint64_t *entry) {
    struct vmo *vmo = fault->mapping->vmo;
    uint64_t uncached = vmo->kind & VMO_KIND_CACHED ? 0 : PTE_UNCACHED;
    page_table_set(fault->space, entry, (vmo->base + (fault->index << PAGE_SHIFT)) | fault->flags | uncached);
}

/* The Vmo's part, under its lock. */
static int fault_resolve(struct fault *fault, unsigned access, struct page_list *list) {
    struct vmo *vmo = fault->mapping->vmo;
    bool physical = vmo->kind & VMO_KIND_PHYSICAL;

    if (fault->index >= vmo_page_count(vmo))
        return -ENXIO;
    if (!physical && vmo_commit(vmo, fault->index, access == MAP_WRITE, &fault->found, list))
        return -ENOMEM;
    fault->flags = pte_flags(fault->mapping->flags);
    spin_lock_inline(&fault->space->table_lock);
    bool done = physical && fault_enter_large(fault);
    if (!done) {
        uint64_t *entry = page_table_entry(fault->space, fault->address);
        done = entry;
        if (entry && physical)
            fault_enter_physical(fault, entry);
        else if (entry)
            fault_enter(fault, entry, access);
    }
    spin_unlock(&fault->space->table_lock);
    return done ? 0 : -ENOMEM;
}

/* The mapping of an address that allows the access, or why not. */
static int fault_find(struct space *space, uint64_t address, unsigned access, struct mapping **found) {
    struct mapping *mapping = space->last_hit;

    if (!mapping || !mapping_contains(mapping, address)) {
        if (space->clones)
            return -EAGAIN;
        mapping = mapping_from(space, address);
        if (!mapping || !mapping_contains(mapping, address))
            return -EFAULT;
        space->last_hit = mapping;
    }
    *found = mapping;
    /* The processor reads what it may write or execute. */
    if (access == MAP_READ)
        access = MAP_PROT_MASK;
    return mapping->flags & access ? 0 : -EACCES;
}

int space_fault(struct space *space, uint64_t address, unsigned access) {
    struct fault fault; /* not cleared: this is the most frequent thing the memory code does */
    struct page_list list = {0};

    fault.space = space;
    fault.address = address & -(uint64_t)PAGE_SIZE;
    spin_lock_inline(&space->lock);
    int result = fault_find(space, address, access, &fault.mapping);
    if (!result) {
        struct vmo *vmo = fault.mapping->vmo;
        fault.index = (fault.mapping->offset + (fault.address - fault.mapping->node.key)) >> PAGE_SHIFT;
        spin_lock_inline(&vmo->lock);
        result = fault_resolve(&fault, access, &list);
        spin_unlock(&vmo->lock);
    }
    spin_unlock(&space->lock);
    page_list_free(&list);
    return result;
}
