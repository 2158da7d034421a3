/*
 * /proc: every file is a table line with a function that prints its text into a struct text. The text is made
 * when a file is read from its start.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux/fs.h"

/* A text that grows on the heap; an allocation that fails sets failed and drops what follows. */
struct text {
    char *bytes;
    size_t length, capacity;
    bool failed;
};
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_bytes(struct text *text, const void *bytes, size_t length);
/* A name and hexadecimal digits in capitals, at least so many (1 to 8). */
void text_capitals(struct text *text, const char *name, uint32_t value, unsigned least);
/* A string with blanks, tabs, newlines and backslashes as \ooo, for mounts and maps. */
void text_escaped(struct text *text, const char *string, const char *escape);
void text_free(struct text *text);

extern const struct filesystem_type proc_type, sysfs_type;
