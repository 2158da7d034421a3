/*
 * CPU shares of jobs. What the threads of a job, and of the jobs in it, run is charged to it as time that
 * must pass before it is paid for: ns of CPU time at a share of s of the machine take ns / s. A job may be
 * ahead by what makes it run and pause in turn about every 100 ms; then its threads wait, each as it leaves
 * the kernel, until all is paid. So it gets its share in the long run whatever its threads do, and never what
 * it has not used for a while. A server that somebody waits for may be further ahead, and goes on when it is
 * lent a level while it waits. Threads with a share are charged at least every SHARE_TICK_NS, and never
 * handed over to on the fast path of calls; real-time tasks are charged but do not wait.
 */
#pragma once

#include "kernel/thread.h"

enum { SHARE_TICK_NS = 2000000 };

struct job;

/* Some job has had a share. */
extern bool shares_set;

/* Sets a job's share of all CPUs, in 1/JOB_SHARE_ALL; 0 is none of its own. 0 or -EINVAL. */
int64_t share_set(struct job *job, uint64_t share);
/* The current thread, on its way out of the kernel: charges what it has run, and lets it wait if it must. No
 * lock held. */
void share_account(struct thread *thread);
