/*
 * Signals: queues, sending, masks. The rules are Linux's: a stop signal takes pending SIGCONTs away and the
 * other way round; what is ignored and not blocked is dropped at once; signals below 32 queue once, the
 * others every time; SIGKILL ends the whole process here and now. task->signal_pending is a summary that
 * senders set under tasks_lock and that task_ready and task_wait read without it.
 */
#include "linux/task/signal.h"

#include "linux/abi/resource.h"
#include "linux/abi/wait.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task/process.h"
#include "linux/task/tables.h"

#define BIT(signo)      (1ULL << ((signo)-1))
#define STOP_SIGNALS    (BIT(SIGSTOP) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))
#define FAULT_SIGNALS   (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGFPE) | BIT(SIGSYS))
#define IGNORED_SIGNALS (BIT(SIGCONT) | BIT(SIGCHLD) | BIT(SIGWINCH) | BIT(SIGURG))
#define UNBLOCKABLE     (BIT(SIGKILL) | BIT(SIGSTOP))

/* ---- actions ---- */

struct sighand *sighand_create(void) {
    struct sighand *sighand = heap_zalloc(sizeof(*sighand));
    if (sighand)
        sighand->references = 1;
    return sighand;
}

void sighand_fill(struct sighand *to, const struct sighand *from) {
    to->changed = from->changed;
    for (sigset_t64 left = from->changed; left; left &= left - 1) {
        int i = __builtin_ctzll(left);
        to->actions[i] = from->actions[i];
    }
}

struct sighand *sighand_copy(struct sighand *from) {
    struct sighand *copy = sighand_create();
    if (!copy)
        return NULL;
    mutex_lock(&tasks_lock);
    sighand_fill(copy, from);
    mutex_unlock(&tasks_lock);
    return copy;
}

struct sighand *sighand_get(struct sighand *sighand) {
    atomic_fetch_add_explicit(&sighand->references, 1, memory_order_relaxed);
    return sighand;
}

void sighand_put(struct sighand *sighand) {
    if (sighand && atomic_fetch_sub(&sighand->references, 1) == 1)
        heap_free(sighand);
}

bool signal_default_ignores(int signo) {
    return signo <= 31 && (BIT(signo) & IGNORED_SIGNALS);
}

static bool action_ignores(const struct process *process, int signo) {
    uint64_t handler = process->sighand->actions[signo - 1].handler;
    return handler == SIG_IGN || (handler == SIG_DFL && signal_default_ignores(signo));
}

static sigset_t64 effective_blocked(const struct task *task) {
    return task->blocked & ~task->wait_set;
}

/* ---- the summary ---- */

void task_kick(struct task *task) {
    if (task != task_current() && task->thread)
        thread_unpark(task->thread);
}

static bool task_has_work(const struct task *task) {
    const struct process *process = task->process;
    return task->dying || process->stop_requested ||
           ((task->pending_set | process->shared_pending_set) & ~effective_blocked(task));
}

void signal_recalculate(struct task *task) {
    task->signal_pending = task_has_work(task);
}

void signal_recalculate_all(struct process *process) {
    struct task *task;
    list_for_each(task, &process->threads, thread_link) signal_recalculate(task);
}

bool signal_interrupts(const struct task *task) {
    return task->signal_pending;
}

/* ---- queues ---- */

static void queued_drop(struct queued_signal *queued, bool taken) {
    list_remove(&queued->link);
    if (queued->left)
        queued->left(queued, taken);
    else
        heap_free(queued);
}

