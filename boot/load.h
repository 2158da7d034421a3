/* What boot loads: the initial archive and two programs, the kernel, from inside the boot image, and init,
 * from the archive. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "boot/source.h"

/* What stands in front of the kernel's entry: where things are, in bytes from there (entry.S). */
struct kernel_places {
    int32_t idt, exception_entry, interrupt_stubs, machine, zones;
};
/* Of the kernel that was loaded. */
const struct kernel_places *kernel_places(void);
/* Where in memory one of them is. */
static inline void *kernel_place(int32_t place) {
    return (char *)(uintptr_t)(kernel_places() + 1) + place;
}

/* Puts the kernel into memory of its own, maps it by segment and notes where, its length and its entry. The
 * only place that decides at which virtual address the kernel runs: a random page of its GB, or where it was
 * linked. Returns the first page-aligned address above its image. */
uint64_t load_kernel(bool random);

/* Notes where the initial archive is: the source's only piece, or a copy of all of them in one. */
void load_archive(const struct boot_source *source);

/* Finds bin/init in the first cpio archive and puts its segments into memory, for boot_info.segments. */
void load_init(void);
