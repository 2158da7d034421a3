/* The personality's heap over malloc, so that the address sanitizer sees every block. Counts bytes for leak
 * checks. */
#include "linux/heap.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "linux/arch/host/thread.h"
#include "linux/platform.h"
#include "tests/host/kernel.h"

enum { SMALL_ALIGNMENT = 16 };

static _Atomic size_t used;

void *heap_alloc(size_t size) {
    void *block = NULL;
    host_preempt();
    size_t alignment = size >= PAGE_SIZE ? PAGE_SIZE : SMALL_ALIGNMENT;
    if (host_allocation_fails() || size > (1ULL << 40) || posix_memalign(&block, alignment, size ? size : 1))
        return NULL;
    used += malloc_usable_size(block);
    return block;
}

void *heap_zalloc(size_t size) {
    void *block = heap_alloc(size);
    return block ? memset(block, 0, size) : NULL;
}

void heap_free(void *pointer) {
    host_preempt();
    if (pointer)
        used -= malloc_usable_size(pointer);
    free(pointer);
}

void heap_trim(void) {}

size_t heap_used(void) {
    return used;
}
