/*
 * Terminals: life, reading, writing, polling, hang-up. The characters' way through the line discipline is
 * described in ldisc.h; job control is in tty_job.c, ioctl in tty_ioctl.c. A file keeps the terminal's
 * hang-up count of when it was opened in file->offset, which streams do not use otherwise.
 */
#include "linux/io/tty.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/signal.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/heap.h"
#include "linux/io/tty_internal.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"
#include "linux/task/time.h"

static const struct termios64 initial_settings = {
    .iflag = ICRNL | IXON,
    .oflag = OPOST | ONLCR,
    .cflag = B38400 | CS8 | CREAD,
    .lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .line = N_TTY,
    .cc = {[VINTR] = 3,
           [VQUIT] = 28,
           [VERASE] = 127,
           [VKILL] = 21,
           [VEOF] = 4,
           [VMIN] = 1,
           [VSTART] = 17,
           [VSTOP] = 19,
           [VSUSP] = 26,
           [VREPRINT] = 18,
           [VDISCARD] = 15,
           [VWERASE] = 23,
           [VLNEXT] = 22},
};

struct tty *tty_create(const struct tty_driver *driver, uint32_t index, void *data) {
    struct tty *tty = heap_zalloc(sizeof *tty);
    if (!tty)
        return NULL;
    tty->references = 1;
    tty->driver = driver;
    tty->index = index;
    tty->data = data;
    mutex_init(&tty->lock);
    ldisc_init(&tty->ldisc, &initial_settings);
    waitq_init(&tty->readers);
    waitq_init(&tty->writers);
    return tty;
}

struct tty *tty_get(struct tty *tty) {
    atomic_fetch_add(&tty->references, 1);
    return tty;
}

void tty_put(struct tty *tty) {
    if (!tty || atomic_fetch_sub(&tty->references, 1) > 1)
        return;
    if (tty->driver->release)
        tty->driver->release(tty);
    heap_free(tty);
}

struct tty *tty_of(const struct file *file) {
    return file->operations == &tty_file_operations ? file->data : NULL;
}

void tty_lock(struct tty *tty) {
    mutex_lock(&tty->lock);
}

void tty_unlock(struct tty *tty) {
    uint32_t signals = tty->ldisc.signals;
    int32_t group = __atomic_load_n(&tty->foreground, __ATOMIC_RELAXED);
    tty->ldisc.signals = 0;
    mutex_unlock(&tty->lock);
    for (int signo = 1; signals && signo < 32; signo++)
        if (signals >> signo & 1 && group > 0)
            tty_signal_group(group, signo);
}

void tty_push_output(struct tty *tty) {
    tty->driver->output(tty);
    if (ldisc_output_room(&tty->ldisc) >= TTY_WRITABLE_ROOM && !waitq_empty(&tty->writers))
        waitq_wake_all(&tty->writers);
}

size_t tty_receive(struct tty *tty, const uint8_t *bytes, size_t length) {
    size_t taken = ldisc_receive(&tty->ldisc, bytes, length);
    if (taken == 0)
        return 0;
    tty_push_output(tty); /* echo, or VSTART */
    if (ldisc_readable(&tty->ldisc, false) && !waitq_empty(&tty->readers))
        waitq_wake_all(&tty->readers);
    return taken;
}

/* ---- opening and closing ---- */

int tty_open_file(struct tty *tty, struct file *file, bool noctty) {
    struct task *task = task_current();
    tty_lock(tty);
    bool refused = tty->exclusive && tty->opens > 0 && task && !task_is_root(task);
    if (!refused) {
        tty->opens++;
        if (tty->driver->opened)
            tty->driver->opened(tty);
    }
    tty_unlock(tty);
    if (refused)
        return -EBUSY;
    file->operations = &tty_file_operations;
    file->data = tty_get(tty);
    file->offset = tty->hangups;
    if (task && !noctty && (file->flags & O_ACCMODE) != O_WRONLY)
        tty_take_if_free(tty);
    return 0;
}

static void tty_release(struct file *file) {
    struct tty *tty = file->data, *dropped = NULL;
    if (!tty)
        return;
    tty_lock(tty);
    bool last = --tty->opens == 0;
    if (last) {
        tty->exclusive = false;
        if (tty->driver->closed)
            tty->driver->closed(tty);
    }
    tty_unlock(tty);
    if (last && tty->driver->pty) {
        mutex_lock(&tasks_lock);
        tty_drop_session(tty, &dropped);
        mutex_unlock(&tasks_lock);
        tty_put(dropped);
    }
    tty_put(tty);
}

