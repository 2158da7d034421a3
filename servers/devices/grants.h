/*
 * The handles and arguments that a driver starts with, collected before its process exists
 * (lib/driver/driver.h lists them). Each handle is a fresh one with just the rights needed; they move to the
 * process, or are closed when it does not come about. After the first failure, additions do nothing.
 */
#pragma once

#include "lib/native/spawn.h"

enum { GRANT_ARGUMENTS = 24, GRANT_TEXT = 48 };

struct grants {
    struct start_handle handles[SPAWN_HANDLES_MAX];
    size_t count;
    char texts[GRANT_ARGUMENTS][GRANT_TEXT];
    const char *arguments[GRANT_ARGUMENTS + 1]; /* ends with NULL */
    unsigned argument_count;
    int64_t error;
};

/* A copy of a handle that this process keeps. */
void grant_copy(struct grants *grants, const char *name, handle_t handle, uint64_t rights);
/* Of a handle just made (or a negated error), which does not stay here. */
void grant_made(struct grants *grants, const char *name, int64_t made, uint64_t rights);
void grant_argument(struct grants *grants, const char *format, ...) __attribute__((format(printf, 2, 3)));
void grants_close(struct grants *grants);
