/* See resource.h. */
#include "kernel/resource.h"

#include "abi/errors.h"

enum { KIND_SHIFT = 56 };

struct resource *resource_create(struct job *job, uint64_t kind, uint64_t base, uint64_t length) {
    struct resource *resource = object_create(OBJECT_RESOURCE, sizeof(*resource), job);
    if (!resource)
        return NULL;
    resource->kind = kind;
    resource->base = base;
    resource->length = length;
    return resource;
}

bool resource_covers(const struct resource *resource, uint64_t kind, uint64_t base, uint64_t length) {
    if (resource->kind == RESOURCE_ROOT)
        return true;
    return resource->kind == kind && base >= resource->base && length <= resource->length &&
           base - resource->base <= resource->length - length;
}

__attribute__((noinline)) bool resource_is(const struct resource *resource, uint64_t kind) {
    return resource_covers(resource, kind, 0, 0);
}

int resource_derive(const struct resource *parent, struct job *job, uint64_t kind_and_base, uint64_t length,
                    struct resource **made) {
    uint64_t kind = kind_and_base >> KIND_SHIFT;
    uint64_t base = kind_and_base & ((1ULL << KIND_SHIFT) - 1);

    if (kind > RESOURCE_LINK || length > 1ULL << KIND_SHIFT)
        return -EINVAL;
    if (kind == RESOURCE_ROOT ? parent->kind != RESOURCE_ROOT : !resource_covers(parent, kind, base, length))
        return -EACCES;
    *made = resource_create(job, kind, base, length);
    return *made ? 0 : -ENOMEM;
}
