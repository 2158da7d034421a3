/*
 * The links and ports of the manifest, made once at start. A link is one shared Vmo and two events; either
 * end can be restarted without the other noticing more than a pause. A port is where callers know a service,
 * also after it was started again.
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

struct port_object {
    char name[MANIFEST_NAME];
    handle_t port;
};

struct links {
    struct link_object objects[LINKS_MAX];
    unsigned count;
    struct port_object ports[LINKS_MAX];
    unsigned port_count;
};

/* Makes the objects of every offered link and every port that is served. 0 or the kernel's negated error. */
int64_t links_create(struct links *links, const struct manifest *manifest);

const struct port_object *ports_find(const struct links *links, const char *name);
const struct link_object *links_find(const struct links *links, const char *name);

/* Whether the driver has sent everything its client gave it; *sent tells how far it is, to see progress. */
bool link_drained(const struct link_object *link, uint16_t *sent);
