/* See job.h. A process or child job is linked while it lives; the link does not count as a reference. */
#include "kernel/job.h"

#include "kernel/process.h"
#include "kernel/reaper.h"

enum { KILL_STEP = 16 };

/* From a job up to, but without, one of its ancestors. */
static void uncharge_below(struct job *job, const struct job *end, enum job_quota quota, uint64_t count) {
    size_t index = quota;
    do {
        atomic_fetch_sub_explicit(&job->used[index], count, memory_order_relaxed);
        job = job->parent;
    } while (job != end);
}

static bool charge_fails(struct job *job, const struct job *end, enum job_quota quota, uint64_t count) {
    uncharge_below(job, end, quota, count);
    return false;
}

bool job_charge(struct job *job, enum job_quota quota, uint64_t count) {
    struct job *at = job;
    size_t index = quota;
    do {
        uint64_t used = atomic_fetch_add_explicit(&at->used[index], count, memory_order_relaxed) + count;
        if (used > at->limit[index])
            return charge_fails(job, at->parent, quota, count);
        at = at->parent;
    } while (at);
    return true;
}

void job_uncharge(struct job *job, enum job_quota quota, uint64_t count) {
    uncharge_below(job, NULL, quota, count);
}

struct job *job_create(struct job *parent) {
    if (parent && parent->depth == JOB_DEPTH_MAX)
        return NULL;
    struct job *job = object_create(OBJECT_JOB, sizeof(*job), parent);
    if (!job)
        return NULL;
    job->parent = parent;
    lock_init(&job->lock, LOCK_RANK_JOB);
    list_init(&job->processes);
    list_init(&job->children);
    list_init(&job->killed);
    list_init(&job->link);
    for (unsigned i = 0; i < JOB_QUOTAS; i++)
        job->limit[i] = UINT64_MAX;
    if (!parent)
        return job;
    job->depth = parent->depth + 1;
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
        .share = job->share,
    };
}

void job_kill(struct job *job, int64_t status) {
    spin_lock(&job->lock);
    bool first = !job->dead;
    if (first)
        job->status = status;
    job->dead = true;
    spin_unlock(&job->lock);
    if (!first)
        return;
    object_get(&job->object);
    reaper_add(&job->object);
}

/* Moves the next member to the killed ones, with a reference unless it is about to go; NULL when none is
 * left. The lock is held. */
static struct object *job_next_member(struct job *job, bool *live) {
    struct object *member;
    struct list *link;
    if ((link = list_pop_front(&job->processes)))
        member = &list_entry(link, struct process, job_link)->object;
    else if ((link = list_pop_front(&job->children)))
        member = &list_entry(link, struct job, link)->object;
    else
        return NULL;
    list_push_back(&job->killed, link);
    *live = object_get_live(member);
    return member;
}

bool job_kill_step(struct job *job) {
    for (unsigned i = 0; i < KILL_STEP; i++) {
        bool live = false;
        spin_lock(&job->lock);
        struct object *member = job_next_member(job, &live);
        spin_unlock(&job->lock);
        if (!member) {
            object_put(&job->object);
            return true;
        }
        if (!live)
            continue;
        if (member->type == OBJECT_PROCESS)
            process_kill(container_of(member, struct process, object), job->status);
        else
            job_kill(container_of(member, struct job, object), job->status);
        object_put(member);
    }
    return false;
}
