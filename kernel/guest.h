/*
 * Guest mode: a personality's thread runs a Linux program's code in a space of its own and gets it back on a
 * system call (entry.S), an unexplained fault, an exception or a kick. abi/utcb.h describes what it sees.
 */
#pragma once

#include "kernel/thread.h"

/* Makes a guest space visible to the current thread (NULL: none). Takes over the reference. */
void guest_attach(struct thread *thread, struct space *space);

/* The running guest goes back to the personality: guest_enter returns reason. From an exception or interrupt.
 */
void guest_exit(struct thread *thread, enum guest_exit reason);
void guest_exit_fault(struct thread *thread, uint64_t address, uint64_t code, int64_t error);
void guest_exit_exception(struct thread *thread, uint64_t vector, uint64_t code);
void guest_exit_kick(struct thread *thread);

/* When the first guest instruction ran (TSC); 0 before. */
extern uint64_t first_user_tsc;
