/* See packet.h. */
#include "linux/net/packet.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/termios.h"
#include "linux/fs/proc_internal.h"
#include "linux/heap.h"
#include "linux/io/poll.h"
#include "linux/net/interface.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { DEFAULT_LIMIT = 212992 };

/* In front of each frame in a socket's ring. */
struct packet_record {
    uint32_t kept, length; /* bytes that follow, and of the frame */
    struct sockaddr_ll from;
};

static struct list sockets = LIST_INIT(sockets); /* net_lock */

static uint16_t swap16(uint16_t value) {
    return (uint16_t)(value << 8 | value >> 8);
}

/* ---- frames for sockets ---- */

static bool socket_wants(const struct packet_socket *socket, const struct interface *interface,
                         const struct packet_frame *frame) {
    if (!socket->running || (socket->ifindex && socket->ifindex != interface->index))
        return false;
    if (frame->type == PACKET_OUTGOING)
        return socket->protocol == ETH_P_ALL && socket != frame->sender && !socket->ignore_outgoing;
    return socket->protocol == ETH_P_ALL || (socket->protocol && socket->protocol == frame->protocol);
}

/* How many bytes of the frame the socket's filter wants. */
static uint32_t filter_ask(const struct packet_socket *socket, const struct interface *interface,
                           const struct packet_frame *frame, uint32_t skipped) {
    if (!socket->filter)
        return UINT32_MAX;
    struct filter_frame what = {.bytes = frame->bytes + skipped,
                                .length = frame->length - skipped,
                                .link = frame->bytes,
                                .network = frame->bytes + ETH_HLEN,
                                .protocol = frame->protocol,
                                .type = frame->type,
                                .ifindex = interface->index,
                                .hatype = interface_type(interface)};
    return filter_run(socket->filter, &what);
}

static bool record_put(struct ring *ring, const struct packet_record *record, const uint8_t *bytes) {
    struct buffer header = {.kernel = (void *)record, .length = sizeof *record};
    struct buffer data = {.kernel = (void *)bytes, .length = record->kept};
    uint32_t head = ring->head;
    if (ring_fill(ring, &header, sizeof *record) == (int64_t)sizeof *record &&
        (!record->kept || ring_fill(ring, &data, record->kept) == (int64_t)record->kept))
        return true;
    ring->head = head; /* no memory */
    return false;
}

static void socket_show(struct packet_socket *socket, const struct interface *interface,
                        const struct packet_frame *frame) {
    uint32_t skipped = socket->type == SOCK_DGRAM ? ETH_HLEN : 0;
    struct packet_record record = {.length = frame->length - skipped,
                                   .from = {.family = AF_PACKET,
                                            .protocol = swap16(frame->protocol),
                                            .ifindex = interface->index,
                                            .hatype = interface_type(interface),
                                            .pkttype = frame->type,
                                            .halen = ETH_ALEN}};
    memcpy(record.from.addr, frame->header + ETH_ALEN, ETH_ALEN);
    mutex_lock(&socket->lock);
    record.kept = filter_ask(socket, interface, frame, skipped);
    if (record.kept > record.length)
        record.kept = record.length;
    bool wanted = record.kept || !socket->filter;
    if (wanted) {
        uint64_t used = (uint64_t)ring_used(&socket->input) + sizeof record + record.kept;
        socket->statistics.packets++;
        if (used > socket->limit || used > socket->input.size ||
            !record_put(&socket->input, &record, frame->bytes + skipped))
            socket->statistics.drops++;
    }
    mutex_unlock(&socket->lock);
    if (wanted && !waitq_empty(&socket->waiters))
        waitq_wake_all(&socket->waiters);
}

void packets_show(const struct interface *interface, const struct packet_frame *frame) {
    struct packet_socket *socket;
    mutex_lock(&net_lock);
    list_for_each(socket, &sockets, link) {
        if (socket_wants(socket, interface, frame))
            socket_show(socket, interface, frame);
    }
    mutex_unlock(&net_lock);
}

