/* See mapping.h. */
#include "kernel/mapping.h"

#include "abi/errors.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/job.h"
#include "kernel/kmem.h"

enum { CHANGE_STEP = 20 }; /* mappings */

struct mapping *mapping_alloc_fresh(const struct space *space) {
    struct job *job = space->object.job;

    if (!job_charge(job, JOB_OBJECTS, 1))
        return NULL;
    struct mapping *mapping = kmem_alloc(sizeof *mapping);
    if (!mapping)
        job_uncharge(job, JOB_OBJECTS, 1);
    return mapping;
}

void mapping_free(struct mapping *mapping, struct job *job) {
    kmem_free(mapping, sizeof *mapping);
    job_uncharge(job, JOB_OBJECTS, 1);
}

void mapping_keep(struct mapping *mapping) {
    struct space *space = mapping->space;

    if (space->spare)
        mapping_free(mapping, space->object.job);
    else
        space->spare = mapping;
}

/* ---- one mapping ---- */

void mapping_set_dirty(struct mapping *mapping) {
    mapping->dirty = true;
    list_remove(&mapping->vmo_link);
    list_insert_before(mapping->vmo->mappings.next, &mapping->vmo_link);
}

void mapping_insert(struct mapping *mapping, uint64_t address) {
    mapping_link(mapping, mapping->space, address, mapping->vmo, mapping->dirty);
}

void mapping_remove(struct mapping *mapping) {
    struct space *space = mapping->space;

    spin_lock_inline(&mapping->vmo->lock);
    tree_remove(&space->mappings, &mapping->node);
    list_remove(&mapping->vmo_link);
    spin_unlock(&mapping->vmo->lock);
    space->mapping_count--;
    if (space->last_hit == mapping)
        space->last_hit = NULL;
}

static struct mapping *mapping_of(struct tree_node *node) {
    return node ? container_of(node, struct mapping, node) : NULL;
}

struct mapping *mapping_from(const struct space *space, uint64_t address) {
    struct mapping *found = NULL;

    /* Mappings do not overlap: their ends are in the order of their starts. */
    for (struct tree_node *node = space->mappings.root; node;) {
        struct mapping *mapping = container_of(node, struct mapping, node);
        if (mapping->end <= address) {
            node = node->right;
            continue;
        }
        found = mapping;
        if (node->key <= address)
            break;
        node = node->left;
    }
    return found;
}

struct mapping *mapping_next(const struct mapping *mapping) {
    return mapping_of(tree_next(&mapping->node));
}

void mapping_set_end(struct mapping *mapping, uint64_t end) {
    spin_lock(&mapping->vmo->lock);
    mapping->end = end;
    spin_unlock(&mapping->vmo->lock);
}

/* Cuts a mapping in two at an address inside; rest becomes the upper part. The Vmo must find each entry
 * through a mapping at any time, so the two overlap for a moment. */
static void mapping_cut(struct mapping *mapping, uint64_t address, struct mapping *rest) {
    mapping_describe(rest, mapping);
    /* Without the Vmo's lock: it may just be cleared, and then the rest is protected once more than needed.
     */
    rest->dirty = __atomic_load_n(&mapping->dirty, __ATOMIC_RELAXED);
    rest->offset += address - mapping->node.key;
    object_get(&rest->vmo->object);
    mapping_insert(rest, address);
    mapping_set_end(mapping, address);
}

/* ---- changes of a range ---- */

/* The mapping that an address lies inside of, not at its start; NULL when there is none. */
static struct mapping *mapping_across(const struct space *space, uint64_t address) {
    struct mapping *mapping = mapping_from(space, address);
    return mapping && mapping->node.key < address ? mapping : NULL;
}

/* Lets the range end behind a number of mappings from the first on. */
static void change_limit(struct change *change, const struct mapping *mapping) {
    for (unsigned i = 0; mapping->end < change->end; i++) {
        mapping = mapping_next(mapping);
        if (!mapping || mapping->node.key >= change->end)
            return;
        if (i == CHANGE_STEP)
            change->end = mapping->node.key;
    }
}

