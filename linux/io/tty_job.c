/*
 * Terminals and job control: controlling terminals, foreground groups, hang-up. tasks_lock guards
 * tty->session, tty->foreground and session->tty; a session holds a reference on its terminal.
 */
#include "abi/errors.h"
#include "linux/abi/signal.h"
#include "linux/abi/stat.h"
#include "linux/abi/fcntl.h"
#include "linux/io/tty.h"
#include "linux/io/tty_internal.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"

uint64_t tty_device_number(const struct tty *tty) {
    return tty ? device_number(tty->driver->major, tty->driver->minor_base + tty->index) : 0;
}

int32_t tty_foreground(const struct tty *tty) {
    return tty && tty->foreground ? tty->foreground : -1;
}

static void foreground_set(struct tty *tty, int32_t group) {
    __atomic_store_n(&tty->foreground, group, __ATOMIC_RELAXED);
}

void tty_take_control(struct tty *tty, struct process *process) {
    struct session *session = process->group->session;
    session->tty = tty_get(tty);
    tty->session = session;
    foreground_set(tty, process->group->pgid);
}

void tty_drop_session(struct tty *tty, struct tty **dropped) {
    if (tty->session) {
        *dropped = tty->session->tty;
        tty->session->tty = NULL;
    }
    tty->session = NULL;
    foreground_set(tty, 0);
}

void tty_take_if_free(struct tty *tty) {
    struct process *process = task_current()->process;
    mutex_lock(&tasks_lock);
    struct session *session = process->group->session;
    if (session->leader == process && !session->tty && !tty->session)
        tty_take_control(tty, process);
    mutex_unlock(&tasks_lock);
}

/* tasks_lock held. What the background process gets, see tty_check_foreground; *group: whom to signal, else
 * 0. */
static int background_verdict(struct tty *tty, int signo, int32_t *group) {
    struct task *task = task_current();
    struct process_group *own = task->process->group;
    *group = 0;
    if (own->session->tty != tty || !tty->foreground || tty->foreground == own->pgid)
        return 0;
    if (signal_ignored_or_blocked(task, signo))
        return signo == SIGTTIN ? -EIO : 0;
    if (process_group_orphaned(own))
        return -EIO;
    *group = own->pgid;
    return -ERESTARTSYS;
}

int tty_check_foreground(struct tty *tty, int signo) {
    int32_t group;
    mutex_lock(&tasks_lock);
    int error = background_verdict(tty, signo, &group);
    mutex_unlock(&tasks_lock);
    if (group)
        tty_signal_group(group, signo);
    return error;
}

/* ---- hang-up ---- */

/* Files opened so far are dead; whoever waits finds out. What was written still goes out: a program that ends
 * the session with its last line shall be heard. */
static void files_hang_up(struct tty *tty) {
    tty_lock(tty);
    tty->hangups++;
    ldisc_flush_input(&tty->ldisc);
    tty->ldisc.stopped = tty->ldisc.stopped_by_call = false;
    tty_push_output(tty);
    waitq_wake_all(&tty->readers);
    waitq_wake_all(&tty->writers);
    tty_unlock(tty);
}

/* Signals to the leader and, when it is the leader's end that hangs up, to the foreground group. */
static void hang_up(struct tty *tty, bool leader_ends) {
    struct tty *dropped = NULL;
    mutex_lock(&tasks_lock);
    struct process *leader = tty->session ? tty->session->leader : NULL;
    int32_t group = tty->foreground;
    if (leader)
        leader = process_get(leader);
    tty_drop_session(tty, &dropped);
    mutex_unlock(&tasks_lock);
    if (leader) {
        if (!leader_ends) {
            signal_send_kernel(leader, SIGHUP);
            signal_send_kernel(leader, SIGCONT);
        }
        process_put(leader);
    }
    if (group && leader_ends)
        tty_signal_group(group, SIGHUP);
    files_hang_up(tty);
    tty_put(dropped);
}

void tty_hangup(struct tty *tty) {
    hang_up(tty, false);
}

/* The session gives its terminal up; the foreground group hears of it. */
static void session_detach(struct tty *tty, bool leader_ends) {
    struct tty *dropped = NULL;
    mutex_lock(&tasks_lock);
    int32_t group = tty->foreground;
    tty_drop_session(tty, &dropped);
    mutex_unlock(&tasks_lock);
    if (group) {
        tty_signal_group(group, SIGHUP);
        if (!leader_ends)
            tty_signal_group(group, SIGCONT);
    }
    tty_put(dropped);
}

