/* The personality's heap. Thread-safe; allocations are 16-byte aligned (whole pages when size ≥ 4096). */
#pragma once

#include <stddef.h>

/* NULL when the container's memory is exhausted: callers return ENOMEM. */
void *heap_alloc(size_t size);
void *heap_zalloc(size_t size);
void heap_free(void *pointer); /* NULL is allowed */
/* Gives what is free back to the kernel, for when memory is short. */
void heap_trim(void);
/* Bytes handed out at the moment, for /proc/keel and the leak tests. */
size_t heap_used(void);
