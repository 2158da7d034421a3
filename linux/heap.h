/* The personality's heap. Thread-safe; allocations are 16-byte aligned (whole pages when size ≥ 4096). */
#pragma once

#include <stddef.h>

/* NULL when the container's memory is exhausted: callers return ENOMEM. */
void *heap_alloc(size_t size);
void *heap_zalloc(size_t size);
void heap_free(void *pointer); /* NULL is allowed */
/* Bytes handed out at the moment, for /proc/keel and the leak tests. */
size_t heap_used(void);
