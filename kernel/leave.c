/*
 * The way out of the kernel when there is more to do than return: objects to reap, another thread to run, a
 * thread to end, a guest to interrupt, the timer to program. Between bounded steps pending interrupts are let
 * in.
 */
#include "kernel/arch_cpu.h"
#include "kernel/channel.h"
#include "kernel/guest.h"
#include "kernel/reaper.h"
#include "kernel/sched.h"
#include "kernel/share.h"
#include "kernel/trace.h"

/* What a thread waited on is released by the thread itself, when it runs again and no lock is held. */
static void wait_release(struct thread *thread) {
    spin_lock(&thread->lock);
    struct object *object = thread->wait_object;
    thread->wait_object = NULL;
    thread->releases = false;
    spin_unlock(&thread->lock);
    if (!object)
        return;
    if (object->type == OBJECT_CHANNEL)
        channel_wake_next(container_of(object, struct channel, object));
    object_put(object);
}

static void cpu_idle(struct cpu *cpu) {
    uint64_t bit = 1ULL << cpu->index;

    sched_program_timer(cpu);
    atomic_fetch_or(&cpus_idle, bit);
    /* The timer was just programmed: that alone is no work. */
    if (!(cpu->work & ~WORK_TIMER) && queue_empty(&cpu->queue))
        cpu_halt();
    atomic_fetch_and(&cpus_idle, ~bit);
}

/* True when the current thread may return to user mode. */
static bool thread_may_run(struct cpu *cpu, struct thread *thread) {
    if (thread->releases && thread->state == THREAD_RUNNING)
        wait_release(thread);
    if (shares_set)
        share_account(thread);
    if (thread->dying && thread->state == THREAD_RUNNING)
        thread_end_current();
    if (thread->suspended && thread->state == THREAD_RUNNING)
        thread_park_suspended();
    if (thread->state != THREAD_RUNNING)
        return false;
    if (cpu->guest && thread->kick)
        guest_exit_kick(thread);
    return true;
}

/* Between steps: who waits for a moment is woken at that moment. */
static void interrupts_let_in(struct cpu *cpu) {
    sched_program_timer(cpu);
    cpu_interrupts_window();
}

/* A real-time task does not wait for what others left to the reaper. */
static bool reaper_waits(const struct cpu *cpu) {
    const struct thread *thread = cpu->thread;
    return thread && thread->level == LEVEL_REALTIME && thread != cpu->reap_for;
}

/* Work that there is seldom. */
static __attribute__((noinline)) void leave_rarely(struct cpu *cpu, uint32_t work) {
    if (work & WORK_TRACE)
        trace_end(cpu);
    if (work & WORK_WAKE)
        cpu_send_wakes(cpu);
    if ((work & (WORK_REAP | WORK_RESCHEDULE)) == WORK_REAP && !reaper_waits(cpu)) {
        reaper_step(cpu);
        interrupts_let_in(cpu);
    }
}

void kernel_leave(void) {
    struct cpu *cpu = cpu_self();

    for (;;) {
        uint32_t work = atomic_exchange(&cpu->work, 0);
        if (work & (WORK_REAP | WORK_TRACE | WORK_WAKE))
            leave_rarely(cpu, work);
        if ((work & WORK_RESCHEDULE) || !cpu->thread) {
            /* Killed just before it began to wait: then it is for this CPU to end the wait. */
            if (cpu->thread && cpu->thread->dying && cpu->thread->state == THREAD_BLOCKED)
                wait_cancel(cpu->thread, 0, -ECANCELED);
            sched_switch(cpu);
            if (cpu->reap_first)
                cpu_work_add(cpu, WORK_REAP);
        }
        struct thread *thread = cpu->thread;
        if (!thread) {
            cpu_idle(cpu);
            continue;
        }
        if (!thread_may_run(cpu, thread)) {
            cpu_work_add(cpu, WORK_RESCHEDULE);
            interrupts_let_in(cpu); /* very many threads may end one after the other */
            continue;
        }
        if (cpu->work)
            continue;
        /* What another CPU adds from here on comes with an interrupt. */
        sched_program_timer(cpu);
        return;
    }
}