/* Takes the first entry of signo; its bit goes with the last one. */
static void queue_take(struct list *queue, sigset_t64 *set, int signo, struct signal_info *info) {
    struct queued_signal *queued, *after, *found = NULL;
    bool more = false;
    list_for_each_safe(queued, after, queue, link) {
        if (queued->info.signo != signo)
            continue;
        if (found) {
            more = true;
            break;
        }
        found = queued;
    }
    *info = (struct signal_info){.signo = signo, .code = SI_USER}; /* there was no memory for more */
    if (!more)
        *set &= ~BIT(signo);
    if (found) {
        if (!found->left) {
            *info = found->info;
            queued_drop(found, true);
        } else { /* the owner completes the information (a timer's overruns) */
            list_remove(&found->link);
            found->left(found, true);
            *info = found->info;
        }
    }
}

static void queue_remove_set(struct list *queue, sigset_t64 *set, sigset_t64 remove) {
    if (!(*set & remove))
        return;
    *set &= ~remove;
    struct queued_signal *queued, *after;
    list_for_each_safe(queued, after, queue, link) if (remove & BIT(queued->info.signo))
        queued_drop(queued, false);
}

void process_remove_signals(struct process *process, sigset_t64 remove) {
    queue_remove_set(&process->shared_pending, &process->shared_pending_set, remove);
    struct task *task;
    list_for_each(task, &process->threads, thread_link)
        queue_remove_set(&task->pending, &task->pending_set, remove);
}

void signal_flush_task(struct task *task) {
    queue_remove_set(&task->pending, &task->pending_set, UINT64_MAX);
}

void signal_flush_process(struct process *process) {
    queue_remove_set(&process->shared_pending, &process->shared_pending_set, UINT64_MAX);
}

static int lowest_signal(sigset_t64 set) {
    return set ? __builtin_ctzll(set) + 1 : 0;
}

static int next_signal(sigset_t64 set) {
    return lowest_signal(set & FAULT_SIGNALS ? set & FAULT_SIGNALS : set);
}

int signal_dequeue(struct task *task, sigset_t64 blocked, struct signal_info *info) {
    struct process *process = task->process;
    int signo = next_signal(task->pending_set & ~blocked);
    if (signo) {
        queue_take(&task->pending, &task->pending_set, signo, info);
        return signo;
    }
    signo = next_signal(process->shared_pending_set & ~blocked);
    if (signo)
        queue_take(&process->shared_pending, &process->shared_pending_set, signo, info);
    return signo;
}

bool signal_take(struct task *task, sigset_t64 set, struct signal_info *info) {
    mutex_lock(&tasks_lock);
    int signo = signal_dequeue(task, ~set, info);
    signal_recalculate(task);
    mutex_unlock(&tasks_lock);
    return signo != 0;
}

sigset_t64 signal_pending_set(struct task *task) {
    mutex_lock(&tasks_lock);
    sigset_t64 set = task->pending_set | task->process->shared_pending_set;
    mutex_unlock(&tasks_lock);
    return set;
}

/* ---- sending ---- */

static void process_continue(struct process *process) {
    process_remove_signals(process, STOP_SIGNALS);
    if (!process->stop_requested)
        return;
    bool was_stopped = process->stopped;
    process->stop_requested = process->stopped = false;
    process->stop_report = 0;
    process->stopped_count = 0;
    struct task *task;
    list_for_each(task, &process->threads, thread_link) {
        task->stopping = false;
        task_kick(task);
    }
    if (!was_stopped)
        return;
    process->continued = true;
    process_notify_stop(process, CLD_CONTINUED);
}

/* First effects of a signal, wanted or not. False: nothing is to be queued. */
static bool signal_prepare(struct process *process, const struct task *task, int signo) {
    if (process->zombie || (process->exiting && signo != SIGKILL))
        return false;
    if (BIT(signo) & STOP_SIGNALS)
        process_remove_signals(process, BIT(SIGCONT));
    else if (signo == SIGCONT)
        process_continue(process);
    if (signo == SIGKILL)
        return true;
    const struct task *judge = task ? task : process_live_task(process);
    if (judge && ((judge->blocked | judge->wait_set) & BIT(signo)))
        return true;
    return !action_ignores(process, signo);
}

