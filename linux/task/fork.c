/*
 * fork, vfork, clone, clone3. Three steps: decide (flags, limits), make (everything that can fail, undone in
 * reverse order), commit (under tasks_lock: id, tables; nothing fails any more). The child starts in
 * task_ready, which stores its tid in its own memory when asked.
 */
#include "linux/abi/resource.h"
#include "linux/abi/sched.h"
#include "linux/abi/signal.h"
#include "lib/base/string.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/ipc/sem.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"

#define NAMESPACE_FLAGS                                                                                      \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |            \
     CLONE_NEWNET | CLONE_NEWTIME)

struct clone_request {
    uint64_t flags; /* without CSIGNAL */
    int32_t exit_signal;
    uint64_t stack; /* 0: the caller's */
    uint64_t tls, parent_tid, child_tid;
};

/* ---- decide ---- */

static int request_check(const struct clone_request *request) {
    uint64_t flags = request->flags;
    if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
        return -EINVAL;
    if ((flags & CLONE_SIGHAND) && (!(flags & CLONE_VM) || (flags & CLONE_CLEAR_SIGHAND)))
        return -EINVAL;
    if (flags & (NAMESPACE_FLAGS | CLONE_PIDFD | CLONE_INTO_CGROUP))
        return -EINVAL;
    if ((flags & CLONE_PARENT) && task_current()->process->parent == &hidden_init)
        return -EINVAL;
    return 0;
}

/* ---- make ---- */

static void task_inherit(struct task *child, const struct task *parent, const struct clone_request *request) {
    child->credentials = parent->credentials;
    memcpy(child->comm, parent->comm, sizeof(child->comm));
    child->blocked = parent->blocked;
    child->nice = parent->nice;
    child->policy = parent->policy;
    child->rt_priority = parent->rt_priority;
    child->affinity = parent->affinity;
    child->personality = parent->personality;
    child->timer_slack = parent->timer_slack;
    child->no_new_privileges = parent->no_new_privileges;
    child->keep_capabilities = parent->keep_capabilities;
    child->capabilities_effective = parent->capabilities_effective;
    child->capabilities_permitted = parent->capabilities_permitted;
    child->capabilities_inheritable = parent->capabilities_inheritable;
    child->capabilities_bounding = parent->capabilities_bounding;
    security_inherit(child, parent);
    child->altstack_flags = 2; /* SS_DISABLE */
    if (!(request->flags & CLONE_VM) || (request->flags & CLONE_VFORK)) {
        child->altstack_base = parent->altstack_base;
        child->altstack_size = parent->altstack_size;
        child->altstack_flags = parent->altstack_flags;
    }
    if (request->flags & CLONE_CHILD_SETTID)
        child->set_child_tid = request->child_tid;
    if (request->flags & CLONE_CHILD_CLEARTID)
        child->clear_child_tid = request->child_tid;
    child->signal_pending = child->set_child_tid != 0; /* then the first thing it does is task_ready */
}

/* A process beside the caller's with the same limits, and the job of its session. NULL: no memory. */
static struct process *process_inherit(const struct clone_request *request, handle_t *job) {
    struct process *parent = task_current()->process, *process = process_alloc();
    if (!process)
        return NULL;
    bool shared = request->flags & CLONE_SIGHAND;
    process->sighand = shared ? sighand_get(parent->sighand) : sighand_create();
    if (!process->sighand) {
        process_put(process);
        return NULL;
    }
    mutex_lock(&tasks_lock);
    if (!shared)
        sighand_fill(process->sighand, parent->sighand);
    memcpy(process->limits, parent->limits, sizeof(process->limits));
    process->not_dumpable = parent->not_dumpable;
    *job = session_of(task_current())->job; /* the group may change: a parent's setpgid */
    mutex_unlock(&tasks_lock);
    if (request->flags & CLONE_CLEAR_SIGHAND)
        for (int i = 0; i < LINUX_SIGNALS; i++)
            if (process->sighand->actions[i].handler != SIG_IGN)
                process->sighand->actions[i] = (struct signal_action){0};
    process->exit_signal = request->exit_signal;
    return process;
}

static void process_unmake(struct process *process) {
    if (!process)
        return;
    timers_exit(process);
    sighand_put(process->sighand);
    process_put(process);
}

/* Memory, descriptors, directories: shared or copied. What was got is in the child, for task_unmake. */
static int task_make_shares(struct task *child, const struct task *parent, uint64_t flags, handle_t job) {
    child->mm = flags & CLONE_VM ? mm_get(parent->mm) : mm_fork(parent->mm, job);
    if (!child->mm)
        return -ENOMEM;
    child->files = flags & CLONE_FILES ? fd_table_get(parent->files) : fd_table_copy(parent->files);
    if (!child->files)
        return -ENOMEM;
    child->fs = flags & CLONE_FS ? fs_state_get(parent->fs) : fs_state_copy(parent->fs);
    if (!child->fs)
        return -ENOMEM;
    return flags & CLONE_SYSVSEM ? sem_undo_share(child) : 0;
}

