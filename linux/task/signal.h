/*
 * Signals: sending, masks, waiting. Delivery (linux/task/deliver.c) happens in task_ready, see
 * linux/task/process.h.
 *
 * A signal is pending for a task (task->pending) or for its process (shared_pending). task->signal_pending
 * says that task_ready has something to do: an unblocked signal, a stop, the end. Senders set it and kick the
 * thread. Everything here is guarded by tasks_lock; functions named *_locked expect it held, the others take
 * it.
 */
#pragma once

#include "linux/abi/signal.h"
#include "linux/task.h"

/* Results of calls that a signal interrupted (negated), never seen by programs; as in Linux. */
enum {
    ERESTARTSYS = 512,           /* restart unless the handler lacks SA_RESTART */
    ERESTARTNOINTR = 513,        /* always restart */
    ERESTARTNOHAND = 514,        /* restart only when no handler runs, else EINTR */
    ERESTART_RESTARTBLOCK = 516, /* likewise, through task->restart_block */
};

struct signal_action {
    uint64_t handler, flags, restorer;
    sigset_t64 mask;
};

struct sighand {
    _Atomic uint32_t references;
    sigset_t64 changed; /* tasks_lock: the signals whose action was ever set; the others have the default */
    struct signal_action actions[LINUX_SIGNALS]; /* tasks_lock */
};

static inline sigset_t64 signal_bit(int signo) {
    return 1ULL << (signo - 1);
}

/* Whether task_wait must end: the task dies, must stop, or has a signal to deliver. */
bool signal_interrupts(const struct task *task);

/* Sends a signal of the system (code SI_KERNEL, pid 0). signo 1-64. */
void signal_send_kernel(struct process *process, int signo);
void signal_send_task_kernel(struct task *task, int signo); /* to this thread: SIGPIPE, SIGXFSZ */

/* With tasks_lock held. 0, or -EAGAIN when a queued real-time signal finds RLIMIT_SIGPENDING used up. */
int signal_send_process_locked(struct process *process, const struct signal_info *info);
int signal_send_task_locked(struct task *task, const struct signal_info *info);

/* A fault of the task's own code: cannot be ignored or blocked (that kills). Reports the kill in the log. */
void signal_force(struct task *task, const struct signal_info *info);
/* Fault exits of the guest loop: info from the CPU's vector or the page fault's error; calls signal_force. */
void signal_from_exception(struct task *task, uint64_t vector, uint64_t code);
void signal_from_fault(struct task *task, uint64_t address, uint64_t code, int64_t error);

/* Signal masks. SIGKILL and SIGSTOP are taken out of any set. */
void signal_set_blocked(struct task *task, sigset_t64 blocked);
/* For ppoll, pselect6, epoll_pwait: blocked while the call waits. When it ends with -EINTR or -ERESTARTNOHAND
 * leave it so: delivery puts the old mask back after the handler's frame is built; otherwise call
 * signal_mask_restore. */
void signal_mask_temporary(struct task *task, sigset_t64 blocked);
void signal_mask_restore(struct task *task);
/* Reads a sigset argument: size must be 8, else -EINVAL; -EFAULT. */
int signal_set_in(sigset_t64 *set, uint64_t address, uint64_t size);

/* For terminals: whether the calling task would not get the signal (background write and SIGTTOU). Takes no
 * lock. */
bool signal_ignored_or_blocked(const struct task *task, int signo);

/* For signalfd: takes the first pending signal of the set (the task's own, then its process's); false: none.
 * Readers wait on task->process->signal_wait, which each signal that becomes pending wakes. */
bool signal_take(struct task *task, sigset_t64 set, struct signal_info *info);
sigset_t64 signal_pending_set(struct task *task); /* blocked or not */

/* siginfo_t for the guest, and for signalfd's fields. */
void signal_info_encode(struct siginfo64 *to, const struct signal_info *info);

/* Reference counting of the actions. */
struct sighand *sighand_create(void);
struct sighand *sighand_copy(struct sighand *from);                /* NULL: no memory */
void sighand_fill(struct sighand *to, const struct sighand *from); /* to is fresh; tasks_lock held */
struct sighand *sighand_get(struct sighand *sighand);
void sighand_put(struct sighand *sighand);

/* "SIGSEGV" … for messages; "SIGRTMIN+n" is written as "signal n". */
const char *signal_name(int signo);
