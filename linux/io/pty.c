/*
 * Pseudo-terminals. The slave is a struct tty; the master is a file that reads what the slave's line
 * discipline puts out and writes what it receives. Everything of a pair is guarded by the slave's lock, ptys
 * by ptys_lock (outermost but tasks_lock). A pair lives until its slave's last reference goes; the master's
 * file holds one.
 */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/fs/mount.h"
#include "linux/heap.h"
#include "linux/io/ring.h"
#include "linux/io/tty_internal.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { PENDING_MAX = 8192 }; /* bytes written by the master that the slave has no room for */

struct pty {
    struct tty *slave;
    struct ring pending;
    struct waitq readers, writers; /* of the master */
    bool locked;                   /* TIOCSPTLCK: the slave cannot be opened */
    bool opened, slave_closed;     /* the slave was open, and no file is any more */
    bool packet;                   /* TIOCPKT */
    bool was_stopped;
    uint8_t status; /* packet mode: what the master has to hear */
};

static struct mutex ptys_lock = MUTEX_INIT(ptys_lock);
static struct pty *ptys[PTY_MAX]; /* with open masters */

/* ---- the slave's driver ---- */

/* What packet mode reports besides data. */
static void status_update(struct pty *pty) {
    struct ldisc *ldisc = &pty->slave->ldisc;
    if (pty->packet) {
        pty->status |= ldisc->flushed_input ? TIOCPKT_FLUSHREAD : 0;
        pty->status |= ldisc->flushed_output ? TIOCPKT_FLUSHWRITE : 0;
        if (ldisc->stopped != pty->was_stopped) {
            pty->status &= (uint8_t) ~(TIOCPKT_STOP | TIOCPKT_START);
            pty->status |= ldisc->stopped ? TIOCPKT_STOP : TIOCPKT_START;
        }
    }
    pty->was_stopped = ldisc->stopped;
    ldisc->flushed_input = ldisc->flushed_output = false;
}

static bool master_readable(const struct pty *pty) {
    const struct ldisc *ldisc = &pty->slave->ldisc;
    return pty->status || (!ldisc->stopped && ldisc_output_length(ldisc) > 0);
}

static void slave_output(struct tty *tty) {
    struct pty *pty = tty->data;
    status_update(pty);
    if (master_readable(pty) && !waitq_empty(&pty->readers))
        waitq_wake_all(&pty->readers);
}

/* Moves what the master wrote on to the line discipline. */
static void slave_room(struct tty *tty) {
    struct pty *pty = tty->data;
    uint8_t bytes[128];
    while (ring_used(&pty->pending) > 0 && ldisc_room(&tty->ldisc)) {
        uint32_t start = pty->pending.tail;
        struct buffer buffer = {.kernel = bytes, .length = sizeof bytes};
        int64_t count = ring_drain(&pty->pending, &buffer, sizeof bytes);
        size_t taken = tty_receive(tty, bytes, (size_t)count);
        if (taken == (size_t)count)
            continue;
        /* The rest stays where it was: draining an emptied ring resets it, so it goes back from the
         * beginning. */
        if (ring_used(&pty->pending) == 0) {
            struct buffer rest = {.kernel = bytes + taken, .length = (size_t)count - taken};
            ring_fill(&pty->pending, &rest, rest.length);
        } else {
            pty->pending.tail = start + (uint32_t)taken;
        }
        break;
    }
    if (ring_used(&pty->pending) < PENDING_MAX && !waitq_empty(&pty->writers))
        waitq_wake_all(&pty->writers);
}

static void slave_opened(struct tty *tty) {
    struct pty *pty = tty->data;
    pty->opened = true;
    pty->slave_closed = false;
}

static void slave_closed(struct tty *tty) {
    struct pty *pty = tty->data;
    pty->slave_closed = true;
    waitq_wake_all(&pty->readers);
    waitq_wake_all(&pty->writers);
}

static void slave_release(struct tty *tty) {
    struct pty *pty = tty->data;
    ring_free(&pty->pending);
    heap_free(pty);
    if (tty->inode)
        inode_put(tty->inode);
}

static const struct tty_driver pty_driver = {
    .name = "pts/",
    .major = PTY_MAJOR,
    .pty = true,
    .output = slave_output,
    .room = slave_room,
    .release = slave_release,
    .opened = slave_opened,
    .closed = slave_closed,
};

/* ---- the master's file ---- */