static void task_unmake(struct task *child) {
    sem_undo_leave(child);
    if (child->fs)
        fs_state_put(child->fs);
    if (child->files)
        fd_table_put(child->files);
    if (child->mm)
        mm_put(child->mm);
    task_free(child);
}

static int thread_make(struct task *child, const struct clone_request *request) {
    struct guest_start start = {.registers = task_current()->utcb->guest,
                                .fs_base = request->tls,
                                .set_fs = request->flags & CLONE_SETTLS};
    start.registers.rax = 0;
    if (request->stack)
        start.registers.rsp = request->stack;
    child->full_restore = true; /* after int 0x80, rcx and r11 are the program's */
    return task_thread_take(child, &start);
}

/* ---- commit ---- */

/* RLIMIT_NPROC counts the threads of a user; root is exempt. tasks_lock held. */
static bool user_has_room(const struct task *self) {
    uint64_t limit = self->process->limits[RLIMIT_NPROC].current, count = 0;
    uint32_t uid = self->credentials.uid;
    if (!uid || task_is_root(self))
        return true;
    const struct process *process;
    list_for_each(process, &process_list, link) if (process->leader->credentials.uid == uid) count +=
        process->thread_count;
    return count < limit;
}

/* Whether the limits allow the caller one task more. tasks_lock held. */
static bool task_has_room(const struct task *self) {
    return task_count < task_limit && session_of(self)->task_count < session_task_limit &&
           user_has_room(self);
}

/* Puts the child into the tables. tasks_lock held; 0 or an error. */
static int child_enter(struct task *child, struct process *process, const struct clone_request *request) {
    struct task *self = task_current();
    struct session *session = session_of(self);
    if (self->signal_pending) /* also: a stop or an end that the child would miss */
        return -ERESTARTNOINTR;
    if (!task_has_room(self)) /* others were quicker */
        return -EAGAIN;
    int32_t tid = pid_take();
    if (tid < 0)
        return tid;
    child->tid = tid;
    task_hash_add(child);
    task_count++;
    task_created_count++;
    if (!process) {
        child->process = self->process;
        self->process->thread_count++;
        session->task_count++;
        list_push_back(&self->process->threads, &child->thread_link);
    } else {
        child->process = process;
        process->pid = tid;
        process->leader = child;
        process->thread_count = 1;
        list_push_back(&process->threads, &child->thread_link);
        process->parent = self->process;
        if (request->flags & CLONE_PARENT) {
            process->parent = self->process->parent;
            process->exit_signal = self->process->exit_signal;
        }
        list_push_back(&process->parent->children, &process->sibling);
        list_push_back(&process_list, &process->link);
        process_group_join(process, self->process->group);
    }
    if (request->flags & CLONE_VFORK) {
        child->vfork_parent = self;
        self->vfork_child = child;
    }
    task_answers_update(child);
    sched_begin(child);
    return 0;
}

/* Sleeps until the vfork child called execve or ended. Only the end of this task interrupts. */
static void vfork_wait(struct task *self) {
    mutex_lock(&tasks_lock);
    while (self->vfork_child && !self->dying) {
        mutex_unlock(&tasks_lock);
        thread_park(DEADLINE_NEVER);
        mutex_lock(&tasks_lock);
    }
    mutex_unlock(&tasks_lock);
}

/* A session with very many tasks makes new processes at a bounded rate, each caller waiting for its turn: a
 * fork bomb then leaves most of the CPU, and the locks, to others. 0 where it need not wait. tasks_lock held.
 */
static uint64_t crowd_turn(struct session *session) {
    enum { CROWD = 128, FORK_PERIOD_NS = 2000000 };
    if (session->task_count <= CROWD)
        return 0;
    uint64_t now = clock_monotonic(), turn = session->next_fork > now ? session->next_fork : now;
    session->next_fork = turn + FORK_PERIOD_NS;
    return turn;
}

/* 0 or -ERESTARTNOINTR. */
static int turn_wait(uint64_t turn) {
    while (clock_monotonic() < turn)
        if (task_wait(NULL, turn) == -EINTR)
            return -ERESTARTNOINTR;
    return 0;
}

/* Whether there may be one task more: before anything is copied, but after the turn, because who is refused
 * must not ask at once again. 0, -EAGAIN or -ERESTARTNOINTR. */
static int clone_admit(const struct task *self, bool makes_process) {
    int error = 0;
    mutex_lock(&tasks_lock);
    uint64_t turn = makes_process ? crowd_turn(session_of(self)) : 0;
    if (turn) {
        mutex_unlock(&tasks_lock);
        error = turn_wait(turn);
        mutex_lock(&tasks_lock);
    }
    if (!error && !task_has_room(self))
        error = -EAGAIN;
    mutex_unlock(&tasks_lock);
    return error;
}

