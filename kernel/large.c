/* See large.h. */
#include "kernel/large.h"

#include "kernel/arch/x86_64/page_table.h"
#include "kernel/job.h"
#include "kernel/mapping.h"

enum { LARGE_ORDER = 9, LARGE_PAGES = 1 << LARGE_ORDER };
#define LARGE_BYTES ((uint64_t)LARGE_PAGES * PAGE_SIZE)

/* Whether 2 MB may be filled. */
static bool large_wanted(const struct mapping *mapping, uint64_t address, uint64_t index) {
    const struct vmo_tree *tree = &mapping->vmo->tree;

    return mapping->vmo->kind & VMO_KIND_ANONYMOUS && mapping->flags & MAP_WRITE &&
           mapping->end - address >= LARGE_BYTES && index && vmo_tree_next(tree, index - 1) == index - 1 &&
           vmo_tree_next(tree, index) - index >= LARGE_PAGES && page_free_count() >= page_total_count() / 4;
}

/* Makes a zeroed block the pages from an index on. False: memory exhausted; the Vmo is as before. */
static __attribute__((noinline)) bool large_commit(struct vmo *vmo, uint64_t index, struct page *first) {
    struct job *job = vmo->object.job;
    uint64_t end = index + LARGE_PAGES, at;
    struct page_list none = {0};
    unsigned budget = 0;

    for (at = index; at < end; at = (at | (VMO_NODE_SLOTS - 1)) + 1)
        if (!vmo_tree_own(&vmo->tree, at)) {
            vmo_tree_remove(&vmo->tree, index, at, &budget, &none);
            return false;
        }
    for (at = index; at < end;)
        at = vmo_tree_fill(&vmo->tree, at, end, first + (at - index));
    atomic_fetch_add_explicit(&job->object.references, LARGE_PAGES, memory_order_relaxed);
    return true;
}

/* With a block, uses it. Without, whether there is a use for one. */
static bool large_step(struct mapping *mapping, uint64_t address, uint64_t *block) {
    uint64_t index = (mapping->offset + (address - mapping->node.key)) >> PAGE_SHIFT;
    struct space *space = mapping->space;

    spin_lock(&mapping->vmo->lock);
    bool wanted = large_wanted(mapping, address, index);
    if (wanted && *block && large_commit(mapping->vmo, index, page_from_phys(*block))) {
        if (!mapping->dirty)
            mapping_set_dirty(mapping);
        spin_lock(&space->table_lock);
        page_table_set_large(space, address, *block | pte_flags(mapping->flags));
        spin_unlock(&space->table_lock);
        *block = 0;
    }
    spin_unlock(&mapping->vmo->lock);
    return wanted;
}

__attribute__((noinline)) bool large_fault(struct space *space, uint64_t address) {
    struct job *job = space->object.job;
    uint64_t block = 0;
    bool again, had;

    do {
        had = block;
        spin_lock(&space->lock);
        struct mapping *mapping = space->clones ? NULL : mapping_from(space, address);
        again = mapping && mapping_contains(mapping, address) && large_step(mapping, address, &block) && !had;
        spin_unlock(&space->lock);
    } while (again && (block = user_block_alloc(job, LARGE_ORDER)));
    if (!block)
        return had;
    user_block_free(job, block, LARGE_ORDER);
    return false;
}
