/*
 * See pipe.h. A FIFO's ring lives with its inode; a pipe is a FIFO whose inode has no name. fifo->lock guards
 * all fields. Wake-ups happen after the lock is dropped, and only when somebody waits: readers when bytes
 * arrive, writers when the room grows past PIPE_BUF, so that an atomic write that found no room gets it at
 * once and a long one is not woken for crumbs.
 */
#include "linux/io/pipe.h"

#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/signal.h"
#include "linux/abi/stat.h"
#include "linux/abi/termios.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/io/anon.h"
#include "linux/io/ring.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/signal.h"

struct fifo {
    struct mutex lock;
    struct ring ring;
    uint32_t readers, writers;           /* open ends */
    uint32_t reader_opens, writer_opens; /* ever opened: what the first opens of a FIFO wait for */
    bool unnamed;                        /* from pipe(): opened anew through /proc it waits for nobody */
    struct waitq read_wait, write_wait;  /* of the ends, and of opens that wait for the other one */
};

static struct fifo *fifo_create(void) {
    struct fifo *fifo = heap_alloc(sizeof *fifo);
    if (!fifo)
        return NULL;
    mutex_init(&fifo->lock);
    ring_init(&fifo->ring);
    fifo->readers = fifo->writers = 0;
    fifo->reader_opens = fifo->writer_opens = 0;
    fifo->unnamed = false;
    waitq_init(&fifo->read_wait);
    waitq_init(&fifo->write_wait);
    return fifo;
}

void fifo_free(struct inode *inode) {
    struct fifo *fifo = inode->fifo;
    inode->fifo = NULL;
    ring_free(&fifo->ring);
    heap_free(fifo);
}

static bool file_reads(const struct file *file) {
    return (file->flags & O_ACCMODE) != O_WRONLY;
}
static bool file_writes(const struct file *file) {
    return (file->flags & O_ACCMODE) != O_RDONLY;
}

/* Waits once for the queue, entering it at the first time. */
static int fifo_wait(struct fifo *fifo, struct waitq *queue, struct waiter *waiter, bool *entered) {
    if (!*entered) {
        waiter->exclusive = true;
        waiter->notify = NULL;
        waitq_add(queue, waiter);
        *entered = true;
    }
    return task_wait(&fifo->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
}

static int64_t fifo_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct fifo *fifo = file->data;
    struct waiter waiter;
    bool entered = false;
    int64_t result = 0;
    (void)offset;
    if (buffer->length == 0)
        return 0;
    mutex_lock(&fifo->lock);
    while (result == 0 && ring_used(&fifo->ring) == 0 && fifo->writers > 0)
        result = file->flags & O_NONBLOCK ? -EAGAIN : fifo_wait(fifo, &fifo->read_wait, &waiter, &entered);
    bool was_full = ring_room(&fifo->ring) < PIPE_BUF;
    if (result == 0)
        result = ring_drain(&fifo->ring, buffer, buffer->length);
    bool wake_writer = was_full && ring_room(&fifo->ring) >= PIPE_BUF && !waitq_empty(&fifo->write_wait);
    if (entered)
        waitq_remove(&fifo->read_wait, &waiter);
    bool wake_reader = entered && ring_used(&fifo->ring) > 0 && !waitq_empty(&fifo->read_wait);
    mutex_unlock(&fifo->lock);
    if (wake_writer)
        waitq_wake_one(&fifo->write_wait);
    if (wake_reader)
        waitq_wake_one(&fifo->read_wait);
    return result;
}

/* A write of at most PIPE_BUF bytes goes in whole or not at all. */
static bool fifo_writable(const struct fifo *fifo, size_t length, bool first) {
    size_t need = first ? (length <= PIPE_BUF ? length : 1) : PIPE_BUF < length ? PIPE_BUF : length;
    return ring_room(&fifo->ring) >= need;
}

/* The loop of a write, with the lock held (dropped while waiting). Bytes written or an error. */
static int64_t fifo_write_locked(struct fifo *fifo, struct file *file, struct buffer *buffer) {
    struct waiter waiter;
    bool entered = false;
    int64_t done = 0, error = 0;
    while (buffer->length > 0 && error == 0) {
        if (fifo->readers == 0) {
            signal_send_task_kernel(task_current(), SIGPIPE);
            error = -EPIPE;
        } else if (fifo_writable(fifo, buffer->length, done == 0)) {
            int64_t count = ring_fill(&fifo->ring, buffer, buffer->length);
            error = count < 0 ? count : 0;
            done += count < 0 ? 0 : count;
        } else if (file->flags & O_NONBLOCK) {
            error = -EAGAIN;
        } else {
            if (done > 0 && !waitq_empty(&fifo->read_wait))
                waitq_wake_one(&fifo->read_wait);
            error = fifo_wait(fifo, &fifo->write_wait, &waiter, &entered);
        }
    }
    if (entered)
        waitq_remove(&fifo->write_wait, &waiter);
    return done ? done : error;
}

