/* What unit tests may ask of the host's machine; see machine.c. */
#pragma once

#include "kernel/job.h"
#include "kernel/page.h"

struct space;

/* The CPU that the calling thread is, below 4. */
extern _Thread_local unsigned host_cpu_index;
/* TLB flushes so far, and what happens at each. */
extern uint64_t host_shootdowns;
extern void (*host_flush)(struct space *space, uint64_t start, uint64_t end);

/* Physical memory of some bytes with these ranges, filled with garbage; starts the page and slab allocators.
 * Once. */
void machine_init(uint64_t bytes, const struct boot_range *ranges, uint32_t count);
/* The same with all of it free. */
void machine_init_simple(uint64_t bytes);

/* Destroys what has no reference any more; the number of steps. */
unsigned machine_reap(void);
