/* The calls that change a space's mappings; see space.h and, for how, mapping.h. */
#include "abi/errors.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/mapping.h"

enum { MAP_ALL = MAP_READ | MAP_WRITE | MAP_EXEC, MAP_KNOWN = MAP_ALL | MAP_COPY | MAP_ALL << 8 };

/* Whether a page-aligned range lies in what the space may map. */
static inline __attribute__((always_inline)) bool range_valid(const struct space *space, uint64_t address,
                                                              uint64_t length) {
    uint64_t limit = space->limit;
    return !((address | length) % PAGE_SIZE) && address >= USER_BASE && address < limit &&
           length - 1 < limit - address;
}

/* Whether mappings cover all of a range, each allowing the protection. 0, -EACCES or the error for a hole. */
static int range_check(const struct space *space, uint64_t start, uint64_t end, unsigned protection,
                       int hole) {
    struct mapping *mapping = mapping_from(space, start);

    while (mapping && mapping->node.key <= start) {
        if (MAP_ALLOW(protection) & ~mapping->flags)
            return -EACCES;
        if (mapping->end >= end)
            return 0;
        start = mapping->end;
        mapping = mapping_next(mapping);
    }
    return hole;
}

/* ---- map ---- */

/* The mapping before a range, if it is anonymous memory that can simply get longer. */
static struct mapping *mapping_growable(struct space *space, uint64_t start, uint64_t length,
                                        unsigned flags) {
    struct mapping *before = mapping_from(space, start - 1);

    if (!before || before->end != start || before->flags != flags || !(flags & MAP_COPY) ||
        !(before->vmo->kind & VMO_KIND_ANONYMOUS) || before->vmo->object.references != 1 ||
        before->offset + (before->end - before->node.key) + length > VMO_SIZE_MAX)
        return NULL;
    return before;
}

/* Makes its Vmo long enough. Pages that it still holds behind the mapping, from an earlier shrinking, go
 * first. */
static int mapping_extend(struct mapping *mapping, uint64_t length, struct page_list *pages) {
    uint64_t end = mapping->offset + (mapping->end - mapping->node.key);
    unsigned budget = VMO_STEP;
    int result = 0;

    spin_lock(&mapping->vmo->lock);
    if (mapping->vmo->size > end)
        result = vmo_remove(mapping->vmo, end >> PAGE_SHIFT, VMO_SIZE_MAX >> PAGE_SHIFT, &budget, pages);
    if (!result)
        mapping->vmo->size = end + length;
    spin_unlock(&mapping->vmo->lock);
    return result;
}

/* What a new mapping shows: a reference to the Vmo, to a snapshot of it, or to fresh memory. */
static int mapping_source(struct space *space, struct vmo *vmo, uint64_t length, unsigned flags,
                          struct vmo **source) {
    if (!vmo)
        return vmo_create_anonymous(space->object.job, length, source);
    if (flags & MAP_COPY)
        return vmo_snapshot(vmo, space->object.job, source);
    object_get(&vmo->object);
    *source = vmo;
    return 0;
}

/* Describes a mapping whose Vmo is set. */
static inline __attribute__((always_inline)) void
mapping_fill(struct mapping *mapping, struct space *space, uint64_t end, uint64_t offset, unsigned flags) {
    mapping->space = space;
    mapping->end = end;
    mapping->offset = offset;
    mapping->flags = flags;
    mapping->dirty = false;
}

static int change_map(struct change *change, struct vmo *vmo, uint64_t offset, uint64_t length,
                      unsigned flags) {
    struct space *space = change->space;
    struct mapping *mapping = vmo ? NULL : mapping_growable(space, change->start, length, flags);

    if (mapping && !mapping_extend(mapping, length, &change->pages)) {
        change_clear(change);
        mapping_set_end(mapping, change->end);
        return 0;
    }
    mapping = mapping_alloc(space);
    if (!mapping)
        return -ENOMEM;
    int result = mapping_source(space, vmo, length, flags, &mapping->vmo);
    if (result) {
        mapping_free(mapping, space->object.job);
        return result;
    }
    change_clear(change);
    mapping_fill(mapping, space, change->end, offset, flags);
    mapping_insert(mapping, change->start);
    return 0;
}

