/*
 * Scheduling calls. Linux's policies and nice values are kept and reported; towards the kernel they become
 * levels of its scheduler: FIFO and RR level 2, ordinary tasks level 3, positive nice values and SCHED_BATCH
 * level 4, SCHED_IDLE level 5. Tasks that a session has beyond a crowd get level 5 too, so that a fork bomb
 * leaves the CPU to other sessions.
 */
#include "linux/abi/resource.h"
#include "linux/abi/sched.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/tables.h"
#include "linux/task/time.h"

enum {
    LEVEL_REAL_TIME = 2,
    LEVEL_NORMAL = 3,
    LEVEL_BATCH = 4,
    LEVEL_IDLE = 5,
    PRIORITY_HIGHEST = 99,
    NICE_LOWEST = -20,
    NICE_HIGHEST = 19,
    SLICE_NS = 100000000,
    CROWD = 64, /* tasks of a session */
};

static bool is_real_time(uint32_t policy) {
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

static uint32_t level_of(const struct task *task) {
    if (is_real_time(task->policy))
        return LEVEL_REAL_TIME;
    if (task->policy == SCHED_IDLE || task->crowded)
        return LEVEL_IDLE;
    return task->policy == SCHED_BATCH || task->nice > 0 ? LEVEL_BATCH : LEVEL_NORMAL;
}

/* Tells the kernel. tasks_lock held. */
static void level_apply(const struct task *task) {
    if (task->thread)
        task_thread_place(task, level_of(task), task->affinity);
}

void sched_begin(struct task *task) {
    task->crowded = session_of(task)->task_count > CROWD;
    level_apply(task);
}

/* What is left to do is no longer the program's. The CPUs stay: the thread's next task is often a sibling. */
void sched_end(const struct task *task) {
    task_thread_place(task, LEVEL_NORMAL, task->affinity);
}

/* tasks_lock held. */
static struct task *target(uint64_t pid) {
    return (int32_t)pid ? task_find((int32_t)pid) : task_current();
}

static bool may_change(const struct task *task) {
    const struct task *self = task_current();
    return task_is_root(self) || self->credentials.euid == task->credentials.uid ||
           self->credentials.euid == task->credentials.euid;
}

int64_t sys_sched_yield(void) {
    return keel_thread_yield();
}

/* ---- policy and priority ---- */

static int policy_check(const struct task *task, uint32_t policy, int32_t priority) {
    if (policy > SCHED_IDLE || policy == 4)
        return -EINVAL;
    if (priority < 0 || priority > PRIORITY_HIGHEST || is_real_time(policy) != (priority != 0))
        return -EINVAL;
    if (!may_change(task))
        return -EPERM;
    if (is_real_time(policy) && !task_is_root(task_current()) &&
        (uint64_t)priority > task->process->limits[RLIMIT_RTPRIO].current)
        return -EPERM;
    return 0;
}

/* policy -1: keep. */
static int64_t policy_set(uint64_t pid, int32_t policy, int32_t priority) {
    if ((int32_t)pid < 0)
        return -EINVAL;
    mutex_lock(&tasks_lock);
    struct task *task = target(pid);
    int error = -ESRCH;
    if (task) {
        uint32_t wanted = policy < 0 ? task->policy : (uint32_t)policy & ~(uint32_t)SCHED_RESET_ON_FORK;
        error = policy_check(task, wanted, priority);
        if (!error) {
            task->policy = wanted;
            task->rt_priority = (uint32_t)priority;
            level_apply(task);
        }
    }
    mutex_unlock(&tasks_lock);
    return error;
}

int64_t sys_sched_setscheduler(uint64_t pid, uint64_t policy, uint64_t address) {
    int32_t priority;
    if ((int32_t)policy < 0 || !address)
        return -EINVAL;
    if (guest_copy_in(&priority, address, sizeof(priority)))
        return -EFAULT;
    return policy_set(pid, (int32_t)policy, priority);
}

int64_t sys_sched_setparam(uint64_t pid, uint64_t address) {
    int32_t priority;
    if (!address)
        return -EINVAL;
    if (guest_copy_in(&priority, address, sizeof(priority)))
        return -EFAULT;
    return policy_set(pid, -1, priority);
}

/* policy, nice and priority of a task; -EINVAL, -ESRCH. */
static int policy_get(uint64_t pid, struct sched_attr64 *attr) {
    if ((int32_t)pid < 0)
        return -EINVAL;
    mutex_lock(&tasks_lock);
    const struct task *task = target(pid);
    if (task) {
        attr->policy = task->policy;
        attr->nice = is_real_time(task->policy) ? 0 : task->nice;
        attr->priority = task->rt_priority;
    }
    mutex_unlock(&tasks_lock);
    return task ? 0 : -ESRCH;
}

int64_t sys_sched_getscheduler(uint64_t pid) {
    struct sched_attr64 attr;
    int error = policy_get(pid, &attr);
    return error ? error : (int64_t)attr.policy;
}

int64_t sys_sched_getparam(uint64_t pid, uint64_t address) {
    struct sched_attr64 attr;
    if (!address)
        return -EINVAL;
    int error = policy_get(pid, &attr);
    return error ? error : guest_copy_out(address, &attr.priority, sizeof(attr.priority));
}

int64_t sys_sched_getattr(uint64_t pid, uint64_t address, uint64_t size, uint64_t flags) {
    struct sched_attr64 attr;
    memset(&attr, 0, sizeof(attr));
    if (!address || (uint32_t)size < SCHED_ATTR_SIZE_VER0 || (uint32_t)size > PAGE_SIZE || flags)
        return -EINVAL;
    int error = policy_get(pid, &attr);
    if (error)
        return error;
    attr.size = (uint32_t)size < sizeof(attr) ? (uint32_t)size : (uint32_t)sizeof(attr);
    attr.util_max = 1024;
    return guest_copy_out(address, &attr, attr.size);
}

static int nice_set(struct task *task, int32_t nice);

int64_t sys_sched_setattr(uint64_t pid, uint64_t address, uint64_t flags) {
    struct sched_attr64 attr;
    memset(&attr, 0, sizeof(attr));
    if (!address || (int32_t)pid < 0 || flags)
        return -EINVAL;
    if (guest_copy_in(&attr.size, address, sizeof(attr.size)))
        return -EFAULT;
    uint32_t size = attr.size ? attr.size : SCHED_ATTR_SIZE_VER0;
    if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
        return -E2BIG;
    if (guest_copy_in(&attr, address, size < sizeof(attr) ? size : sizeof(attr)))
        return -EFAULT;
    if ((int32_t)attr.policy < 0)
        return -EINVAL;
    int64_t error = policy_set(pid, (int32_t)attr.policy, (int32_t)attr.priority);
    if (error || is_real_time(attr.policy))
        return error;
    mutex_lock(&tasks_lock);
    struct task *task = target(pid);
    error = task ? nice_set(task, attr.nice) : -ESRCH;
    mutex_unlock(&tasks_lock);
    return error;
}

int64_t sys_sched_get_priority_max(uint64_t policy) {
    if ((int32_t)policy == SCHED_FIFO || (int32_t)policy == SCHED_RR)
        return PRIORITY_HIGHEST;
    return policy <= SCHED_DEADLINE && policy != 4 ? 0 : -EINVAL;
}

int64_t sys_sched_get_priority_min(uint64_t policy) {
    if ((int32_t)policy == SCHED_FIFO || (int32_t)policy == SCHED_RR)
        return 1;
    return policy <= SCHED_DEADLINE && policy != 4 ? 0 : -EINVAL;
}

int64_t sys_sched_rr_get_interval(uint64_t pid, uint64_t address) {
    struct sched_attr64 attr;
    int error = policy_get(pid, &attr);
    if (error)
        return error;
    return timespec_out(address, attr.policy == SCHED_FIFO ? 0
                                 : attr.policy == SCHED_RR ? SLICE_NS
                                                           : SLICE_NS / 25);
}

/* ---- CPUs ---- */

static uint64_t all_cpus(void) {
    uint32_t count = system_cpus();
    return count >= 64 ? UINT64_MAX : (1ULL << count) - 1;
}

int64_t sys_sched_setaffinity(uint64_t pid, uint64_t length, uint64_t address) {
    uint64_t mask = 0;
    uint32_t size = (uint32_t)length;
    if (guest_copy_in(&mask, address, size < sizeof(mask) ? size : sizeof(mask)))
        return -EFAULT;
    mutex_lock(&tasks_lock);
    struct task *task = target(pid);
    int64_t result = 0;
    if (!task)
        result = -ESRCH;
    else if (!may_change(task))
        result = -EPERM;
    else if (!(mask & all_cpus()))
        result = -EINVAL;
    mask &= all_cpus();
    if (!result)
        result = task_thread_place(task, level_of(task), mask == all_cpus() ? UINT64_MAX : mask);
    if (!result)
        task->affinity = mask == all_cpus() ? UINT64_MAX : mask;
    mutex_unlock(&tasks_lock);
    return result;
}

int64_t sys_sched_getaffinity(uint64_t pid, uint64_t length, uint64_t address) {
    uint32_t size = (uint32_t)length;
    if (size * 8ULL < system_cpus() || size % sizeof(uint64_t))
        return -EINVAL;
    mutex_lock(&tasks_lock);
    const struct task *task = target(pid);
    uint64_t mask = task ? task->affinity & all_cpus() : 0;
    mutex_unlock(&tasks_lock);
    if (!task)
        return -ESRCH;
    return guest_copy_out(address, &mask, sizeof(mask)) ? -EFAULT : (int64_t)sizeof(mask);
}

/* ---- nice ---- */

/* tasks_lock held. */
static int nice_set(struct task *task, int32_t nice) {
    if (nice < NICE_LOWEST)
        nice = NICE_LOWEST;
    if (nice > NICE_HIGHEST)
        nice = NICE_HIGHEST;
    if (!may_change(task))
        return -EPERM;
    if (nice < task->nice && !task_is_root(task_current()) &&
        (uint64_t)(20 - nice) > task->process->limits[RLIMIT_NICE].current)
        return -EACCES;
    task->nice = nice;
    level_apply(task);
    return 0;
}

struct priority_walk {
    bool set;
    int32_t nice; /* to set; when reading: the lowest found */
    int64_t result;
};

static void priority_visit(struct priority_walk *walk, struct task *task) {
    if (!task)
        return;
    if (walk->set) {
        int error = nice_set(task, walk->nice);
        if (walk->result == -ESRCH || error)
            walk->result = error;
    } else if (walk->result == -ESRCH || 20 - task->nice > walk->result) {
        walk->result = 20 - task->nice;
    }
}

/* Visits what which and who name. tasks_lock held. */
static int priority_walk(struct priority_walk *walk, uint64_t which, int32_t who) {
    struct process *process;
    struct task *task;
    switch ((int32_t)which) {
    case PRIO_PROCESS:
        priority_visit(walk, target((uint64_t)who));
        return 0;
    case PRIO_PGRP: {
        struct process_group *group = who ? process_group_find(who) : task_current()->process->group;
        if (group)
            list_for_each(process, &group->members, group_link)
                list_for_each(task, &process->threads, thread_link) priority_visit(walk, task);
        return 0;
    }
    case PRIO_USER: {
        uint32_t uid = who ? (uint32_t)who : task_current()->credentials.uid;
        list_for_each(process, &process_list, link)
            list_for_each(task, &process->threads, thread_link) if (task->credentials.uid == uid)
                priority_visit(walk, task);
        return 0;
    }
    default:
        return -EINVAL;
    }
}

static int64_t priority_run(struct priority_walk *walk, uint64_t which, uint64_t who) {
    mutex_lock(&tasks_lock);
    int error = priority_walk(walk, which, (int32_t)who);
    mutex_unlock(&tasks_lock);
    return error ? error : walk->result;
}

int64_t sys_setpriority(uint64_t which, uint64_t who, uint64_t nice) {
    struct priority_walk walk = {.set = true, .nice = (int32_t)nice, .result = -ESRCH};
    return priority_run(&walk, which, who);
}

int64_t sys_getpriority(uint64_t which, uint64_t who) {
    struct priority_walk walk = {.result = -ESRCH};
    return priority_run(&walk, which, who);
}