static int64_t fifo_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct fifo *fifo = file->data;
    (void)offset;
    if (buffer->length == 0)
        return 0;
    mutex_lock(&fifo->lock);
    int64_t result = fifo_write_locked(fifo, file, buffer);
    bool wake_reader = result > 0 && !waitq_empty(&fifo->read_wait);
    bool wake_writer = ring_room(&fifo->ring) >= PIPE_BUF && !waitq_empty(&fifo->write_wait);
    mutex_unlock(&fifo->lock);
    if (wake_reader)
        waitq_wake_one(&fifo->read_wait);
    if (wake_writer)
        waitq_wake_one(&fifo->write_wait);
    return result;
}

static uint32_t fifo_poll(struct file *file, struct poll_watch *watch) {
    struct fifo *fifo = file->data;
    uint32_t events = 0;
    if (watch && file_reads(file))
        poll_watch(watch, &fifo->read_wait);
    if (watch && file_writes(file))
        poll_watch(watch, &fifo->write_wait);
    mutex_lock(&fifo->lock);
    if (file_reads(file)) {
        if (ring_used(&fifo->ring) > 0)
            events |= POLLIN | POLLRDNORM;
        if (fifo->writers == 0 && file->offset != fifo->writer_opens)
            events |= POLLHUP;
    }
    if (file_writes(file)) {
        if (ring_room(&fifo->ring) >= PIPE_BUF)
            events |= POLLOUT | POLLWRNORM;
        if (fifo->readers == 0)
            events |= POLLERR;
    }
    mutex_unlock(&fifo->lock);
    return events;
}

static int64_t fifo_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    struct fifo *fifo = file->data;
    if ((uint32_t)command != FIONREAD)
        return -ENOTTY;
    mutex_lock(&fifo->lock);
    int32_t used = (int32_t)ring_used(&fifo->ring);
    mutex_unlock(&fifo->lock);
    return guest_copy_out(argument, &used, sizeof used);
}

/* An end went (or an open failed). The bytes of a FIFO that nobody has open are lost, as in Linux. */
static void fifo_leave(struct fifo *fifo, const struct file *file) {
    mutex_lock(&fifo->lock);
    fifo->readers -= file_reads(file);
    fifo->writers -= file_writes(file);
    bool no_readers = fifo->readers == 0, no_writers = fifo->writers == 0;
    if (no_readers && no_writers)
        ring_clear(&fifo->ring);
    mutex_unlock(&fifo->lock);
    if (no_readers && !waitq_empty(&fifo->write_wait))
        waitq_wake_all(&fifo->write_wait);
    if (no_writers && !waitq_empty(&fifo->read_wait))
        waitq_wake_all(&fifo->read_wait);
}

static void fifo_release(struct file *file) {
    if (file->data)
        fifo_leave(file->data, file);
}

static const struct file_operations fifo_operations = {
    .read = fifo_read,
    .write = fifo_write,
    .ioctl = fifo_ioctl,
    .poll = fifo_poll,
    .release = fifo_release,
};

/* ---- opening ---- */

/* Waits until the other end has been opened once more. */
static int fifo_wait_partner(struct fifo *fifo, struct waitq *queue, const uint32_t *opens) {
    struct waiter waiter = {.exclusive = false};
    uint32_t before = *opens;
    int error = 0;
    waitq_add(queue, &waiter);
    while (*opens == before && error == 0)
        error = task_wait(&fifo->lock, DEADLINE_NEVER);
    waitq_remove(queue, &waiter);
    return error < 0 ? -ERESTARTSYS : 0;
}

/* Counts the new end and waits for the other one; lock held. Ends are counted also when it fails with
 * -ERESTARTSYS. */
static int fifo_join(struct fifo *fifo, struct file *file) {
    bool nonblock = file->flags & O_NONBLOCK;
    if (file_reads(file)) {
        fifo->readers++;
        fifo->reader_opens++;
        waitq_wake_all(&fifo->write_wait);
    }
    if (file_writes(file)) {
        fifo->writers++;
        fifo->writer_opens++;
        waitq_wake_all(&fifo->read_wait);
    }
    if (fifo->unnamed)
        return 0;
    if (!file_writes(file) && fifo->writers == 0) {
        if (nonblock)
            file->offset = fifo->writer_opens; /* no hang-up to report before the first writer came */
        else
            return fifo_wait_partner(fifo, &fifo->read_wait, &fifo->writer_opens);
    }
    if (!file_reads(file) && fifo->readers == 0)
        return fifo_wait_partner(fifo, &fifo->write_wait, &fifo->reader_opens);
    return 0;
}

