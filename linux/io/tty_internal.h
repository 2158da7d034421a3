/* What the files of the terminal share. */
#pragma once

#include "linux/io/tty.h"

/* Ready to take at least this much without blocking: poll's POLLOUT, and when blocked writers are woken. */
enum { TTY_WRITABLE_ROOM = LDISC_OUTPUT / 2 };

/* The file was opened before the terminal was last hung up. */
static inline bool tty_hung_up(const struct tty *tty, const struct file *file) {
    return file->offset != tty->hangups;
}

/* Tells the driver about output and wakes writers that have room now; tty->lock held. */
void tty_push_output(struct tty *tty);
/* Waits until everything written has gone: 0, -EINTR, or -EIO once hung up. No locks held. */
int tty_wait_drained(struct tty *tty, const struct file *file);

/* Job control, no locks held: whether the caller may go on. 0, -EIO, or -ERESTARTSYS after its group got the
 * signal (SIGTTIN, SIGTTOU). */
int tty_check_foreground(struct tty *tty, int signo);
/* Whether it is the controlling terminal of the calling task. */
bool tty_is_own(struct tty *tty);
/* Becomes the controlling terminal of the calling session leader when both have none. */
void tty_take_if_free(struct tty *tty);
/* tasks_lock held: no session has it any more; drops the session's reference at *dropped (tty_put it
 * unlocked). */
void tty_drop_session(struct tty *tty, struct tty **dropped);

/* TIOCSCTTY, TIOCNOTTY, TIOCGPGRP, TIOCSPGRP, TIOCGSID: -ENOIOCTL_LOCAL when it is none of them. master:
 * asked through the pseudo-terminal's other side. */
enum { TTY_NOT_HANDLED = -515 };
int64_t tty_job_ioctl(struct tty *tty, struct file *file, bool master, uint32_t command, uint64_t argument);
/* Settings, flow, flushing, sizes: what is asked of the terminal itself. TTY_NOT_HANDLED for others. */
int64_t tty_common_ioctl(struct tty *tty, struct file *file, bool master, uint32_t command,
                         uint64_t argument);
int64_t tty_ioctl(struct file *file, uint64_t command, uint64_t argument);

/* linux/io/pty.c */
void pty_register(void);
/* The slave with this number (referenced) while its master is open, or NULL. */
struct tty *pty_find(uint32_t index);
/* The least number >= index in use, or -1. */
int32_t pty_next(uint32_t index);
enum { PTY_MAX = 256, PTY_MAJOR = 136 };

/* linux/io/devpts.c */
extern const struct filesystem_type devpts_type;