bool packets_watch_outgoing(const struct interface *interface, const void *sender) {
    const struct packet_frame frame = {.type = PACKET_OUTGOING, .sender = sender};
    const struct packet_socket *socket;
    bool found = false;
    mutex_lock(&net_lock);
    list_for_each(socket, &sockets, link) {
        found = found || socket_wants(socket, interface, &frame);
    }
    mutex_unlock(&net_lock);
    return found;
}

bool packets_want_group(const struct interface *interface, const uint8_t *group) {
    const struct packet_socket *socket;
    bool found = false;
    mutex_lock(&net_lock);
    list_for_each(socket, &sockets, link) {
        for (const struct membership *member = socket->memberships; member && !found; member = member->next)
            found = member->request.ifindex == interface->index &&
                    member->request.type == PACKET_MR_MULTICAST &&
                    !memcmp(member->request.address, group, ETH_ALEN);
    }
    mutex_unlock(&net_lock);
    return found;
}

static void error_tell(struct packet_socket *socket, int32_t error) {
    mutex_lock(&socket->lock);
    socket->error = error;
    mutex_unlock(&socket->lock);
    waitq_wake_all(&socket->waiters);
}

void packets_state(const struct interface *interface, bool up, bool gone) {
    struct packet_socket *socket;
    mutex_lock(&net_lock);
    list_for_each(socket, &sockets, link) {
        if (socket->ifindex != interface->index)
            continue;
        if (socket->running && !up)
            error_tell(socket, ENETDOWN);
        socket->running = up;
        if (gone)
            socket->ifindex = -1;
    }
    mutex_unlock(&net_lock);
}

/* ---- binding and names ---- */

static int64_t packet_bind(struct file *file, const struct socket_name *name) {
    struct packet_socket *socket = packet_of(file);
    struct sockaddr_ll address;
    if (name->length < sizeof address)
        return -EINVAL;
    memcpy(&address, name->bytes, sizeof address);
    if (address.family != AF_PACKET)
        return -EINVAL;
    struct interface *interface = address.ifindex ? interface_by_index(address.ifindex) : NULL;
    if (address.ifindex && !interface)
        return -ENODEV;
    if (interface)
        mutex_lock(&interface->lock);
    bool gone = interface && interface->gone, up = !interface || interface->up;
    if (!gone) {
        mutex_lock(&net_lock);
        socket->ifindex = address.ifindex;
        if (address.protocol)
            socket->protocol = swap16(address.protocol);
        socket->running = up;
        mutex_unlock(&net_lock);
    }
    if (interface)
        mutex_unlock(&interface->lock);
    if (!gone && !up && socket->protocol)
        error_tell(socket, ENETDOWN);
    interface_put(interface);
    return gone ? -ENODEV : 0;
}

static int64_t packet_name(struct file *file, bool peer, struct socket_name *name) {
    struct packet_socket *socket = packet_of(file);
    struct sockaddr_ll address = {.family = AF_PACKET};
    if (peer)
        return -EOPNOTSUPP;
    mutex_lock(&net_lock);
    address.ifindex = socket->ifindex;
    address.protocol = swap16(socket->protocol);
    mutex_unlock(&net_lock);
    struct interface *interface = interface_by_index(address.ifindex);
    if (interface) {
        address.hatype = interface_type(interface);
        address.halen = ETH_ALEN;
        memcpy(address.addr, interface->address, ETH_ALEN);
    }
    interface_put(interface);
    name->length = SOCKADDR_LL_ADDR + address.halen;
    memcpy(name->bytes, &address, name->length);
    return 0;
}

/* ---- sending ---- */

static int64_t destination_read(const struct packet_socket *socket, const struct socket_name *to,
                                struct sockaddr_ll *address) {
    if (!to) {
        mutex_lock(&net_lock);
        *address = (struct sockaddr_ll){.ifindex = socket->ifindex, .protocol = swap16(socket->protocol)};
        mutex_unlock(&net_lock);
        return 0;
    }
    if (to->length < sizeof *address)
        return -EINVAL;
    memcpy(address, to->bytes, sizeof *address);
    return to->length < (uint32_t)SOCKADDR_LL_ADDR + address->halen ? -EINVAL : 0;
}

