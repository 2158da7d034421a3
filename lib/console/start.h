/*
 * How a driver of a console link starts: handles and options from init, its port, and the link's area. What
 * is missing ends the process with a line in the log.
 */
#pragma once

#include "abi/objects.h"
#include "abi/rights.h"
#include "lib/console/link.h"

/* Ends the driver: what failed, and the kernel's negated error. */
_Noreturn void start_fail(const char *what, int64_t error);

/* The handle given under a name; `part` is appended to it. */
handle_t handle_need(const char *name, const char *part);
/* The same for a range of numbers: "ioport.3f8". */
handle_t handle_need_number(const char *format, unsigned number);

/* The text after a prefix such as "--link=" in the arguments; without it the driver ends and tells its usage.
 */
const char *option_need(char **arguments, const char *prefix, const char *usage);

handle_t object_make(enum object_type type, uint64_t a, uint64_t b);
void object_bind_need(handle_t object, handle_t port, uint64_t key);

/* Maps a link's area, CONSOLE_AREA_SIZE bytes. */
void *link_area_map(const char *name);

/* The device side of a link: kicks arrive at the port under the key; returns the event to call the client
 * with. */
handle_t link_open(struct link *link, const char *name, handle_t port, uint64_t key);
