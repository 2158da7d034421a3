/*
 * Real-time tasks: level 0, earliest deadline first. A task has a budget of CPU time in each period. It is
 * bound to the CPU that admitted it, which promises at most REALTIME_SHARE_MAX of its time; a task that uses
 * its whole budget waits for its next period (a constant bandwidth server that does not borrow), so that none
 * can hurt another, nor the levels below, by more than was promised.
 */
#pragma once

#include "kernel/thread.h"

enum { REALTIME_SHARE_ONE = 1000, REALTIME_SHARE_MAX = 900, REALTIME_BUDGET_MIN = 100000 };
#define REALTIME_PERIOD_MAX 4000000000ULL

/* Makes the thread a real-time task, or with period 0 an ordinary one again. ns. 0; -EINVAL: budget below the
 * least or above the period, period too long; -EBUSY: no CPU of its affinity has that much left; -ESRCH: it
 * ends or has ended. */
int64_t realtime_set(struct thread *thread, uint64_t budget, uint64_t period);
/* A task becomes ready: its deadline and budget from now on. The thread's lock is held. */
void realtime_wake(struct thread *thread, uint64_t now);