static struct fifo *inode_fifo(struct inode *inode) {
    mutex_lock(&inode->lock);
    if (!inode->fifo)
        inode->fifo = fifo_create();
    struct fifo *fifo = inode->fifo;
    mutex_unlock(&inode->lock);
    return fifo;
}

int fifo_open(struct inode *inode, struct file *file) {
    file->operations = &fifo_operations;
    file->data = NULL;
    file->offset = 0;
    if (inode->operations && inode->operations->open) /* a standard stream, which looks like a pipe */
        return inode->operations->open(inode, file);
    if ((file->flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    struct fifo *fifo = inode_fifo(inode);
    if (!fifo)
        return -ENOMEM;
    mutex_lock(&fifo->lock);
    if (!fifo->unnamed && !file_reads(file) && file->flags & O_NONBLOCK && fifo->readers == 0) {
        mutex_unlock(&fifo->lock);
        return -ENXIO;
    }
    int error = fifo_join(fifo, file);
    mutex_unlock(&fifo->lock);
    if (error < 0) {
        fifo_leave(fifo, file);
        return error;
    }
    file->data = fifo;
    return 0;
}

static struct file *pipe_end(struct inode *inode, uint32_t flags) {
    struct fifo *fifo = inode->fifo;
    struct file *file = anon_file_at(inode, &fifo_operations, flags, fifo);
    if (!file)
        return NULL;
    fifo->readers += file_reads(file);
    fifo->writers += file_writes(file);
    return file;
}

int pipe_create(struct file *ends[2], uint32_t flags) {
    struct inode *inode = anon_inode(ANON_PIPE, S_IFIFO | 0600);
    if (!inode)
        return -ENOMEM;
    inode->fifo = fifo_create();
    ends[0] = ends[1] = NULL;
    if (inode->fifo) {
        inode->fifo->reader_opens = inode->fifo->writer_opens = 1;
        inode->fifo->unnamed = true;
        ends[0] = pipe_end(inode, O_RDONLY | flags);
        ends[1] = ends[0] ? pipe_end(inode, O_WRONLY | flags) : NULL;
    }
    if (!ends[1] && ends[0])
        file_put(ends[0]);
    bool made = ends[1] != NULL;
    inode_put(inode);
    return made ? 0 : -ENOMEM;
}

/* ---- size ---- */

static struct fifo *fifo_of(const struct file *file) {
    return file->operations == &fifo_operations ? file->data : NULL;
}

int64_t pipe_size_get(struct file *file) {
    struct fifo *fifo = fifo_of(file);
    return fifo ? (int64_t)fifo->ring.size : -EBADF;
}

int64_t pipe_size_set(struct file *file, uint64_t argument) {
    struct fifo *fifo = fifo_of(file);
    uint32_t wanted = (uint32_t)argument, size = PAGE_SIZE;
    if (!fifo)
        return -EBADF;
    if (wanted > 1U << 31)
        return -EINVAL;
    while (size < wanted)
        size *= 2;
    mutex_lock(&fifo->lock);
    int error = 0;
    if (size > fifo->ring.size && size > PIPE_SIZE_MAX && !task_is_root(task_current()))
        error = -EPERM;
    else
        error = ring_resize(&fifo->ring, size);
    bool room = error == 0 && ring_room(&fifo->ring) >= PIPE_BUF;
    mutex_unlock(&fifo->lock);
    if (room)
        waitq_wake_all(&fifo->write_wait);
    return error < 0 ? error : (int64_t)size;
}

/* ---- the calls ---- */

static int pipe_install(struct file *ends[2], bool cloexec, int32_t fds[2]) {
    fds[0] = fd_install(ends[0], cloexec);
    fds[1] = fds[0] < 0 ? fds[0] : fd_install(ends[1], cloexec);
    if (fds[1] >= 0)
        return 0;
    if (fds[0] >= 0)
        fd_close(fds[0]);
    else
        file_put(ends[0]);
    file_put(ends[1]);
    return fds[1];
}

int64_t sys_pipe2(uint64_t to, uint64_t flags) {
    struct file *ends[2];
    int32_t fds[2];
    if ((uint32_t)flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    int error = pipe_create(ends, (uint32_t)flags & O_NONBLOCK);
    if (error == 0)
        error = pipe_install(ends, flags & O_CLOEXEC, fds);
    if (error == 0 && guest_copy_out(to, fds, sizeof fds) < 0) {
        fd_close(fds[0]);
        fd_close(fds[1]);
        error = -EFAULT;
    }
    return error;
}

int64_t sys_pipe(uint64_t to) {
    return sys_pipe2(to, 0);
}
