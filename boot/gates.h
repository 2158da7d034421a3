/* The kernel's interrupt table, and what system calls need of the processor. */
#pragma once

#include <stdint.h>

/* What every processor loads on its way into the kernel; virtual addresses. */
extern struct kernel_gates { uint64_t interrupts, segments, syscall_entry; } kernel_gates;
enum { INTERRUPTS_LIMIT = 4095 };

/* Fills the table of the kernel that was loaded and notes where it is and where system calls enter; the
 * segments are those of entry.S. */
void gates_init(void);

/* Fills the table again, with the entry code at another address. */
void gates_fill(uint64_t exception_entry, uint64_t interrupt_stubs);

/* Sets the segments, flags and entry of system calls on this CPU. */
void gates_syscall(void);
