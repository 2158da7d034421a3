/* What the kernel asks of the processor beyond arch.h: switching threads, timers, interrupts.
 * kernel/arch/x86_64. */
#pragma once

#include "kernel/cpu.h"

struct frame;
struct space;
struct thread;

/* Makes machine.fpu_size bytes the vector state of a new thread. */
void fpu_init(void *area);

/* Moves the state that lives in the CPU (vector registers, fs and gs base, guest mode) from and to a thread.
 */
void thread_save(struct cpu *cpu, struct thread *thread);
void thread_load(struct cpu *cpu, struct thread *thread);
/* Loads the page-table root that the current thread runs on outside guest mode, and keeps active_cpus right.
 */
void space_activate(struct cpu *cpu, struct thread *thread);
/* Loads a root of these spaces, either of which may be NULL, unless it is loaded (kernel/tlb.c). */
void spaces_enter(struct cpu *cpu, struct space *native, struct space *guest, uint64_t root);
/* Leaves every space but the kernel's, on an idle CPU. */
void space_deactivate(struct cpu *cpu);

void cpu_halt(void);
/* Sets up this CPU's local APIC and its timer. */
void apic_setup(void);
/* A vector, or INTERRUPT_NMI. */
void cpu_interrupt(struct cpu *cpu, unsigned vector);
void timer_program(uint64_t ns);

/* Routes a line to the boot CPU, masked; false when no controller has it. A message needs no more than its
 * number. */
bool irq_route(uint32_t irq, bool *level);
void irq_mask(uint32_t irq, bool masked);

uint64_t port_in(uint16_t port, unsigned width);
void port_out(uint16_t port, unsigned width, uint64_t value);

/* The system call in a native thread's frame (kernel/syscall.c). */
void syscall_dispatch(struct frame *frame);

/* The slow part of leaving the kernel: reaping, rescheduling, kicks (kernel/leave.c). */
void kernel_leave(void);
