/* Calls on memory objects and address spaces. */
#include "kernel/syscall.h"

/* ---- memory objects ---- */

/* Objects that are made in parts begin with their struct object. */
_Static_assert(!offsetof(struct vmo, object) && !offsetof(struct space, object), "and NULL is none");

/* What an earlier part of the current thread's call has made, or NULL; no longer kept. */
static void *unfinished_take(enum object_type type) {
    struct thread *thread = thread_current();
    struct object *object = thread->unfinished;

    thread->unfinished = NULL;
    if (!object || object->type == type)
        return object;
    object_put(object);
    return NULL;
}

/* The result of a part: the object is complete, or kept for the next part, or there is none. */
static int64_t unfinished_publish(void *made, int64_t result) {
    struct object *object = made;

    if (result == -EAGAIN) {
        thread_current()->unfinished = object;
        return call_restart();
    }
    if (!result)
        return object_publish(object);
    if (object)
        object_put(object);
    return result;
}

/* An unfinished Vmo of that kind and size, or NULL. */
static struct vmo *vmo_unfinished(uint64_t size, unsigned kind) {
    struct vmo *vmo = unfinished_take(OBJECT_VMO);

    if (!vmo || (vmo->kind & kind && vmo->size == size))
        return vmo;
    object_put(&vmo->object);
    return NULL;
}

int64_t call_vmo_create(uint64_t size, uint64_t flags) {
    struct vmo *vmo = vmo_unfinished(size, VMO_KIND_PINNED);
    int64_t result = vmo ? vmo_fill(vmo) : vmo_create(process_current()->object.job, size, flags, &vmo);
    return unfinished_publish(vmo, result);
}

int64_t call_vmo_read(struct vmo *vmo, uint64_t offset, uint64_t buffer, uint64_t length) {
    return vmo_read_user(vmo, offset, buffer, length);
}

int64_t call_vmo_write(struct vmo *vmo, uint64_t offset, uint64_t buffer, uint64_t length) {
    return vmo_write_user(vmo, offset, buffer, length);
}

int64_t call_vmo_snapshot(struct vmo *vmo) {
    return restart_if_again(PUBLISH_MADE(vmo, vmo_snapshot(vmo, process_current()->object.job, &made)));
}

int64_t call_vmo_resize(struct vmo *vmo, uint64_t size) {
    return restart_if_again(vmo_resize(vmo, size));
}

int64_t call_vmo_discard(struct vmo *vmo, uint64_t offset, uint64_t length) {
    return restart_if_again(vmo_discard(vmo, offset, length));
}

int64_t call_vmo_physical(struct resource *resource, uint64_t physical, uint64_t size) {
    if (!resource_covers(resource, RESOURCE_MMIO, physical, size))
        return -EACCES;
    return PUBLISH_MADE(vmo,
                        vmo_create_physical(process_current()->object.job, physical, size, false, &made));
}

int64_t call_dma_create(struct resource *resource, uint64_t size, uint64_t limit) {
    if (!resource_is(resource, RESOURCE_DMA))
        return -EACCES;
    struct vmo *vmo = vmo_unfinished(size, VMO_KIND_BLOCK);
    int64_t result = vmo ? vmo_fill(vmo) : vmo_create_block(process_current()->object.job, size, limit, &vmo);
    return unfinished_publish(vmo, result);
}

/* ---- spaces ---- */

int64_t call_space_create(struct job *job) {
    return PUBLISH_MADE(space, space_create_guest(process_current()->space, job, &made));
}

_Static_assert((RIGHT_READ | RIGHT_WRITE << 4 | RIGHT_EXEC << 8) ==
                   (MAP_READ | MAP_WRITE << 4 | MAP_EXEC << 8),
               "these rights are protections");

/* The rights that a mapping of a Vmo asks for; a private copy only reads it. */
static uint32_t mapping_rights(uint64_t flags) {
    uint32_t rights = RIGHT_READ;
    if (flags & MAP_WRITE && !(flags & MAP_COPY))
        rights |= RIGHT_WRITE;
    if (flags & MAP_EXEC)
        rights |= RIGHT_EXEC;
    return rights;
}

/* Native programs do not write what they execute; guests may, because Linux programs compile at run time. */
static bool protection_refused(const struct space *space, uint64_t flags) {
    return !space->native && !(~flags & (MAP_WRITE | MAP_EXEC));
}

int64_t call_space_map(struct space *space, uint64_t address, uint64_t vmo_handle, uint64_t offset,
                       uint64_t length, uint64_t flags) {
    struct object *object;
    if (flags & ~(uint64_t)(MAP_PROT_MASK | MAP_COPY))
        return -EINVAL;
    if (protection_refused(space, flags))
        return -EACCES;
    if (!vmo_handle)
        return restart_if_again(space_map(space, address, NULL, 0, length, (unsigned)flags));
    uint32_t held;
    int64_t result =
        handle_lookup_held(handles_current(), vmo_handle, OBJECT_VMO, mapping_rights(flags), &object, &held);
    if (result)
        return result;
    flags |= MAP_ALLOW(held & MAP_PROT_MASK); /* what space_protect may give later */
    return restart_if_again(
        space_map(space, address, container_of(object, struct vmo, object), offset, length, (unsigned)flags));
}

int64_t call_space_unmap(struct space *space, uint64_t address, uint64_t length) {
    return restart_if_again(space_unmap(space, address, length));
}

/* How much of its range this call did before it was restarted. */
static __attribute__((noinline)) uint64_t progress_take(uint64_t length) {
    struct thread *thread = thread_current();
    uint64_t done = thread->progress;

    thread->progress = 0;
    return done < length ? done : 0;
}

/* A call's result when it has done that, and then what its last part gave. */
static int64_t progress_keep(uint64_t done, int64_t result) {
    if (result > 0)
        done += (uint64_t)result;
    else if (result != -EAGAIN)
        return result;
    thread_current()->progress = done;
    return call_restart();
}

int64_t call_space_protect(struct space *space, uint64_t address, uint64_t length, uint64_t protection) {
    if (protection_refused(space, protection))
        return -EACCES;
    uint64_t done = progress_take(length);
    return progress_keep(done, space_protect(space, address + done, length - done, protection));
}

int64_t call_space_clone(struct space *space, uint64_t job_handle) {
    struct job *job;
    int64_t result = job_find(job_handle, &job);
    if (result)
        return result;
    struct space *copy = unfinished_take(OBJECT_SPACE);
    result = space_clone(space, job, &copy);
    object_put(&job->object);
    return unfinished_publish(copy, result);
}

int64_t call_space_move(struct space *space, uint64_t address, uint64_t length, uint64_t to) {
    uint64_t done = progress_take(length);
    return progress_keep(done, space_move(space, address + done, length - done, to + done));
}
