/* Running programs: execve and the start of process 1. */
#pragma once

#include <stdint.h>

#include "linux/fs.h"

struct task;

/* argv or envp, gathered into one block: count strings with their 0s. */
struct string_list {
    char *bytes; /* heap */
    size_t length, capacity;
    uint32_t count;
};
/* Appends one string; -ENOMEM, -E2BIG. */
int string_list_add(struct string_list *list, const char *text, size_t length);
void string_list_free(struct string_list *list);

/* Replaces the calling task's program by the file; arguments and environment are taken as they are. On
 * success the guest registers are those of the new program's first instruction (task->full_restore is set);
 * errors before the point of no return leave the old program as it was, later ones kill it with SIGKILL. name
 * is the path for AT_EXECFN and comm. The file stays the caller's. */
int exec_file(struct task *task, struct file *file, const char *name, const struct string_list *arguments,
              const struct string_list *environment);
