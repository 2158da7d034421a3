/* The socket calls on a connected AF_UNIX pair, which has no name and cannot be bound or connected again. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/io/socket.h"
#include "linux/platform.h"
#include "linux/task/security_context.h"

static int64_t pair_bind(struct file *file, const struct socket_name *name) {
    (void)file, (void)name;
    return -EINVAL;
}

static int64_t pair_connect(struct file *file, const struct socket_name *name) {
    (void)file, (void)name;
    return -EISCONN;
}

static int64_t pair_listen(struct file *file) {
    (void)file;
    return -EINVAL;
}

/* Neither end has a name: just the family. */
static int64_t pair_name(struct file *file, bool peer, struct socket_name *name) {
    const uint16_t family = AF_UNIX;
    (void)file, (void)peer;
    name->length = sizeof family;
    memcpy(name->bytes, &family, sizeof family);
    return 0;
}

static int64_t pair_shutdown(struct file *file, int how) {
    return socket_shutdown(file, how);
}

/* ---- options ---- */

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

static int64_t pair_option_get(struct file *file, uint32_t level, uint32_t option,
                               struct socket_option *value) {
    unsigned end;
    struct socket_pair *pair = socket_of(file, &end);
    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (option == SO_PEERCRED) {
        value->length = sizeof(struct ucred);
        memcpy(value->bytes, &pair->ends[!end].credentials, sizeof(struct ucred));
        return 0;
    }
    if (option == SO_PEERSEC && pair->type != SOCK_DGRAM) { /* datagrams come from anywhere, says Linux */
        value->context = security_context_get(pair->ends[!end].context);
        return 0;
    }
    int64_t number = option_number_of(pair, end, option);
    return number < 0 ? number : socket_option_number(value, (int32_t)number);
}

/* Buffer sizes and the like are taken as hints. */
static int64_t pair_option_set(struct file *file, uint32_t level, uint32_t option, uint64_t from,
                               uint32_t length) {
    int32_t value;
    (void)file;
    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (length < sizeof value)
        return -EINVAL;
    if (guest_copy_in(&value, from, sizeof value) < 0)
        return -EFAULT;
    return option == SO_TYPE || option == SO_ERROR || option == SO_DOMAIN || option == SO_PROTOCOL
               ? -ENOPROTOOPT
               : 0;
}

/* ---- messages ---- */

static int64_t pair_send(struct file *file, struct buffer *buffer, uint32_t flags,
                         const struct socket_name *to) {
    if (to)
        return -EISCONN;
    return socket_send(file, buffer, flags & (MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int64_t pair_receive(struct file *file, struct buffer *buffer, uint32_t flags,
                            struct socket_message *message) {
    message->from.length = 0;
    return socket_receive(file, buffer, flags, &message->length);
}

const struct socket_calls pair_calls = {
    .bind = pair_bind,
    .connect = pair_connect,
    .listen = pair_listen,
    .accept = pair_listen,
    .shutdown = pair_shutdown,
    .name = pair_name,
    .option_get = pair_option_get,
    .option_set = pair_option_set,
    .send = pair_send,
    .receive = pair_receive,
};
