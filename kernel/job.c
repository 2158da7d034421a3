/* See job.h. A process or child job is linked while it lives; the link does not count as a reference. */
#include "kernel/job.h"

#include "kernel/process.h"

static bool quota_add(struct job *job, enum job_quota quota, uint64_t count) {
    uint64_t used = atomic_fetch_add_explicit(&job->used[quota], count, memory_order_relaxed);
    if (used + count <= job->limit[quota])
        return true;
    atomic_fetch_sub_explicit(&job->used[quota], count, memory_order_relaxed);
    return false;
}

bool job_charge(struct job *job, enum job_quota quota, uint64_t count) {
    for (struct job *at = job; at; at = at->parent) {
        if (quota_add(at, quota, count))
            continue;
        for (struct job *undo = job; undo != at; undo = undo->parent)
            atomic_fetch_sub_explicit(&undo->used[quota], count, memory_order_relaxed);
        return false;
    }
    return true;
}

void job_uncharge(struct job *job, enum job_quota quota, uint64_t count) {
    for (; job; job = job->parent)
        atomic_fetch_sub_explicit(&job->used[quota], count, memory_order_relaxed);
}

struct job *job_create(struct job *parent) {
    struct job *job = object_create(OBJECT_JOB, sizeof(*job), parent);
    if (!job)
        return NULL;
    job->parent = parent;
    job->lock = (struct spinlock)SPINLOCK(LOCK_RANK_JOB);
    list_init(&job->processes);
    list_init(&job->children);
    list_init(&job->link);
    for (unsigned i = 0; i < JOB_QUOTAS; i++)
        job->limit[i] = UINT64_MAX;
    if (!parent)
        return job;
    spin_lock(&parent->lock);
    bool dead = parent->dead;
    if (!dead)
        list_push_back(&parent->children, &job->link);
    spin_unlock(&parent->lock);
    if (dead) {
        object_put(&job->object);
        return NULL;
    }
    return job;
}

void job_destroy(struct job *job) {
    if (job->parent) {
        spin_lock(&job->parent->lock);
        list_remove(&job->link);
        spin_unlock(&job->parent->lock);
    }
    object_free(&job->object, sizeof(*job));
}

void job_limit(struct job *job, const uint64_t limits[JOB_QUOTAS]) {
    for (unsigned i = 0; i < JOB_QUOTAS; i++)
        job->limit[i] = limits[i] ? limits[i] : UINT64_MAX;
}

struct job_info job_info(const struct job *job) {
    return (struct job_info){
        .pages = job->used[JOB_PAGES],
        .pages_limit = job->limit[JOB_PAGES],
        .objects = job->used[JOB_OBJECTS],
        .objects_limit = job->limit[JOB_OBJECTS],
        .threads = job->used[JOB_THREADS],
        .threads_limit = job->limit[JOB_THREADS],
    };
}

/* A reference to some process or child job that still lives below the job; NULL when none does. */
static struct object *job_first_member(struct job *job) {
    struct object *member = NULL;
    spin_lock(&job->lock);
    job->dead = true;
    struct process *process;
    list_for_each(process, &job->processes, job_link) {
        if (!process->killed && object_get_live(&process->object)) {
            member = &process->object;
            break;
        }
    }
    struct job *child;
    if (!member) {
        list_for_each(child, &job->children, link) {
            if (!child->dead && object_get_live(&child->object)) {
                member = &child->object;
                break;
            }
        }
    }
    spin_unlock(&job->lock);
    return member;
}

void job_kill(struct job *job, int64_t status) {
    struct object *member;
    while ((member = job_first_member(job))) {
        if (member->type == OBJECT_PROCESS)
            process_kill(container_of(member, struct process, object), status);
        else
            job_kill(container_of(member, struct job, object), status);
        object_put(member);
    }
}
