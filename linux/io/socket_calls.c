/*
 * The socket calls. Only connected AF_UNIX pairs exist: other families are refused by socket() as a kernel
 * without them would, and a socket that could be bound or connected is none of them.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/io/socket.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"

/* A socket's file (file_put it), or the error: -EBADF, -ENOTSOCK. */
static struct file *socket_get(uint64_t fd, int64_t *error) {
    unsigned end;
    struct file *file = fd_get((int)fd);
    *error = file ? 0 : -EBADF;
    if (file && !socket_of(file, &end)) {
        file_put(file);
        *error = -ENOTSOCK;
        return NULL;
    }
    return file;
}

/* What a call that connected pairs do not have answers. */
static int64_t refuse(uint64_t fd, int64_t answer) {
    int64_t error;
    struct file *file = socket_get(fd, &error);
    if (!file)
        return error;
    file_put(file);
    return answer;
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

int64_t sys_connect(uint64_t fd, uint64_t address, uint64_t length) {
    (void)address, (void)length;
    return refuse(fd, -EISCONN);
}
int64_t sys_bind(uint64_t fd, uint64_t address, uint64_t length) {
    (void)address, (void)length;
    return refuse(fd, -EINVAL);
}
int64_t sys_listen(uint64_t fd, uint64_t backlog) {
    (void)backlog;
    return refuse(fd, -EINVAL);
}
int64_t sys_accept4(uint64_t fd, uint64_t address, uint64_t length, uint64_t flags) {
    (void)address, (void)length, (void)flags;
    return refuse(fd, -EINVAL);
}
int64_t sys_accept(uint64_t fd, uint64_t address, uint64_t length) {
    return sys_accept4(fd, address, length, 0);
}

int64_t sys_shutdown(uint64_t fd, uint64_t how) {
    int64_t error;
    struct file *file = socket_get(fd, &error);
    if (!file)
        return error;
    error = socket_shutdown(file, (int)how);
    file_put(file);
    return error;
}

/* ---- names and options ---- */

/* Neither end of a pair has a name: just the family. */
static int64_t name_out(uint64_t address, uint64_t length_at) {
    const uint16_t family = AF_UNIX;
    uint32_t length = sizeof family;
    int32_t room;
    if (guest_copy_in(&room, length_at, sizeof room) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    if (guest_copy_out(address, &family, (uint32_t)room < length ? (uint32_t)room : length) < 0)
        return -EFAULT;
    return guest_copy_out(length_at, &length, sizeof length);
}

static int64_t name_call(uint64_t fd, uint64_t address, uint64_t length) {
    int64_t error;
    struct file *file = socket_get(fd, &error);
    if (!file)
        return error;
    error = name_out(address, length);
    file_put(file);
    return error;
}

int64_t sys_getsockname(uint64_t fd, uint64_t address, uint64_t length) {
    return name_call(fd, address, length);
}
int64_t sys_getpeername(uint64_t fd, uint64_t address, uint64_t length) {
    return name_call(fd, address, length);
}

static int64_t option_number_of(struct socket_pair *pair, unsigned end, uint32_t option) {
    int32_t error;
    switch (option) {
    case SO_TYPE:
        return pair->type;
    case SO_DOMAIN:
        return AF_UNIX;
    case SO_ERROR:
        mutex_lock(&pair->lock);
        error = pair->ends[end].error;
        pair->ends[end].error = 0;
        mutex_unlock(&pair->lock);
        return error;
    case SO_SNDBUF:
    case SO_RCVBUF:
        return SOCKET_RING;
    case SO_PROTOCOL:
    case SO_ACCEPTCONN:
    case SO_PASSCRED:
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int64_t option_out(const void *value, uint32_t size, uint64_t to, uint64_t length_at) {
    int32_t room;
    if (guest_copy_in(&room, length_at, sizeof room) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    uint32_t length = (uint32_t)room < size ? (uint32_t)room : size;
    if (guest_copy_out(to, value, length) < 0)
        return -EFAULT;
    return guest_copy_out(length_at, &length, sizeof length);
}

static int64_t option_get(struct file *file, uint32_t option, uint64_t to, uint64_t length) {
    unsigned end;
    struct socket_pair *pair = socket_of(file, &end);
    if (option == SO_PEERCRED)
        return option_out(&pair->ends[!end].credentials, sizeof(struct ucred), to, length);
    int64_t number = option_number_of(pair, end, option);
    int32_t value = (int32_t)number;
    return number < 0 ? number : option_out(&value, sizeof value, to, length);
}

int64_t sys_getsockopt(uint64_t fd, uint64_t level, uint64_t option, uint64_t to, uint64_t length) {
    int64_t error;
    struct file *file = socket_get(fd, &error);
    if (!file)
        return error;
    error = (uint32_t)level == SOL_SOCKET ? option_get(file, (uint32_t)option, to, length) : -EOPNOTSUPP;
    file_put(file);
    return error;
}

/* Buffer sizes and the like are taken as hints. */
int64_t sys_setsockopt(uint64_t fd, uint64_t level, uint64_t option, uint64_t from, uint64_t length) {
    int64_t error;
    int32_t value;
    struct file *file = socket_get(fd, &error);
    if (!file)
        return error;
    file_put(file);
    if ((uint32_t)level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if ((uint32_t)length < sizeof value)
        return -EINVAL;
    if (guest_copy_in(&value, from, sizeof value) < 0)
        return -EFAULT;
    return option == SO_TYPE || option == SO_ERROR || option == SO_DOMAIN || option == SO_PROTOCOL
               ? -ENOPROTOOPT
               : 0;
}

/* ---- messages ---- */

static int64_t send_buffer(struct file *file, struct buffer *buffer, uint32_t flags) {
    return socket_send(file, buffer, flags & (MSG_DONTWAIT | MSG_NOSIGNAL));
}

int64_t sys_sendto(uint64_t fd, uint64_t from, uint64_t length, uint64_t flags, uint64_t address,
                   uint64_t size) {
    int64_t result;
    (void)size;
    struct file *file = socket_get(fd, &result);
    if (!file)
        return result;
    struct buffer buffer = {.guest = from, .length = length < RW_MAX ? length : RW_MAX};
    result = address ? -EISCONN : send_buffer(file, &buffer, (uint32_t)flags);
    file_put(file);
    return result;
}

int64_t sys_recvfrom(uint64_t fd, uint64_t to, uint64_t length, uint64_t flags, uint64_t address,
                     uint64_t size_at) {
    int64_t result;
    size_t packet;
    uint32_t no_name = 0;
    struct file *file = socket_get(fd, &result);
    if (!file)
        return result;
    struct buffer buffer = {.guest = to, .length = length < RW_MAX ? length : RW_MAX};
    result = socket_receive(file, &buffer, (uint32_t)flags, &packet);
    if (result >= 0 && flags & MSG_TRUNC && packet > (uint64_t)result)
        result = (int64_t)packet;
    file_put(file);
    if (result >= 0 && address && guest_copy_out(size_at, &no_name, sizeof no_name) < 0)
        return -EFAULT;
    return result;
}

/* A message's segments; message_free afterwards, in any case. */
struct message {
    struct msghdr64 header;
    struct linux_iovec *segments;
    struct buffer buffer;
};

static int message_segments(struct message *message) {
    size_t count = message->header.iov_count, total = 0;
    for (size_t i = 0; i < count; i++) {
        struct linux_iovec *segment = &message->segments[i];
        if ((int64_t)segment->length < 0)
            return -EINVAL;
        if (segment->base > GUEST_END || segment->length > GUEST_END - segment->base)
            return -EFAULT;
        if (segment->length > RW_MAX - total)
            segment->length = RW_MAX - total;
        total += segment->length;
    }
    message->buffer = (struct buffer){.length = total, .more = message->segments};
    return 0;
}

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
    return message_segments(message);
}

static int64_t message_send(struct file *file, struct message *message, uint32_t flags) {
    if (message->header.control_length) /* passing descriptors */
        return -EINVAL;
    if (message->header.name && message->header.name_length)
        return -EISCONN;
    return send_buffer(file, &message->buffer, flags);
}

int64_t sys_sendmsg(uint64_t fd, uint64_t guest, uint64_t flags) {
    int64_t result;
    struct message message;
    struct file *file = socket_get(fd, &result);
    if (!file)
        return result;
    result = message_in(&message, guest);
    if (result == 0)
        result = message_send(file, &message, (uint32_t)flags);
    heap_free(message.segments);
    file_put(file);
    return result;
}

static int64_t message_receive(struct file *file, struct message *message, uint64_t guest, uint32_t flags) {
    size_t packet;
    int64_t result = socket_receive(file, &message->buffer, flags, &packet);
    if (result < 0)
        return result;
    struct msghdr64 *header = &message->header;
    header->name_length = 0;
    header->control_length = 0;
    header->flags = packet > (uint64_t)result ? MSG_TRUNC : 0;
    if (flags & MSG_TRUNC && packet > (uint64_t)result)
        result = (int64_t)packet;
    return guest_copy_out(guest, header, sizeof *header) < 0 ? -EFAULT : result;
}

int64_t sys_recvmsg(uint64_t fd, uint64_t guest, uint64_t flags) {
    int64_t result;
    struct message message;
    struct file *file = socket_get(fd, &result);
    if (!file)
        return result;
    result = message_in(&message, guest);
    if (result == 0)
        result = message_receive(file, &message, guest, (uint32_t)flags);
    heap_free(message.segments);
    file_put(file);
    return result;
}
