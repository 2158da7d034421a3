/* The personality's command line (--tty, --stream, --winsize=ROWSxCOLS, --env=NAME=VALUE,
 * --isolation=process|appliance,
 * --root-offset=N, --framebuffer=DESCRIPTION, --context=SECURITY-CONTEXT, -- PROGRAM ARGUMENTS…). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux/task/exec.h"
#include "linux/task/security.h"

struct options {
    bool tty, appliance, login; /* login: no program was named, so that it is a login shell */
    uint16_t rows, columns;
    uint64_t root_offset;
    const char *framebuffer;          /* as servers/init/framebuffer.h describes one; NULL: there is none */
    struct security_context *context; /* of the first process, referenced */
    const char *program;
    struct string_list arguments, environment; /* heap */
};

/* 0, -ENOMEM, or -EINVAL with *wrong pointing at the argument that makes no sense. */
int options_read(struct options *options, uint64_t count, char *const *texts, const char **wrong);

/* The value of a variable in an environment list, or NULL. */
const char *environment_find(const struct string_list *environment, const char *name);