static int64_t packet_send(struct file *file, struct buffer *buffer, uint32_t flags,
                           const struct socket_name *to) {
    struct packet_socket *socket = packet_of(file);
    struct sockaddr_ll address;
    uint8_t header[ETH_HLEN];
    int64_t error = destination_read(socket, to, &address);
    if (error)
        return error;
    struct interface *interface = interface_by_index(address.ifindex);
    if (!interface)
        return -ENXIO;
    struct frame_request request = {.protocol = swap16(address.protocol),
                                    .sender = socket,
                                    .nonblocking = file->flags & O_NONBLOCK || flags & MSG_DONTWAIT};
    if (socket->type == SOCK_DGRAM) {
        memset(header, 0, sizeof header);
        if (to)
            memcpy(header, address.addr, ETH_ALEN);
        else if (!interface->loopback)
            error = -EINVAL; /* to nobody */
        memcpy(header + ETH_ALEN, interface->address, ETH_ALEN);
        memcpy(header + 2 * (size_t)ETH_ALEN, &address.protocol, sizeof address.protocol);
        request.header = header;
    }
    if (!error)
        error = interface_send(interface, buffer, &request);
    interface_put(interface);
    return error;
}

/* ---- receiving ---- */

static int64_t input_wait(struct packet_socket *socket, const struct file *file, uint32_t flags) {
    struct waiter waiter = {.exclusive = false};
    int64_t error = 0;
    uint64_t end = socket->receive_timeout ? clock_monotonic() + socket->receive_timeout : DEADLINE_NEVER;
    waitq_add(&socket->waiters, &waiter);
    while ((socket->error || !ring_used(&socket->input)) && !error) {
        if (socket->error) { /* before what came earlier, as on Linux */
            error = -socket->error;
            socket->error = 0;
        } else if (file->flags & O_NONBLOCK || flags & MSG_DONTWAIT) {
            error = -EAGAIN;
        } else {
            int woken = task_wait(&socket->lock, end);
            error = woken == -ETIMEDOUT ? -EAGAIN : woken < 0 ? -ERESTARTSYS : 0;
        }
    }
    waitq_remove(&socket->waiters, &waiter);
    return error;
}

static int64_t record_take(struct packet_socket *socket, struct buffer *buffer, bool peek,
                           struct socket_message *message) {
    struct packet_record record = {0};
    struct buffer header = {.kernel = &record, .length = sizeof record};
    (void)ring_peek(&socket->input, 0, &header, sizeof record); /* own memory on both sides */
    size_t count = record.kept < buffer->length ? record.kept : buffer->length;
    int error = ring_peek(&socket->input, sizeof record, buffer, count);
    if (!peek)
        ring_skip(&socket->input, (uint32_t)sizeof record + record.kept);
    if (error < 0)
        return error;
    message->length = record.kept;
    message->from.length = sizeof record.from;
    memcpy(message->from.bytes, &record.from, sizeof record.from);
    return (int64_t)count;
}

static int64_t packet_receive(struct file *file, struct buffer *buffer, uint32_t flags,
                              struct socket_message *message) {
    struct packet_socket *socket = packet_of(file);
    if (flags & ~(uint32_t)(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC))
        return -EINVAL;
    mutex_lock(&socket->lock);
    int64_t result = input_wait(socket, file, flags);
    if (!result)
        result = record_take(socket, buffer, flags & MSG_PEEK, message);
    mutex_unlock(&socket->lock);
    return result;
}

/* ---- the file ---- */

static int64_t packet_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct socket_message message;
    (void)offset;
    return packet_receive(file, buffer, 0, &message);
}

static int64_t packet_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)offset;
    return packet_send(file, buffer, 0, NULL);
}

