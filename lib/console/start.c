/* See start.h. */
#include "lib/console/start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/console.h"
#include "lib/native/keel.h"

enum { EXIT_USAGE = 2 };

void start_fail(const char *what, int64_t error) {
    log_line("%s: %s", what, strerror((int)-error));
    exit(EXIT_FAILURE);
}

static handle_t handle_given(const char *name) {
    handle_t handle = handle_find(name);
    if (handle == HANDLE_NONE) {
        log_line("no handle \"%s\" was given", name);
        exit(EXIT_USAGE);
    }
    return handle;
}

handle_t handle_need(const char *name, const char *part) {
    char whole[START_NAME_SIZE];
    snprintf(whole, sizeof whole, "%s%s", name, part);
    return handle_given(whole);
}

handle_t handle_need_number(const char *format, unsigned number) {
    char name[START_NAME_SIZE];
    snprintf(name, sizeof name, format, number);
    return handle_given(name);
}

const char *option_need(char **arguments, const char *prefix, const char *usage) {
    for (; *arguments; arguments++)
        if (strncmp(*arguments, prefix, strlen(prefix)) == 0)
            return *arguments + strlen(prefix);
    log_line("usage: %s", usage);
    exit(EXIT_USAGE);
}

handle_t object_make(enum object_type type, uint64_t a, uint64_t b) {
    int64_t handle = keel_handle_create(type, a, b, 0);
    if (handle < 0)
        start_fail("handle_create", handle);
    return (handle_t)handle;
}

void object_bind_need(handle_t object, handle_t port, uint64_t key) {
    int64_t error = keel_object_bind(object, port, key);
    if (error < 0)
        start_fail("object_bind", error);
}

void *link_area_map(const char *name) {
    void *area = memory_map(handle_need(name, ""), 0, CONSOLE_AREA_SIZE, MAP_READ | MAP_WRITE);
    if (!area)
        start_fail("the link cannot be mapped", -ENOMEM);
    return area;
}

handle_t link_open(struct link *link, const char *name, handle_t port, uint64_t key) {
    link_init(link, link_area_map(name));
    object_bind_need(handle_need(name, ".kick"), port, key);
    return handle_need(name, ".call");
}
