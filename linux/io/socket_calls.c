/*
 * The socket calls: arguments in, results out, the same for all families; what a call does is the family's
 * (struct socket_calls). There are connected AF_UNIX pairs, packet sockets and netlink's family ROUTE; others
 * are refused by socket() as a kernel without them would.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/io/anon.h"
#include "linux/io/socket.h"
#include "linux/net/netlink.h"
#include "linux/net/packet.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"

const struct socket_calls *socket_calls_of(const struct file *file) {
    if (file->operations == &packet_operations)
        return &packet_calls;
    if (file->operations == &netlink_operations)
        return &netlink_calls;
    if (file->operations == &socket_operations[0] || file->operations == &socket_operations[1])
        return &pair_calls;
    return NULL;
}

struct file *socket_file(const struct file_operations *operations, uint32_t flags, void *data) {
    struct inode *inode = anon_inode(ANON_SOCKET, S_IFSOCK | 0777);
    struct file *file =
        inode ? anon_file_at(inode, operations, O_RDWR | (flags & SOCK_NONBLOCK), data) : NULL;
    if (inode)
        inode_put(inode);
    return file;
}

int64_t socket_fd(struct file *file, uint32_t flags) {
    int fd = fd_install(file, flags & SOCK_CLOEXEC);
    if (fd < 0)
        file_put(file);
    return fd;
}

int64_t socket_option_number(struct socket_option *value, int32_t number) {
    value->length = sizeof number;
    memcpy(value->bytes, &number, sizeof number);
    return 0;
}

/* A socket's file (file_put it) and its family's calls, or the error: -EBADF, -ENOTSOCK. */
static struct file *socket_get(uint64_t fd, const struct socket_calls **calls, int64_t *error) {
    struct file *file = fd_get((int)fd);
    *error = -EBADF;
    if (!file)
        return NULL;
    *calls = socket_calls_of(file);
    *error = *calls ? 0 : -ENOTSOCK;
    if (*calls)
        return file;
    file_put(file);
    return NULL;
}

/* ---- making ---- */

static int64_t check_kind(uint64_t family, uint64_t type, uint64_t protocol) {
    uint32_t kind = (uint32_t)type & SOCK_TYPE_MASK;
    if ((uint32_t)type & ~(uint32_t)(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if ((uint32_t)family != AF_UNIX)
        return -EAFNOSUPPORT;
    if (protocol != 0 && protocol != AF_UNIX)
        return -EPROTONOSUPPORT;
    return kind == SOCK_STREAM || kind == SOCK_DGRAM || kind == SOCK_RAW || kind == SOCK_SEQPACKET
               ? 0
               : -ESOCKTNOSUPPORT;
}

int64_t sys_socket(uint64_t family, uint64_t type, uint64_t protocol) {
    uint32_t flags = (uint32_t)type & ~(uint32_t)SOCK_TYPE_MASK;
    bool known = !(flags & ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC));
    if ((uint32_t)family == AF_PACKET && known)
        return packet_create((uint32_t)type & SOCK_TYPE_MASK, flags, (uint32_t)protocol);
    if ((uint32_t)family == AF_NETLINK && known)
        return netlink_create((uint32_t)type & SOCK_TYPE_MASK, flags, (uint32_t)protocol);
    int64_t error = check_kind(family, type, protocol);
    return error < 0 ? error : -EAFNOSUPPORT;
}

static int64_t pair_install(struct file *files[2], bool cloexec, uint64_t to) {
    int32_t fds[2];
    fds[0] = fd_install(files[0], cloexec);
    fds[1] = fds[0] < 0 ? fds[0] : fd_install(files[1], cloexec);
    if (fds[1] < 0) {
        if (fds[0] >= 0)
            fd_close(fds[0]);
        else
            file_put(files[0]);
        file_put(files[1]);
        return fds[1];
    }
    if (guest_copy_out(to, fds, sizeof fds) == 0)
        return 0;
    fd_close(fds[0]);
    fd_close(fds[1]);
    return -EFAULT;
}

int64_t sys_socketpair(uint64_t family, uint64_t type, uint64_t protocol, uint64_t to) {
    struct file *files[2];
    int64_t error = check_kind(family, type, protocol);
    uint32_t kind = (uint32_t)type & SOCK_TYPE_MASK;
    if (error == 0)
        error =
            socket_pair_create(kind == SOCK_RAW ? SOCK_DGRAM : kind, (uint32_t)type & SOCK_NONBLOCK, files);
    return error < 0 ? error : pair_install(files, type & SOCK_CLOEXEC, to);
}

/* ---- names ---- */

static int64_t name_in(struct socket_name *name, uint64_t address, uint64_t length) {
    if ((int32_t)length < 0 || (uint32_t)length > SOCKET_NAME_MOST)
        return -EINVAL;
    name->length = (uint32_t)length;
    return name->length ? guest_copy_in(name->bytes, address, name->length) : 0;
}

static int64_t name_out(const struct socket_name *name, uint64_t address, uint64_t length_at) {
    int32_t room;
    if (guest_copy_in(&room, length_at, sizeof room) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    uint32_t part = (uint32_t)room < name->length ? (uint32_t)room : name->length;
    if (part && guest_copy_out(address, name->bytes, part) < 0)
        return -EFAULT;
    return guest_copy_out(length_at, &name->length, sizeof name->length);
}

typedef int64_t (*name_function)(struct file *file, const struct socket_name *name);

static int64_t name_give(uint64_t fd, uint64_t address, uint64_t length, bool connects) {
    int64_t error;
    struct socket_name name;
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &error);
    if (!file)
        return error;
    name_function give = connects ? calls->connect : calls->bind;
    error = name_in(&name, address, length);
    if (!error)
        error = give ? give(file, &name) : -EOPNOTSUPP;
    file_put(file);
    return error;
}

int64_t sys_connect(uint64_t fd, uint64_t address, uint64_t length) {
    return name_give(fd, address, length, true);
}
int64_t sys_bind(uint64_t fd, uint64_t address, uint64_t length) {
    return name_give(fd, address, length, false);
}

int64_t sys_listen(uint64_t fd, uint64_t backlog) {
    int64_t error;
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &error);
    (void)backlog;
    if (!file)
        return error;
    error = calls->listen ? calls->listen(file) : -EOPNOTSUPP;
    file_put(file);
    return error;
}