int change_prepare(struct change *change, struct space *space, uint64_t start, uint64_t length) {
    uint64_t end = start + length;
    const struct mapping *first = mapping_from(space, start);

    *change = (struct change){.space = space, .start = start, .end = end};
    if (space->spare)
        space->spare->end = 0; /* it no longer says what is vacant */
    change->empty = !first || first->node.key >= end;
    if (change->empty)
        return 0;
    change_limit(change, first);
    if (change->end - start > CHANGE_BYTES)
        change->end = page_table_reach(space, first->node.key > start ? first->node.key : start, change->end);
    change->partial = change->end != end;
    end = change->end;
    unsigned cuts = first->node.key < start;
    cuts += first->end > end || (first->end < end && mapping_across(space, end));

    while (cuts-- > 0) {
        struct mapping *spare = mapping_alloc(space);
        if (!spare)
            return -ENOMEM;
        spare->node.right = change->spares ? &change->spares->node : NULL;
        change->spares = spare;
    }
    return 0;
}

static struct mapping *spare_take(struct change *change) {
    struct mapping *spare = change->spares;
    change->spares = mapping_of(spare->node.right);
    return spare;
}

/* Frees the pages that a MAP_COPY mapping shows in the range, unless the whole Vmo is about to go. Its Vmo is
 * referred to only by pieces of the same mapping. Pages that cannot be freed now, for want of memory, go with
 * the Vmo. */
static int mapping_discard(struct change *change, struct mapping *mapping, unsigned *budget) {
    uint64_t start = mapping->node.key > change->start ? mapping->node.key : change->start;
    uint64_t end = mapping->end < change->end ? mapping->end : change->end;
    bool whole = start == mapping->node.key && end == mapping->end && mapping->vmo->object.references == 1;
    if (whole || !(mapping->flags & MAP_COPY))
        return 0;

    uint64_t first = (mapping->offset + start - mapping->node.key) >> PAGE_SHIFT;
    spin_lock(&mapping->vmo->lock);
    int result =
        vmo_remove(mapping->vmo, first, first + ((end - start) >> PAGE_SHIFT) - 1, budget, &change->pages);
    spin_unlock(&mapping->vmo->lock);
    return result == -EAGAIN ? result : 0;
}

int change_discard(struct change *change) {
    unsigned budget = VMO_STEP;
    struct mapping *mapping;
    int result;

    if (change->empty)
        return 0;
    change_for_each(mapping, change) {
        result = mapping_discard(change, mapping, &budget);
        if (result)
            return result;
    }
    return 0;
}

void change_isolate(struct change *change) {
    struct mapping *mapping;

    if (!change->spares)
        return;
    if ((mapping = mapping_across(change->space, change->start)))
        mapping_cut(mapping, change->start, spare_take(change));
    if ((mapping = mapping_across(change->space, change->end)))
        mapping_cut(mapping, change->end, spare_take(change));
}

void change_remove(struct change *change, struct mapping *mapping) {
    mapping_remove(mapping);
    mapping->node.right = change->dead ? &change->dead->node : NULL;
    change->dead = mapping;
}

void change_clear(struct change *change) {
    struct mapping *mapping;

    if (change->empty)
        return;
    change_isolate(change);
    mapping = mapping_from(change->space, change->start);
    page_table_unmap(change->space, change->start, change->end, true);
    while (mapping && mapping->node.key < change->end) {
        struct mapping *next = mapping_next(mapping);
        change_remove(change, mapping);
        mapping = next;
    }
}

void change_end(struct change *change) {
    struct job *job = change->space->object.job;

    while (change->spares)
        mapping_free(spare_take(change), job);
    while (change->dead) {
        struct mapping *mapping = change->dead;
        change->dead = mapping_of(mapping->node.right);
        object_put(&mapping->vmo->object);
        mapping_free(mapping, job);
    }
    page_list_free(&change->pages);
}
