/*
 * What the memory allocators keep per CPU: magazines of free pages and objects, so that the common allocation
 * and free touch no lock. A magazine belongs to its CPU alone (the kernel runs with interrupts off); other
 * CPUs only read the counters. Beside them, the object that the CPU's call uses. The zeroed structure is a
 * valid empty one.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum { MEMORY_CPU_PAGES = 64, MEMORY_CPU_CLEAR = 32, KMEM_CLASSES = 32 };

/* Free objects of one size class, linked through their first word. */
struct kmem_magazine {
    void *first;
    uint64_t count;
};

struct memory_cpu {
    _Atomic uintptr_t used; /* kernel/object_use.h; other CPUs mark it */
    uint32_t node;          /* NUMA node whose memory this CPU prefers; set once when the CPU starts */
    uint32_t page_count;    /* pages in the magazine */
    uint32_t clear_count, clear_first;     /* pages that hold only zeros, linked by struct page.next */
    uint64_t pages[MEMORY_CPU_PAGES];      /* physical */
    uint64_t page_allocations, page_frees; /* blocks of any order, since boot */
    int64_t kmem_pages; /* in blocks: allocated minus freed here; only the sum over all CPUs counts */
    struct kmem_magazine kmem[KMEM_CLASSES];
};

/* This CPU's, and any CPU's by index; NULL beyond the last CPU. */
struct memory_cpu *memory_cpu(void);
struct memory_cpu *memory_cpu_of(unsigned cpu);