int64_t sys_accept4(uint64_t fd, uint64_t address, uint64_t length, uint64_t flags) {
    int64_t error;
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &error);
    (void)address, (void)length, (void)flags;
    if (!file)
        return error;
    error = calls->accept ? calls->accept(file) : -EOPNOTSUPP;
    file_put(file);
    return error;
}
int64_t sys_accept(uint64_t fd, uint64_t address, uint64_t length) {
    return sys_accept4(fd, address, length, 0);
}

int64_t sys_shutdown(uint64_t fd, uint64_t how) {
    int64_t error;
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &error);
    if (!file)
        return error;
    error = calls->shutdown ? calls->shutdown(file, (int)how) : -EOPNOTSUPP;
    file_put(file);
    return error;
}

static int64_t name_ask(uint64_t fd, uint64_t address, uint64_t length, bool peer) {
    int64_t error;
    struct socket_name name = {.length = 0};
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &error);
    if (!file)
        return error;
    error = calls->name(file, peer, &name);
    file_put(file);
    return error ? error : name_out(&name, address, length);
}

int64_t sys_getsockname(uint64_t fd, uint64_t address, uint64_t length) {
    return name_ask(fd, address, length, false);
}
int64_t sys_getpeername(uint64_t fd, uint64_t address, uint64_t length) {
    return name_ask(fd, address, length, true);
}

/* ---- options ---- */

static int64_t option_out(const struct socket_option *value, uint64_t to, uint64_t length_at) {
    int32_t room;
    if (guest_copy_in(&room, length_at, sizeof room) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    uint32_t length = (uint32_t)room < value->length ? (uint32_t)room : value->length;
    if (length && guest_copy_out(to, value->bytes, length) < 0)
        return -EFAULT;
    return guest_copy_out(length_at, &length, sizeof length);
}

/* A context is given whole or not at all; the length is that of the whole one. */
static int64_t context_out(const struct security_context *context, uint64_t to, uint64_t length_at) {
    int32_t room;
    uint32_t length = context->length + 1;
    if (guest_copy_in(&room, length_at, sizeof room) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    int64_t error = (uint32_t)room < length ? -ERANGE : guest_copy_out(to, context->text, length);
    return guest_copy_out(length_at, &length, sizeof length) < 0 ? -EFAULT : error;
}

int64_t sys_getsockopt(uint64_t fd, uint64_t level, uint64_t option, uint64_t to, uint64_t length) {
    int64_t error;
    struct socket_option value = {.context = NULL};
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &error);
    if (!file)
        return error;
    error = calls->option_get(file, (uint32_t)level, (uint32_t)option, &value);
    file_put(file);
    if (value.context) {
        error = context_out(value.context, to, length);
        security_context_put(value.context);
        return error;
    }
    return error ? error : option_out(&value, to, length);
}

int64_t sys_setsockopt(uint64_t fd, uint64_t level, uint64_t option, uint64_t from, uint64_t length) {
    int64_t error;
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &error);
    if (!file)
        return error;
    error = (int32_t)length < 0
                ? -EINVAL
                : calls->option_set(file, (uint32_t)level, (uint32_t)option, from, (uint32_t)length);
    file_put(file);
    return error;
}

/* ---- messages ---- */

