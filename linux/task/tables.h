/*
 * What the files of linux/task share with each other and with nobody else: the tables of tasks and groups,
 * the end of processes, the steps of sending a signal. tasks_lock is held for everything here unless it says
 * otherwise.
 */
#pragma once

#include "linux/task.h"
#include "linux/task/signal.h"

/* ---- process.c ---- */
/* A zeroed task or process with its lists set up, in no table; NULL: no memory. No lock needed. */
struct task *task_alloc(void);
struct process *process_alloc(void);
void task_free(struct task *task);
/* An id that no task, group or session uses, or -EAGAIN. */
int32_t pid_take(void);
void task_hash_add(struct task *task);
void task_hash_remove(struct task *task);
/* Finds ended leaders too. */
struct task *task_find_any(int32_t tid);
/* How many tasks a container and a session may have. */
extern uint32_t task_limit, session_task_limit;
/* The process leaves every table and its parent; drops the tables' reference. */
void process_release(struct process *process);
/* Stores parent's pid in the answers of all threads. */
void process_parent_changed(struct process *process);

/* ---- session.c ---- */
void sessions_init(handle_t container_job);
struct process_group *process_group_create(int32_t pgid, struct session *session); /* NULL: no memory */
void process_group_join(struct process *process, struct process_group *group);
bool session_id_used(int32_t id);
/* SIGHUP and SIGCONT for groups with stopped members that the end of `process` (or its new parent) orphans.
 */
void process_group_check_orphans(struct process *process, struct process *parent);

/* ---- signal.c ---- */
struct queued_signal {
    struct list link;
    struct signal_info info;
    /* Called when it leaves its queue (taken or thrown away) instead of freeing it; for entries inside a
     * timer. */
    void (*left)(struct queued_signal *queued, bool taken);
};
/* Puts a caller-owned entry into the process's or (task not NULL) the task's queue: false when it is ignored.
 */
bool signal_queue_own(struct process *process, struct task *task, struct queued_signal *queued);
/* An own entry of signo was unlinked by its owner: its bit goes unless others remain. */
void signal_forget_queued(struct process *process, int signo);
/* Takes the next signal not in `blocked`: its number, 0 when there is none. */
int signal_dequeue(struct task *task, sigset_t64 blocked, struct signal_info *info);
/* Sets task->signal_pending from the state. */
void signal_recalculate(struct task *task);
void signal_recalculate_all(struct process *process);
void signal_flush_task(struct task *task);
void signal_flush_process(struct process *process);
bool signal_default_ignores(int signo);
/* Throws away pending signals of the process and all its tasks. */
void process_remove_signals(struct process *process, sigset_t64 remove);
/* Wakes a task so that it looks at its state. */
void task_kick(struct task *task);

/* ---- exit.c ---- */
void process_exit_all_locked(struct process *process, int32_t status);
/* The whole end of the calling task; afterwards it is gone. No locks held. */
void task_end(struct task *task);
/* Tells the parent that a child stopped or continued (CLD_STOPPED, CLD_CONTINUED). */
void process_notify_stop(struct process *process, int32_t code);

/* ---- sigframe.c: for the calling task, no locks held ---- */
/* Builds the frame of a handler and points the guest's registers at it; -EFAULT when the stack cannot take
 * it. */
int signal_frame_push(struct task *task, int signo, const struct signal_action *action,
                      const struct signal_info *info, sigset_t64 old_mask);

/* ---- sched.c ---- */
/* Gives the new task's native thread the task's level and CPUs; puts it back to the default for the next
 * task. */
void sched_begin(struct task *task);
void sched_end(const struct task *task);

/* ---- posix_timer.c, itimer.c: no locks held ---- */
void posix_timers_delete(struct process *process);
void timers_exit(struct process *process);
/* RLIMIT_CPU was set, or inherited by a new process. */
void timers_limit_cpu(struct process *process);

/* ---- deliver.c ---- */
/* Writes the line about a crash to the log. */
void signal_report(struct task *task, const struct signal_info *info);
/* After a thread's end: the others may all be stopped now. */
void process_stop_recheck(struct process *process);
