/* The physical memory map under construction: the sorted ranges of boot_info, and taking pages out of the
 * free ones. */
#pragma once

#include <stdint.h>

#include "abi/boot_info.h"
#include "boot/source.h"

/* The structure handed to the kernel; all boot code fills it in. */
extern struct boot_info boot_info;

/* Builds the ranges and direct_map_end from the source's memory map; page 0, the boot image (page-aligned)
 * and the pieces of the archive are marked. */
void memory_init(const struct boot_source *source, uint64_t image, uint64_t image_end);

/* Makes the pages that hold [base, base + length) a range of this kind. */
void memory_mark(uint64_t base, uint64_t length, enum boot_range_kind kind);

/* Takes pages (not cleared) below 4 GB and above 1 MB out of the free ranges, physically contiguous. Never
 * fails: without memory the boot ends with a message. */
uint64_t memory_take(uint64_t pages, enum boot_range_kind kind);

/* Takes one page below 640 KB. Returns 0 when there is none. */
uint64_t memory_take_low(enum boot_range_kind kind);

/* Sets page_limit and takes room for the page array. */
void memory_take_page_array(void);

/* Notes the NUMA node of [base, end), splitting ranges where needed. */
void memory_set_node(uint64_t base, uint64_t end, uint32_t node);