/* ---- reading ---- */

struct tty_reader {
    struct tty *tty;
    struct file *file;
    struct buffer *buffer;
    size_t minimum;    /* bytes that end the read; 0: the first line does */
    uint64_t pause;    /* ns: VTIME, the longest gap between bytes; 0: none */
    uint64_t deadline; /* for the next byte; 0: only what is there */
    size_t done;
};

static void reader_settings(struct tty_reader *reader) {
    enum { VTIME_NS = 100000000 };
    const struct termios64 *termios = &reader->tty->ldisc.termios;
    uint64_t time = (uint64_t)termios->cc[VTIME] * VTIME_NS;
    reader->deadline = DEADLINE_NEVER;
    reader->minimum = 0;
    reader->pause = 0;
    if (termios->lflag & ICANON)
        return;
    reader->minimum = termios->cc[VMIN];
    if (reader->minimum) {
        reader->pause = time;
    } else {
        reader->deadline = time ? deadline_after(time) : 0;
        reader->minimum = 1;
    }
}

/* Waits for input once: 0 to look again, 1 when the read ends with what it has, or an error. */
static int reader_wait(struct tty_reader *reader) {
    struct tty *tty = reader->tty;
    if (tty->other_closed)
        return -EIO;
    if (tty_hung_up(tty, reader->file) || reader->deadline == 0)
        return 1;
    if (reader->file->flags & O_NONBLOCK)
        return -EAGAIN;
    int error = task_wait(&tty->lock, reader->deadline);
    if (error == -ETIMEDOUT)
        reader->deadline = 0;
    return error == -EINTR ? -ERESTARTSYS : 0;
}

/* Moves what is there; true when the read is complete. */
static bool reader_move(struct tty_reader *reader, int *error) {
    uint8_t bytes[256];
    bool end = false;
    while (reader->buffer->length > 0 && !end && *error == 0 && ldisc_readable(&reader->tty->ldisc, false)) {
        size_t most = reader->buffer->length < sizeof bytes ? reader->buffer->length : sizeof bytes;
        size_t count = ldisc_read(&reader->tty->ldisc, bytes, most, &end);
        *error = buffer_put(reader->buffer, bytes, count);
        reader->done += *error ? 0 : count;
    }
    if (reader->tty->driver->room)
        reader->tty->driver->room(reader->tty);
    if (reader->pause)
        reader->deadline = deadline_after(reader->pause);
    return end || reader->done >= reader->minimum || reader->buffer->length == 0;
}

static int64_t tty_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct tty *tty = file->data;
    struct tty_reader reader = {.tty = tty, .file = file, .buffer = buffer};
    struct waiter waiter = {.exclusive = false};
    (void)offset;
    if (tty_hung_up(tty, file) || buffer->length == 0)
        return 0;
    int error = tty_check_foreground(tty, SIGTTIN);
    if (error < 0)
        return error;
    tty_lock(tty);
    reader_settings(&reader);
    waitq_add(&tty->readers, &waiter);
    for (bool complete = false; !complete && error == 0;) {
        if (ldisc_readable(&tty->ldisc, false))
            complete = reader_move(&reader, &error);
        else
            error = reader_wait(&reader);
    }
    waitq_remove(&tty->readers, &waiter);
    tty_unlock(tty);
    if (error > 0 || reader.done > 0)
        return (int64_t)reader.done;
    return error;
}

/* ---- writing ---- */

/* Takes the right to write, so that one write's bytes stay together. */
static int write_begin(struct tty *tty, const struct file *file) {
    int error = 0;
    while (tty->writing && error == 0) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        error = task_wait(&tty->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
    }
    if (error == 0)
        tty->writing = true;
    return error;
}

