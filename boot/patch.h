/* Changes of the kernel's code for the processor at hand (kernel/arch/x86_64/isolation.inc). */
#pragma once

/* With the kernel in its place, and after isolation_build where page tables are isolated. */
void patches_write(void);
