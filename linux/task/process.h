/*
 * Processes and tasks: creation, look-up, end. See linux/task.h for the structures and tasks_lock.
 *
 * How a task runs: linux/arch gives it a native thread that serves it in a loop,
 *
 *     while (task_ready(task))                        -- signals, stops, end: linux/task/deliver.c
 *         guest_enter, then the system call or fault
 *
 * and takes the thread back when task_ready says that the task has ended (nothing of it may be touched after
 * that). The loop keeps these rules:
 *   - a handler's result goes to guest.rax, except that (1) with task->full_restore set the handler replaced
 * the registers (execve, rt_sigreturn) and the result is dropped; (2) -ERESTART… (-512 to -516,
 * linux/task/signal.h) goes to task->restart while guest.rax still holds the call number;
 *   - task_ready needs calling only when task->signal_pending or task->restart is set; it clears restart.
 */
#pragma once

#include "linux/task.h"

enum { PID_MAX = 32768, TASKS_MAX = 4096 };

/* The hidden process 0 that adopts orphans and reaps them at once; parent of process 1. */
extern struct process hidden_init;
/* Number of live tasks and of all created so far, for /proc/loadavg and /proc/stat. */
extern _Atomic uint32_t task_count;
extern _Atomic uint64_t task_created_count;
/* All processes, zombies included, by ascending age: struct process.link (tasks_lock). */
extern struct list process_list;

/* Prepares the tables, futexes and hidden_init, before anything else of linux/task is used; the container's
 * own job is where sessions get their jobs from. */
void tasks_init(handle_t container_job);

/* Process 1 with its first task, session 1 and group 1, root's credentials, default limits, and a security
 * context whose reference is taken over; the caller sets task->mm, files, fs and comm, then starts it. NULL:
 * out of memory. */
struct task *process_create_first(struct security_context *context);

/* Ends the container's wait: blocks a native thread until process 1 has ended; its status word (wait4's). */
int32_t process_wait_first(void);

/* Look-up by id; tasks_lock held, result valid while it is. Zombie processes are found, ended tasks are not.
 */
struct process *process_find(int32_t pid);
struct task *task_find(int32_t tid);
/* The same with a reference and without needing the lock. */
struct process *process_lookup(int32_t pid);
struct process *process_get(struct process *process);
void process_put(struct process *process);

/* A thread of the process that still runs, its leader when possible; NULL for a zombie (tasks_lock). */
struct task *process_live_task(struct process *process);
/* Pid of the parent as getppid shows it: 0 for hidden_init (tasks_lock). */
int32_t process_parent_pid(const struct process *process);

/* The task's CPU time so far and the process's (all threads, ended ones too), ns. */
uint64_t task_cpu_time(const struct task *task);
uint64_t process_cpu_time(struct process *process); /* tasks_lock */

/* Stores the ready answers (getpid, gettid, getppid, get*id, getpgrp) in the task's UTCB. To be called by the
 * owner of what changed; any thread, tasks_lock held. */
void task_answers_update(struct task *task);

/* Whether the task goes on to run guest code: delivers signals, waits while stopped. False: it has ended
 * (exit was carried out), the native thread is free and task is gone. Called by the task itself, no locks. */
bool task_ready(struct task *task);

/* Ends every thread of the process with a status word (WAIT_EXITED, WAIT_SIGNALED). The caller's own thread
 * ends when it reaches task_ready. No locks held. */
void process_exit_all(struct process *process, int32_t status);

/* For execve, after which nothing can fail: ends all other threads of the process and makes the caller its
 * leader (it gets the process's pid as tid). 0, or -EAGAIN when another thread's exec or exit came first. */
int process_leave_threads(struct task *task);
/* For execve, after the new image is in place: resets caught signals to default, alternate stack, timers,
 * robust list, clear_child_tid; wakes a vfork parent; marks the process as execed; copies the sighand if
 * shared. */
void process_exec_done(struct task *task);
/* Wakes the parent that waits in vfork for this task, when there is one (exec calls process_exec_done
 * instead). */
void task_vfork_done(struct task *task);

/* Kills the process that is most to blame for a lack of memory: in the session of `task` when that has used
 * up its share, else in the container; for a guest fault that found no memory. True: something else was
 * killed, wait and retry; false: the caller's own process is the victim. */
bool process_kill_largest(struct task *task);

/* ---- what linux/arch supplies to fork and exec ---- */
struct guest_start {
    struct guest_registers registers;
    uint64_t fs_base;
    bool set_fs; /* otherwise the caller's fs base */
};
/* Takes a parked native thread (or makes one) for the child and gives it the caller's vector state, fs and gs
 * base (fs_base if set_fs) and these registers, with child->mm attached; sets child->thread and child->utcb.
 * The thread does not run before task_thread_start. 0 or -EAGAIN. */
int task_thread_take(struct task *child, const struct guest_start *start);
/* Lets the task's native thread run at a level of the kernel's scheduler and on these CPUs (a bit each);
 * calls the kernel where something changes. tasks_lock held. 0 or the kernel's error. */
int task_thread_place(const struct task *task, uint32_t level, uint64_t cpus);
void task_thread_start(struct task *child);
/* Gives back what task_thread_take took, never started. */
void task_thread_return(struct task *child);
/* CPU time of the native thread, ns. */
uint64_t task_thread_time(const struct task *task);

/* The guest's vector state, live in the CPU: its XSAVE size (standard format, all enabled components) and
 * feature mask; save to and load from a 64-byte-aligned buffer of that size. Load checks the header (reserved
 * fields zero, features within the mask, MXCSR) and returns -EINVAL for an image the CPU would refuse. */
size_t guest_vector_size(void);
uint64_t guest_vector_features(void);
void guest_vector_save(void *image);
int guest_vector_load(void *image);
/* Initial state for a new program. */
void guest_vector_reset(void);
