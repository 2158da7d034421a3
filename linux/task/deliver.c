/*
 * What happens between a call (or a fault, or a kick) and the return to the guest: stops, the end, the choice
 * of the next signal and its action, the restart of an interrupted call. The order is Linux's: the signals of
 * a fault first, then the task's own by number, then the process's; one handler frame per signal, so that the
 * last one dequeued runs first.
 */
#include "linux/abi/signal.h"
#include "linux/abi/wait.h"
#include "linux/platform.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"

enum { SYSCALL_LENGTH = 2, CALL_RESTART_SYSCALL = 219 };

enum default_action { ACTION_END, ACTION_CORE, ACTION_STOP, ACTION_IGNORE };

static enum default_action default_action(int signo) {
    switch (signo) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
        return ACTION_IGNORE;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return ACTION_STOP;
    case SIGQUIT:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGSEGV:
    case SIGXCPU:
    case SIGXFSZ:
    case SIGSYS:
        return ACTION_CORE;
    default:
        return ACTION_END;
    }
}

static const char *const signal_names[] = {
    [SIGHUP] = "SIGHUP",   [SIGINT] = "SIGINT",       [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
    [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT",     [SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",
    [SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1",     [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
    [SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM",     [SIGTERM] = "SIGTERM", [SIGSTKFLT] = "SIGSTKFLT",
    [SIGCHLD] = "SIGCHLD", [SIGCONT] = "SIGCONT",     [SIGSTOP] = "SIGSTOP", [SIGTSTP] = "SIGTSTP",
    [SIGTTIN] = "SIGTTIN", [SIGTTOU] = "SIGTTOU",     [SIGURG] = "SIGURG",   [SIGXCPU] = "SIGXCPU",
    [SIGXFSZ] = "SIGXFSZ", [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF", [SIGWINCH] = "SIGWINCH",
    [SIGIO] = "SIGIO",     [SIGPWR] = "SIGPWR",       [SIGSYS] = "SIGSYS",
};

const char *signal_name(int signo) {
    return signo > 0 && signo < SIGRTMIN ? signal_names[signo] : "a real-time signal";
}

void signal_report(struct task *task, const struct signal_info *info) {
    if (info->code > 0 && info->signo != SIGABRT)
        log_line("%s[%d]: killed by %s at address 0x%llx, instruction 0x%llx", task->comm, task->process->pid,
                 signal_name(info->signo), (unsigned long long)info->address,
                 (unsigned long long)task->utcb->guest.rip);
    else
        log_line("%s[%d]: killed by %s", task->comm, task->process->pid, signal_name(info->signo));
}

/* ---- stops ---- */

/* A stop signal's default action: every thread of the process is to stop. tasks_lock held. */
static void stop_begin(struct task *task, int signo) {
    struct process *process = task->process;
    if (signo != SIGSTOP && process_group_orphaned(process->group))
        return;
    if (process->stop_requested || process->exiting || process->exec_task)
        return;
    process->stop_requested = true;
    process->continued = false;
    process->stop_signal = signo;
    process->stopped_count = 0;
    struct task *thread;
    list_for_each(thread, &process->threads, thread_link) {
        thread->signal_pending = true;
        task_kick(thread);
    }
}

/* Called also when a thread ends: the rest may all be in the stop. tasks_lock held. */
static void stop_check_complete(struct process *process) {
    if (!process->stop_requested || process->stopped || process->stopped_count < process->thread_count)
        return;
    process->stopped = true;
    process->stop_report = process->stop_signal;
    process_notify_stop(process, CLD_STOPPED);
}

/* Sits in the stop until SIGCONT or the end. tasks_lock held. */
static void stop_wait(struct task *task) {
    struct process *process = task->process;
    char state = task->state;
    task->state = 'T';
    while (process->stop_requested && !task->dying) {
        if (!task->stopping) { /* also when it was continued and stopped again before this thread looked */
            task->stopping = true;
            process->stopped_count++;
            stop_check_complete(process);
        }
        mutex_unlock(&tasks_lock);
        thread_park(DEADLINE_NEVER);
        mutex_lock(&tasks_lock);
    }
    task->state = state;
}

void process_stop_recheck(struct process *process) {
    if (process->thread_count)
        stop_check_complete(process);
}

/* ---- delivery ---- */

/* The interrupted call continues: guest.rax still holds its number. */
static void call_restart(struct task *task) {
    task->utcb->guest.rip -= SYSCALL_LENGTH;
}

/* A handler is about to run in the middle of an interrupted call. */
static void restart_before_handler(struct task *task, const struct signal_action *action) {
    switch (-task->restart) {
    case 0:
        return;
    case ERESTARTNOINTR:
        call_restart(task);
        break;
    case ERESTARTSYS:
        if (action->flags & SA_RESTART) {
            call_restart(task);
            break;
        }
        /* fall through */
    default:
        task->utcb->guest.rax = (uint64_t)-EINTR;
    }
    task->restart = 0;
}

static void restart_without_handler(struct task *task) {
    if (!task->restart)
        return;
    if (task->restart == -ERESTART_RESTARTBLOCK)
        task->utcb->guest.rax = CALL_RESTART_SYSCALL;
    call_restart(task);
    task->restart = 0;
}

/* Runs the handler of a signal that was taken, on the guest's next return. No locks held. */
static void handler_run(struct task *task, const struct signal_action *action,
                        const struct signal_info *info) {
    restart_before_handler(task, action);
    sigset_t64 old_mask = task->restore_blocked ? task->saved_blocked : task->blocked;
    task->restore_blocked = false;
    int error = signal_frame_push(task, info->signo, action, info, old_mask);
    if (error) { /* no stack for it */
        struct signal_info fault = {.signo = SIGSEGV, .code = SI_KERNEL};
        if (info->signo == SIGSEGV) {
            mutex_lock(&tasks_lock);
            task->process->sighand->actions[SIGSEGV - 1] = (struct signal_action){.handler = SIG_DFL};
            mutex_unlock(&tasks_lock);
        }
        signal_force(task, &fault);
        return;
    }
    sigset_t64 blocked = task->blocked | action->mask;
    if (!(action->flags & SA_NODEFER))
        blocked |= signal_bit(info->signo);
    signal_set_blocked(task, blocked);
}

/* The default action of a signal that was taken. tasks_lock held. */
static void default_run(struct task *task, const struct signal_info *info) {
    switch (default_action(info->signo)) {
    case ACTION_IGNORE:
        return;
    case ACTION_STOP:
        stop_begin(task, info->signo);
        return;
    case ACTION_CORE:
        if (info->signo != SIGQUIT)
            signal_report(task, info);
        /* fall through */
    case ACTION_END:
        process_exit_all_locked(task->process, WAIT_SIGNALED(info->signo));
    }
}

/* Takes care of one signal; false: none is left. */
static bool deliver_one(struct task *task) {
    if (task->dying)
        return false;
    mutex_lock(&tasks_lock);
    while (task->process->stop_requested && !task->dying)
        stop_wait(task);
    struct signal_info info;
    int signo = task->dying ? 0 : signal_dequeue(task, task->blocked, &info);
    if (!signo) {
        signal_recalculate(task);
        mutex_unlock(&tasks_lock);
        return false;
    }
    struct signal_action *slot = &task->process->sighand->actions[signo - 1], action = *slot;
    if (action.handler == SIG_DFL)
        default_run(task, &info);
    else if (action.handler != SIG_IGN && (action.flags & SA_RESETHAND))
        slot->handler = SIG_DFL;
    mutex_unlock(&tasks_lock);
    if (action.handler != SIG_DFL && action.handler != SIG_IGN)
        handler_run(task, &action, &info);
    return true;
}

/* A new task stores its tid in its own memory first (CLONE_CHILD_SETTID). */
static void task_begin(struct task *task) {
    int32_t tid = task->tid;
    guest_copy_out(task->set_child_tid, &tid, sizeof(tid));
    task->set_child_tid = 0;
}

bool task_ready(struct task *task) {
    if (task->set_child_tid)
        task_begin(task);
    while (deliver_one(task)) {
    }
    if (task->dying) {
        task_end(task);
        return false;
    }
    restart_without_handler(task);
    signal_mask_restore(task);
    if (task->signal_pending) /* the old mask let something in */
        return task_ready(task);
    return true;
}

/* ---- faults ---- */

static const struct {
    uint8_t signo;
    int32_t code;
} exception_signals[32] = {
    [0] = {SIGFPE, FPE_INTDIV},  [1] = {SIGTRAP, TRAP_TRACE}, [3] = {SIGTRAP, SI_KERNEL},
    [4] = {SIGSEGV, SI_KERNEL},  [5] = {SIGSEGV, SI_KERNEL},  [6] = {SIGILL, ILL_ILLOPN},
    [7] = {SIGSEGV, SI_KERNEL},  [10] = {SIGSEGV, SI_KERNEL}, [11] = {SIGBUS, SI_KERNEL},
    [12] = {SIGBUS, SI_KERNEL},  [13] = {SIGSEGV, SI_KERNEL}, [16] = {SIGFPE, FPE_FLTINV},
    [17] = {SIGBUS, BUS_ADRALN}, [19] = {SIGFPE, FPE_FLTINV},
};

static void record_trap(struct task *task, uint64_t vector, uint64_t code) {
    task->trap_number = vector;
    task->trap_error = code;
}

void signal_from_exception(struct task *task, uint64_t vector, uint64_t code) {
    struct signal_info info = {.signo = SIGSEGV, .code = SI_KERNEL};
    record_trap(task, vector, code);
    if (vector < 32 && exception_signals[vector].signo) {
        info.signo = exception_signals[vector].signo;
        info.code = exception_signals[vector].code;
    }
    if (info.code != SI_KERNEL)
        info.address = task->utcb->guest.rip;
    signal_force(task, &info);
}

/* error as in utcb.fault_error: -EACCES is a protection violation, -ENXIO a page beyond the file's end. */
void signal_from_fault(struct task *task, uint64_t address, uint64_t code, int64_t error) {
    enum { VECTOR_PAGE_FAULT = 14, CODE_USER = 4 };
    struct signal_info info = {.signo = SIGSEGV, .code = SEGV_MAPERR, .address = address};
    record_trap(task, VECTOR_PAGE_FAULT, code | CODE_USER);
    task->fault_address = address;
    if (error == -EACCES)
        info.code = SEGV_ACCERR;
    else if (error == -ENXIO || error == -EIO)
        info.signo = SIGBUS, info.code = BUS_ADRERR;
    signal_force(task, &info);
}
