/*
 * The ioctl calls of a terminal that concern the terminal itself: settings, flow control, flushing, size.
 * Those of job control are in tty_job.c. Both sides of a pseudo-terminal answer for the slave.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/signal.h"
#include "linux/io/tty.h"
#include "linux/io/tty_internal.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"

/* ---- settings ---- */

static const uint32_t speeds[] = {0,   50,   75,   110,  134,  150,  200,   300,
                                  600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
static const uint32_t fast_speeds[] = {0,       57600,   115200,  230400,  460800,  500000,
                                       576000,  921600,  1000000, 1152000, 1500000, 2000000,
                                       2500000, 3000000, 3500000, 4000000};

static uint32_t speed_of(uint32_t cflag) {
    uint32_t index = cflag & 15;
    return cflag & CBAUDEX ? fast_speeds[index] : speeds[index];
}

static void settings_get(struct tty *tty, struct termios64 *settings) {
    tty_lock(tty);
    *settings = tty->ldisc.termios;
    tty_unlock(tty);
}

static int64_t settings_out(struct tty *tty, uint32_t command, uint64_t argument) {
    struct termios64 settings;
    settings_get(tty, &settings);
    if (command == TCGETS)
        return guest_copy_out(argument, &settings, sizeof settings);
    if (command == TCGETS2) {
        struct termios2 extended;
        memcpy(&extended, &settings, sizeof settings);
        extended.ispeed = extended.ospeed = speed_of(settings.cflag);
        return guest_copy_out(argument, &extended, sizeof extended);
    }
    struct termio old = {.iflag = (uint16_t)settings.iflag,
                         .oflag = (uint16_t)settings.oflag,
                         .cflag = (uint16_t)settings.cflag,
                         .lflag = (uint16_t)settings.lflag,
                         .line = settings.line};
    memcpy(old.cc, settings.cc, sizeof old.cc);
    return guest_copy_out(argument, &old, sizeof old);
}

/* Reads the settings that a command brings; those of struct termio replace the lower halves. */
static int settings_in(struct tty *tty, uint32_t command, uint64_t argument, struct termios64 *settings) {
    settings_get(tty, settings);
    if (command < TCSETA || command > TCSETAF)
        return guest_copy_in(settings, argument, sizeof *settings);
    struct termio old;
    if (guest_copy_in(&old, argument, sizeof old) < 0)
        return -EFAULT;
    settings->iflag = (settings->iflag & 0xffff0000) | old.iflag;
    settings->oflag = (settings->oflag & 0xffff0000) | old.oflag;
    settings->cflag = (settings->cflag & 0xffff0000) | old.cflag;
    settings->lflag = (settings->lflag & 0xffff0000) | old.lflag;
    settings->line = old.line;
    memcpy(settings->cc, old.cc, sizeof old.cc);
    return 0;
}

enum settings_when { SETTINGS_NOW, SETTINGS_DRAINED, SETTINGS_FLUSHED };

static void settings_apply(struct tty *tty, const struct termios64 *settings, bool flush) {
    tty_lock(tty);
    if (flush)
        ldisc_flush_input(&tty->ldisc);
    uint8_t line = tty->ldisc.termios.line;
    ldisc_set(&tty->ldisc, settings);
    tty->ldisc.termios.line = line; /* TIOCSETD changes that, and only N_TTY exists */
    tty_push_output(tty);
    waitq_wake_all(&tty->readers);
    waitq_wake_all(&tty->writers);
    tty_unlock(tty);
}

static int64_t settings_set(struct tty *tty, struct file *file, uint32_t command, enum settings_when when,
                            uint64_t argument) {
    struct termios64 settings;
    int error = tty_check_foreground(tty, SIGTTOU);
    if (error == 0)
        error = settings_in(tty, command, argument, &settings);
    if (error == 0 && when != SETTINGS_NOW && tty_of(file) == tty)
        error = tty_wait_drained(tty, file) == -EINTR ? -ERESTARTSYS : 0;
    if (error == 0)
        settings_apply(tty, &settings, when == SETTINGS_FLUSHED);
    return error;
}

/* ---- flow and flushing ---- */

static void put_control(struct tty *tty, unsigned index) {
    uint8_t byte = tty->ldisc.termios.cc[index];
    uint32_t oflag = tty->ldisc.termios.oflag;
    if (!byte)
        return;
    tty->ldisc.termios.oflag &= ~(uint32_t)OPOST;
    ldisc_write(&tty->ldisc, &byte, 1);
    tty->ldisc.termios.oflag = oflag;
}

static int64_t flow(struct tty *tty, uint64_t action) {
    int error = tty_check_foreground(tty, SIGTTOU);
    if (error < 0)
        return error;
    if (action > TCION)
        return -EINVAL;
    tty_lock(tty);
    if (action == TCOOFF)
        ldisc_stop(&tty->ldisc);
    else if (action == TCOON)
        ldisc_start(&tty->ldisc);
    else
        put_control(tty, action == TCIOFF ? VSTOP : VSTART);
    tty_push_output(tty);
    tty_unlock(tty);
    return 0;
}

static int64_t flush(struct tty *tty, bool master, uint64_t queue) {
    int error = tty_check_foreground(tty, SIGTTOU);
    if (error < 0)
        return error;
    if (queue > TCIOFLUSH)
        return -EINVAL;
    bool input = queue == TCIFLUSH || queue == TCIOFLUSH, output = queue == TCOFLUSH || queue == TCIOFLUSH;
    tty_lock(tty);
    if (master ? output : input)
        ldisc_flush_input(&tty->ldisc);
    if (master ? input : output)
        ldisc_flush_output(&tty->ldisc);
    if (tty->driver->room)
        tty->driver->room(tty);
    tty_push_output(tty);
    tty_unlock(tty);
    return 0;
}

/* TCSBRK and TCSBRKP: there is no line to break, so what is left of them is the wait. */
static int64_t drain(struct tty *tty, struct file *file) {
    int error = tty_check_foreground(tty, SIGTTOU);
    if (error == 0 && tty_of(file) == tty)
        error = tty_wait_drained(tty, file);
    return error;
}

/* ---- the rest ---- */

static int64_t winsize_set(struct tty *tty, uint64_t argument) {
    struct winsize size;
    if (guest_copy_in(&size, argument, sizeof size) < 0)
        return -EFAULT;
    tty_set_winsize(tty, &size);
    return 0;
}

static int64_t winsize_get(struct tty *tty, uint64_t argument) {
    tty_lock(tty);
    struct winsize size = tty->winsize;
    tty_unlock(tty);
    return guest_copy_out(argument, &size, sizeof size);
}

bool tty_is_own(struct tty *tty) {
    mutex_lock(&tasks_lock);
    bool own = session_of(task_current())->tty == tty;
    mutex_unlock(&tasks_lock);
    return own;
}

/* TIOCSTI: a byte as if it had been typed. */
static int64_t insert(struct tty *tty, uint64_t argument) {
    uint8_t byte;
    if (!tty_is_own(tty) && !task_is_root(task_current()))
        return -EPERM;
    if (guest_copy_in(&byte, argument, 1) < 0)
        return -EFAULT;
    tty_lock(tty);
    tty_receive(tty, &byte, 1);
    tty_unlock(tty);
    return 0;
}

static int64_t count_out(struct tty *tty, bool input, uint64_t argument) {
    tty_lock(tty);
    int32_t count = (int32_t)(input ? ldisc_available(&tty->ldisc) : ldisc_output_length(&tty->ldisc));
    tty_unlock(tty);
    return guest_copy_out(argument, &count, sizeof count);
}

static int64_t flag_out(bool flag, uint64_t argument) {
    int32_t value = flag;
    return guest_copy_out(argument, &value, sizeof value);
}

static int64_t clocal_set(struct tty *tty, uint64_t argument) {
    int32_t value;
    if (guest_copy_in(&value, argument, sizeof value) < 0)
        return -EFAULT;
    tty_lock(tty);
    tty->ldisc.termios.cflag &= ~(uint32_t)CLOCAL;
    tty->ldisc.termios.cflag |= value ? CLOCAL : 0;
    tty_unlock(tty);
    return 0;
}

static int64_t discipline_set(uint64_t argument) {
    int32_t number;
    if (guest_copy_in(&number, argument, sizeof number) < 0)
        return -EFAULT;
    return number == N_TTY ? 0 : -EINVAL;
}

static int64_t modem_out(struct tty *tty, uint64_t argument) {
    int32_t lines = TIOCM_DTR | TIOCM_RTS | TIOCM_CTS | TIOCM_CAR | TIOCM_DSR;
    return tty->driver->pty ? -ENOTTY : guest_copy_out(argument, &lines, sizeof lines);
}

static int64_t hangup_call(struct tty *tty) {
    if (!task_is_root(task_current()))
        return -EPERM;
    tty_hangup(tty);
    return 0;
}

static int64_t exclusive_set(struct tty *tty, bool exclusive) {
    tty_lock(tty);
    tty->exclusive = exclusive;
    tty_unlock(tty);
    return 0;
}

/* Everything but settings and flow. */
static int64_t other_ioctl(struct tty *tty, uint32_t command, uint64_t argument) {
    switch (command) {
    case TIOCGWINSZ:
        return winsize_get(tty, argument);
    case TIOCSWINSZ:
        return winsize_set(tty, argument);
    case TIOCSTI:
        return insert(tty, argument);
    case TIOCEXCL:
    case TIOCNXCL:
        return exclusive_set(tty, command == TIOCEXCL);
    case TIOCGEXCL:
        return flag_out(tty->exclusive, argument);
    case TIOCGSOFTCAR:
        return flag_out(tty->ldisc.termios.cflag & CLOCAL, argument);
    case TIOCSSOFTCAR:
        return clocal_set(tty, argument);
    case TIOCGETD:
        return flag_out(N_TTY, argument);
    case TIOCSETD:
        return discipline_set(argument);
    case TIOCMGET:
        return modem_out(tty, argument);
    case TIOCMSET:
    case TIOCMBIS:
    case TIOCMBIC:
        return tty->driver->pty ? -ENOTTY : 0;
    case TIOCSBRK:
    case TIOCCBRK:
        return 0;
    case TIOCVHANGUP:
        return hangup_call(tty);
    case TIOCGDEV: {
        uint32_t number = (uint32_t)tty_device_number(tty);
        return guest_copy_out(argument, &number, sizeof number);
    }
    default:
        return TTY_NOT_HANDLED;
    }
}

int64_t tty_common_ioctl(struct tty *tty, struct file *file, bool master, uint32_t command,
                         uint64_t argument) {
    switch (command) {
    case TCGETS:
    case TCGETS2:
    case TCGETA:
        return settings_out(tty, command, argument);
    case TCSETS:
    case TCSETS2:
    case TCSETA:
        return settings_set(tty, file, command, SETTINGS_NOW, argument);
    case TCSETSW:
    case TCSETSW2:
    case TCSETAW:
        return settings_set(tty, file, command, SETTINGS_DRAINED, argument);
    case TCSETSF:
    case TCSETSF2:
    case TCSETAF:
        return settings_set(tty, file, command, SETTINGS_FLUSHED, argument);
    case TCXONC:
        return flow(tty, argument);
    case TCFLSH:
        return flush(tty, master, argument);
    case TCSBRK:
    case TCSBRKP:
        return drain(tty, file);
    default:
        return other_ioctl(tty, command, argument);
    }
}

int64_t tty_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    struct tty *tty = file->data;
    uint32_t number = (uint32_t)command;
    if (tty_hung_up(tty, file))
        return number == TIOCSPGRP ? -ENOTTY : -EIO;
    if (number == TIOCINQ || number == TIOCOUTQ)
        return count_out(tty, number == TIOCINQ, argument);
    int64_t result = tty_job_ioctl(tty, file, false, number, argument);
    if (result == TTY_NOT_HANDLED)
        result = tty_common_ioctl(tty, file, false, number, argument);
    if (result == TTY_NOT_HANDLED && tty->driver->ioctl)
        result = tty->driver->ioctl(tty, number, argument);
    return result == TTY_NOT_HANDLED ? -ENOTTY : result;
}
