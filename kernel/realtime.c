/* See realtime.h. */
#include "kernel/realtime.h"

#include "kernel/arch_cpu.h"
#include "kernel/sched.h"

static struct spinlock lock = SPINLOCK(LOCK_RANK_JOB); /* guards struct cpu.realtime_share of all CPUs */

int64_t realtime_set(struct thread *thread, uint64_t budget, uint64_t period) {
    int64_t result = 0;

    if (period > REALTIME_PERIOD_MAX || budget > period || (period && budget < REALTIME_BUDGET_MIN))
        return -EINVAL;
    spin_lock(&lock);
    if (period && thread->dying) { /* its end would not, or no longer, give the share back */
        spin_unlock(&lock);
        return -ESRCH;
    }
    if (thread->period) {
        machine.cpus[thread->share_cpu]->realtime_share -= thread->share;
        thread->period = 0;
        thread->affinity = thread->own_affinity;
        sched_own_level(thread, LEVEL_NEW);
    }
    if (period) {
        unsigned share = (unsigned)((budget * REALTIME_SHARE_ONE + period - 1) / period);
        struct cpu *cpu = NULL;
        for (unsigned i = 0; i < machine.cpu_count && !cpu; i++)
            if (thread->affinity & machine.cpus[i]->bit &&
                machine.cpus[i]->realtime_share + share <= REALTIME_SHARE_MAX)
                cpu = machine.cpus[i];
        if (!cpu) {
            result = -EBUSY;
        } else {
            cpu->realtime_share += thread->share = share;
            thread->share_cpu = cpu->index;
            thread->own_affinity = thread->affinity;
            thread->affinity = cpu->bit;
            thread->budget = budget;
            thread->deadline = clock_now() + period;
            thread->period = period;
            sched_own_level(thread, LEVEL_REALTIME);
            thread->quantum_left = budget;
        }
    }
    thread_hand_over_set(thread);
    if (thread == thread_current())
        cpu_self()->slice_end = clock_now() + thread->quantum_left;
    cpu_wake(machine.cpus[thread->cpu], WORK_RESCHEDULE); /* which may not be where it runs from now on */
    spin_unlock(&lock);
    return result;
}

void realtime_wake(struct thread *thread, uint64_t now) {
    uint64_t left = thread->quantum_left, until = thread->deadline - now;

    if (now < thread->deadline && left && left * thread->period <= until * thread->budget)
        return; /* what is left fits before the deadline at no more than the promised rate */
    thread->deadline = now + thread->period;
    thread->quantum_left = thread->budget;
}