/* Writes a piece: 0, or the error that ended it; *done counts bytes taken. */
static int write_piece(struct tty *tty, const struct file *file, const uint8_t *bytes, size_t length,
                       int64_t *done) {
    int error = 0;
    for (size_t at = 0; at < length && error == 0;) {
        if (tty_hung_up(tty, file))
            return -EIO;
        size_t taken = ldisc_write(&tty->ldisc, bytes + at, length - at);
        at += taken;
        *done += (int64_t)taken;
        tty->driver->output(tty);
        if (taken > 0)
            continue;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        error = task_wait(&tty->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
    }
    return error;
}

static int write_all(struct tty *tty, const struct file *file, struct buffer *buffer, int64_t *done) {
    uint8_t bytes[512];
    int error = 0;
    while (buffer->length > 0 && error == 0) {
        size_t length = buffer->length < sizeof bytes ? buffer->length : sizeof bytes;
        error = buffer_get(buffer, bytes, length);
        if (error == 0)
            error = write_piece(tty, file, bytes, length, done);
    }
    return error;
}

static int64_t tty_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct tty *tty = file->data;
    struct waiter waiter = {.exclusive = false};
    int64_t done = 0;
    (void)offset;
    if (tty_hung_up(tty, file))
        return -EIO;
    int error = tty->ldisc.termios.lflag & TOSTOP ? tty_check_foreground(tty, SIGTTOU) : 0;
    if (error < 0)
        return error;
    tty_lock(tty);
    waitq_add(&tty->writers, &waiter);
    error = write_begin(tty, file);
    if (error == 0) {
        error = write_all(tty, file, buffer, &done);
        tty->writing = false;
    }
    waitq_remove(&tty->writers, &waiter);
    if (!waitq_empty(&tty->writers))
        waitq_wake_all(&tty->writers);
    tty_unlock(tty);
    return done ? done : error;
}

int tty_wait_drained(struct tty *tty, const struct file *file) {
    enum { LOOK_AGAIN_NS = 20000000 };
    struct waiter waiter = {.exclusive = false};
    int error = 0;
    if (tty->driver->pty) /* what the other side has not read has left all the same */
        return 0;
    tty_lock(tty);
    waitq_add(&tty->writers, &waiter);
    while (error == 0) {
        if (tty_hung_up(tty, file))
            error = -EIO;
        else if (ldisc_output_length(&tty->ldisc) == 0 &&
                 (!tty->driver->drained || tty->driver->drained(tty)))
            break;
        else if (task_wait(&tty->lock, deadline_after(LOOK_AGAIN_NS)) == -EINTR)
            error = -EINTR;
    }
    waitq_remove(&tty->writers, &waiter);
    tty_unlock(tty);
    return error;
}

static uint32_t tty_poll(struct file *file, struct poll_watch *watch) {
    struct tty *tty = file->data;
    uint32_t events = 0;
    if (watch) {
        poll_watch(watch, &tty->readers);
        poll_watch(watch, &tty->writers);
    }
    tty_lock(tty);
    if (tty_hung_up(tty, file)) {
        events = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
    } else {
        if (ldisc_readable(&tty->ldisc, true))
            events |= POLLIN | POLLRDNORM;
        if (tty->other_closed)
            events |= POLLHUP;
        if (!tty->writing && ldisc_output_room(&tty->ldisc) >= TTY_WRITABLE_ROOM)
            events |= POLLOUT | POLLWRNORM;
    }
    tty_unlock(tty);
    return events;
}

const struct file_operations tty_file_operations = {
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
    .release = tty_release,
};

/* ---- size ---- */

void tty_set_winsize(struct tty *tty, const struct winsize *size) {
    tty_lock(tty);
    if (memcmp(&tty->winsize, size, sizeof *size) != 0) {
        tty->winsize = *size;
        tty->ldisc.signals |= 1U << SIGWINCH;
    }
    tty_unlock(tty);
}

/* ---- /dev/tty ---- */

static int current_open(struct inode *inode, struct file *file) {
    (void)inode;
    mutex_lock(&tasks_lock);
    struct tty *tty = session_of(task_current())->tty;
    if (tty)
        tty_get(tty);
    mutex_unlock(&tasks_lock);
    if (!tty)
        return -ENXIO;
    int error = tty_open_file(tty, file, true);
    tty_put(tty);
    return error;
}

static const struct device current_device = {
    .name = "tty", .major = 5, .minor = 0, .minor_count = 1, .mode = 0666, .open = current_open};

void tty_register(void) {
    device_register(&current_device);
    pty_register();
}