static bool task_wants(const struct task *task, int signo) {
    return !task->dying && !(effective_blocked(task) & BIT(signo));
}

/* Who gets a signal of the process: the leader when it can take it, else a thread that has nothing to do yet.
 */
static struct task *choose_receiver(struct process *process, int signo) {
    struct task *leader = process_live_task(process), *task, *second = NULL;
    if (leader && task_wants(leader, signo) && !leader->signal_pending)
        return leader;
    list_for_each(task, &process->threads, thread_link) {
        if (!task_wants(task, signo))
            continue;
        if (!task->signal_pending)
            return task;
        if (!second)
            second = task;
    }
    return second;
}

static void signal_announce(struct process *process, struct task *task, int signo) {
    atomic_thread_fence(memory_order_seq_cst); /* what is pending is stored before masks are read: mask_set */
    waitq_wake_all(&process->signal_wait);
    struct task *receiver = task;
    if (!task)
        receiver = choose_receiver(process, signo);
    else if (!task_wants(task, signo))
        receiver = NULL;
    if (!receiver)
        return;
    receiver->signal_pending = true;
    task_kick(receiver);
}

static uint32_t queue_length(const struct list *queue) {
    uint32_t count = 0;
    for (const struct list *at = queue->next; at != queue; at = at->next)
        count++;
    return count;
}

static int signal_send_locked(struct process *process, struct task *task, const struct signal_info *info) {
    int signo = info->signo;
    if (!signal_prepare(process, task, signo))
        return 0;
    if (signo == SIGKILL) {
        process_exit_all_locked(process, WAIT_SIGNALED(SIGKILL));
        return 0;
    }
    struct list *queue = task ? &task->pending : &process->shared_pending;
    sigset_t64 *set = task ? &task->pending_set : &process->shared_pending_set;
    bool real_time = signo >= SIGRTMIN;
    if (!real_time && (*set & BIT(signo)))
        return 0;
    struct queued_signal *queued = NULL;
    if (!real_time || queue_length(queue) < process->limits[RLIMIT_SIGPENDING].current)
        queued = heap_alloc(sizeof(*queued));
    if (queued) {
        queued->info = *info;
        queued->left = NULL;
        list_push_back(queue, &queued->link);
    } else if (real_time && info->code != SI_USER) {
        return -EAGAIN;
    }
    *set |= BIT(signo);
    signal_announce(process, task, signo);
    return 0;
}

int signal_send_process_locked(struct process *process, const struct signal_info *info) {
    return signal_send_locked(process, NULL, info);
}

int signal_send_task_locked(struct task *task, const struct signal_info *info) {
    return task->ended ? 0 : signal_send_locked(task->process, task, info);
}

bool signal_queue_own(struct process *process, struct task *task, struct queued_signal *queued) {
    int signo = queued->info.signo;
    if (!signal_prepare(process, task, signo))
        return false;
    if (signo == SIGKILL) {
        process_exit_all_locked(process, WAIT_SIGNALED(SIGKILL));
        return false;
    }
    list_push_back(task ? &task->pending : &process->shared_pending, &queued->link);
    *(task ? &task->pending_set : &process->shared_pending_set) |= BIT(signo);
    signal_announce(process, task, signo);
    return true;
}

static bool queue_has(const struct list *queue, int signo) {
    struct queued_signal *queued;
    list_for_each(queued, queue, link) if (queued->info.signo == signo) return true;
    return false;
}

void signal_forget_queued(struct process *process, int signo) {
    if (!queue_has(&process->shared_pending, signo))
        process->shared_pending_set &= ~BIT(signo);
    struct task *task;
    list_for_each(task, &process->threads, thread_link) if (!queue_has(&task->pending, signo))
        task->pending_set &= ~BIT(signo);
}

void signal_send_kernel(struct process *process, int signo) {
    struct signal_info info = {.signo = signo, .code = SI_KERNEL};
    mutex_lock(&tasks_lock);
    signal_send_process_locked(process, &info);
    mutex_unlock(&tasks_lock);
}

