/* The kernel's own structures: struct machine, the zones of memory with the page array, and each CPU's struct
 * cpu, stack and task state segment. */
#pragma once

#include <stdint.h>

/* Takes the memory they need; before the NUMA nodes of the ranges are set. */
void handover_take(void);
/* Fills them, when the memory map is final. The page tables are loaded; behind the GDT's segments is room for
 * those of the CPUs. */
void handover_fill(uint64_t *gdt);
