/*
 * Jobs: a tree of quotas. Whatever the kernel allocates on behalf of user space is charged to a job and to
 * all its ancestors; a charge that would pass a limit anywhere on the way fails and leaves nothing charged.
 */
#pragma once

#include "kernel/lock.h"
#include "kernel/object.h"
#include "lib/base/list.h"

enum job_quota { JOB_PAGES, JOB_OBJECTS, JOB_THREADS, JOB_QUOTAS };

enum { JOB_SHARE_ALL = 1024 }; /* the whole machine */
enum { JOB_DEPTH_MAX = 32 };   /* a charge and an end go up the tree at once */

struct job {
    struct object object;
    struct job *parent;
    _Atomic uint64_t used[JOB_QUOTAS];
    uint64_t limit[JOB_QUOTAS]; /* UINT64_MAX: none */
    _Atomic uint64_t paid_at;   /* ns: see share.h */
    _Atomic uint32_t share;     /* of all CPUs, in 1/JOB_SHARE_ALL; 0: no limit */
    struct spinlock lock;       /* rank JOB: guards what follows */
    bool dead;
    uint8_t depth;         /* ancestors; constant */
    struct list processes; /* struct process.job_link */
    struct list children;  /* struct job.link */
    struct list killed;    /* members that were told to end */
    struct list link;
    int64_t status; /* what members end with once the job is dead */
};

/* False when a limit is in the way; then nothing was charged. Lock-free. */
bool job_charge(struct job *job, enum job_quota quota, uint64_t count);
void job_uncharge(struct job *job, enum job_quota quota, uint64_t count);

/* NULL: memory, quota or depth exhausted, or the parent is dead. parent NULL makes the root job. */
struct job *job_create(struct job *parent);
void job_destroy(struct job *job);

/* Sets all limits; 0 means none of its own. Charges already above a new limit stay. */
void job_limit(struct job *job, const uint64_t limits[JOB_QUOTAS]);
struct job_info job_info(const struct job *job);

/* Kills every process of the job and of its children, through the reaper: before this CPU returns to user
 * mode, all were told to end. Nothing can be made in the job afterwards. */
void job_kill(struct job *job, int64_t status);
/* Reaper: tells a few members to end; true when there are none left. */
bool job_kill_step(struct job *job);