static int master_wait(struct pty *pty, struct file *file) {
    if (file->flags & O_NONBLOCK)
        return -EAGAIN;
    return task_wait(&pty->slave->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
}

static int64_t take_output(struct pty *pty, struct buffer *buffer) {
    struct ldisc *ldisc = &pty->slave->ldisc;
    int64_t done = 0;
    int error = 0;
    while (buffer->length > 0 && ldisc_output_length(ldisc) > 0 && error == 0) {
        const uint8_t *bytes;
        size_t length = ldisc_output_peek(ldisc, &bytes);
        length = length < buffer->length ? length : buffer->length;
        error = buffer_put(buffer, bytes, length);
        if (error == 0) {
            ldisc_output_take(ldisc, length);
            done += (int64_t)length;
        }
    }
    return done ? done : error;
}

/* Packet mode: a byte that says what follows; only TIOCPKT_DATA has data behind it. */
static int64_t take_packet(struct pty *pty, struct buffer *buffer) {
    uint8_t status = pty->status;
    int error = buffer_put(buffer, &status, 1);
    if (error < 0)
        return error;
    pty->status = 0;
    if (status)
        return 1;
    int64_t count = take_output(pty, buffer);
    return count < 0 ? count : count + 1;
}

static int64_t master_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct pty *pty = file->data;
    struct tty *tty = pty->slave;
    struct waiter waiter = {.exclusive = false};
    int64_t result = 0;
    (void)offset;
    if (buffer->length == 0)
        return 0;
    tty_lock(tty);
    waitq_add(&pty->readers, &waiter);
    while (result == 0 && !master_readable(pty))
        result = pty->slave_closed ? -EIO : master_wait(pty, file);
    if (result == 0)
        result = pty->packet ? take_packet(pty, buffer) : take_output(pty, buffer);
    waitq_remove(&pty->readers, &waiter);
    tty_push_output(tty);
    tty_unlock(tty);
    return result;
}

static int64_t master_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct pty *pty = file->data;
    struct tty *tty = pty->slave;
    struct waiter waiter = {.exclusive = false};
    int64_t done = 0, result = 0;
    (void)offset;
    tty_lock(tty);
    waitq_add(&pty->writers, &waiter);
    while (buffer->length > 0 && result == 0) {
        uint32_t used = ring_used(&pty->pending);
        if (used >= PENDING_MAX) {
            result = master_wait(pty, file);
            continue;
        }
        int64_t count = ring_fill(&pty->pending, buffer,
                                  PENDING_MAX - used < buffer->length ? PENDING_MAX - used : buffer->length);
        result = count < 0 ? count : 0;
        done += count < 0 ? 0 : count;
        slave_room(tty);
    }
    waitq_remove(&pty->writers, &waiter);
    tty_unlock(tty);
    return done ? done : result;
}

static uint32_t master_poll(struct file *file, struct poll_watch *watch) {
    struct pty *pty = file->data;
    uint32_t events = 0;
    if (watch) {
        poll_watch(watch, &pty->readers);
        poll_watch(watch, &pty->writers);
    }
    tty_lock(pty->slave);
    if (master_readable(pty))
        events |= POLLIN | POLLRDNORM;
    if (pty->status)
        events |= POLLPRI;
    if (pty->slave_closed)
        events |= POLLHUP;
    if (ring_used(&pty->pending) < PENDING_MAX)
        events |= POLLOUT | POLLWRNORM;
    tty_unlock(pty->slave);
    return events;
}

/* ---- the master's ioctl ---- */

static int64_t value_out(int32_t value, uint64_t argument) {
    return guest_copy_out(argument, &value, sizeof value);
}

static int64_t lock_set(struct pty *pty, uint64_t argument) {
    int32_t value;
    if (guest_copy_in(&value, argument, sizeof value) < 0)
        return -EFAULT;
    pty->locked = value != 0;
    return 0;
}

static int64_t packet_set(struct pty *pty, uint64_t argument) {
    int32_t value;
    if (guest_copy_in(&value, argument, sizeof value) < 0)
        return -EFAULT;
    tty_lock(pty->slave);
    pty->packet = value != 0;
    pty->status = 0;
    tty_unlock(pty->slave);
    return 0;
}

/* TIOCGPTPEER: the slave, without needing its name to be reachable. */
static int64_t peer_open(struct pty *pty, uint64_t flags) {
    struct file *file;
    char name[24];
    format_text(name, sizeof name, "/dev/pts/%u", pty->slave->index);
    int error = file_open(NULL, name, (uint32_t)flags | O_NOCTTY, 0, &file);
    if (error < 0)
        return error;
    int fd = fd_install(file, flags & O_CLOEXEC);
    if (fd < 0)
        file_put(file);
    return fd;
}

/* TIOCSIG: a signal to the slave's foreground group. */
static int64_t signal_slave(struct pty *pty, uint64_t argument) {
    if (argument != SIGINT && argument != SIGQUIT && argument != SIGTSTP)
        return -EINVAL;
    tty_lock(pty->slave);
    pty->slave->ldisc.signals |= 1U << argument;
    tty_unlock(pty->slave);
    return 0;
}

