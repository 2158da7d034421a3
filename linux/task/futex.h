/* Futexes for the rest of the personality: wake-ups at a task's end. The calls themselves are in futex.c. */
#pragma once

#include "linux/task.h"

/* Prepares the table, once, before the first task runs. */
void futex_init(void);
/* Wakes up to count waiters at a guest address of the current task's space: how many, or -EFAULT. */
int64_t futex_wake(uint64_t address, bool shared, uint32_t count);
/* At a task's end: marks and wakes the robust list's locks, then clears and wakes clear_child_tid. Own space
 * attached. */
void futex_task_end(struct task *task);
