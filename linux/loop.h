/* The guest loop: what a native thread does with the Linux task it serves. */
#pragma once

#include "linux/task.h"

/*
 * Runs the task in guest mode until it has ended: system calls, faults and exceptions are handled, signals
 * delivered before each return to the program. The caller is the task's native thread, with task_current()
 * set and the task's space attached. Afterwards nothing of the task may be touched.
 */
void guest_loop(struct task *task);

/* Set by main from --isolation: flags that every guest_enter gets (GUEST_UNIFIED or 0). */
extern uint64_t guest_isolation_flags;