static int64_t clone_run(const struct clone_request *request) {
    struct task *self = task_current();
    handle_t job = HANDLE_NONE;
    int error = request_check(request);
    if (!error)
        error = clone_admit(self, !(request->flags & CLONE_THREAD));
    if (error)
        return error;
    struct task *child = task_alloc();
    if (!child)
        return -ENOMEM;
    struct process *process = NULL;
    if (!(request->flags & CLONE_THREAD) && !(process = process_inherit(request, &job))) {
        task_free(child);
        return -ENOMEM;
    }
    child->process = process ? process : self->process;
    task_inherit(child, self, request);
    if ((error = task_make_shares(child, self, request->flags, job)) || (error = thread_make(child, request)))
        goto undo;
    if (process && process->limits[RLIMIT_CPU].current != RLIM_INFINITY)
        timers_limit_cpu(process);
    child->cpu_time_base = task_thread_time(child);
    mutex_lock(&tasks_lock);
    error = child_enter(child, process, request);
    int32_t tid = child->tid;
    if (!error && (request->flags & CLONE_PARENT_SETTID)) /* a bad address is not an error, as on Linux */
        guest_copy_out(request->parent_tid, &tid, sizeof(tid));
    mutex_unlock(&tasks_lock);
    if (error) {
        task_thread_return(child);
        goto undo;
    }
    task_thread_start(child); /* whatever reached it before: it ends on its own thread only */
    if (request->flags & CLONE_VFORK)
        vfork_wait(self);
    return tid;

undo:
    task_unmake(child);
    process_unmake(process);
    return error;
}

/* ---- calls ---- */

int64_t sys_fork(void) {
    struct clone_request request = {.exit_signal = SIGCHLD};
    return clone_run(&request);
}

int64_t sys_vfork(void) {
    struct clone_request request = {.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD};
    return clone_run(&request);
}

int64_t sys_clone(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid, uint64_t tls) {
    struct clone_request request = {.flags = (uint32_t)flags & ~CSIGNAL,
                                    .exit_signal = (int32_t)(flags & CSIGNAL),
                                    .stack = stack,
                                    .tls = tls,
                                    .parent_tid = parent_tid,
                                    .child_tid = child_tid};
    if ((request.flags & CLONE_PIDFD) && (request.flags & CLONE_PARENT_SETTID))
        return -EINVAL;
    return clone_run(&request);
}

static int clone3_check(const struct clone_args64 *args) {
    enum { STACK_LIMIT_SHIFT = 47 };
    if ((args->flags & ~0x3ffffffffULL) || (args->flags & (CLONE_DETACHED | CSIGNAL)))
        return -EINVAL;
    if (args->exit_signal > LINUX_SIGNALS ||
        ((args->flags & (CLONE_THREAD | CLONE_PARENT)) && args->exit_signal))
        return -EINVAL;
    if (args->set_tid || args->set_tid_size)
        return -EINVAL;
    if (!args->stack != !args->stack_size || args->stack_size >> STACK_LIMIT_SHIFT)
        return -EINVAL;
    return 0;
}

/* Bytes beyond the structure known here must be zero. */
static int clone3_args_in(struct clone_args64 *args, uint64_t address, uint64_t size) {
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (size < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    memset(args, 0, sizeof(*args));
    for (uint64_t at = sizeof(*args); at < size; at++) {
        uint8_t byte;
        if (guest_copy_in(&byte, address + at, 1))
            return -EFAULT;
        if (byte)
            return -E2BIG;
    }
    return guest_copy_in(args, address, size < sizeof(*args) ? size : sizeof(*args));
}

int64_t sys_clone3(uint64_t address, uint64_t size) {
    struct clone_args64 args;
    int error = clone3_args_in(&args, address, size);
    if (!error)
        error = clone3_check(&args);
    if (error)
        return error;
    struct clone_request request = {.flags = args.flags,
                                    .exit_signal = (int32_t)args.exit_signal,
                                    .stack = args.stack ? args.stack + args.stack_size : 0,
                                    .tls = args.tls,
                                    .parent_tid = args.parent_tid,
                                    .child_tid = args.child_tid};
    return clone_run(&request);
}

int64_t sys_set_tid_address(uint64_t address) {
    struct task *task = task_current();
    task->clear_child_tid = address;
    return task->tid;
}

int64_t sys_unshare(uint64_t flags) {
    struct task *task = task_current();
    if (flags & ~(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM))
        return flags & NAMESPACE_FLAGS ? -EPERM : -EINVAL;
    if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && task->process->thread_count > 1)
        return -EINVAL;
    if (flags & CLONE_FS) {
        struct fs_state *own = fs_state_copy(task->fs), *shared = task->fs;
        if (!own)
            return -ENOMEM;
        mutex_lock(&tasks_lock);
        task->fs = own;
        mutex_unlock(&tasks_lock);
        fs_state_put(shared);
    }
    int error = flags & CLONE_FILES ? fd_table_unshare(task) : 0;
    if (!error && (flags & CLONE_SYSVSEM))
        sem_undo_leave(task);
    return error;
}
