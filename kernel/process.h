/*
 * Processes: a handle table, a native address space and the threads that run in it. A process is dead when
 * its last thread has ended; then it tells the port bound to it, and the reaper closes its handles. The
 * reaper also tells the threads of a killed process to end.
 */
#pragma once

#include "kernel/handle.h"
#include "kernel/port.h"
#include "lib/base/list.h"

struct job;
struct space;
struct thread;

struct process {
    struct object object;
    struct spinlock lock; /* rank OBJECT: guards binding, and what is not of others below */
    bool killed;          /* no new threads; status is final */
    bool dead;            /* the last thread has ended */
    bool queued;          /* at the reaper, which holds a reference */
    struct binding binding;
    struct space *space; /* NULL once reaped */
    uint32_t thread_count;
    struct list threads; /* struct thread.process_link */
    struct handle_table handles;
    int64_t status;
    struct list job_link; /* job's lock */
};
SOURCE_CHECK(process);

/* A process without threads, charged to the job. NULL: quota or memory. */
struct process *process_create(struct job *job);
/* Makes it a member of its job, which may be killed from then on, so that only its own threads put handles
 * into its table any more. False when the job is dead. */
bool process_enlist(struct process *process);
/* Ends every thread, through the reaper: before this CPU returns to user mode, all were told to. The status
 * is that of the first to ask. */
void process_kill(struct process *process, int64_t status);
struct process_info process_info(struct process *process);

/* The process's address space with a reference, or NULL when the process is dead. */
struct space *process_space(struct process *process);

/* A thread enters or leaves; joining fails when the process is killed. */
bool process_join(struct process *process, struct thread *thread);
void process_leave(struct process *process, struct thread *thread);

/* Reaper: tells threads to end, closes handles and frees, in steps. */
bool process_reap_step(struct process *process);
