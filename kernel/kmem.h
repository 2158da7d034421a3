/*
 * Kernel memory by size: slabs of one page for the size classes 64, 128 … 2048 bytes, whole page blocks
 * beyond. Objects are 64-byte aligned and lie below PAGE_LIMIT_OBJECT, so that physical address / 64 is a
 * 32-bit object id. A magazine per CPU and class serves the common case without a lock. Nothing is charged
 * here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Not cleared. NULL when memory is exhausted. size > 0; any size up to PAGE_SIZE << PAGE_ORDER_MAX. */
void *kmem_alloc(size_t size);
/* The size is the one given to kmem_alloc. */
void kmem_free(void *pointer, size_t size);

/* Bytes in use, rounded up to the size classes. */
uint64_t kmem_bytes(void);

/* Empties this CPU's magazines and returns every empty slab page. */
void kmem_drain(void);

/* Once, before the first allocation. */
void kmem_init(void);
