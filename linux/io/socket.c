/* See socket.h. End e reads from ends[e].input and writes to the other end's. */
#include "linux/io/socket.h"

#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/stat.h"
#include "linux/abi/termios.h"
#include "linux/heap.h"
#include "linux/io/anon.h"
#include "linux/net/packet.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { HEADER = sizeof(uint32_t) }; /* a packet's length, in front of it */

struct socket_pair *socket_of(const struct file *file, unsigned *end) {
    *end = file->operations == &socket_operations[1];
    return *end || file->operations == &socket_operations[0] ? file->data : NULL;
}

static bool packets(const struct socket_pair *pair) {
    return pair->type != SOCK_STREAM;
}

static int end_wait(struct socket_pair *pair, const struct file *file, uint32_t flags) {
    if (file->flags & O_NONBLOCK || flags & MSG_DONTWAIT)
        return -EAGAIN;
    return task_wait(&pair->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
}

static void end_wake(struct socket_end *end) {
    if (!waitq_empty(&end->waiters))
        waitq_wake_all(&end->waiters);
}

/* ---- sending ---- */

/* Why nothing can be sent any more; 0: it can. */
static int send_error(const struct socket_pair *pair, const struct socket_end *own,
                      const struct socket_end *other) {
    if (own->no_write)
        return -EPIPE;
    if (other->closed && pair->type == SOCK_DGRAM)
        return -ECONNREFUSED;
    return other->no_read ? -EPIPE : 0;
}

static int64_t packet_put(struct ring *ring, struct buffer *buffer) {
    uint32_t length = (uint32_t)buffer->length, head = ring->head;
    struct buffer header = {.kernel = &length, .length = HEADER};
    int64_t result = ring_fill(ring, &header, HEADER);
    if (result == HEADER)
        result = length ? ring_fill(ring, buffer, length) : 0;
    if (result == (int64_t)length)
        return length;
    ring->head = head; /* all or nothing */
    return result < 0 ? result : -EFAULT;
}

static bool send_room(const struct socket_pair *pair, const struct ring *ring, size_t length) {
    return packets(pair) ? ring_room(ring) >= length + HEADER : ring_room(ring) > 0;
}

static int64_t send_locked(struct socket_pair *pair, unsigned end, const struct file *file,
                           struct buffer *buffer, uint32_t flags) {
    struct socket_end *own = &pair->ends[end], *other = &pair->ends[!end];
    int64_t done = 0, error = 0;
    bool once = packets(pair); /* also an empty packet is sent */
    while ((buffer->length > 0 || once) && error == 0) {
        error = send_error(pair, own, other);
        if (error < 0)
            break;
        if (!send_room(pair, &other->input, buffer->length)) {
            error = end_wait(pair, file, flags);
            continue;
        }
        int64_t count = packets(pair) ? packet_put(&other->input, buffer)
                                      : ring_fill(&other->input, buffer, buffer->length);
        error = count < 0 ? count : 0;
        done += count < 0 ? 0 : count;
        end_wake(other);
        if (once)
            break;
    }
    return done ? done : error;
}

int64_t socket_send(struct file *file, struct buffer *buffer, uint32_t flags) {
    unsigned end;
    struct socket_pair *pair = socket_of(file, &end);
    struct waiter waiter = {.exclusive = false};
    if (packets(pair) && buffer->length > SOCKET_RING - HEADER)
        return -EMSGSIZE;
    mutex_lock(&pair->lock);
    waitq_add(&pair->ends[end].waiters, &waiter);
    int64_t result = send_locked(pair, end, file, buffer, flags);
    waitq_remove(&pair->ends[end].waiters, &waiter);
    mutex_unlock(&pair->lock);
    if (result == -EPIPE && !(flags & MSG_NOSIGNAL) && pair->type != SOCK_DGRAM)
        signal_send_task_kernel(task_current(), SIGPIPE);
    return result;
}

/* ---- receiving ---- */

/* Nothing will ever come: no input, and the other end cannot send. */
static bool input_ended(const struct socket_pair *pair, unsigned end) {
    const struct socket_end *own = &pair->ends[end], *other = &pair->ends[!end];
    return own->no_read || (pair->type != SOCK_DGRAM && (other->no_write || other->closed));
}

static int64_t packet_take(struct ring *ring, struct buffer *buffer, bool peek, size_t *packet_length) {
    uint32_t length;
    struct buffer header = {.kernel = &length, .length = HEADER};
    ring_peek(ring, 0, &header, HEADER);
    size_t count = length < buffer->length ? length : buffer->length;
    int error = ring_peek(ring, HEADER, buffer, count);
    if (error < 0)
        return error;
    if (!peek)
        ring_skip(ring, HEADER + length);
    *packet_length = length;
    return (int64_t)count;
}

static int64_t take(struct socket_pair *pair, struct ring *ring, struct buffer *buffer, bool peek,
                    size_t *packet_length) {
    if (packets(pair))
        return packet_take(ring, buffer, peek, packet_length);
    if (!peek)
        return ring_drain(ring, buffer, buffer->length);
    size_t count = ring_used(ring) < buffer->length ? ring_used(ring) : buffer->length;
    int error = ring_peek(ring, 0, buffer, count);
    return error < 0 ? error : (int64_t)count;
}

static int64_t receive_locked(struct socket_pair *pair, unsigned end, const struct file *file,
                              struct buffer *buffer, uint32_t flags, size_t *packet_length) {
    struct socket_end *own = &pair->ends[end];
    int64_t done = 0, error = 0;
    bool all = flags & MSG_WAITALL && !packets(pair) && !(flags & MSG_PEEK);
    while (error == 0) {
        if (ring_used(&own->input) > 0) {
            int64_t count = take(pair, &own->input, buffer, flags & MSG_PEEK, packet_length);
            error = count < 0 ? count : 0;
            done += count < 0 ? 0 : count;
            if (!all || buffer->length == 0)
                break;
        } else if (own->error) {
            error = -own->error;
            own->error = 0;
        } else if (input_ended(pair, end)) {
            break;
        } else {
            error = end_wait(pair, file, flags);
        }
    }
    return done ? done : error;
}

int64_t socket_receive(struct file *file, struct buffer *buffer, uint32_t flags, size_t *packet_length) {
    unsigned end;
    struct socket_pair *pair = socket_of(file, &end);
    struct waiter waiter = {.exclusive = false};
    *packet_length = 0;
    if (buffer->length == 0 && !packets(pair))
        return 0;
    mutex_lock(&pair->lock);
    waitq_add(&pair->ends[end].waiters, &waiter);
    int64_t result = receive_locked(pair, end, file, buffer, flags, packet_length);
    waitq_remove(&pair->ends[end].waiters, &waiter);
    end_wake(&pair->ends[!end]);
    mutex_unlock(&pair->lock);
    return result;
}

/* ---- the file ---- */

static int64_t socket_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    size_t packet_length;
    (void)offset;
    return socket_receive(file, buffer, 0, &packet_length);
}

