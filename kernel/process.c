/* See process.h. A live process (one with threads) holds a reference to itself. */
#include "kernel/process.h"

#include "kernel/job.h"
#include "kernel/page.h"
#include "kernel/reaper.h"
#include "kernel/space.h"
#include "kernel/thread.h"

enum { CLOSE_STEP = 16, KILL_STEP = 16 };

bool process_enlist(struct process *process) {
    struct job *job = process->object.job;
    spin_lock(&job->lock);
    bool alive = !job->dead;
    if (alive)
        list_push_back(&job->processes, &process->job_link);
    spin_unlock(&job->lock);
    return alive;
}

struct process *process_create(struct job *job) {
    struct process *process = object_create(OBJECT_PROCESS, sizeof(*process), job);
    if (!process)
        return NULL;
    source_init(&process->object);
    list_init(&process->threads);
    list_init(&process->job_link);
    if (space_create_native(job, &process->space) || handle_table_init(&process->handles, job)) {
        object_put(&process->object);
        return NULL;
    }
    return process;
}

struct space *process_space(struct process *process) {
    spin_lock(&process->lock);
    struct space *space = process->dead ? NULL : process->space;
    if (space)
        object_get(&space->object);
    spin_unlock(&process->lock);
    return space;
}

bool process_join(struct process *process, struct thread *thread) {
    spin_lock(&process->lock);
    bool joined = !process->killed && !process->dead;
    if (joined) {
        if (process->thread_count++ == 0)
            object_get(&process->object);
        list_push_back(&process->threads, &thread->process_link);
    }
    spin_unlock(&process->lock);
    return joined;
}

/* Hands the process to the reaper, which finds out what there is to do; false when it has it already. A
 * reference goes along. The lock is held. */
static bool process_queue(struct process *process) {
    bool queued = process->queued;
    process->queued = true;
    if (!queued)
        reaper_add(&process->object);
    return !queued;
}

/* No thread is left and none will come. The lock is held. */
static void process_died(struct process *process) {
    process->killed = process->dead = true;
    binding_signal(&process->binding, (uint64_t)process->status);
}

void process_leave(struct process *process, struct thread *thread) {
    bool put = false;
    spin_lock(&process->lock);
    list_remove(&thread->process_link);
    if (--process->thread_count == 0) {
        process_died(process);
        /* The reference that the threads held together. */
        put = !process_queue(process);
    }
    spin_unlock(&process->lock);
    if (put)
        object_put(&process->object);
}

void process_kill(struct process *process, int64_t status) {
    spin_lock(&process->lock);
    if (!process->killed) {
        process->status = status;
        process->killed = true;
        if (process->thread_count == 0)
            process_died(process);
        if (process_queue(process))
            object_get(&process->object);
    }
    spin_unlock(&process->lock);
}

/* Tells a few threads to end; true when none is left that was not told. */
static bool process_kill_step(struct process *process) {
    for (unsigned i = 0; i < KILL_STEP; i++) {
        struct thread *thread = NULL;
        spin_lock(&process->lock);
        if (!list_empty(&process->threads))
            thread = list_entry(process->threads.next, struct thread, process_link);
        if (thread && thread->doomed)
            thread = NULL;
        if (thread) {
            thread->doomed = true;
            list_remove(&thread->process_link);
            list_push_back(&process->threads, &thread->process_link);
            object_get(&thread->object);
        }
        spin_unlock(&process->lock);
        if (!thread)
            return true;
        thread_kill(thread);
        object_put(&thread->object);
    }
    return false;
}

struct process_info process_info(struct process *process) {
    return (struct process_info){
        .dead = process->dead, .status = process->status, .threads = process->thread_count};
}

/* Closes handles and lets go of the space; true when both are gone. */
static bool process_empty_step(struct process *process) {
    if (process->handles.chunks && !handle_table_close_step(&process->handles, CLOSE_STEP))
        return false;
    if (process->space)
        object_put(&process->space->object);
    process->space = NULL;
    return true;
}

/* Nothing more to do for a process that lives on, or whose remains are referenced. */
static bool process_unqueue(struct process *process) {
    spin_lock(&process->lock);
    bool done = !process->dead || !process->space;
    if (done)
        process->queued = false;
    spin_unlock(&process->lock);
    if (done)
        object_put(&process->object);
    return done;
}

/*
 * Comes here when the process was killed, when its threads have ended (which may happen while it is still
 * here for the kill), and when the last reference went. Handles and the space go as soon as no thread is
 * left.
 */
bool process_reap_step(struct process *process) {
    bool referenced = process->object.references;
    if (referenced && process->killed && !process_kill_step(process))
        return false;
    if ((!referenced || process->dead) && !process_empty_step(process))
        return false;
    if (referenced)
        return process_unqueue(process);
    binding_clear(&process->binding);
    spin_lock(&process->object.job->lock);
    list_remove(&process->job_link);
    spin_unlock(&process->object.job->lock);
    object_free(&process->object, sizeof(*process));
    return true;
}
