/* See netlink.h. */
#include "linux/net/netlink.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/heap.h"
#include "linux/io/poll.h"
#include "linux/net/interface.h"
#include "linux/net/packet.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { REQUEST_MOST = 1024, MESSAGE_MOST = 512, ALIGNMENT = 4, HEADER = sizeof(struct nlmsghdr) };

static struct netlink_socket *netlink_of(const struct file *file) {
    return file->data;
}

/* ---- messages; the socket's lock is held ---- */

struct message {
    uint32_t length;
    _Alignas(8) uint8_t bytes[MESSAGE_MOST];
};

static uint32_t aligned(uint32_t length) {
    return (length + ALIGNMENT - 1) & ~(uint32_t)(ALIGNMENT - 1);
}

static void message_begin(struct message *message, const struct nlmsghdr *request, uint16_t type,
                          uint16_t flags) {
    struct nlmsghdr header = {
        .type = type, .flags = flags, .sequence = request->sequence, .port = request->port};
    memset(message, 0, sizeof *message);
    memcpy(message->bytes, &header, sizeof header);
    message->length = HEADER;
}

/* All messages made here fit. */
static void message_put(struct message *message, const void *bytes, uint32_t length) {
    memcpy(message->bytes + message->length, bytes, length);
    message->length += aligned(length);
}

static void attribute_put(struct message *message, uint16_t type, const void *bytes, uint32_t length) {
    struct rtattr attribute = {.length = (uint16_t)(sizeof attribute + length), .type = type};
    message_put(message, &attribute, sizeof attribute);
    message_put(message, bytes, length);
}

/* What is received in one piece. */
static int64_t piece_put(struct netlink_socket *socket, const void *piece, uint32_t size) {
    uint32_t head = socket->input.head;
    struct buffer length = {.kernel = &size, .length = sizeof size};
    struct buffer bytes = {.kernel = (void *)(uintptr_t)piece, .length = size};
    if (ring_room(&socket->input) < sizeof size + size)
        return -ENOBUFS;
    if (ring_fill(&socket->input, &length, sizeof size) == (int64_t)sizeof size &&
        ring_fill(&socket->input, &bytes, size) == (int64_t)size)
        return 0;
    socket->input.head = head;
    return -ENOMEM;
}

static int64_t message_end(struct netlink_socket *socket, struct message *message) {
    memcpy(message->bytes, &message->length, sizeof message->length);
    return piece_put(socket, message->bytes, message->length);
}

static int64_t result_send(struct netlink_socket *socket, const struct nlmsghdr *request, int32_t error) {
    struct message message;
    message_begin(&message, request, NLMSG_ERROR, 0);
    message_put(&message, &error, sizeof error);
    message_put(&message, request, sizeof *request);
    return message_end(socket, &message);
}

static int64_t done_send(struct netlink_socket *socket, const struct nlmsghdr *request) {
    const int32_t none = 0;
    struct message message;
    message_begin(&message, request, NLMSG_DONE, NLM_F_MULTI);
    message_put(&message, &none, sizeof none);
    return message_end(socket, &message);
}

/* ---- interfaces ---- */