static int64_t socket_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)offset;
    return socket_send(file, buffer, 0);
}

static uint32_t socket_poll(struct file *file, struct poll_watch *watch) {
    unsigned end;
    struct socket_pair *pair = socket_of(file, &end);
    struct socket_end *own = &pair->ends[end], *other = &pair->ends[!end];
    uint32_t events = 0;
    if (watch)
        poll_watch(watch, &own->waiters);
    mutex_lock(&pair->lock);
    bool ended = input_ended(pair, end);
    if (ring_used(&own->input) > 0 || ended)
        events |= POLLIN | POLLRDNORM;
    if (ended)
        events |= POLLRDHUP;
    if (own->error)
        events |= POLLERR;
    if ((ended && own->no_write) || (other->closed && pair->type != SOCK_DGRAM))
        events |= POLLHUP;
    if (other->closed || ring_room(&other->input) >= SOCKET_RING / 2)
        events |= POLLOUT | POLLWRNORM | POLLWRBAND;
    mutex_unlock(&pair->lock);
    return events;
}

static int64_t socket_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    unsigned end;
    struct socket_pair *pair = socket_of(file, &end);
    bool input = (uint32_t)command == FIONREAD;
    if (!input && (uint32_t)command != TIOCOUTQ)
        return interface_ioctl(command, argument);
    mutex_lock(&pair->lock);
    struct ring *ring = &pair->ends[input ? end : !end].input;
    uint32_t count = ring_used(ring);
    struct buffer header = {.kernel = &count, .length = HEADER};
    if (count > 0 && input && packets(pair)) /* of the first packet */
        ring_peek(ring, 0, &header, HEADER);
    mutex_unlock(&pair->lock);
    return guest_copy_out(argument, &count, sizeof count);
}