/* The terminal of the session that the process leads, referenced, or NULL. */
static struct tty *leader_tty(struct process *process) {
    mutex_lock(&tasks_lock);
    struct session *session = process->group ? process->group->session : NULL;
    struct tty *tty = session && session->leader == process ? session->tty : NULL;
    if (tty)
        tty_get(tty);
    mutex_unlock(&tasks_lock);
    return tty;
}

void tty_leader_exit(struct process *process) {
    struct tty *tty = leader_tty(process);
    if (!tty)
        return;
    if (tty->driver->pty)
        session_detach(tty, true);
    else
        hang_up(tty, true);
    tty_put(tty);
}

int64_t sys_vhangup(void) {
    if (!task_is_root(task_current()))
        return -EPERM;
    mutex_lock(&tasks_lock);
    struct tty *tty = session_of(task_current())->tty;
    if (tty)
        tty_get(tty);
    mutex_unlock(&tasks_lock);
    if (tty)
        tty_hangup(tty);
    tty_put(tty);
    return 0;
}

/* ---- ioctl ---- */

static int64_t control_take(struct tty *tty, const struct file *file, uint64_t force) {
    struct task *task = task_current();
    struct session *session = session_of(task);
    struct tty *dropped = NULL;
    bool root = task_is_root(task);
    bool leads = session->leader == task->process;
    if (leads && tty->session == session)
        return 0;
    if (!leads || session->tty)
        return -EPERM;
    if (tty->session && (force != 1 || !root))
        return -EPERM;
    if ((file->flags & O_ACCMODE) == O_WRONLY && !root)
        return -EPERM;
    if (tty->session)
        tty_drop_session(tty, &dropped);
    tty_take_control(tty, task->process);
    if (dropped) /* the new session holds another reference on the same terminal */
        atomic_fetch_sub(&dropped->references, 1);
    return 0;
}

static int64_t control_leave(struct tty *tty) {
    mutex_lock(&tasks_lock);
    struct session *session = session_of(task_current());
    bool own = session->tty == tty, leads = session->leader == task_current()->process;
    mutex_unlock(&tasks_lock);
    if (!own)
        return -ENOTTY;
    if (leads)
        session_detach(tty, false);
    return 0;
}

static int64_t foreground_get(struct tty *tty, bool master) {
    if (!master && session_of(task_current())->tty != tty)
        return -ENOTTY;
    return tty->foreground;
}

static int64_t session_get(struct tty *tty, bool master) {
    if (!master && session_of(task_current())->tty != tty)
        return -ENOTTY;
    return tty->session ? tty->session->sid : -ENOTTY;
}

static int64_t foreground_move(struct tty *tty, int32_t pgid) {
    struct session *session = session_of(task_current());
    if (session->tty != tty || tty->session != session)
        return -ENOTTY;
    struct process_group *group = process_group_find(pgid);
    if (!group)
        return -ESRCH;
    if (group->session != session)
        return -EPERM;
    foreground_set(tty, pgid);
    return 0;
}

static int64_t foreground_call(struct tty *tty, uint64_t argument) {
    int32_t pgid;
    int error = tty_check_foreground(tty, SIGTTOU);
    if (error < 0)
        return error == -EIO ? -ENOTTY : error;
    if (guest_copy_in(&pgid, argument, sizeof pgid) < 0)
        return -EFAULT;
    if (pgid < 0)
        return -EINVAL;
    mutex_lock(&tasks_lock);
    int64_t result = foreground_move(tty, pgid);
    mutex_unlock(&tasks_lock);
    return result;
}

static int64_t number_out(int64_t number, uint64_t argument) {
    int32_t value = (int32_t)number;
    return number < 0 ? number : guest_copy_out(argument, &value, sizeof value);
}

int64_t tty_job_ioctl(struct tty *tty, struct file *file, bool master, uint32_t command, uint64_t argument) {
    int64_t result;
    switch (command) {
    case TIOCNOTTY:
        return control_leave(tty);
    case TIOCSPGRP:
        return foreground_call(tty, argument);
    case TIOCSCTTY:
        mutex_lock(&tasks_lock);
        result = control_take(tty, file, argument);
        mutex_unlock(&tasks_lock);
        return result;
    case TIOCGPGRP:
    case TIOCGSID:
        mutex_lock(&tasks_lock);
        result = command == TIOCGPGRP ? foreground_get(tty, master) : session_get(tty, master);
        mutex_unlock(&tasks_lock);
        return number_out(result, argument);
    default:
        return TTY_NOT_HANDLED;
    }
}