/* Whatever is mapped in a range makes way, perhaps in several calls; then something else may be mapped there.
 */
static int range_change(struct space *space, uint64_t address, uint64_t length, bool map, struct vmo *vmo,
                        uint64_t offset, unsigned flags) {
    struct change change;

    spin_lock(&space->lock);
    int result = change_prepare(&change, space, address, length);
    if (!result)
        result = change_discard(&change);
    if (!result && map && !change.partial) {
        result = change_map(&change, vmo, offset, length, flags);
    } else if (!result) {
        change_clear(&change);
        result = change.partial ? -EAGAIN : 0;
    }
    spin_unlock(&space->lock);
    change_end(&change);
    return result;
}

/* Whether nothing is mapped in a range. What the spare mapping showed has not been mapped since: any new one
 * would be that, and other changes forget where it was. */
static bool range_vacant(const struct space *space, uint64_t address, uint64_t end) {
    const struct mapping *spare = space->spare;

    if (spare && address >= spare->node.key && end <= spare->end)
        return true;
    const struct mapping *next = mapping_from(space, address);
    return !next || next->node.key >= end;
}

/* The usual case: a Vmo's own pages where nothing is mapped. False when it is not that, or memory is short.
 */
static bool range_map(struct space *space, uint64_t address, struct vmo *vmo, uint64_t offset, uint64_t end,
                      unsigned flags) {
    spin_lock_inline(&space->lock);
    struct mapping *mapping = range_vacant(space, address, end) ? mapping_alloc(space) : NULL;
    if (mapping) {
        mapping->vmo = vmo;
        mapping_fill(mapping, space, end, offset, flags);
        mapping_link(mapping, space, address, vmo, false);
    }
    spin_unlock(&space->lock);
    return mapping;
}

int space_map(struct space *space, uint64_t address, struct vmo *vmo, uint64_t offset, uint64_t length,
              unsigned flags) {
    int result = -EINVAL;
    if (range_valid(space, address, length) && !(flags & ~(unsigned)MAP_KNOWN) && !(offset % PAGE_SIZE) &&
        offset <= (vmo ? VMO_SIZE_MAX : 0)) {
        bool own = vmo && !(flags & MAP_COPY);
        flags |= MAP_ALLOW(own ? (flags & MAP_ALL) | MAP_READ : MAP_ALL);
        if (own && range_map(space, address, vmo, offset, address + length, flags))
            return 0;
        result = range_change(space, address, length, true, vmo, offset, flags);
    }
    if (vmo)
        object_put(&vmo->object);
    return result;
}

/* ---- unmap ---- */

/* The usual case: the range is one mapping, and the whole of what is shown of its Vmo. Its Vmo, which is no
 * longer referenced by it; NULL when it is not that. */
static struct vmo *range_unmap(struct space *space, uint64_t address, uint64_t length) {
    struct mapping *mapping = space->last_hit;

    if (!mapping || mapping->node.key != address)
        mapping = mapping_from(space, address);
    if (!mapping || mapping->node.key != address || mapping->end != address + length ||
        length > CHANGE_BYTES || (mapping->flags & MAP_COPY && mapping->vmo->object.references != 1))
        return NULL;
    struct vmo *vmo = mapping->vmo;
    page_table_unmap(space, address, address + length, true);
    mapping_remove(mapping);
    mapping_keep(mapping);
    return vmo;
}

