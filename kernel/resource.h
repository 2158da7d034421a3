/* Resources: authority over things that are not kernel objects: ports, device memory, interrupt lines, log,
 * counters. */
#pragma once

#include "kernel/object.h"

struct resource {
    struct object object;
    uint64_t kind; /* enum resource_kind */
    uint64_t base, length;
};

struct resource *resource_create(struct job *job, uint64_t kind, uint64_t base, uint64_t length);
/* A narrower one. NULL parent error: -EACCES when the parent does not cover it, -EINVAL, -ENOMEM. */
int resource_derive(const struct resource *parent, struct job *job, uint64_t kind_and_base, uint64_t length,
                    struct resource **made);
/* Whether the resource covers [base, base + length) of a kind. */
bool resource_covers(const struct resource *resource, uint64_t kind, uint64_t base, uint64_t length);
/* As above, for a kind without a range. */
bool resource_is(const struct resource *resource, uint64_t kind);
