/* Address spaces as a whole: creation, copies, destruction. See space.h. */
#include "kernel/space.h"

#include "abi/errors.h"
#include "kernel/arch/x86_64/page_table.h"
#include "kernel/mapping.h"

enum { DESTROY_STEP = 16, CLONE_STEP = 10 };

/* A space with roots; native NULL makes a native one. */
static int space_create(struct space *native, struct job *job, struct space **made) {
    struct space *space = object_create(OBJECT_SPACE, sizeof *space, job);
    if (!space)
        return -ENOMEM;
    lock_init(&space->lock, LOCK_RANK_SPACE);
    lock_init(&space->table_lock, LOCK_RANK_TABLE);
    space->limit = USER_LIMIT;
    atomic_init(&space->stamp, tlb_stamp());
    if (native) {
        object_get(&native->object);
        space->native = native;
        space->limit = GUEST_LIMIT;
    }
    if ((native && !page_table_share(native)) || !page_table_create(space)) {
        object_put(&space->object);
        return -ENOMEM;
    }
    *made = space;
    return 0;
}

int space_create_native(struct job *job, struct space **made) {
    return space_create(NULL, job, made);
}

int space_create_guest(struct space *native, struct job *job, struct space **made) {
    return space_create(native, job, made);
}

/* ---- copies ---- */

/* What the copy of a mapping shows: the same Vmo, or one snapshot for all pieces of a MAP_COPY mapping. */
static int clone_source(struct mapping *mapping, const struct space *copy, struct vmo **source) {
    struct vmo *vmo = mapping->vmo;

    if (mapping->flags & MAP_COPY && vmo->clone_serial != copy->clone_serial) {
        int result = vmo_share(vmo, copy->object.job, &vmo->clone);
        if (!result)
            vmo->clone_serial = copy->clone_serial;
        *source = vmo->clone;
        return result;
    }
    *source = mapping->flags & MAP_COPY ? vmo->clone : vmo;
    object_get(&(*source)->object);
    return 0;
}

static int mapping_clone(struct mapping *mapping, struct space *space) {
    struct job *job = space->object.job;
    struct mapping *copy = mapping_alloc(space);
    if (!copy)
        return -ENOMEM;
    mapping_describe(copy, mapping);
    copy->space = space;
    int result = clone_source(mapping, space, &copy->vmo);
    if (result)
        mapping_free(copy, job);
    else
        mapping_insert(copy, mapping->node.key);
    return result;
}

static struct mapping *mapping_first(const struct space *space) {
    return mapping_from(space, 0);
}

/* Copies mappings from where an unfinished copy ends. Their pages are shared while the space may still write
 * them, which nobody sees: the last step takes that away. What may not be written without a fault waits for
 * that: otherwise it would be missing in the copy, and what the same thread writes later would not. */
static int clone_step(struct space *space, struct space *copy) {
    int result = 0;

    spin_lock(&space->lock);
    space->last_hit = NULL;
    struct mapping *mapping = mapping_from(space, copy->clone_end);
    if (mapping &&
        mapping->node.key < copy->clone_end) /* new since the last step: it may overlap what is copied */
        mapping = mapping_next(mapping);
    for (unsigned i = 0; mapping && !result; i++) {
        result = i < CLONE_STEP ? mapping_clone(mapping, copy) : -EAGAIN;
        if (!result) {
            copy->clone_end = mapping->end;
            mapping = mapping_next(mapping);
        }
    }
    if (!result)
        page_table_protect(space, 0, GUEST_LIMIT);
    spin_unlock(&space->lock);
    return result;
}

/* The copy is finished, or given up. */
static void clone_end(struct space *copy) {
    struct space *of = copy->clone_of;

    if (!of)
        return;
    copy->clone_of = NULL;
    of->clones--;
    object_put(&of->object);
}

int space_clone(struct space *space, struct job *job, struct space **made) {
    static _Atomic uint64_t serial;
    struct space *copy = *made;
    int result = 0;

    if (!space->native)
        return -EINVAL;
    if (!copy || copy->clone_of != space || copy->object.job != job) {
        result = space_create(space->native, job, &copy);
        if (result)
            return result;
        if (*made)
            object_put(&(*made)->object);
        *made = copy;
        object_get(&space->object);
        copy->clone_of = space;
        copy->clone_serial = ++serial;
        space->clones++;
    }
    result = clone_step(space, copy);
    if (!result)
        clone_end(copy);
    return result;
}

/* ---- information and end ---- */

void space_info(struct space *space, struct space_info *info) {
    *info = (struct space_info){
        .resident_pages = space->resident,
        .table_pages = space->table_pages,
        .mappings = space->mapping_count,
    };
}

bool space_destroy_step(struct space *space) {
    struct mapping *mapping;

    clone_end(space);
    for (unsigned i = 0; (mapping = mapping_first(space)); i++) {
        if (i == DESTROY_STEP)
            return false;
        struct vmo *vmo = mapping->vmo;
        mapping_remove(mapping);
        mapping_free(mapping, space->object.job);
        object_put(&vmo->object);
    }
    if (space->spare)
        mapping_free(space->spare, space->object.job);
    space->spare = NULL;
    /* A CPU that went idle, or whose thread just ended, may still have a root loaded. */
    tlb_shootdown(space, 0, 0);
    if (!page_table_destroy_step(space))
        return false;
    if (space->native)
        object_put(&space->native->object);
    object_free(&space->object, sizeof *space);
    return true;
}
