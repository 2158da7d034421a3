/* The system calls about signals: actions, masks, sending, waiting. The rules behind them are in signal.c. */
#include "linux/abi/signal.h"
#include "lib/base/string.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"
#include "linux/task/time.h"

#define UNBLOCKABLE (signal_bit(SIGKILL) | signal_bit(SIGSTOP))
#define KNOWN_FLAGS                                                                                          \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART | SA_NODEFER |         \
     SA_RESETHAND | 0x800ULL /* SA_EXPOSE_TAGBITS */)

static bool signo_valid(int signo) {
    return signo >= 1 && signo <= LINUX_SIGNALS;
}

/* ---- actions and masks ---- */

/* What is pending and now ignored goes away. */
static void action_changed(struct process *process, int signo) {
    uint64_t handler = process->sighand->actions[signo - 1].handler;
    if (handler == SIG_IGN || (handler == SIG_DFL && signal_default_ignores(signo)))
        process_remove_signals(process, signal_bit(signo));
}

int64_t sys_rt_sigaction(uint64_t number, uint64_t new_address, uint64_t old_address, uint64_t size) {
    int signo = (int)number;
    struct sigaction64 wanted, old;
    if (size != sizeof(sigset_t64))
        return -EINVAL;
    if (new_address && guest_copy_in(&wanted, new_address, sizeof(wanted)))
        return -EFAULT;
    if (!signo_valid(signo) || (new_address && (signo == SIGKILL || signo == SIGSTOP)))
        return -EINVAL;
    struct process *process = task_current()->process;
    mutex_lock(&tasks_lock);
    struct signal_action *action = &process->sighand->actions[signo - 1];
    old = (struct sigaction64){action->handler, action->flags, action->restorer, action->mask};
    if (new_address) {
        *action = (struct signal_action){.handler = wanted.handler,
                                         .flags = wanted.flags & KNOWN_FLAGS,
                                         .restorer = wanted.restorer,
                                         .mask = wanted.mask & ~UNBLOCKABLE};
        process->sighand->changed |= signal_bit(signo);
        action_changed(process, signo);
    }
    mutex_unlock(&tasks_lock);
    return old_address ? guest_copy_out(old_address, &old, sizeof(old)) : 0;
}

int64_t sys_rt_sigprocmask(uint64_t how, uint64_t set_address, uint64_t old_address, uint64_t size) {
    struct task *task = task_current();
    sigset_t64 old = task->blocked, set;
    if (size != sizeof(set))
        return -EINVAL;
    if (set_address) {
        if (guest_copy_in(&set, set_address, sizeof(set)))
            return -EFAULT;
        set &= ~UNBLOCKABLE;
        switch ((int)how) {
        case SIG_BLOCK:
            signal_set_blocked(task, old | set);
            break;
        case SIG_UNBLOCK:
            signal_set_blocked(task, old & ~set);
            break;
        case SIG_SETMASK:
            signal_set_blocked(task, set);
            break;
        default:
            return -EINVAL;
        }
    }
    return old_address ? guest_copy_out(old_address, &old, sizeof(old)) : 0;
}

int64_t sys_rt_sigpending(uint64_t address, uint64_t size) {
    struct task *task = task_current();
    if (size > sizeof(sigset_t64))
        return -EINVAL;
    sigset_t64 set = signal_pending_set(task) & task->blocked;
    return guest_copy_out(address, &set, size);
}

/* ---- sending ---- */

/* kill's permission rule. tasks_lock held. */
static bool may_signal(const struct task *sender, struct process *process, int signo) {
    const struct task *target = process->leader;
    const struct credentials *own = &sender->credentials, *other = &target->credentials;
    if (sender->process == process || task_is_root(sender) || own->euid == other->suid ||
        own->euid == other->uid || own->uid == other->suid || own->uid == other->uid)
        return true;
    return signo == SIGCONT && sender->process->group->session == process->group->session;
}

static int kill_process(struct process *process, const struct signal_info *info) {
    if (info->signo < 0 || info->signo > LINUX_SIGNALS)
        return -EINVAL;
    if (!may_signal(task_current(), process, info->signo))
        return -EPERM;
    return info->signo ? signal_send_process_locked(process, info) : 0;
}

static int kill_group(struct process_group *group, const struct signal_info *info) {
    if (!group)
        return -ESRCH;
    bool success = false;
    int error = -ESRCH;
    struct process *member, *after;
    list_for_each_safe(member, after, &group->members, group_link) {
        error = kill_process(member, info);
        success |= !error;
    }
    return success ? 0 : error;
}

/* Everybody but process 1 and the caller. */
static int kill_all(const struct signal_info *info) {
    int count = 0, result = 0;
    struct process *process, *after;
    list_for_each_safe(process, after, &process_list, link) {
        if (process->pid == 1 || process == task_current()->process)
            continue;
        int error = kill_process(process, info);
        count++;
        if (error != -EPERM)
            result = error;
    }
    return count ? result : -ESRCH;
}

static int kill_one(int32_t pid, const struct signal_info *info) {
    struct process *process = process_find(pid);
    return process ? kill_process(process, info) : -ESRCH;
}

static struct signal_info own_info(int signo, int32_t code) {
    const struct task *task = task_current();
    return (struct signal_info){
        .signo = signo, .code = code, .pid = task->process->pid, .uid = (int32_t)task->credentials.uid};
}

int64_t sys_kill(uint64_t target, uint64_t signo) {
    int32_t pid = (int32_t)target;
    struct signal_info info = own_info((int)signo, SI_USER);
    if (pid == INT32_MIN)
        return -ESRCH;
    mutex_lock(&tasks_lock);
    int result;
    if (pid > 0)
        result = kill_one(pid, &info);
    else if (pid == -1)
        result = kill_all(&info);
    else
        result = kill_group(pid ? process_group_find(-pid) : task_current()->process->group, &info);
    mutex_unlock(&tasks_lock);
    return result;
}