static uint32_t packet_poll(struct file *file, struct poll_watch *watch) {
    struct packet_socket *socket = packet_of(file);
    uint32_t events = 0;
    if (watch)
        poll_watch(watch, &socket->waiters);
    mutex_lock(&socket->lock);
    if (ring_used(&socket->input))
        events |= POLLIN | POLLRDNORM;
    if (socket->error)
        events |= POLLERR;
    mutex_unlock(&socket->lock);
    mutex_lock(&net_lock);
    int32_t index = socket->ifindex;
    mutex_unlock(&net_lock);
    struct interface *interface = interface_by_index(index);
    if (!interface || interface_writable(interface, watch))
        events |= POLLOUT | POLLWRNORM | POLLWRBAND;
    interface_put(interface);
    return events;
}

static int64_t packet_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    struct packet_socket *socket = packet_of(file);
    struct packet_record record = {.kept = 0};
    struct buffer header = {.kernel = &record, .length = sizeof record};
    if ((uint32_t)command != FIONREAD && (uint32_t)command != TIOCOUTQ)
        return interface_ioctl(command, argument);
    mutex_lock(&socket->lock);
    if ((uint32_t)command == FIONREAD && ring_used(&socket->input))
        (void)ring_peek(&socket->input, 0, &header, sizeof record);
    mutex_unlock(&socket->lock);
    return guest_copy_out(argument, &record.kept, sizeof record.kept);
}

static void socket_free(struct packet_socket *socket) {
    ring_free(&socket->input);
    heap_free(socket->filter);
    heap_free(socket);
}

static void packet_release(struct file *file) {
    struct packet_socket *socket = packet_of(file);
    packet_memberships_drop(socket);
    mutex_lock(&net_lock);
    list_remove(&socket->link);
    mutex_unlock(&net_lock);
    socket_free(socket);
}

const struct file_operations packet_operations = {.read = packet_read,
                                                  .write = packet_write,
                                                  .ioctl = packet_ioctl,
                                                  .poll = packet_poll,
                                                  .release = packet_release};

const struct socket_calls packet_calls = {
    .bind = packet_bind,
    .name = packet_name,
    .option_get = packet_option_get,
    .option_set = packet_option_set,
    .send = packet_send,
    .receive = packet_receive,
};

static struct packet_socket *socket_make(uint32_t type, uint32_t protocol) {
    struct packet_socket *socket = heap_zalloc(sizeof *socket);
    if (!socket)
        return NULL;
    mutex_init(&socket->lock);
    waitq_init(&socket->waiters);
    ring_init(&socket->input);
    socket->type = type;
    socket->protocol = swap16((uint16_t)protocol);
    socket->running = true;
    socket->limit = DEFAULT_LIMIT;
    if (ring_resize(&socket->input, 1U << 18) == 0)
        return socket;
    heap_free(socket);
    return NULL;
}

int64_t packet_create(uint32_t type, uint32_t flags, uint32_t protocol) {
    const struct task *task = task_current();
    if (!(task->capabilities_effective & 1ULL << CAP_NET_RAW))
        return -EPERM;
    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    struct packet_socket *socket = socket_make(type, protocol);
    struct file *file = socket ? socket_file(&packet_operations, flags, socket) : NULL;
    if (!file) {
        if (socket)
            socket_free(socket);
        return -ENOMEM;
    }
    socket->uid = task->credentials.euid;
    socket->inode = file->path.inode->attributes.ino;
    mutex_lock(&net_lock);
    list_push_back(&sockets, &socket->link);
    mutex_unlock(&net_lock);
    return socket_fd(file, flags);
}

/* ---- /proc/net/packet ---- */

static void add_socket(struct text *text, struct packet_socket *socket) {
    mutex_lock(&socket->lock);
    uint32_t used = ring_used(&socket->input);
    mutex_unlock(&socket->lock);
    text_add(text, "0000000000000000 3      %-4u %04x   %-5d %u %-6u %-6u %-6llu\n", socket->type,
             socket->protocol, socket->ifindex, socket->running && socket->protocol, used, socket->uid,
             (unsigned long long)socket->inode);
}

int proc_show_packet(const struct proc_ref *ref, struct text *text) {
    struct packet_socket *socket;
    (void)ref;
    text_add(text, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
    mutex_lock(&net_lock);
    list_for_each(socket, &sockets, link) {
        add_socket(text, socket);
    }
    mutex_unlock(&net_lock);
    return 0;
}