static int64_t waiting_out(struct pty *pty, uint64_t argument) {
    tty_lock(pty->slave);
    int32_t count = (int32_t)ldisc_output_length(&pty->slave->ldisc);
    tty_unlock(pty->slave);
    return value_out(count, argument);
}

static int64_t master_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    struct pty *pty = file->data;
    struct tty *tty = pty->slave;
    switch ((uint32_t)command) {
    case TIOCGPTN:
        return value_out((int32_t)tty->index, argument);
    case TIOCSPTLCK:
        return lock_set(pty, argument);
    case TIOCGPTLCK:
        return value_out(pty->locked, argument);
    case TIOCGPTPEER:
        return peer_open(pty, argument);
    case TIOCPKT:
        return packet_set(pty, argument);
    case TIOCGPKT:
        return value_out(pty->packet, argument);
    case TIOCSIG:
        return signal_slave(pty, argument);
    case FIONREAD:
        return waiting_out(pty, argument);
    case TIOCOUTQ:
        return value_out(0, argument);
    }
    int64_t result = tty_job_ioctl(tty, file, true, (uint32_t)command, argument);
    if (result == TTY_NOT_HANDLED)
        result = tty_common_ioctl(tty, file, true, (uint32_t)command, argument);
    return result == TTY_NOT_HANDLED ? -ENOTTY : result;
}

static void master_release(struct file *file) {
    struct pty *pty = file->data;
    if (!pty)
        return;
    struct tty *slave = pty->slave;
    mutex_lock(&ptys_lock);
    ptys[slave->index] = NULL;
    mutex_unlock(&ptys_lock);
    tty_lock(slave);
    slave->other_closed = true;
    tty_unlock(slave);
    tty_hangup(slave);
    tty_put(slave);
}

static const struct file_operations master_operations = {
    .read = master_read,
    .write = master_write,
    .ioctl = master_ioctl,
    .poll = master_poll,
    .release = master_release,
};

/* ---- making and finding ---- */

static struct pty *pty_create(void) {
    struct pty *pty = heap_zalloc(sizeof *pty);
    if (!pty)
        return NULL;
    pty->slave = tty_create(&pty_driver, 0, pty);
    if (!pty->slave) {
        heap_free(pty);
        return NULL;
    }
    ring_init(&pty->pending);
    waitq_init(&pty->readers);
    waitq_init(&pty->writers);
    pty->locked = true;
    if (task_current()) {
        pty->slave->uid = task_current()->credentials.fsuid;
        pty->slave->gid = task_current()->credentials.fsgid;
    }
    return pty;
}

/* Gives the pair the least free number. */
static int pty_number(struct pty *pty) {
    int error = -ENOSPC;
    mutex_lock(&ptys_lock);
    for (uint32_t i = 0; i < PTY_MAX && error < 0; i++) {
        if (ptys[i])
            continue;
        ptys[i] = pty;
        pty->slave->index = i;
        error = 0;
    }
    mutex_unlock(&ptys_lock);
    return error;
}

static int master_open(struct inode *inode, struct file *file) {
    (void)inode;
    struct pty *pty = pty_create();
    if (!pty)
        return -ENOMEM;
    int error = pty_number(pty);
    if (error < 0) {
        tty_put(pty->slave);
        return error;
    }
    file->operations = &master_operations;
    file->data = pty;
    return 0;
}

struct tty *pty_find(uint32_t index) {
    struct tty *slave = NULL;
    mutex_lock(&ptys_lock);
    if (index < PTY_MAX && ptys[index])
        slave = tty_get(ptys[index]->slave);
    mutex_unlock(&ptys_lock);
    return slave;
}

int32_t pty_next(uint32_t index) {
    int32_t found = -1;
    mutex_lock(&ptys_lock);
    for (uint32_t i = index; i < PTY_MAX && found < 0; i++)
        found = ptys[i] ? (int32_t)i : -1;
    mutex_unlock(&ptys_lock);
    return found;
}

static int slave_open(struct inode *inode, struct file *file) {
    struct tty *slave = pty_find(device_minor(inode->attributes.rdev));
    if (!slave)
        return -EIO;
    struct pty *pty = slave->data;
    int error = pty->locked ? -EIO : tty_open_file(slave, file, file->flags & O_NOCTTY);
    tty_put(slave);
    return error;
}

static const struct device master_device = {
    .name = "ptmx", .major = 5, .minor = 2, .minor_count = 1, .mode = 0666, .open = master_open};
static const struct device slave_device = {
    .family = "pts", .major = PTY_MAJOR, .minor_count = PTY_MAX, .mode = 0620, .open = slave_open};

void pty_register(void) {
    device_register(&master_device);
    device_register(&slave_device);
    filesystem_register(&devpts_type);
}