static int64_t link_send(struct netlink_socket *socket, const struct nlmsghdr *request,
                         struct interface *interface, uint16_t flags) {
    static const uint8_t all[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[ETH_ALEN];
    struct message message;
    mutex_lock(&interface->lock);
    struct ifinfomsg info = {
        .type = interface_type(interface), .index = interface->index, .flags = interface_flags(interface)};
    bool runs = interface->up && interface->carrier;
    uint8_t state = interface->loopback ? IF_OPER_UNKNOWN : runs ? IF_OPER_UP : IF_OPER_DOWN;
    uint8_t carrier = interface->carrier;
    const char *queueing = !interface->up ? "noop" : interface->loopback ? "noqueue" : "pfifo_fast";
    uint32_t mtu = interface->mtu, queue = TRANSMIT_QUEUE;
    mutex_unlock(&interface->lock);
    message_begin(&message, request, RTM_NEWLINK, flags);
    message_put(&message, &info, sizeof info);
    attribute_put(&message, IFLA_IFNAME, interface->name, (uint32_t)strlen(interface->name) + 1);
    attribute_put(&message, IFLA_TXQLEN, &queue, sizeof queue);
    attribute_put(&message, IFLA_OPERSTATE, &state, sizeof state);
    attribute_put(&message, IFLA_MTU, &mtu, sizeof mtu);
    attribute_put(&message, IFLA_CARRIER, &carrier, sizeof carrier);
    attribute_put(&message, IFLA_QDISC, queueing, (uint32_t)strlen(queueing) + 1);
    attribute_put(&message, IFLA_ADDRESS, interface->address, ETH_ALEN);
    attribute_put(&message, IFLA_BROADCAST, interface->loopback ? none : all, ETH_ALEN);
    return message_end(socket, &message);
}

static int64_t links_list(struct netlink_socket *socket, const struct nlmsghdr *request) {
    struct interface *interface;
    int64_t error = 0;
    for (int32_t index = 0; !error && (interface = interface_after(index));) {
        index = interface->index;
        error = link_send(socket, request, interface, NLM_F_MULTI);
        interface_put(interface);
    }
    return error ? error : done_send(socket, request);
}

/* The interface that a request names by its number or by an attribute, referenced. */
static struct interface *link_find(const uint8_t *body, uint32_t length) {
    struct ifinfomsg info;
    struct rtattr attribute;
    if (length < sizeof info)
        return NULL;
    memcpy(&info, body, sizeof info);
    if (info.index)
        return interface_by_index(info.index);
    for (uint32_t at = sizeof info; length - at >= sizeof attribute; at += aligned(attribute.length)) {
        memcpy(&attribute, body + at, sizeof attribute);
        if (attribute.length < sizeof attribute || attribute.length > length - at)
            return NULL;
        const char *name = (const char *)body + at + sizeof attribute;
        size_t room = attribute.length - sizeof attribute;
        if (attribute.type == IFLA_IFNAME && room) {
            while (room && !name[room - 1])
                room--;
            return interface_by_name(name, room);
        }
        if (aligned(attribute.length) > length - at)
            return NULL;
    }
    return NULL;
}

static int64_t link_change(struct interface *interface, const uint8_t *body) {
    struct ifinfomsg info;
    memcpy(&info, body, sizeof info);
    if (!(task_current()->capabilities_effective & 1ULL << CAP_NET_ADMIN))
        return -EPERM;
    mutex_lock(&interface->lock);
    uint32_t now = interface_flags(interface), change = info.change ? info.change : UINT32_MAX;
    mutex_unlock(&interface->lock);
    return interface_flags_set(interface, (now & ~change) | (info.flags & change));
}

/* ---- uevents ---- */

static void uevent_hear(struct uevent_listener *listener, const char *text, size_t length) {
    struct netlink_socket *socket = container_of(listener, struct netlink_socket, listener);
    struct filter_frame what = {.bytes = (const uint8_t *)text, .length = (uint32_t)length};
    what.link = what.network = what.bytes;
    mutex_lock(&socket->lock);
    uint32_t wanted = socket->filter ? filter_run(socket->filter, &what) : what.length;
    wanted = wanted < what.length ? wanted : what.length;
    if (wanted && piece_put(socket, text, wanted))
        socket->lost = true;
    mutex_unlock(&socket->lock);
    waitq_wake_all(&socket->waiters);
}

/* The first group is the kernel's; to others only programs speak, which is not passed on. The socket's lock
 * is not held: listeners' comes first. */
static void uevent_join(struct netlink_socket *socket, uint32_t groups) {
    mutex_lock(&socket->lock);
    bool joins = groups & UEVENT_GROUP_KERNEL && !socket->listens;
    socket->listens |= joins;
    mutex_unlock(&socket->lock);
    if (!joins)
        return;
    socket->listener.hear = uevent_hear;
    uevent_listen(&socket->listener);
}

/* ---- requests ---- */

static int64_t request_serve(struct netlink_socket *socket, const struct nlmsghdr *request,
                             const uint8_t *body, uint32_t length) {
    bool list = request->flags & (NLM_F_ROOT | NLM_F_MATCH);
    int64_t error = -EOPNOTSUPP;
    if (!(request->flags & NLM_F_REQUEST) || request->type < NLMSG_MIN_TYPE)
        error = 0;
    else if (request->type == RTM_GETLINK && list)
        return links_list(socket, request);
    else if (request->type == RTM_GETADDR && list)
        return done_send(socket, request); /* there are none */
    else if (request->type == RTM_GETLINK || request->type == RTM_NEWLINK || request->type == RTM_SETLINK) {
        struct interface *interface = link_find(body, length);
        error = -ENODEV;
        if (interface && request->type == RTM_GETLINK)
            error = link_send(socket, request, interface, 0);
        else if (interface)
            error = link_change(interface, body);
        interface_put(interface);
    }
    if (!error && !(request->flags & NLM_F_ACK))
        return 0;
    return result_send(socket, request, (int32_t)error);
}

static uint32_t port_of(struct netlink_socket *socket) {
    static _Atomic uint32_t last = 0x80000000U;
    if (!socket->port)
        socket->port = ++last;
    return socket->port;
}

static int64_t netlink_send(struct file *file, struct buffer *buffer, uint32_t flags,
                            const struct socket_name *to) {
    struct netlink_socket *socket = netlink_of(file);
    _Alignas(8) uint8_t bytes[REQUEST_MOST];
    uint32_t length = (uint32_t)buffer->length;
    int64_t error = 0;
    (void)flags, (void)to;
    if (socket->protocol == NETLINK_KOBJECT_UEVENT)
        return -EPERM;
    if (buffer->length > sizeof bytes)
        return -EMSGSIZE;
    if (buffer_get(buffer, bytes, length))
        return -EFAULT;
    mutex_lock(&socket->lock);
    for (uint32_t at = 0; length - at >= HEADER && !error;) {
        struct nlmsghdr request;
        memcpy(&request, bytes + at, sizeof request);
        if (request.length < HEADER || request.length > length - at)
            break;
        request.port = port_of(socket);
        error = request_serve(socket, &request, bytes + at + HEADER, request.length - HEADER);
        at = aligned(request.length) < length - at ? at + aligned(request.length) : length;
    }
    mutex_unlock(&socket->lock);
    waitq_wake_all(&socket->waiters);
    return error ? error : (int64_t)length;
}

/* ---- notes ---- */

struct netlink_note {
    struct list link;
    struct file *file; /* until it is sent */
    uint8_t bytes[NETLINK_NOTE_SIZE];
};

int64_t netlink_note_make(struct file *file, const uint8_t bytes[NETLINK_NOTE_SIZE],
                          struct netlink_note **note) {
    if (file->operations != &netlink_operations)
        return socket_calls_of(file) ? -EINVAL : -ENOTSOCK;
    if (!(*note = heap_alloc(sizeof **note)))
        return -ENOMEM;
    list_init(&(*note)->link);
    (*note)->file = file_get(file);
    memcpy((*note)->bytes, bytes, NETLINK_NOTE_SIZE);
    return 0;
}

void netlink_note_send(struct netlink_note *note, uint8_t last) {
    struct file *file = note->file;
    struct netlink_socket *socket = netlink_of(file);
    note->file = NULL;
    note->bytes[NETLINK_NOTE_SIZE - 1] = last;
    mutex_lock(&socket->lock);
    list_push_back(&socket->notes, &note->link);
    mutex_unlock(&socket->lock);
    waitq_wake_all(&socket->waiters);
    file_put(file);
}

void netlink_note_free(struct netlink_note *note) {
    if (note && note->file)
        file_put(note->file);
    heap_free(note);
}

/* The first note, if there is one: its length, or -EFAULT. The socket's lock is held. */
static int64_t note_receive(struct netlink_socket *socket, struct buffer *buffer, uint32_t flags) {
    struct netlink_note *note = list_entry(socket->notes.next, struct netlink_note, link);
    size_t count = buffer->length < NETLINK_NOTE_SIZE ? buffer->length : NETLINK_NOTE_SIZE;
    int64_t result = buffer_put(buffer, note->bytes, count) ? -EFAULT : (int64_t)count;
    if (!(flags & MSG_PEEK)) {
        list_remove(&note->link);
        netlink_note_free(note);
    }
    return result;
}

static bool has_input(const struct netlink_socket *socket) {
    return ring_used(&socket->input) || !list_empty(&socket->notes);
}

static int64_t ring_receive(struct netlink_socket *socket, struct buffer *buffer, uint32_t flags,
                            uint32_t *length) {
    struct buffer header = {.kernel = length, .length = sizeof *length};
    (void)ring_peek(&socket->input, 0, &header, sizeof *length); /* own memory on both sides */
    size_t count = *length < buffer->length ? *length : buffer->length;
    int64_t result = ring_peek(&socket->input, sizeof *length, buffer, count);
    if (!(flags & MSG_PEEK))
        ring_skip(&socket->input, (uint32_t)sizeof *length + *length);
    return result ? result : (int64_t)count;
}

static int64_t netlink_receive(struct file *file, struct buffer *buffer, uint32_t flags,
                               struct socket_message *message) {
    struct netlink_socket *socket = netlink_of(file);
    const struct sockaddr_nl kernel = {
        .family = AF_NETLINK, .groups = socket->protocol == NETLINK_KOBJECT_UEVENT ? UEVENT_GROUP_KERNEL : 0};
    struct waiter waiter = {.exclusive = false};
    uint32_t length = NETLINK_NOTE_SIZE;
    int64_t result = 0;
    mutex_lock(&socket->lock);
    waitq_add(&socket->waiters, &waiter);
    while ((socket->lost || !has_input(socket)) && !result) {
        if (socket->lost)
            result = -ENOBUFS;
        else if (file->flags & O_NONBLOCK || flags & MSG_DONTWAIT)
            result = -EAGAIN;
        else
            result = task_wait(&socket->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
    }
    waitq_remove(&socket->waiters, &waiter);
    socket->lost &= result != -ENOBUFS;
    if (!result)
        result = list_empty(&socket->notes) ? ring_receive(socket, buffer, flags, &length)
                                            : note_receive(socket, buffer, flags);
    mutex_unlock(&socket->lock);
    message->length = length;
    message->credentials = socket->credentials;
    message->sender = (struct ucred){0}; /* the kernel */
    message->from.length = sizeof kernel;
    memcpy(message->from.bytes, &kernel, sizeof kernel);
    return result;
}

/* ---- names and options ---- */

static int64_t netlink_bind(struct file *file, const struct socket_name *name) {
    struct netlink_socket *socket = netlink_of(file);
    struct sockaddr_nl address;
    if (name->length < sizeof address)
        return -EINVAL;
    memcpy(&address, name->bytes, sizeof address);
    if (address.family != AF_NETLINK)
        return -EINVAL;
    if (address.groups && socket->protocol != NETLINK_KOBJECT_UEVENT) /* nothing is ever told to a group */
        return -EOPNOTSUPP;
    if (address.groups)
        uevent_join(socket, address.groups);
    mutex_lock(&socket->lock);
    if (address.port)
        socket->port = address.port;
    else
        (void)port_of(socket);
    mutex_unlock(&socket->lock);
    return 0;
}

static int64_t netlink_connect(struct file *file, const struct socket_name *name) {
    (void)file;
    return name->length < sizeof(struct sockaddr_nl) ? -EINVAL : 0;
}

static int64_t netlink_name(struct file *file, bool peer, struct socket_name *name) {
    struct netlink_socket *socket = netlink_of(file);
    struct sockaddr_nl address = {.family = AF_NETLINK, .port = peer ? 0 : socket->port};
    name->length = sizeof address;
    memcpy(name->bytes, &address, sizeof address);
    return 0;
}

static int64_t netlink_option_get(struct file *file, uint32_t level, uint32_t option,
                                  struct socket_option *value) {
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    switch (option) {
    case SO_TYPE:
        return socket_option_number(value, (int32_t)netlink_of(file)->type);
    case SO_DOMAIN:
        return socket_option_number(value, AF_NETLINK);
    case SO_RCVBUF:
    case SO_SNDBUF:
        return socket_option_number(value, (int32_t)netlink_of(file)->input.size);
    case SO_PROTOCOL:
        return socket_option_number(value, (int32_t)netlink_of(file)->protocol);
    case SO_ERROR:
        return socket_option_number(value, 0);
    default:
        return -ENOPROTOOPT;
    }
}

static int64_t filter_set(struct netlink_socket *socket, uint64_t from, uint32_t length) {
    struct filter *filter = NULL, *old;
    int64_t error = filter_take(from, length, &filter);
    if (error)
        return error;
    mutex_lock(&socket->lock);
    old = socket->filter;
    socket->filter = filter;
    mutex_unlock(&socket->lock);
    heap_free(old);
    return 0;
}

/* Sizes are taken as hints; netlink's own options would change what is answered. */
static int64_t netlink_option_set(struct file *file, uint32_t level, uint32_t option, uint64_t from,
                                  uint32_t length) {
    struct netlink_socket *socket = netlink_of(file);
    int32_t value;
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    if (option == SO_ATTACH_FILTER && socket->protocol == NETLINK_KOBJECT_UEVENT)
        return filter_set(socket, from, length);
    if (length < sizeof value)
        return -EINVAL;
    if (guest_copy_in(&value, from, sizeof value) < 0)
        return -EFAULT;
    if (option == SO_PASSCRED)
        socket->credentials = value != 0;
    return option == SO_RCVBUF || option == SO_SNDBUF || option == SO_PASSCRED ? 0 : -ENOPROTOOPT;
}

/* ---- the file ---- */

static int64_t netlink_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct socket_message message;
    (void)offset;
    return netlink_receive(file, buffer, 0, &message);
}

static int64_t netlink_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)offset;
    return netlink_send(file, buffer, 0, NULL);
}

