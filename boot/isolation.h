/* Page-table isolation: whether, and what it needs besides the kernel (docs/decisions/0022). */
#pragma once

#include <stdbool.h>

#include "boot/source.h"

/* kpti=on or kpti=off on the command line, else what the processor needs. */
bool isolation_wanted(const struct boot_source *source);

/* With the kernel in its place, and its gates filled: makes ISOLATED_BASE (kernel/arch/x86_64/vectors.h) with
 * all that lies there, changes the gates to lead there, and the kernel to leave through it. */
void isolation_build(void);
