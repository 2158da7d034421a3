/*
 * Terminals. A struct tty is the side that programs see: the line discipline (linux/io/ldisc.h), queues for
 * readers and writers, job control. Below it stands a driver: a console link (terminal.c) or a
 * pseudo-terminal's master (pty.c).
 *
 * Locks: tasks_lock guards session and foreground (and struct session.tty); tty->lock the rest. tasks_lock
 * comes first. Signals are never sent with tty->lock held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "linux/abi/termios.h"
#include "linux/fs.h"
#include "linux/io/ldisc.h"
#include "linux/lock.h"

struct process;
struct session;
struct task;
struct tty;

struct tty_driver {
    const char *name; /* "ttyS0", "pts/3" come from name and index */
    uint32_t major, minor_base;
    bool pty;
    /* All with tty->lock held; they must not block. */
    void (*output)(struct tty *tty);  /* bytes may have entered tty->ldisc.output, or flow was restarted */
    void (*room)(struct tty *tty);    /* input was consumed: deliver what was held back; may be NULL */
    bool (*drained)(struct tty *tty); /* nothing is under way any more; NULL: output empty is enough */
    void (*release)(struct tty *tty); /* the last reference went: without tty->lock; may be NULL */
    void (*opened)(struct tty *tty);  /* a file was opened, tty->lock held; may be NULL */
    void (*closed)(struct tty *tty);  /* the last file was closed, tty->lock held; may be NULL */
    /* Commands of this kind of terminal, without tty->lock; TTY_NOT_HANDLED for others. May be NULL. */
    int64_t (*ioctl)(struct tty *tty, uint32_t command, uint64_t argument);
};

struct tty {
    _Atomic uint32_t references;
    const struct tty_driver *driver;
    uint32_t index;
    void *data;          /* the driver's */
    struct inode *inode; /* a pseudo-terminal's in devpts, once looked up (that directory's lock) */
    uint32_t uid, gid;   /* who made it */

    struct session *session; /* whose controlling terminal this is (tasks_lock) */
    int32_t foreground;      /* process group, 0: none (tasks_lock) */

    struct mutex lock;
    struct ldisc ldisc;
    struct winsize winsize;
    struct waitq readers, writers;
    uint32_t hangups;  /* files opened at an earlier count are hung up */
    uint32_t opens;    /* files open on this side */
    bool other_closed; /* pty slave: the master went */
    bool exclusive;
    bool writing; /* a write is under way */
};

extern const struct file_operations tty_file_operations;

/* A terminal with Linux's initial settings, one reference. NULL: no memory. */
struct tty *tty_create(const struct tty_driver *driver, uint32_t index, void *data);
struct tty *tty_get(struct tty *tty);
void tty_put(struct tty *tty);

/* Input from the driver: how many bytes were taken (fewer: the reader must make room, driver->room tells).
 * tty->lock held; the caller calls tty_unlock afterwards, which sends what signals arose. */
size_t tty_receive(struct tty *tty, const uint8_t *bytes, size_t length);
void tty_lock(struct tty *tty);
void tty_unlock(struct tty *tty);

/* Binds an open file to the tty (counts it, sets operations and data) and, unless noctty, makes it the
 * controlling terminal of a session leader without one. 0, -EBUSY, -EIO. */
int tty_open_file(struct tty *tty, struct file *file, bool noctty);
/* Makes the tty the session's controlling terminal with the process's group in the foreground (tasks_lock
 * held). */
void tty_take_control(struct tty *tty, struct process *process);

/* Linux's vhangup: open files become dead, session leader and foreground group get SIGHUP and SIGCONT. No
 * locks held. */
void tty_hangup(struct tty *tty);
/* New size; SIGWINCH to the foreground group when it differs. No locks held. */
void tty_set_winsize(struct tty *tty, const struct winsize *size);

/* For exit of a session leader (LTASK calls it, no locks held, before the process becomes a zombie): hangs
 * the terminal up or signals its foreground group, and takes it from the session. */
void tty_leader_exit(struct process *process);

/* For /proc/PID/stat: device number (0: no terminal) and foreground group (-1: none). tasks_lock held. */
uint64_t tty_device_number(const struct tty *tty);
int32_t tty_foreground(const struct tty *tty);

/* The tty behind an open file or NULL. */
struct tty *tty_of(const struct file *file);

/* Registers /dev/tty, /dev/ptmx and the devpts type; before fs_start. */
void tty_register(void);
/* Mounts devpts at /dev/pts; after fs_start. 0 or an error. */
int tty_mount(void);
