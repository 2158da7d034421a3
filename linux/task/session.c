/*
 * Process groups and sessions: tables, setsid and setpgid and their queries, the orphan rule, and signals
 * from terminals. Each session has a kernel job below the container's: address spaces of its processes are
 * charged to it, and it takes at most three quarters of the container's pages, so that a session that eats
 * memory leaves room for another shell. Everything is under tasks_lock.
 */
#include "linux/task/session.h"

#include "abi/objects.h"
#include "lib/keel/call.h"
#include "linux/abi/signal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"
#include "linux/task/process.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"

enum { GROUP_BUCKETS = 64 };

static struct list group_buckets[GROUP_BUCKETS];
static struct list sessions = LIST_INIT(sessions);
static handle_t container_job_handle;
static uint64_t session_pages;

void sessions_init(handle_t container_job) {
    for (int i = 0; i < GROUP_BUCKETS; i++)
        list_init(&group_buckets[i]);
    container_job_handle = container_job;
    uint64_t total, free;
    system_memory(&total, &free);
    session_pages = total / PAGE_SIZE / 4 * 3;
}

static struct list *group_bucket(int32_t pgid) {
    return &group_buckets[(uint32_t)pgid % GROUP_BUCKETS];
}

struct process_group *process_group_find(int32_t pgid) {
    struct process_group *group;
    list_for_each(group, group_bucket(pgid), link) if (group->pgid == pgid) return group;
    return NULL;
}

bool session_id_used(int32_t id) {
    struct session *session;
    list_for_each(session, &sessions, link) if (session->sid == id) return true;
    return false;
}

struct session *session_of(const struct task *task) {
    return task->process->group->session;
}

handle_t session_job(const struct task *task) {
    mutex_lock(&tasks_lock); /* the group may change: a parent's setpgid */
    handle_t job = session_of(task)->job;
    mutex_unlock(&tasks_lock);
    return job;
}

static struct session *session_alloc(int32_t sid) {
    struct session *session = heap_zalloc(sizeof(*session));
    if (!session)
        return NULL;
    int64_t job = keel_handle_create(OBJECT_JOB, container_job_handle, 0, 0);
    if (job < 0) {
        heap_free(session);
        return NULL;
    }
    if (session_pages)
        keel_job_limit((handle_t)job, session_pages, 0, 0, 0);
    session->sid = sid;
    session->job = (handle_t)job;
    list_push_back(&sessions, &session->link);
    return session;
}

static void session_put(struct session *session) {
    if (--session->references)
        return;
    list_remove(&session->link);
    keel_handle_close(session->job);
    heap_free(session);
}

struct process_group *process_group_create(int32_t pgid, struct session *session) {
    struct process_group *group = heap_zalloc(sizeof(*group));
    if (!group)
        return NULL;
    group->pgid = pgid;
    group->session = session;
    session->references++;
    list_init(&group->members);
    list_push_back(group_bucket(pgid), &group->link);
    return group;
}

static void group_free_if_empty(struct process_group *group) {
    if (!list_empty(&group->members))
        return;
    list_remove(&group->link);
    session_put(group->session);
    heap_free(group);
}

void process_group_leave(struct process *process) {
    struct process_group *group = process->group;
    if (!group)
        return;
    list_remove(&process->group_link);
    group->session->task_count -= process->thread_count;
    process->group = NULL;
    group_free_if_empty(group);
}

void process_group_join(struct process *process, struct process_group *group) {
    group->session->task_count += process->thread_count; /* before leaving: keeps a shared session alive */
    struct process_group *old = process->group;
    if (old) {
        list_remove(&process->group_link);
        old->session->task_count -= process->thread_count;
    }
    list_push_back(&group->members, &process->group_link);
    process->group = group;
    if (old)
        group_free_if_empty(old);
    process_parent_changed(process);
}

int session_create(struct process *process) {
    if (process_group_find(process->pid))
        return -EPERM;
    struct session *session = session_alloc(process->pid);
    if (!session)
        return -ENOMEM;
    session->references = 1;
    struct process_group *group = process_group_create(process->pid, session);
    if (group) {
        session->leader = process;
        process_group_join(process, group);
    }
    session_put(session);
    return group ? 0 : -ENOMEM;
}

/* ---- orphaned groups ---- */

static bool group_held_by(const struct process *member, const struct process_group *group) {
    const struct process *parent = member->parent;
    return parent && parent->group && parent->group != group && parent->group->session == group->session;
}

