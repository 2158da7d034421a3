/* Resource limits and usage: getrlimit, setrlimit, prlimit64, getrusage. The limits belong to the process
 * (tasks_lock). */
#include "linux/abi/resource.h"
#include "lib/base/string.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"
#include "linux/task/tables.h"
#include "linux/task/time.h"

enum { FILES_HIGHEST = 1048576 }; /* fs.nr_open */

static int limit_change(struct rlimit64 *limit, unsigned which, const struct rlimit64 *wanted, bool root) {
    if (wanted->current > wanted->maximum)
        return -EINVAL;
    if (which == RLIMIT_NOFILE && wanted->maximum > FILES_HIGHEST)
        return -EPERM;
    if (wanted->maximum > limit->maximum && !root)
        return -EPERM;
    *limit = *wanted;
    if (which == RLIMIT_CPU && !limit->current) /* "at once": the smallest that can be enforced */
        limit->current = 1;
    return 0;
}

/* Reads the old and sets the new limit where not NULL. */
static int limits_do(int32_t pid, unsigned which, const struct rlimit64 *wanted, struct rlimit64 *old) {
    const struct task *self = task_current();
    int error = 0;
    if (which >= RLIMIT_COUNT)
        return -EINVAL;
    mutex_lock(&tasks_lock);
    struct task *task = pid ? task_find_any(pid) : task_current();
    struct process *process = task && wanted && which == RLIMIT_CPU ? process_get(task->process) : NULL;
    if (!task) {
        error = -ESRCH;
    } else if (task->process != self->process && !task_is_root(self) &&
               (self->credentials.uid != task->credentials.euid ||
                self->credentials.uid != task->credentials.uid ||
                self->credentials.uid != task->credentials.suid)) {
        error = -EPERM;
    } else {
        struct rlimit64 *limit = &task->process->limits[which];
        if (old)
            *old = *limit;
        if (wanted)
            error = limit_change(limit, which, wanted, task_is_root(self));
    }
    mutex_unlock(&tasks_lock);
    if (process && !error)
        timers_limit_cpu(process);
    if (process)
        process_put(process);
    return error;
}

int64_t sys_prlimit64(uint64_t pid, uint64_t which, uint64_t new_address, uint64_t old_address) {
    struct rlimit64 wanted, old;
    if (new_address && guest_copy_in(&wanted, new_address, sizeof(wanted)))
        return -EFAULT;
    int error = limits_do((int32_t)pid, (unsigned)which, new_address ? &wanted : NULL, &old);
    if (error || !old_address)
        return error;
    return guest_copy_out(old_address, &old, sizeof(old));
}

int64_t sys_getrlimit(uint64_t which, uint64_t address) {
    struct rlimit64 old;
    int error = limits_do(0, (unsigned)which, NULL, &old);
    return error ? error : guest_copy_out(address, &old, sizeof(old));
}

int64_t sys_setrlimit(uint64_t which, uint64_t address) {
    struct rlimit64 wanted;
    if (guest_copy_in(&wanted, address, sizeof(wanted)))
        return -EFAULT;
    return limits_do(0, (unsigned)which, &wanted, NULL);
}

/* ---- usage ---- */

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* tasks_lock held. */
static void usage_of_process(struct rusage64 *usage, struct process *process) {
    usage->utime = timeval_from_ns(process_cpu_time(process) - process->system_time);
    usage->stime = timeval_from_ns(process->system_time);
    usage->minflt = (int64_t)process->minor_faults;
    usage->majflt = (int64_t)process->major_faults;
    usage->nvcsw = (int64_t)process->voluntary_switches;
}

static void usage_of_children(struct rusage64 *usage, const struct process *process) {
    usage->utime = timeval_from_ns(process->children_user_time);
    usage->stime = timeval_from_ns(process->children_system_time);
    usage->maxrss = (int64_t)process->children_max_rss * 4;
    usage->minflt = (int64_t)process->children_minor_faults;
    usage->majflt = (int64_t)process->children_major_faults;
    usage->nvcsw = (int64_t)process->children_voluntary_switches;
}

int64_t sys_getrusage(uint64_t who, uint64_t address) {
    struct task *task = task_current();
    struct process *process = task->process;
    struct rusage64 usage;
    memset(&usage, 0, sizeof(usage));
    if ((int32_t)who != RUSAGE_SELF && (int32_t)who != RUSAGE_CHILDREN && (int32_t)who != RUSAGE_THREAD)
        return -EINVAL;
    uint64_t resident = mm_resident_pages(task->mm);
    mutex_lock(&tasks_lock);
    process->max_rss = larger(process->max_rss, resident);
    if ((int32_t)who == RUSAGE_CHILDREN)
        usage_of_children(&usage, process);
    else
        usage_of_process(&usage, process);
    if ((int32_t)who == RUSAGE_THREAD)
        usage.utime = timeval_from_ns(task_cpu_time(task));
    if ((int32_t)who != RUSAGE_CHILDREN)
        usage.maxrss = (int64_t)process->max_rss * 4;
    mutex_unlock(&tasks_lock);
    return guest_copy_out(address, &usage, sizeof(usage));
}
