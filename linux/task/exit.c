/*
 * The end of tasks and processes. A task ends itself, in task_ready, after something marked it as dying:
 * exit, exit_group, a fatal signal, or another thread's execve. Its memory, descriptors and directory go
 * first, so that a parent that learns of the end finds pipes closed and memory free. The last thread makes
 * the process a zombie: its children go to their new parent, its group may become orphaned, its parent is
 * told.
 */
#include "abi/objects.h"
#include "lib/keel/call.h"
#include "linux/abi/resource.h"
#include "linux/abi/signal.h"
#include "linux/abi/wait.h"
#include "linux/fs/fd.h"
#include "linux/ipc/sem.h"
#include "linux/io/tty.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/futex.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"

static void task_doom(struct task *task) {
    task->dying = true;
    task->signal_pending = true;
    task_kick(task);
}

void process_exit_all_locked(struct process *process, int32_t status) {
    if (process->exiting || process->zombie)
        return;
    process->exiting = true;
    process->group_exit_code = status;
    process->stop_requested = process->stopped = false;
    struct task *task;
    list_for_each(task, &process->threads, thread_link) task_doom(task);
}

void process_exit_all(struct process *process, int32_t status) {
    mutex_lock(&tasks_lock);
    process_exit_all_locked(process, status);
    mutex_unlock(&tasks_lock);
}

/* ---- telling parents ---- */

static uint64_t ns_to_ticks(uint64_t ns) {
    return ns / (NS_PER_SECOND / USER_HZ);
}

static struct signal_info child_info(const struct process *process, int32_t code, int32_t status) {
    return (struct signal_info){.signo = SIGCHLD,
                                .code = code,
                                .pid = process->pid,
                                .uid = (int32_t)process->leader->credentials.uid,
                                .status = status,
                                .utime = ns_to_ticks(process->user_time),
                                .stime = ns_to_ticks(process->system_time)};
}

void process_notify_stop(struct process *process, int32_t code) {
    struct process *parent = process->parent;
    if (!parent || parent == &hidden_init || parent->zombie)
        return;
    const struct signal_action *action = &parent->sighand->actions[SIGCHLD - 1];
    if (action->handler != SIG_IGN && !(action->flags & SA_NOCLDSTOP)) {
        struct signal_info info =
            child_info(process, code, code == CLD_STOPPED ? process->stop_signal : SIGCONT);
        signal_send_process_locked(parent, &info);
    }
    waitq_wake_all(&parent->child_wait);
}

/* Tells the parent of the end, but does not wake those who wait for it; true: nobody will wait for the
 * zombie, it goes at once. */
static bool notify_end(struct process *process) {
    struct process *parent = process->parent;
    if (parent == &hidden_init) {
        if (process->pid == 1 && hidden_init.waiting_thread)
            thread_unpark(hidden_init.waiting_thread);
        return process->pid != 1;
    }
    int signo = process->exit_signal;
    bool signaled = process->exit_code & 0x7f;
    struct signal_info info =
        child_info(process, signaled ? CLD_KILLED : CLD_EXITED,
                   signaled ? process->exit_code & 0x7f : process->exit_code >> 8 & 0xff);
    bool reap = false, send = signo != 0;
    if (signo == SIGCHLD && parent->sighand) {
        const struct signal_action *action = &parent->sighand->actions[SIGCHLD - 1];
        reap = action->handler == SIG_IGN || (action->flags & SA_NOCLDWAIT);
        send = action->handler != SIG_IGN;
    }
    info.signo = signo;
    if (send && signo <= LINUX_SIGNALS) /* clone takes any number */
        signal_send_process_locked(parent, &info);
    return reap;
}

/* ---- the process's part ---- */

static struct process *new_parent(const struct process *process) {
    for (struct process *parent = process->parent; parent && parent != &hidden_init; parent = parent->parent)
        if (parent->child_subreaper && !parent->zombie && !parent->exiting)
            return parent;
    return &hidden_init;
}

static void child_adopt(struct process *child, struct process *parent) {
    list_remove(&child->sibling);
    list_push_back(&parent->children, &child->sibling);
    child->parent = parent;
    child->exit_signal = SIGCHLD;
    process_parent_changed(child);
    struct task *task, *after;
    list_for_each_safe(task, after, &child->threads, thread_link) {
        struct signal_info info = {.signo = task->parent_death_signal, .code = SI_USER};
        if (info.signo)
            signal_send_process_locked(child, &info);
    }
    if (!child->zombie)
        return;
    if (notify_end(child))
        process_release(child);
    waitq_wake_all(&parent->child_wait);
}

static void children_leave(struct process *process) {
    struct process *parent = new_parent(process), *child, *after;
    list_for_each_safe(child, after, &process->children, sibling) {
        process_group_check_orphans(child, process);
        child_adopt(child, parent);
    }
}

