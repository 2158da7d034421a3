/*
 * The guest loop (linux/loop.h). Each turn: what signals, stops and the end want (linux/task/deliver.c), then
 * the program until it leaves guest mode, then what it left for.
 *
 * Between the look at task->signal_pending and guest_run nothing is lost: who sets it kicks the thread
 * afterwards, and a kick that comes too early ends guest_run at once.
 */
#include "linux/loop.h"

#include "lib/keel/call.h"
#include "linux/arch/guest.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"

enum {
    OUT_OF_MEMORY_PAUSE_NS = 2000000,
    OUT_OF_MEMORY_TRIES = 4,
    ALLOCATION_TRIES = 1000, /* while there is memory */
    PAGES_RESERVE = 4,
    PAGES_PER_CPU = 128, /* that a CPU may keep at hand, where others do not find them */
};

uint64_t guest_isolation_flags;

static bool job_exhausted(handle_t job) {
    struct job_info info = {0};
    return keel_object_info(job, keel_pointer(&info), sizeof(info)) > 0 && info.pages_limit &&
           info.pages + PAGES_RESERVE >= info.pages_limit;
}

/* A copy to or from the guest also fails when its page could not be had. Then room is made and the call made
 * once more. */
static int64_t call_again(struct task *task) {
    if (task->full_restore || !(job_exhausted(session_job(task)) || job_exhausted(system_handles.job)) ||
        !process_kill_largest(task))
        return -EFAULT;
    task_wait(NULL, clock_monotonic() + OUT_OF_MEMORY_PAUSE_NS); /* for its memory */
    return posix_call(&task->utcb->guest, (unsigned)task->tid);
}

static void serve_call(struct task *task) {
    struct guest_registers *guest = &task->utcb->guest;
    int64_t result = posix_call(guest, (unsigned)task->tid);

    if (result == -EFAULT)
        result = call_again(task);
    if (task->full_restore)
        return;
    if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK)
        task->restart = result;
    else
        guest->rax = (uint64_t)result;
}

static bool memory_is_scarce(struct task *task) {
    uint64_t total, free;
    system_memory(&total, &free);
    return free < (uint64_t)system_cpus() * PAGES_PER_CPU * PAGE_SIZE || job_exhausted(session_job(task));
}

/* Ended processes are taken apart in the background: a few tries before somebody is killed for memory, and
 * many when there is some and yet an allocation failed. */
static bool memory_may_come(struct task *task) {
    uint32_t tries = memory_is_scarce(task) ? OUT_OF_MEMORY_TRIES : ALLOCATION_TRIES;
    if (task->memory_fault != task->utcb->fault_address)
        task->memory_waits = 0;
    task->memory_fault = task->utcb->fault_address;
    if (!task->memory_waits)
        heap_trim();
    if (task->memory_waits < tries)
        task->memory_waits++;
    else
        task->memory_waits = 0;
    return task->memory_waits != 0;
}

/* A page fault that no mapping explains, or that found no memory. */
static void serve_fault(struct task *task) {
    const struct utcb *utcb = task->utcb;

    if (utcb->fault_error != -ENOMEM)
        signal_from_fault(task, utcb->fault_address, utcb->fault_code, utcb->fault_error);
    else if (memory_may_come(task) || process_kill_largest(task))
        task_wait(NULL, clock_monotonic() + OUT_OF_MEMORY_PAUSE_NS); /* for it */
}

static void serve_exit(struct task *task, int64_t exit) {
    switch (exit) {
    case GUEST_FAULT:
        serve_fault(task);
        break;
    case GUEST_EXCEPTION:
        signal_from_exception(task, task->utcb->fault_vector, task->utcb->fault_code);
        break;
    case GUEST_INT80:
        task->utcb->guest.rax = (uint64_t)-ENOSYS; /* 32-bit system calls */
        break;
    case GUEST_KICK:
        break;
    default:
        fatal("guest mode of task %d failed: error %d", task->tid, (int)-exit);
    }
    task->full_restore = true; /* the program was stopped between any two instructions */
}

void guest_loop(struct task *task) {
    for (;;) {
        if ((task->signal_pending || task->restart) && !task_ready(task))
            return;
        uint64_t flags = guest_isolation_flags | (task->full_restore ? GUEST_FULL : 0);
        task->full_restore = false;
        int64_t exit = guest_run(flags);
        if (exit == GUEST_SYSCALL)
            serve_call(task);
        else
            serve_exit(task, exit);
    }
}
