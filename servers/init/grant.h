/*
 * The capabilities a service starts with, collected before its process exists. Each is a fresh handle with
 * just the rights needed; they move to the process, or are closed when it does not come about.
 */
#pragma once

#include "lib/native/spawn.h"
#include "servers/init/service.h"

struct grants {
    struct start_handle handles[SPAWN_HANDLES_MAX];
    size_t count;
    int64_t error; /* the first failure; later additions do nothing */
};

/* Everything the manifest entry names. */
void grants_collect(struct grants *grants, const struct service *service, const struct system *system);
void grants_close(struct grants *grants);
