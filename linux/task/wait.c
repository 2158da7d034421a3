/*
 * wait4 and waitid. Everything that can be waited for hangs on the children list of the process; a scan under
 * tasks_lock takes the first child that has something to tell. Waiters sleep on the process's child_wait.
 */
#include "linux/abi/resource.h"
#include "linux/abi/signal.h"
#include "linux/abi/wait.h"
#include "lib/base/string.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"
#include "linux/task/time.h"

struct wait_query {
    int type; /* P_ALL, P_PID, P_PGID */
    int32_t id;
    uint32_t options;
    /* result */
    int32_t pid, uid, code, status; /* code: CLD_…; status: wait4's word */
    struct rusage64 usage;
};

static bool query_matches(const struct wait_query *query, const struct process *child) {
    if (query->type == P_PID && child->pid != query->id)
        return false;
    if (query->type == P_PGID && (!child->group || child->group->pgid != query->id))
        return false;
    if (query->options & __WALL)
        return true;
    bool clone = child->exit_signal != SIGCHLD;
    return clone == !!(query->options & __WCLONE);
}

static void usage_of_child(struct rusage64 *usage, struct process *child) {
    memset(usage, 0, sizeof(*usage));
    usage->utime = timeval_from_ns(process_cpu_time(child) - child->system_time + child->children_user_time);
    usage->stime = timeval_from_ns(child->system_time + child->children_system_time);
    usage->maxrss =
        (int64_t)(child->max_rss > child->children_max_rss ? child->max_rss : child->children_max_rss) * 4;
    usage->minflt = (int64_t)(child->minor_faults + child->children_minor_faults);
    usage->majflt = (int64_t)(child->major_faults + child->children_major_faults);
    usage->nvcsw = (int64_t)(child->voluntary_switches + child->children_voluntary_switches);
}

static void query_answer(struct wait_query *query, struct process *child, int32_t code, int32_t status) {
    query->pid = child->pid;
    query->uid = (int32_t)child->leader->credentials.uid;
    query->code = code;
    query->status = status;
    usage_of_child(&query->usage, child);
}

static void inherit_usage(struct process *parent, const struct process *child) {
    parent->children_user_time += child->user_time + child->children_user_time;
    parent->children_system_time += child->system_time + child->children_system_time;
    parent->children_minor_faults += child->minor_faults + child->children_minor_faults;
    parent->children_major_faults += child->major_faults + child->children_major_faults;
    parent->children_voluntary_switches += child->voluntary_switches + child->children_voluntary_switches;
    uint64_t rss = child->max_rss > child->children_max_rss ? child->max_rss : child->children_max_rss;
    if (rss > parent->children_max_rss)
        parent->children_max_rss = rss;
}

/* Whether the child has something to tell; takes it unless WNOWAIT. */
static bool query_child(struct wait_query *query, struct process *child) {
    bool keep = query->options & WNOWAIT;
    if (child->zombie) {
        if (!(query->options & WEXITED))
            return false;
        query_answer(query, child, child->exit_code & 0x7f ? CLD_KILLED : CLD_EXITED, child->exit_code);
        if (!keep) {
            inherit_usage(task_current()->process, child);
            process_release(child);
        }
        return true;
    }
    if (child->stop_report && (query->options & WSTOPPED)) {
        query_answer(query, child, CLD_STOPPED, WAIT_STOPPED(child->stop_report));
        if (!keep)
            child->stop_report = 0;
        return true;
    }
    if (child->continued && (query->options & WCONTINUED)) {
        query_answer(query, child, CLD_CONTINUED, WAIT_CONTINUED);
        if (!keep)
            child->continued = false;
        return true;
    }
    return false;
}

/* 1: answered; 0: nothing yet; -ECHILD: nobody to wait for. */
static int query_scan(struct wait_query *query) {
    struct process *child, *after;
    bool any = false;
    list_for_each_safe(child, after, &task_current()->process->children, sibling) {
        if (!query_matches(query, child))
            continue;
        any = true;
        if (query_child(query, child))
            return 1;
    }
    return any ? 0 : -ECHILD;
}

/* As query_scan, waiting unless WNOHANG; -ERESTARTSYS. */
static int query_run(struct wait_query *query) {
    struct process *process = task_current()->process;
    struct waiter waiter = {0};
    mutex_lock(&tasks_lock);
    int result = query_scan(query), error = 0;
    if (!result && !(query->options & WNOHANG)) {
        waitq_add(&process->child_wait, &waiter);
        while (!(result = query_scan(query)) && !error)
            error = task_wait(&tasks_lock, DEADLINE_NEVER);
        waitq_remove(&process->child_wait, &waiter);
    }
    mutex_unlock(&tasks_lock);
    return result ? result : error ? -ERESTARTSYS : 0;
}

static int32_t own_group(void) {
    mutex_lock(&tasks_lock);
    int32_t pgid = task_current()->process->group->pgid;
    mutex_unlock(&tasks_lock);
    return pgid;
}

int64_t sys_wait4(uint64_t target, uint64_t status_address, uint64_t options, uint64_t usage_address) {
    int32_t pid = (int32_t)target;
    uint32_t flags = (uint32_t)options;
    if (flags & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    struct wait_query query = {.type = P_PID, .id = pid, .options = flags | WEXITED};
    if (pid == -1)
        query.type = P_ALL;
    else if (pid <= 0) {
        query.type = P_PGID;
        query.id = pid ? -pid : own_group();
    }
    int result = query_run(&query);
    if (result <= 0)
        return result;
    if (status_address && guest_copy_out(status_address, &query.status, sizeof(query.status)))
        return -EFAULT;
    if (usage_address && guest_copy_out(usage_address, &query.usage, sizeof(query.usage)))
        return -EFAULT;
    return query.pid;
}

/* waitid's siginfo: all zero when nothing was found. */
static int waitid_info_out(uint64_t address, const struct wait_query *query, bool found) {
    struct siginfo64 raw;
    memset(&raw, 0, sizeof(raw));
    if (found) {
        raw.signo = SIGCHLD;
        raw.code = query->code;
        raw.child.pid = query->pid;
        raw.child.uid = (uint32_t)query->uid;
        if (query->code == CLD_EXITED || query->code == CLD_STOPPED)
            raw.child.status = query->status >> 8 & 0xff;
        else if (query->code == CLD_CONTINUED)
            raw.child.status = SIGCONT;
        else
            raw.child.status = query->status & 0x7f;
    }
    enum { WRITTEN = 32 }; /* the fields waitid fills; it leaves the times alone */
    return guest_copy_out(address, &raw, WRITTEN);
}

int64_t sys_waitid(uint64_t type, uint64_t id, uint64_t info_address, uint64_t options,
                   uint64_t usage_address) {
    uint32_t flags = (uint32_t)options;
    struct wait_query query = {.type = (int)type, .id = (int32_t)id, .options = flags};
    if (flags & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
        return -EINVAL;
    if (!(flags & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    switch (query.type) {
    case P_ALL:
        break;
    case P_PID:
        if (query.id <= 0)
            return -EINVAL;
        break;
    case P_PGID:
        if (query.id < 0)
            return -EINVAL;
        if (!query.id)
            query.id = own_group();
        break;
    case P_PIDFD:
        return query.id < 0 ? -EINVAL : -EBADF;
    default:
        return -EINVAL;
    }
    int result = query_run(&query);
    if (result < 0)
        return result;
    if (result > 0 && usage_address && guest_copy_out(usage_address, &query.usage, sizeof(query.usage)))
        return -EFAULT;
    if (info_address && waitid_info_out(info_address, &query, result > 0))
        return -EFAULT;
    return 0;
}
