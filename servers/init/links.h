/*
 * The console links of the manifest: one shared Vmo and two events each, made once at start, so that either
 * end can be restarted without the other noticing more than a pause.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"
#include "servers/init/manifest.h"

enum { LINKS_MAX = MANIFEST_SERVICES * MANIFEST_LINKS };

struct link_object {
    char name[MANIFEST_NAME];
    handle_t vmo, kick, call;
};

struct links {
    struct link_object objects[LINKS_MAX];
    unsigned count;
};

/* Makes the objects of every offered link. 0 or the kernel's negated error. */
int64_t links_create(struct links *links, const struct manifest *manifest);

const struct link_object *links_find(const struct links *links, const char *name);

/* Whether the driver has sent everything its client gave it; *sent tells how far it is, to see progress. */
bool link_drained(const struct link_object *link, uint16_t *sent);