int space_unmap(struct space *space, uint64_t address, uint64_t length) {
    if (!range_valid(space, address, length))
        return -EINVAL;
    spin_lock_inline(&space->lock);
    struct vmo *vmo = range_unmap(space, address, length);
    spin_unlock(&space->lock);
    if (!vmo)
        return range_change(space, address, length, false, NULL, 0, 0);
    object_put(&vmo->object);
    return 0;
}

/* ---- protect ---- */

/* 0, or how far the range went that was asked for. */
static int64_t change_done(const struct change *change) {
    return change->partial ? (int64_t)(change->end - change->start) : 0;
}

/* Joins a mapping and its successor when they are two parts of one. The successor goes to the change's dead.
 */
static bool mapping_join(struct change *change, struct mapping *mapping, struct mapping *next) {
    uint64_t length = mapping->end - mapping->node.key;

    if (mapping->end != next->node.key || mapping->vmo != next->vmo || mapping->flags != next->flags ||
        mapping->offset + length != next->offset)
        return false;
    spin_lock(&mapping->vmo->lock);
    mapping->end = next->end;
    if (next->dirty)
        mapping_set_dirty(mapping);
    spin_unlock(&mapping->vmo->lock);
    change_remove(change, next);
    return true;
}

/* Joins what a change of flags made alike, up to the mapping behind the range. */
static void change_join(struct change *change) {
    struct mapping *mapping = mapping_from(change->space, change->start - 1), *next;

    while (mapping && mapping->node.key < change->end && (next = mapping_next(mapping)))
        if (!mapping_join(change, mapping, next))
            mapping = next;
}

static void change_protect(struct change *change, unsigned protection) {
    struct mapping *mapping;

    change_isolate(change);
    change_for_each(mapping, change) mapping->flags =
        (mapping->flags & ~(uint32_t)MAP_PROT_MASK) | protection;
    if (protection)
        page_table_restrict(change->space, change->start, change->end, protection & MAP_WRITE,
                            protection & MAP_EXEC);
    else
        page_table_unmap(change->space, change->start, change->end, false);
    change_join(change);
}

int64_t space_protect(struct space *space, uint64_t address, uint64_t length, uint64_t protection) {
    struct change change;

    if (!range_valid(space, address, length) || protection & ~(uint64_t)MAP_PROT_MASK)
        return -EINVAL;
    spin_lock(&space->lock);
    int64_t result = change_prepare(&change, space, address, length);
    if (!result)
        result = range_check(space, address, change.end, (unsigned)protection, -ENOMEM);
    if (!result) {
        change_protect(&change, (unsigned)protection);
        result = change_done(&change);
    }
    spin_unlock(&space->lock);
    change_end(&change);
    return result;
}

/* ---- move ---- */

static void change_move(struct change *change, uint64_t to) {
    struct space *space = change->space;
    struct mapping *mapping;

    change_isolate(change);
    page_table_unmap(space, change->start, change->end, true);
    while ((mapping = mapping_from(space, change->start)) && mapping->node.key < change->end) {
        uint64_t address = mapping->node.key - change->start + to;
        mapping_remove(mapping);
        mapping->end = mapping->end - change->start + to;
        mapping_insert(mapping, address);
    }
}

int64_t space_move(struct space *space, uint64_t address, uint64_t length, uint64_t to) {
    struct change from, there = {.space = space};

    if (!range_valid(space, address, length) || !range_valid(space, to, length) ||
        (address < to + length && to < address + length))
        return -EINVAL;
    spin_lock(&space->lock);
    int64_t result = change_prepare(&from, space, address, length);
    if (!result)
        result = range_check(space, address, from.end, 0, -EFAULT);
    if (!result)
        result = change_prepare(&there, space, to, from.end - from.start);
    if (!result)
        result = change_discard(&there);
    if (!result && there.partial) {
        change_clear(&there);
        result = -EAGAIN;
    } else if (!result) {
        change_clear(&there);
        change_move(&from, to);
        result = change_done(&from);
    }
    spin_unlock(&space->lock);
    change_end(&from);
    change_end(&there);
    return result;
}
