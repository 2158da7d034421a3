/*
 * What native programs use beside musl: the UTCB, the clock, handles by name, mapping of memory objects, the
 * log. Nothing here makes a class 0 call, so all of it may be used by the class 0 handler itself.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "abi/objects.h"
#include "abi/start.h"
#include "abi/utcb.h"
#include "lib/keel/call.h"

/* The calling thread's UTCB. */
static inline struct utcb *utcb_own(void) {
    struct utcb *utcb;
    __asm__("mov %%gs:%c1, %0" : "=r"(utcb) : "i"(offsetof(struct utcb, self)));
    return utcb;
}

/* Nanoseconds since boot: the scale of every deadline. */
uint64_t clock_now(void);

/* The handle this process was started with under a name; HANDLE_NONE when it was not given. */
handle_t handle_find(const char *name);

/* argv[0] as the process was started with it. */
const char *program_name(void);

/* Maps pages of a memory object at a free address of this process. Offset and length in bytes, page-aligned;
 * flags as for space_map. NULL when there is no room or the kernel refuses. */
void *memory_map(handle_t vmo, uint64_t offset, uint64_t length, uint64_t flags);
/* Takes away what memory_map returned. */
void memory_unmap(void *address, uint64_t length);

/* One line in the kernel log, "NAME: text\n", with the handle named "log"; nothing when the process has none.
 * Longer text than LOG_LINE_MAX is cut. */
enum { LOG_LINE_MAX = 512 };
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The bytes as they are. */
void log_bytes(const char *bytes, size_t length);
/* Which handle the log goes to, for a process that makes its own (init). */
void log_use(handle_t log);
