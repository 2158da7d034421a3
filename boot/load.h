/* The two programs boot loads: the kernel, from inside the boot image, and init, from the initial archive. */
#pragma once

#include "boot/source.h"

/* Puts the kernel into memory of its own, maps it by segment and notes where, its length and its entry. The
 * only place that decides at which virtual address the kernel runs. Returns the first page-aligned address
 * above its image. */
uint64_t load_kernel(void);

/* Finds bin/init in the first cpio archive and puts its segments into memory, for boot_info.segments. */
void load_init(const struct boot_source *source);
