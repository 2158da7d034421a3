/* What boot loads: the initial archive and two programs, the kernel, from inside the boot image, and init,
 * from the archive. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "boot/kernel_notes.h"
#include "boot/source.h"

/* Of what lies at an offset into the kernel that was loaded (boot/kernel_notes.h): where in memory it is, and
 * the address that the kernel knows it by. */
void *kernel_place(uint32_t offset);
uint64_t kernel_address(uint32_t offset);

/* Puts the kernel into memory of its own, maps it by segment and notes where, its length and its entry. The
 * only place that decides at which virtual address the kernel runs: a random page of its GB, or where it was
 * linked. Returns the first page-aligned address above its image. */
uint64_t load_kernel(bool random);

/* Notes where the initial archive is: the source's only piece, or a copy of all of them in one. */
void load_archive(const struct boot_source *source);

/* Finds bin/init in the first cpio archive and puts its segments into memory, for boot_info.segments. */
void load_init(void);
