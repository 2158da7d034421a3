/* See process.h. A live process (one with threads) holds a reference to itself. */
#include "kernel/process.h"

#include "kernel/job.h"
#include "kernel/page.h"
#include "kernel/reaper.h"
#include "kernel/space.h"
#include "kernel/thread.h"

enum { CLOSE_STEP = 32 };

/* Enters the job's list, unless the job was killed. */
static bool process_enlist(struct process *process) {
    struct job *job = process->job;
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
    process->job = job;
    source_init(&process->object);
    list_init(&process->threads);
    list_init(&process->job_link);
    if (space_create_native(job, &process->space) || handle_table_init(&process->handles, job) ||
        !process_enlist(process)) {
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

void process_leave(struct process *process, struct thread *thread) {
    spin_lock(&process->lock);
    list_remove(&thread->process_link);
    bool last = --process->thread_count == 0;
    if (last) {
        process->killed = process->dead = true;
        binding_signal(&process->binding, (uint64_t)process->status);
    }
    spin_unlock(&process->lock);
    /* The reference that the threads held together goes to the reaper, which closes the handles first. */
    if (last)
        reaper_add(&process->object);
}

/* The next thread that has not been told to end, with a reference. */
static struct thread *process_next_victim(struct process *process) {
    struct thread *thread, *victim = NULL;
    spin_lock(&process->lock);
    list_for_each(thread, &process->threads, process_link) {
        if (!thread->dying) {
            victim = thread;
            thread->dying = 1;
            object_get(&victim->object);
            break;
        }
    }
    spin_unlock(&process->lock);
    return victim;
}

void process_kill(struct process *process, int64_t status) {
    struct thread *thread;

    spin_lock(&process->lock);
    if (!process->killed)
        process->status = status;
    process->killed = true;
    spin_unlock(&process->lock);
    while ((thread = process_next_victim(process))) {
        thread_kill(thread);
        object_put(&thread->object);
    }
}

struct process_info process_info(struct process *process) {
    return (struct process_info){
        .dead = process->dead, .status = process->status, .threads = process->thread_count};
}

/*
 * Comes here twice for a process that ran: when its threads have ended (references are held by others, or
 * only by the threads' own), and when the last reference went. Handles and the space go the first time.
 */
bool process_reap_step(struct process *process) {
    if (process->handles.chunks && !handle_table_close_step(&process->handles, CLOSE_STEP))
        return false;
    if (process->space) {
        object_put(&process->space->object);
        process->space = NULL;
    }
    if (process->object.references) {
        object_put(&process->object);
        return true;
    }
    binding_clear(&process->binding);
    spin_lock(&process->job->lock);
    list_remove(&process->job_link);
    spin_unlock(&process->job->lock);
    object_free(&process->object, sizeof(*process));
    return true;
}