/* The last thread is gone. tasks_lock held. */
static void process_become_zombie(struct process *process) {
    signal_flush_process(process);
    process->zombie = true;
    process->exit_code = process->group_exit_code;
    children_leave(process);
    process_group_check_orphans(process, NULL);
    if (session_of(process->leader)->leader == process)
        session_of(process->leader)->leader = NULL;
    if (notify_end(process))
        process_release(process);
}

/* ---- the task's part ---- */

void task_vfork_done(struct task *task) {
    if (!__atomic_load_n(&task->vfork_parent, __ATOMIC_RELAXED))
        return; /* it was set before the task began, and has only been cleared since */
    mutex_lock(&tasks_lock);
    struct task *parent = task->vfork_parent;
    handle_t thread = parent ? parent->thread : HANDLE_NONE;
    task->vfork_parent = NULL;
    if (parent)
        parent->vfork_child = NULL;
    mutex_unlock(&tasks_lock);
    if (thread) /* now that it can have the lock; if it is not the parent's any more, that does no harm */
        thread_unpark(thread);
}

static void usage_collect(const struct task *task) {
    uint64_t pages = mm_resident_pages(task->mm);
    if (pages > task->process->max_rss)
        task->process->max_rss = pages;
}

/* What the task holds for itself; may block. Others find it under tasks_lock. */
static void task_let_go(struct task *task) {
    usage_collect(task);
    sem_undo_leave(task);
    futex_task_end(task);
    mutex_lock(&tasks_lock);
    struct mm *mm = task->mm;
    struct fd_table *files = task->files;
    struct fs_state *fs = task->fs;
    task->mm = NULL;
    task->files = NULL;
    task->fs = NULL;
    mutex_unlock(&tasks_lock);
    mm_leave(mm);
    task_vfork_done(task);
    fd_table_put(files);
    fs_state_put(fs);
}

/* The thread that finds all others ending too is the last: from then on no new thread can appear. Where each
 * thread called exit by itself, the process ends with the leader's code. */
static void process_is_ending(struct process *process) {
    mutex_lock(&tasks_lock);
    bool last = ++process->ending_count == process->thread_count;
    bool leads = session_of(process->leader)->leader == process;
    if (last && !process->exiting) {
        process->exiting = true;
        process->group_exit_code = process->leader->exit_code;
    }
    mutex_unlock(&tasks_lock);
    if (last)
        timers_exit(process);
    if (last && leads)
        tty_leader_exit(process);
}

/* Out of the thread list and every table but the leader's. time: the task's CPU time, ns. tasks_lock held. */
static void task_unlink(struct task *task, uint64_t time) {
    struct process *process = task->process;
    process->user_time += time;
    sched_end(task);
    task->ended = true;
    task->utcb = NULL;
    task->thread = HANDLE_NONE;
    list_remove(&task->thread_link);
    process->thread_count--;
    process->ending_count--;
    session_of(task)->task_count--;
    task_count--;
    if (task->stopping)
        process->stopped_count--;
    if (task->vfork_child) { /* killed while it waited */
        task->vfork_child->vfork_parent = NULL;
        task->vfork_child = NULL;
    }
    signal_flush_task(task);
}

void task_end(struct task *task) {
    struct process *process = task->process;
    task->state = 'X';
    task_let_go(task);
    process_is_ending(process);
    uint64_t time = task_cpu_time(task);
    mutex_lock(&tasks_lock);
    task_unlink(task, time);
    bool leader = process->leader == task, last = !process->thread_count;
    if (!leader)
        task_hash_remove(task);
    struct sighand *sighand = NULL;
    struct process *parent = NULL;
    if (last) {
        sighand = process->sighand;
        parent = process_get(process->parent);
        process_become_zombie(process);
    } else {
        process_stop_recheck(process);
        if (process->exec_task && process->thread_count == 1)
            task_kick(process->exec_task);
    }
    mutex_unlock(&tasks_lock);
    if (parent) { /* who waits takes the lock at once, perhaps on another CPU */
        waitq_wake_all(&parent->child_wait);
        process_put(parent);
    }
    sighand_put(sighand);
    if (!leader)
        task_free(task);
}

/* ---- calls ---- */

int64_t sys_exit(uint64_t code) {
    struct task *task = task_current();
    mutex_lock(&tasks_lock);
    task->exit_code = WAIT_EXITED((int32_t)code);
    task_doom(task);
    mutex_unlock(&tasks_lock);
    return 0;
}

int64_t sys_exit_group(uint64_t code) {
    process_exit_all(task_current()->process, WAIT_EXITED((int32_t)code));
    return 0;
}

/* ---- execve ---- */