/* tgid 0: any. */
static int64_t send_to_task(int32_t tgid, int32_t tid, const struct signal_info *info) {
    mutex_lock(&tasks_lock);
    struct task *task = task_find_any(tid);
    int result = 0;
    if (!task || (tgid && task->process->pid != tgid))
        result = -ESRCH;
    else if (info->signo < 0 || info->signo > LINUX_SIGNALS)
        result = -EINVAL;
    else if (!may_signal(task_current(), task->process, info->signo))
        result = -EPERM;
    else if (info->signo)
        result = signal_send_task_locked(task, info);
    mutex_unlock(&tasks_lock);
    return result;
}

int64_t sys_tkill(uint64_t tid, uint64_t signo) {
    struct signal_info info = own_info((int)signo, SI_TKILL);
    return (int32_t)tid <= 0 ? -EINVAL : send_to_task(0, (int32_t)tid, &info);
}

int64_t sys_tgkill(uint64_t tgid, uint64_t tid, uint64_t signo) {
    struct signal_info info = own_info((int)signo, SI_TKILL);
    return (int32_t)tid <= 0 || (int32_t)tgid <= 0 ? -EINVAL
                                                   : send_to_task((int32_t)tgid, (int32_t)tid, &info);
}

/* A sender may pretend to be the kernel, or another kind of sender, only towards itself. */
static int queue_info_in(struct signal_info *info, uint64_t address, int signo, int32_t target) {
    struct siginfo64 raw;
    if (guest_copy_in(&raw, address, sizeof(raw)))
        return -EFAULT;
    if ((raw.code >= 0 || raw.code == SI_TKILL) && task_current()->process->pid != target)
        return -EPERM;
    *info = (struct signal_info){.signo = signo,
                                 .code = raw.code,
                                 .error = raw.error,
                                 .pid = raw.sender.pid,
                                 .uid = (int32_t)raw.sender.uid,
                                 .value = raw.sender.value};
    if (raw.code > 0)
        info->address = raw.fault.address;
    return 0;
}

int64_t sys_rt_sigqueueinfo(uint64_t pid, uint64_t signo, uint64_t address) {
    struct signal_info info;
    int error = queue_info_in(&info, address, (int)signo, (int32_t)pid);
    if (error)
        return error;
    mutex_lock(&tasks_lock);
    error = kill_one((int32_t)pid, &info);
    mutex_unlock(&tasks_lock);
    return error;
}

int64_t sys_rt_tgsigqueueinfo(uint64_t tgid, uint64_t tid, uint64_t signo, uint64_t address) {
    struct signal_info info;
    int error = queue_info_in(&info, address, (int)signo, (int32_t)tid);
    if (error)
        return error;
    if ((int32_t)tid <= 0 || (int32_t)tgid <= 0)
        return -EINVAL;
    return send_to_task((int32_t)tgid, (int32_t)tid, &info);
}

/* ---- waiting ---- */

static void wait_for_signal(struct task *task) {
    while (!signal_interrupts(task))
        task_wait(NULL, DEADLINE_NEVER);
}

int64_t sys_pause(void) {
    wait_for_signal(task_current());
    return -ERESTARTNOHAND;
}

int64_t sys_rt_sigsuspend(uint64_t address, uint64_t size) {
    struct task *task = task_current();
    sigset_t64 set;
    int error = signal_set_in(&set, address, size);
    if (error)
        return error;
    signal_mask_temporary(task, set);
    wait_for_signal(task);
    return -ERESTARTNOHAND;
}

/* Waits until a signal of the set is pending; takes it. Its number, 0 on timeout or another signal
 * (*interrupted). */
static int timedwait(struct task *task, sigset_t64 set, uint64_t deadline, struct signal_info *info,
                     bool *interrupted) {
    int signo, error = 0;
    mutex_lock(&tasks_lock);
    task->wait_set = set;
    signal_recalculate(task);
    while (!(signo = signal_dequeue(task, ~set, info)) && !error && deadline)
        error = task_wait(&tasks_lock, deadline);
    task->wait_set = 0;
    signal_recalculate(task);
    mutex_unlock(&tasks_lock);
    *interrupted = error == -EINTR;
    return signo;
}

int64_t sys_rt_sigtimedwait(uint64_t set_address, uint64_t info_address, uint64_t timeout_address,
                            uint64_t size) {
    struct task *task = task_current();
    struct signal_info info;
    sigset_t64 set;
    uint64_t timeout, deadline = DEADLINE_NEVER;
    bool interrupted;
    int error = signal_set_in(&set, set_address, size);
    if (error)
        return error;
    if (timeout_address) {
        if ((error = timespec_in(timeout_address, &timeout)))
            return error;
        deadline = timeout ? deadline_after(timeout) : 0;
    }
    int signo = timedwait(task, set & ~UNBLOCKABLE, deadline, &info, &interrupted);
    if (!signo)
        return interrupted ? -EINTR : -EAGAIN;
    if (info_address) {
        struct siginfo64 raw;
        signal_info_encode(&raw, &info);
        if (guest_copy_out(info_address, &raw, sizeof(raw)))
            return -EFAULT;
    }
    return signo;
}

/* Continues a call that ended with -ERESTART_RESTARTBLOCK. */
int64_t sys_restart_syscall(void) {
    struct task *task = task_current();
    int64_t (*function)(struct task *) = task->restart_block.function;
    task->restart_block.function = NULL;
    return function ? function(task) : -EINTR;
}