int64_t sys_sendto(uint64_t fd, uint64_t from, uint64_t length, uint64_t flags, uint64_t address,
                   uint64_t size) {
    int64_t result;
    struct socket_name name;
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &result);
    if (!file)
        return result;
    struct buffer buffer = {.guest = from, .length = length < RW_MAX ? length : RW_MAX};
    result = address ? name_in(&name, address, size) : 0;
    if (!result)
        result = calls->send(file, &buffer, (uint32_t)flags, address ? &name : NULL);
    file_put(file);
    return result;
}

int64_t sys_recvfrom(uint64_t fd, uint64_t to, uint64_t length, uint64_t flags, uint64_t address,
                     uint64_t size_at) {
    int64_t result;
    struct socket_message message;
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &result);
    if (!file)
        return result;
    struct buffer buffer = {.guest = to, .length = length < RW_MAX ? length : RW_MAX};
    result = calls->receive(file, &buffer, (uint32_t)flags, &message);
    if (result >= 0 && flags & MSG_TRUNC && message.length > (uint64_t)result)
        result = (int64_t)message.length;
    file_put(file);
    if (result >= 0 && address) {
        int64_t error = name_out(&message.from, address, size_at);
        result = error ? error : result;
    }
    return result;
}

/* A message's segments; message_free afterwards, in any case. */
struct message {
    struct msghdr64 header;
    struct linux_iovec *segments;
    struct buffer buffer;
};

static int message_in(struct message *message, uint64_t guest) {
    memset(message, 0, sizeof *message);
    if (guest_copy_in(&message->header, guest, sizeof message->header) < 0)
        return -EFAULT;
    size_t count = message->header.iov_count;
    if (count > IOV_MAX)
        return -EMSGSIZE;
    message->segments = heap_alloc((count + 1) * sizeof *message->segments);
    if (!message->segments)
        return -ENOMEM;
    if (count && guest_copy_in(message->segments, message->header.iov, count * sizeof *message->segments) < 0)
        return -EFAULT;
    return buffer_segments(&message->buffer, message->segments, count);
}

static int64_t message_send(const struct socket_calls *calls, struct file *file, struct message *message,
                            uint32_t flags) {
    struct socket_name name;
    const struct msghdr64 *header = &message->header;
    bool named = header->name && header->name_length;
    if (header->control_length) /* passing descriptors */
        return -EINVAL;
    int64_t error = named ? name_in(&name, header->name, header->name_length) : 0;
    return error ? error : calls->send(file, &message->buffer, flags, named ? &name : NULL);
}

int64_t sys_sendmsg(uint64_t fd, uint64_t guest, uint64_t flags) {
    int64_t result;
    struct message message;
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &result);
    if (!file)
        return result;
    result = message_in(&message, guest);
    if (result == 0)
        result = message_send(calls, file, &message, (uint32_t)flags);
    heap_free(message.segments);
    file_put(file);
    return result;
}

struct control { /* struct cmsghdr with its data, to the next one */
    uint64_t length;
    int32_t level, type;
    struct ucred sender;
    uint32_t padding;
};

/* What comes beside the bytes: who sent them. */
static int credentials_out(struct msghdr64 *header, const struct socket_message *received) {
    struct control note = {offsetof(struct control, padding), SOL_SOCKET, SCM_CREDENTIALS, received->sender,
                           0};
    uint64_t room = header->control_length;
    header->control_length = 0;
    if (!received->credentials)
        return 0;
    if (room < note.length) {
        header->flags |= MSG_CTRUNC;
        return 0;
    }
    header->control_length = room < sizeof note ? room : sizeof note;
    return guest_copy_out(header->control, &note, header->control_length);
}

static int64_t message_receive(const struct socket_calls *calls, struct file *file, struct message *message,
                               uint64_t guest, uint32_t flags) {
    struct socket_message received;
    received.credentials = false;
    int64_t result = calls->receive(file, &message->buffer, flags, &received);
    if (result < 0)
        return result;
    struct msghdr64 *header = &message->header;
    const struct socket_name *from = &received.from;
    uint32_t part = from->length < header->name_length ? from->length : header->name_length;
    if (header->name && part && guest_copy_out(header->name, from->bytes, part) < 0)
        return -EFAULT;
    header->name_length = header->name ? from->length : 0;
    header->flags = received.length > (uint64_t)result ? MSG_TRUNC : 0;
    if (credentials_out(header, &received) < 0)
        return -EFAULT;
    if (flags & MSG_TRUNC && received.length > (uint64_t)result)
        result = (int64_t)received.length;
    return guest_copy_out(guest, header, sizeof *header) < 0 ? -EFAULT : result;
}

int64_t sys_recvmsg(uint64_t fd, uint64_t guest, uint64_t flags) {
    int64_t result;
    struct message message;
    const struct socket_calls *calls;
    struct file *file = socket_get(fd, &calls, &result);
    if (!file)
        return result;
    result = message_in(&message, guest);
    if (result == 0)
        result = message_receive(calls, file, &message, guest, (uint32_t)flags);
    heap_free(message.segments);
    file_put(file);
    return result;
}