int socket_shutdown(struct file *file, int how) {
    unsigned end;
    struct socket_pair *pair = socket_of(file, &end);
    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    mutex_lock(&pair->lock);
    struct socket_end *own = &pair->ends[end], *other = &pair->ends[!end];
    if (how != SHUT_WR)
        own->no_read = true;
    if (how != SHUT_RD)
        own->no_write = true;
    if (pair->type != SOCK_DGRAM) { /* a connection has two halves that both ends see */
        other->no_write |= how != SHUT_WR;
        other->no_read |= how != SHUT_RD;
    }
    end_wake(own);
    end_wake(other);
    mutex_unlock(&pair->lock);
    return 0;
}

static void pair_free(struct socket_pair *pair) {
    for (unsigned end = 0; end < 2; end++) {
        ring_free(&pair->ends[end].input);
        security_context_put(pair->ends[end].context);
    }
    heap_free(pair);
}

static void socket_release(struct file *file) {
    unsigned end;
    struct socket_pair *pair = socket_of(file, &end);
    if (!pair)
        return;
    mutex_lock(&pair->lock);
    struct socket_end *own = &pair->ends[end], *other = &pair->ends[!end];
    own->closed = own->no_read = own->no_write = true;
    if (ring_used(&own->input) > 0 && pair->type == SOCK_STREAM)
        other->error = ECONNRESET;
    ring_clear(&own->input);
    bool last = other->closed;
    end_wake(other);
    mutex_unlock(&pair->lock);
    if (last)
        pair_free(pair);
}

#define SOCKET_OPERATIONS                                                                                    \
    {                                                                                                        \
        .read = socket_read, .write = socket_write, .ioctl = socket_ioctl, .poll = socket_poll,              \
        .release = socket_release                                                                            \
    }
const struct file_operations socket_operations[2] = {SOCKET_OPERATIONS, SOCKET_OPERATIONS};

static struct socket_pair *pair_create(uint32_t type) {
    struct socket_pair *pair = heap_zalloc(sizeof *pair);
    if (!pair)
        return NULL;
    const struct task *task = task_current();
    mutex_init(&pair->lock);
    pair->type = type;
    for (unsigned end = 0; end < 2; end++) {
        struct socket_end *own = &pair->ends[end];
        waitq_init(&own->waiters);
        ring_init(&own->input);
        own->credentials = (struct ucred){task->process->pid, task->credentials.euid, task->credentials.egid};
        own->context = security_of_sockets(task);
    }
    if (ring_resize(&pair->ends[0].input, SOCKET_RING) < 0 ||
        ring_resize(&pair->ends[1].input, SOCKET_RING) < 0) {
        pair_free(pair);
        return NULL;
    }
    return pair;
}

static struct file *end_file(struct socket_pair *pair, unsigned end, uint32_t flags) {
    struct inode *inode = anon_inode(ANON_SOCKET, S_IFSOCK | 0777);
    struct file *file = inode ? anon_file_at(inode, &socket_operations[end], O_RDWR | flags, pair) : NULL;
    if (inode)
        inode_put(inode);
    return file;
}

int socket_pair_create(uint32_t type, uint32_t flags, struct file *files[2]) {
    struct socket_pair *pair = pair_create(type);
    if (!pair)
        return -ENOMEM;
    files[0] = end_file(pair, 0, flags);
    files[1] = files[0] ? end_file(pair, 1, flags) : NULL;
    if (files[1])
        return 0;
    if (files[0]) {
        files[0]->data = NULL;
        file_put(files[0]);
    }
    pair_free(pair);
    return -ENOMEM;
}