/* The old leader has ended; the thread that execs takes its place and id. tasks_lock held. */
static void take_leader(struct task *task) {
    struct process *process = task->process;
    struct task *old = process->leader;
    if (old == task)
        return;
    task_hash_remove(old);
    task_hash_remove(task);
    task->tid = process->pid;
    task_hash_add(task);
    process->leader = task;
    task_free(old);
    task_answers_update(task);
}

int process_leave_threads(struct task *task) {
    struct process *process = task->process;
    mutex_lock(&tasks_lock);
    if (process->exiting || process->exec_task) {
        mutex_unlock(&tasks_lock);
        return -EAGAIN;
    }
    process->exec_task = task;
    struct task *other;
    list_for_each(other, &process->threads, thread_link) if (other != task) task_doom(other);
    while (process->thread_count > 1 && !task->dying) {
        mutex_unlock(&tasks_lock);
        thread_park(DEADLINE_NEVER);
        mutex_lock(&tasks_lock);
    }
    process->exec_task = NULL;
    if (!task->dying)
        take_leader(task);
    mutex_unlock(&tasks_lock);
    return task->dying ? -EAGAIN : 0;
}

/* Caught signals fall back to the default, ignored ones stay ignored. tasks_lock held. */
static void actions_exec(struct sighand *sighand) {
    for (sigset_t64 left = sighand->changed; left; left &= left - 1) {
        struct signal_action *action = &sighand->actions[__builtin_ctzll(left)];
        *action = (struct signal_action){.handler = action->handler == SIG_IGN ? SIG_IGN : SIG_DFL};
    }
}

void process_exec_done(struct task *task) {
    struct process *process = task->process;
    if (process->sighand->references > 1) {
        struct sighand *own = sighand_copy(process->sighand), *shared = process->sighand;
        if (own) {
            mutex_lock(&tasks_lock);
            process->sighand = own;
            mutex_unlock(&tasks_lock);
            sighand_put(shared);
        }
    }
    posix_timers_delete(process);
    mutex_lock(&tasks_lock);
    actions_exec(process->sighand);
    process->execed = true;
    process->exit_signal = SIGCHLD;
    task->altstack_base = task->altstack_size = 0;
    task->altstack_flags = 2; /* SS_DISABLE */
    task->robust_list = task->clear_child_tid = 0;
    task->parent_death_signal = 0;
    task->restart_block.function = NULL;
    task_answers_update(task);
    mutex_unlock(&tasks_lock);
    task_vfork_done(task);
}

/* ---- out of memory ---- */

/* Whether it is the session's own share that is used up; otherwise the whole container's memory is. */
static bool session_is_full(const struct session *session) {
    enum { NEARLY = 16 };
    struct job_info info = {0};
    return keel_object_info(session->job, keel_pointer(&info), sizeof(info)) > 0 &&
           info.pages_limit - info.pages < NEARLY;
}

static bool is_within(const struct process *process, const struct session *scope) {
    return !scope || process->group->session == scope;
}

/* A process of the session (NULL: any) on its way out whose memory is about to come back. tasks_lock held. */
static bool memory_returns(const struct session *scope) {
    struct process *process;
    list_for_each(process, &process_list, link) {
        struct task *live = process_live_task(process);
        if (process->exiting && live && live->mm && is_within(process, scope))
            return true;
    }
    return false;
}

/* What speaks for killing a process: its own memory, and half of its session's, because a bomb may consist of
 * many small processes. tasks_lock held. */
static uint64_t memory_blame(const struct process *process, uint64_t resident) {
    struct job_info info = {0};
    keel_object_info(process->group->session->job, keel_pointer(&info), sizeof(info));
    return resident + info.pages / 2;
}

/* The youngest of those that are most to blame. tasks_lock held. */
static struct process *memory_victim(const struct session *scope, uint64_t *pages) {
    struct process *process, *victim = NULL;
    uint64_t most = 0;
    list_for_each(process, &process_list, link) {
        struct task *live = process_live_task(process);
        if (!live || !live->mm || !is_within(process, scope))
            continue;
        uint64_t resident = mm_resident_pages(live->mm), blame = memory_blame(process, resident);
        if (victim && blame < most)
            continue;
        most = blame;
        *pages = resident;
        victim = process;
    }
    return victim;
}

bool process_kill_largest(struct task *task) {
    uint64_t pages = 0;
    mutex_lock(&tasks_lock);
    const struct session *scope = session_is_full(session_of(task)) ? session_of(task) : NULL;
    bool other = !task->process->exiting;
    if (other && !memory_returns(scope)) {
        struct process *victim = memory_victim(scope, &pages);
        log_line("out of memory: %s[%d] killed, %llu pages", victim->leader->comm, victim->pid,
                 (unsigned long long)pages);
        process_exit_all_locked(victim, WAIT_SIGNALED(SIGKILL));
        other = victim != task->process;
    }
    mutex_unlock(&tasks_lock);
    return other;
}