/* SIGPIPE and the like: the sender is the task itself, as the code SI_USER of Linux says. */
void signal_send_task_kernel(struct task *task, int signo) {
    struct signal_info info = {
        .signo = signo, .code = SI_USER, .pid = task->process->pid, .uid = (int32_t)task->credentials.uid};
    mutex_lock(&tasks_lock);
    signal_send_task_locked(task, &info);
    mutex_unlock(&tasks_lock);
}

/* Blocked or ignored makes no difference to a fault: the default action is put back, which ends the process.
 */
void signal_force(struct task *task, const struct signal_info *info) {
    int signo = info->signo;
    mutex_lock(&tasks_lock);
    struct signal_action *action = &task->process->sighand->actions[signo - 1];
    bool blocked = task->blocked & BIT(signo);
    if (blocked || action->handler == SIG_IGN)
        *action = (struct signal_action){.handler = SIG_DFL};
    if (blocked)
        task->blocked &= ~BIT(signo);
    queue_remove_set(&task->pending, &task->pending_set, BIT(signo));
    signal_send_task_locked(task, info);
    signal_recalculate(task);
    mutex_unlock(&tasks_lock);
}

/* ---- masks ---- */

static sigset_t64 pending_seen(const struct task *task) {
    return __atomic_load_n(&task->pending_set, __ATOMIC_RELAXED) |
           __atomic_load_n(&task->process->shared_pending_set, __ATOMIC_RELAXED);
}

/* Programs change their masks often, around each fork for example, and mostly nothing is pending: then no
 * lock is needed. The mask is stored before what is pending is read, and senders do both the other way round:
 * a signal that is not seen here is sent by somebody who sees the new mask. False: there is more to do. */
static bool mask_set(struct task *task, sigset_t64 blocked) {
    __atomic_store_n(&task->blocked, blocked, __ATOMIC_SEQ_CST);
    return !task->signal_pending && !pending_seen(task);
}

/* With tasks_lock held. Signals of the process that only this task would have taken go to another thread. */
static void mask_changed(struct task *task, sigset_t64 before) {
    struct process *process = task->process;
    sigset_t64 newly = task->blocked & ~before & process->shared_pending_set;
    signal_recalculate(task);
    while (newly && process->thread_count > 1) {
        int signo = lowest_signal(newly);
        newly &= ~BIT(signo);
        struct task *other = choose_receiver(process, signo);
        if (other && !other->signal_pending) {
            other->signal_pending = true;
            task_kick(other);
        }
    }
}

void signal_set_blocked(struct task *task, sigset_t64 blocked) {
    sigset_t64 before = task->blocked;
    blocked &= ~UNBLOCKABLE;
    if (blocked == before || mask_set(task, blocked))
        return;
    mutex_lock(&tasks_lock);
    mask_changed(task, before);
    mutex_unlock(&tasks_lock);
}

void signal_mask_temporary(struct task *task, sigset_t64 blocked) {
    task->saved_blocked = task->blocked;
    task->restore_blocked = true;
    signal_set_blocked(task, blocked);
}

void signal_mask_restore(struct task *task) {
    if (!task->restore_blocked)
        return;
    task->restore_blocked = false;
    signal_set_blocked(task, task->saved_blocked);
}

int signal_set_in(sigset_t64 *set, uint64_t address, uint64_t size) {
    if (size != sizeof(*set))
        return -EINVAL;
    return guest_copy_in(set, address, sizeof(*set));
}

/* The task's own mask, and one word of its actions: no lock needed for an answer that may be old at once
 * anyway. */
bool signal_ignored_or_blocked(const struct task *task, int signo) {
    return (task->blocked & BIT(signo)) || task->process->sighand->actions[signo - 1].handler == SIG_IGN;
}
