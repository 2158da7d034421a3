/* See grants.h. */
#include "servers/devices/grants.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/native/keel.h"

static void refuse(struct grants *grants, const char *name, int64_t error) {
    log_line("\"%s\" for a driver: %s", name, strerror((int)-error));
    grants->error = error;
}

void grant_copy(struct grants *grants, const char *name, handle_t handle, uint64_t rights) {
    if (grants->error)
        return;
    int64_t copy =
        grants->count < SPAWN_HANDLES_MAX ? keel_handle_duplicate(handle, rights | RIGHT_GRANT) : -EMFILE;
    if (copy < 0) {
        refuse(grants, name, copy);
        return;
    }
    struct start_handle *entry = &grants->handles[grants->count++];
    *entry = (struct start_handle){.handle = (handle_t)copy};
    snprintf(entry->name, sizeof entry->name, "%s", name);
}

void grant_made(struct grants *grants, const char *name, int64_t made, uint64_t rights) {
    if (made < 0 && !grants->error)
        refuse(grants, name, made);
    grant_copy(grants, name, (handle_t)made, rights);
    if (made >= 0)
        (void)keel_handle_close((uint64_t)made);
}

void grant_argument(struct grants *grants, const char *format, ...) {
    if (grants->argument_count == GRANT_ARGUMENTS) {
        grants->error = -E2BIG;
        return;
    }
    char *text = grants->texts[grants->argument_count];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, GRANT_TEXT, format, arguments);
    va_end(arguments);
    grants->arguments[grants->argument_count++] = text;
}

void grants_close(struct grants *grants) {
    for (size_t i = 0; i < grants->count; i++)
        (void)keel_handle_close(grants->handles[i].handle);
    grants->count = 0;
}
