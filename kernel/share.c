/* See share.h. */
#include "kernel/share.h"

#include "kernel/arch_cpu.h"
#include "kernel/job.h"
#include "kernel/process.h"
#include "kernel/sched.h"

enum {
    PERIOD_NS = 100000000,
    PART_NS = PERIOD_NS / JOB_SHARE_ALL,
    BURST_PARTS = 100,       /* what a job may be ahead at least, however large its share */
    LENT_NS = 4 * PERIOD_NS, /* … and what a server that others wait for may be in addition */
};

bool shares_set;

int64_t share_set(struct job *job, uint64_t share) {
    if (share > JOB_SHARE_ALL)
        return -EINVAL;
    job->share = (uint32_t)share;
    job->paid_at = 0;
    shares_set |= share != 0;
    return 0;
}

/* Charges time up to now to a job with this share; when that will have been paid for. */
static uint64_t share_charge(struct job *job, uint32_t share, uint64_t ns, uint64_t now) {
    uint64_t cost = ns * JOB_SHARE_ALL / (share * machine.cpu_count), before = job->paid_at, from;
    do
        from = before > now - ns ? before : now - ns;
    while (!atomic_compare_exchange_weak(&job->paid_at, &before, from + cost));
    return from + cost;
}

void share_account(struct thread *thread) {
    uint64_t ran = thread->run_time + tsc_read() - cpu_self()->switched_at;
    uint64_t ns = clock_ns(ran - thread->charged), now = clock_now(), until = 0;
    uint64_t ahead = now + (thread->lent_level < LEVELS ? LENT_NS : 0);
    bool limited = false;

    thread->charged = ran;
    if (ns > PERIOD_NS) /* the job had no share until now */
        ns = PERIOD_NS;
    for (struct job *job = thread->process->object.job; job; job = job->parent) {
        uint32_t share = job->share; /* another CPU may change it */
        if (!share)
            continue;
        limited = true;
        uint64_t paid_at = share_charge(job, share, ns, now);
        if (paid_at > ahead + (JOB_SHARE_ALL + BURST_PARTS - share) * PART_NS && paid_at > until)
            until = paid_at;
    }
    if (limited != thread->limited) {
        thread->limited = limited;
        thread_hand_over_set(thread);
    }
    if (until && thread->state == THREAD_RUNNING && !thread->dying && !thread->period)
        thread_postpone(thread, until);
}
