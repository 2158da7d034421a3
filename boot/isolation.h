/* Page-table isolation: whether, and what it needs besides the kernel (docs/decisions/0022). */
#pragma once

#include <stdbool.h>

#include "boot/source.h"

/* kpti=on or kpti=off on the command line, else what the processor needs. */
bool isolation_wanted(const struct boot_source *source);

/* With the kernel in its place, and its gates filled: makes ISOLATED_BASE (kernel/arch/x86_64/vectors.h) with
 * all that lies there, and changes the gates to lead there. */
void isolation_build(void);

/* As kernel_place and kernel_address, but of the copied code where it is the copy that counts. */
void *isolated_place(uint32_t offset);
uint64_t isolated_address(uint32_t offset);
