/*
 * Builds a process from a static ELF file: segments, stack with arguments and handle table, UTCB, first
 * thread. The file's bytes are not trusted. May block for as long as the kernel needs to copy the segments.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "abi/start.h"

enum { SPAWN_HANDLES_MAX = 64, SPAWN_SEGMENTS_MAX = 16 };

/* The memory that a process starts with: the image's segments, and the stack as the last one. */
struct spawn_segment {
    uint64_t address, length, protection; /* whole pages; MAP_ */
    handle_t vmo;
};
struct spawn_memory {
    struct spawn_segment segments[SPAWN_SEGMENTS_MAX + 1];
    size_t count;
};

struct spawn_request {
    handle_t job;
    const void *image; /* the ELF file, readable in this process */
    size_t image_length;
    const char *const *arguments;   /* ends with NULL; the first is the process's name */
    const char *const *environment; /* ends with NULL */
    /* Names and handles for the new process, in order; their values there are 1, 2, … */
    const struct start_handle *handles;
    size_t handle_count;
    /* Where the death of the process is reported, and under which key; HANDLE_NONE: nowhere. */
    handle_t port;
    uint64_t key;
    /* Not NULL: the caller keeps the memory objects too, with all rights, and closes them one day
     * (spawn_memory_close). Empty after a failure. */
    struct spawn_memory *memory;
};

/* Returns 0 and a handle to the running process, or a negated error: ENOEXEC not a static x86_64 ELF, E2BIG
 * arguments do not fit the stack, or the kernel's. The handles have left this process when *moved is set,
 * whatever the result. */
int64_t process_spawn(const struct spawn_request *request, handle_t *process, bool *moved);

void spawn_memory_close(struct spawn_memory *memory);
