/* prctl and personality: attributes of the calling task. */
#include "linux/abi/prctl.h"
#include "lib/base/string.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"

static int64_t name_set(struct task *task, uint64_t address) {
    char name[sizeof(task->comm)] = {0};
    int64_t length = guest_string_in(name, address, sizeof(name));
    if (length == -EFAULT)
        return length;
    name[sizeof(name) - 1] = 0;
    mutex_lock(&tasks_lock);
    memset(task->comm, 0, sizeof(task->comm));
    memcpy(task->comm, name, strlen(name));
    mutex_unlock(&tasks_lock);
    return 0;
}

static int64_t bounding_drop(struct task *task, uint64_t capability) {
    if (!task_is_root(task))
        return -EPERM;
    if (capability > CAP_LAST)
        return -EINVAL;
    task->capabilities_bounding &= ~(1ULL << capability);
    return 0;
}

/* No ambient capabilities exist: none is ever raised. */
static int64_t ambient(const struct task *task, uint64_t operation, uint64_t capability) {
    if (operation == PR_CAP_AMBIENT_CLEAR_ALL)
        return capability ? -EINVAL : 0;
    if (capability > CAP_LAST)
        return -EINVAL;
    uint64_t bit = 1ULL << capability;
    switch (operation) {
    case PR_CAP_AMBIENT_IS_SET:
    case PR_CAP_AMBIENT_LOWER:
        return 0;
    case PR_CAP_AMBIENT_RAISE:
        return task->capabilities_permitted & task->capabilities_inheritable & bit ? -EOPNOTSUPP : -EPERM;
    default:
        return -EINVAL;
    }
}

static int64_t out32(uint64_t address, int32_t value) {
    return guest_copy_out(address, &value, sizeof(value));
}

/* What the task may do, now and after exec. */
static int64_t privileges_control(struct task *task, int32_t option, uint64_t a, uint64_t b, uint64_t c,
                                  uint64_t d) {
    switch (option) {
    case PR_GET_KEEPCAPS:
        return task->keep_capabilities;
    case PR_SET_KEEPCAPS:
        if (a > 1)
            return -EINVAL;
        task->keep_capabilities = a;
        return 0;
    case PR_GET_SECCOMP:
        return 0;
    case PR_SET_SECCOMP:
        return -EINVAL;
    case PR_CAPBSET_READ:
        return a > CAP_LAST ? -EINVAL : (int64_t)(task->capabilities_bounding >> a & 1);
    case PR_CAPBSET_DROP:
        return bounding_drop(task, a);
    case PR_GET_SECUREBITS:
        return 0;
    case PR_SET_SECUREBITS:
        return a ? -EPERM : 0;
    case PR_SET_NO_NEW_PRIVS:
        if (a != 1 || b || c || d)
            return -EINVAL;
        task->no_new_privileges = true;
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return a || b || c || d ? -EINVAL : task->no_new_privileges;
    case PR_CAP_AMBIENT:
        return c || d ? -EINVAL : ambient(task, a, b);
    default:
        return -EINVAL;
    }
}

int64_t sys_prctl(uint64_t option, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    struct task *task = task_current();
    struct process *process = task->process;
    switch ((int32_t)option) {
    case PR_SET_PDEATHSIG:
        if (a > LINUX_SIGNALS)
            return -EINVAL;
        task->parent_death_signal = (int32_t)a;
        return 0;
    case PR_GET_PDEATHSIG:
        return out32(a, task->parent_death_signal);
    case PR_GET_DUMPABLE:
        return !process->not_dumpable;
    case PR_SET_DUMPABLE:
        if (a > 1)
            return -EINVAL;
        process->not_dumpable = !a;
        return 0;
    case PR_GET_TIMING:
        return PR_TIMING_STATISTICAL;
    case PR_SET_TIMING:
        return a == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
    case PR_SET_NAME:
        return name_set(task, a);
    case PR_GET_NAME:
        return guest_copy_out(a, task->comm, sizeof(task->comm));
    case PR_GET_TSC:
        return out32(a, PR_TSC_ENABLE);
    case PR_SET_TSC:
        return a == PR_TSC_ENABLE ? 0 : -EINVAL;
    case PR_SET_TIMERSLACK:
        task->timer_slack = (int64_t)a > 0 ? a : 50000;
        return 0;
    case PR_GET_TIMERSLACK:
        return (int64_t)task->timer_slack;
    case PR_SET_CHILD_SUBREAPER:
        process->child_subreaper = a;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return out32(a, process->child_subreaper);
    case PR_GET_TID_ADDRESS:
        return guest_copy_out(a, &task->clear_child_tid, sizeof(task->clear_child_tid));
    case PR_SET_THP_DISABLE:
    case PR_GET_THP_DISABLE:
        return b || c || d ? -EINVAL : 0;
    default:
        return privileges_control(task, (int32_t)option, a, b, c, d);
    }
}

int64_t sys_personality(uint64_t wanted) {
    struct task *task = task_current();
    uint32_t old = task->personality;
    if ((uint32_t)wanted != PERSONALITY_QUERY)
        task->personality = (uint32_t)wanted;
    return old;
}
