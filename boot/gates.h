/* The kernel's interrupt table, and what system calls need of the processor. */
#pragma once

/* Fills the table of the kernel that was loaded. */
void gates_fill(void);

/* Sets the segments and flags of system calls on this CPU; trampoline.S does the same on the others. */
void gates_syscall(void);
