/*
 * The scheduler: per-CPU queues of seven levels (requirement P3), the lowest number first. A thread that uses
 * its whole quantum drops a level, one that waited climbs one; levels 0 and 1 are given, not earned, and do
 * not move.
 */
#pragma once

#include "kernel/cpu.h"
#include "kernel/thread.h"

/* Level of new threads; ordinary threads move between LEVEL_TOP and LEVEL_BOTTOM. */
enum { LEVEL_REALTIME = 0, LEVEL_SYSTEM = 1, LEVEL_TOP = 2, LEVEL_NEW = 3, LEVEL_BOTTOM = 6 };

/* struct machine.sched_policy: what the command line asks for by sched=rr and sched=pack, a bit for each
 * first letter. */
enum {
    SCHED_ROUND_ROBIN = 1 << 'r' % 32, /* every quantum is ROBIN_QUANTUM_NS; threads keep their levels */
    SCHED_PACK = 1 << 'p' % 32, /* work stays on the lowest-numbered CPUs unless two threads wait on one */
};

enum {
    QUANTUM_NS = 1000000, /* of level 0; twice as long on each next level */
    ROBIN_QUANTUM_NS = 10000000,
};
/* For struct machine.quanta. */
static inline uint64_t level_quantum(uint32_t policy, unsigned level) {
    return policy & SCHED_ROUND_ROBIN ? ROBIN_QUANTUM_NS : (uint64_t)QUANTUM_NS << level;
}

/* Nanoseconds that so many TSC ticks take. */
uint64_t clock_ns(uint64_t ticks);
/* Nanoseconds since boot. */
uint64_t clock_now(void);

/* Makes a BLOCKED or CREATED thread ready and queues it where it should run. The thread's lock is held. */
void sched_ready(struct thread *thread);
/* As above, for a thread that is not locked. */
void sched_start(struct thread *thread);
/* The best of those that wait for the thread, or NULL: it runs at that one's level if it is better than its
 * own, and at level 0 by its deadline and on its budget. No lock of rank ≥ THREAD is held. */
void sched_lend(struct thread *thread, const struct thread *lender);
/* What is left of the current thread's slice, ns. */
uint64_t sched_slice_left(void);
/* Gives a thread its own level. */
void sched_own_level(struct thread *thread, unsigned level);
/* The current thread goes to the end of its level. */
void thread_yield(void);
/* Switches to the thread that should run now (possibly none); called only on the way out of the kernel. */
void sched_switch(struct cpu *cpu);
/* Timer interrupt: quantum accounting, alarms, next programming. */
void sched_timer(struct cpu *cpu);
/* Programs the timer for the next alarm or end of quantum, if it is not already. */
void sched_program_timer(struct cpu *cpu);
/* Makes a CPU look at its work. Another one is interrupted when this one leaves the kernel, holding no lock
 * that it would wait for. */
void cpu_wake(struct cpu *cpu, uint32_t work);
/* Interrupts them (WORK_WAKE). */
void cpu_send_wakes(struct cpu *self);
/* Changes level (0-6) or affinity mask of a thread. */
int64_t sched_set(struct thread *thread, uint64_t what, uint64_t value);