static uint32_t netlink_poll(struct file *file, struct poll_watch *watch) {
    struct netlink_socket *socket = netlink_of(file);
    if (watch)
        poll_watch(watch, &socket->waiters);
    mutex_lock(&socket->lock);
    bool input = has_input(socket), lost = socket->lost;
    mutex_unlock(&socket->lock);
    return POLLOUT | POLLWRNORM | POLLWRBAND | (input ? POLLIN | POLLRDNORM : 0) | (lost ? POLLERR : 0);
}

static int64_t netlink_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    (void)file;
    return interface_ioctl(command, argument);
}

static void netlink_release(struct file *file) {
    struct netlink_socket *socket = netlink_of(file);
    if (socket->listens)
        uevent_leave(&socket->listener);
    while (!list_empty(&socket->notes)) {
        struct netlink_note *note = list_entry(socket->notes.next, struct netlink_note, link);
        list_remove(&note->link);
        netlink_note_free(note);
    }
    ring_free(&socket->input);
    heap_free(socket->filter);
    heap_free(file->data);
}

const struct file_operations netlink_operations = {.read = netlink_read,
                                                   .write = netlink_write,
                                                   .ioctl = netlink_ioctl,
                                                   .poll = netlink_poll,
                                                   .release = netlink_release};

const struct socket_calls netlink_calls = {
    .bind = netlink_bind,
    .connect = netlink_connect,
    .name = netlink_name,
    .option_get = netlink_option_get,
    .option_set = netlink_option_set,
    .send = netlink_send,
    .receive = netlink_receive,
};

int64_t netlink_create(uint32_t type, uint32_t flags, uint32_t protocol) {
    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    if (protocol != NETLINK_ROUTE && protocol != NETLINK_KOBJECT_UEVENT)
        return -EPROTONOSUPPORT;
    struct netlink_socket *socket = heap_zalloc(sizeof *socket);
    if (!socket)
        return -ENOMEM;
    mutex_init(&socket->lock);
    waitq_init(&socket->waiters);
    ring_init(&socket->input);
    list_init(&socket->notes);
    socket->type = type;
    socket->protocol = protocol;
    struct file *file = socket_file(&netlink_operations, flags, socket);
    if (!file) {
        heap_free(socket);
        return -ENOMEM;
    }
    return socket_fd(file, flags);
}