static bool group_orphaned_without(const struct process_group *group, const struct process *ignored) {
    struct process *member;
    list_for_each(member, &group->members, group_link) {
        if (!member->zombie && member != ignored && group_held_by(member, group))
            return false;
    }
    return true;
}

bool process_group_orphaned(const struct process_group *group) {
    return group_orphaned_without(group, NULL);
}

static bool group_has_stopped(const struct process_group *group) {
    struct process *member;
    list_for_each(member, &group->members, group_link) if (member->stopped) return true;
    return false;
}

static void group_signal(struct process_group *group, int signo) {
    struct signal_info info = {.signo = signo, .code = SI_KERNEL};
    struct process *member, *after;
    list_for_each_safe(member, after, &group->members, group_link) signal_send_process_locked(member, &info);
}

/* `process` ends (parent NULL), or its parent `parent` ends: does its group lose its last tie to the session?
 */
void process_group_check_orphans(struct process *process, struct process *parent) {
    const struct process *ignored = parent ? NULL : process;
    if (!parent)
        parent = process->parent;
    struct process_group *group = process->group;
    if (!group || !parent->group || parent->group == group || parent->group->session != group->session)
        return;
    if (!group_orphaned_without(group, ignored) || !group_has_stopped(group))
        return;
    group_signal(group, SIGHUP);
    group_signal(group, SIGCONT);
}

/* ---- terminals ---- */

int tty_signal_group(int32_t pgid, int signo) {
    mutex_lock(&tasks_lock);
    struct process_group *group = process_group_find(pgid);
    if (group)
        group_signal(group, signo);
    mutex_unlock(&tasks_lock);
    return group ? 0 : -ESRCH;
}

void tty_signal_session_leader(struct session *session, int signo) {
    mutex_lock(&tasks_lock);
    struct signal_info info = {.signo = signo, .code = SI_KERNEL};
    if (session->leader)
        signal_send_process_locked(session->leader, &info);
    mutex_unlock(&tasks_lock);
}

/* ---- calls ---- */

int64_t sys_setsid(void) {
    struct process *process = task_current()->process;
    mutex_lock(&tasks_lock);
    int64_t result = session_create(process);
    if (!result)
        result = process->pid;
    mutex_unlock(&tasks_lock);
    return result;
}

/* setpgid's target: the caller, or a child of it that has not called execve. */
static int setpgid_target(struct process *self, int32_t pid, struct process **target) {
    struct process *process = pid ? process_find(pid) : self;
    if (!process)
        return -ESRCH;
    if (process->parent == self) {
        if (process->group->session != self->group->session)
            return -EPERM;
        if (process->execed)
            return -EACCES;
    } else if (process != self) {
        return -ESRCH;
    }
    if (process->group->session->leader == process)
        return -EPERM;
    *target = process;
    return 0;
}

static int setpgid_locked(struct process *self, int32_t pid, int32_t pgid) {
    struct process *process;
    int error = setpgid_target(self, pid, &process);
    if (error)
        return error;
    if (!pgid)
        pgid = process->pid;
    struct process_group *group = process_group_find(pgid);
    if (pgid != process->pid && (!group || group->session != self->group->session))
        return -EPERM;
    if (group && group == process->group)
        return 0;
    if (!group)
        group = process_group_create(pgid, process->group->session);
    if (!group)
        return -ENOMEM;
    process_group_join(process, group);
    return 0;
}

int64_t sys_setpgid(uint64_t pid, uint64_t pgid) {
    if ((int32_t)pgid < 0)
        return -EINVAL;
    mutex_lock(&tasks_lock);
    int64_t result = setpgid_locked(task_current()->process, (int32_t)pid, (int32_t)pgid);
    mutex_unlock(&tasks_lock);
    return result;
}

/* The group of a process, 0 the caller; under tasks_lock. NULL: no such process. */
static struct process_group *group_of_pid(int32_t pid) {
    if (!pid)
        return task_current()->process->group;
    struct task *task = task_find_any(pid);
    return task ? task->process->group : NULL;
}

int64_t sys_getpgid(uint64_t pid) {
    mutex_lock(&tasks_lock);
    struct process_group *group = group_of_pid((int32_t)pid);
    int64_t result = group ? group->pgid : -ESRCH;
    mutex_unlock(&tasks_lock);
    return result;
}

int64_t sys_getpgrp(void) {
    return sys_getpgid(0);
}

int64_t sys_getsid(uint64_t pid) {
    mutex_lock(&tasks_lock);
    struct process_group *group = group_of_pid((int32_t)pid);
    int64_t result = group ? group->session->sid : -ESRCH;
    mutex_unlock(&tasks_lock);
    return result;
}
