/* The kernel's interrupt table, and what system calls need of the processor. */
#pragma once

#include <stdint.h>

/* Fills the table of a kernel whose entry lies at this physical address and will run at the virtual one. */
void gates_fill(uint64_t physical, uint64_t entry);

/* Sets the segments and flags of system calls on this CPU; trampoline.S does the same on the others. */
void gates_syscall(void);
