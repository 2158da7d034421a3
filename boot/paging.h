/* The final page tables, which the kernel keeps. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum page_flags { PAGE_WRITE = 1, PAGE_EXECUTE = 2 };

/* Builds the PML4 (boot_info.page_table) with the direct map, at DIRECT_MAP_BASE or a random 1 GB boundary
 * above it, and the identity map of the low 4 GB. */
void paging_init(bool random);

/* Maps one 4 KB page in the kernel's half, global. The address must not be mapped yet. */
void paging_map(uint64_t address, uint64_t physical, enum page_flags flags);

/* Shows what the GB around an address holds in the root for user mode, too, when page tables are isolated. */
void paging_share(uint64_t address);

/* Where physical memory below direct_map_end stands once paging_load has run. */
uint64_t direct_map(uint64_t physical);

/* Makes the boot CPU use them; EFER.NXE and CR4.PGE must be on. */
void paging_load(void);
