/*
 * The guest loop (linux/loop.h). Each turn: what signals, stops and the end want (linux/task/deliver.c), then
 * the program until it leaves guest mode, then what it left for. Calls after which nothing of that is wanted
 * turn in the inner loop.
 *
 * Between the look at task->attention and guest_run nothing is lost: who sets signal_pending kicks the thread
 * afterwards, and a kick that comes too early ends guest_run at once.
 */
#include "linux/loop.h"

#include "lib/keel/call.h"
#include "linux/arch/guest.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"
#include "linux/task/mm.h"
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
    const struct guest_registers *guest = &task->utcb->guest;
    return posix_call(guest, (uint32_t)guest->rax, task->call_counts);
}

static bool restarts(int64_t result) {
    return result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
}

/* What a call gave that may be more than a value for the program. Apart, so that the usual case stays short.
 */
static __attribute__((noinline)) void call_finish(struct task *task, int64_t result) {
    if (result == -EFAULT)
        result = call_again(task);
    if (task->full_restore)
        return;
    if (restarts(result))
        task->restart = result;
    else
        task->utcb->guest.rax = (uint64_t)result;
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

/* A page fault that no mapping of the kernel's explains, or that found no memory. */
static void serve_fault(struct task *task) {
    const struct utcb *utcb = task->utcb;
    int64_t error = utcb->fault_error;
    enum { CODE_WRITE = 2 };

    if (error == -EFAULT || error == -EACCES || error == -EAGAIN)
        error = mm_fault(task, utcb->fault_address, utcb->fault_code & CODE_WRITE, (int)error);
    if (!error)
        return;
    if (error != -ENOMEM)
        signal_from_fault(task, utcb->fault_address, utcb->fault_code, error);
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
    case GUEST_INT80: /* as SYSCALL, but rcx and r11 stay */
        call_finish(task, posix_call(&task->utcb->guest, (uint32_t)task->utcb->guest.rax, task->call_counts));
        break;
    case GUEST_KICK:
        break;
    default:
        fatal("guest mode of task %d failed: error %d", task->tid, (int)-exit);
    }
    task->full_restore = true; /* the program was stopped between any two instructions */
}

enum { TASK_ENDED = -1 };

/* What has to be done before the program goes on: guest_run's flags, or TASK_ENDED. */
static __attribute__((noinline)) int64_t attend(struct task *task) {
    if ((task->signal_pending || task->restart) && !task_ready(task))
        return TASK_ENDED;
    uint64_t flags = guest_isolation_flags | (task->full_restore ? GUEST_FULL : 0);
    task->full_restore = false;
    return (int64_t)flags;
}

void guest_loop(struct task *task) {
    struct guest_registers *guest = &task->utcb->guest;
    int64_t flags, exit;

    while ((flags = attend(task)) != TASK_ENDED) {
        while ((exit = guest_run((uint64_t)flags)) == GUEST_SYSCALL) {
            int64_t result = posix_call(guest, (uint32_t)guest->rax, task->call_counts);
            if (task->attention || result == -EFAULT || restarts(result)) {
                call_finish(task, result);
                break;
            }
            guest->rax = (uint64_t)result;
            flags = (int64_t)guest_isolation_flags;
        }
        if (exit != GUEST_SYSCALL)
            serve_exit(task, exit);
    }
}
