/* Options of packet sockets: sizes, timeouts, filters, memberships, counters. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/heap.h"
#include "linux/net/interface.h"
#include "linux/net/packet.h"
#include "linux/platform.h"
#include "linux/task.h"

enum { LIMIT_LEAST = 2304, LIMIT_MOST = 2 * 212992, NS_PER_US = 1000 };
#define NS_PER_SECOND 1000000000ULL

struct timeval64 {
    int64_t seconds, microseconds;
};

/* ---- the buffer and the timeout ---- */

/* As on Linux, twice what is asked for; the ring is a power of two. What is in it stays. */
static int64_t limit_set(struct packet_socket *socket, int32_t asked) {
    uint64_t limit = asked < 0 ? LIMIT_MOST : 2 * (uint64_t)(uint32_t)asked;
    uint32_t size = (uint32_t)PAGE_SIZE;
    if (limit > LIMIT_MOST)
        limit = LIMIT_MOST;
    if (limit < LIMIT_LEAST)
        limit = LIMIT_LEAST;
    while (size < limit)
        size *= 2;
    mutex_lock(&socket->lock);
    int error = ring_resize(&socket->input, size);
    if (!error || error == -EBUSY)
        socket->limit = (uint32_t)limit;
    mutex_unlock(&socket->lock);
    return error == -EBUSY ? 0 : error;
}

static int64_t timeout_set(struct packet_socket *socket, uint64_t from, uint32_t length) {
    struct timeval64 time;
    if (length < sizeof time)
        return -EINVAL;
    if (guest_copy_in(&time, from, sizeof time) < 0)
        return -EFAULT;
    if (time.microseconds < 0 || time.microseconds >= 1000000)
        return -EDOM;
    if (time.seconds < 0) /* do not wait at all, in Linux's reading */
        time = (struct timeval64){0, 1};
    uint64_t seconds = (uint64_t)time.seconds < INT32_MAX ? (uint64_t)time.seconds : INT32_MAX;
    socket->receive_timeout = seconds * NS_PER_SECOND + (uint64_t)time.microseconds * NS_PER_US;
    return 0;
}

/* ---- filters ---- */

static int64_t filter_attach(struct packet_socket *socket, uint64_t from, uint32_t length) {
    struct filter *filter = NULL, *old = NULL;
    int64_t error = filter_take(from, length, &filter);
    if (!error) {
        mutex_lock(&socket->lock);
        error = socket->filter_locked ? -EPERM : 0;
        if (!error) {
            old = socket->filter;
            socket->filter = filter;
        }
        mutex_unlock(&socket->lock);
    }
    heap_free(error ? filter : old);
    return error;
}

static int64_t filter_detach(struct packet_socket *socket) {
    struct filter *old = NULL;
    mutex_lock(&socket->lock);
    int64_t error = socket->filter_locked ? -EPERM : socket->filter ? 0 : -ENOENT;
    if (!error) {
        old = socket->filter;
        socket->filter = NULL;
    }
    mutex_unlock(&socket->lock);
    heap_free(old);
    return error;
}

static int64_t filter_lock(struct packet_socket *socket, int32_t lock) {
    mutex_lock(&socket->lock);
    int64_t error = socket->filter_locked && !lock ? -EPERM : 0;
    socket->filter_locked = socket->filter_locked || lock;
    mutex_unlock(&socket->lock);
    return error;
}

/* ---- memberships ---- */

/* Where a membership is, or the end of the list; net_lock is held. */
static struct membership **membership_find(struct packet_socket *socket, const struct packet_mreq *request) {
    struct membership **at = &socket->memberships;
    while (*at && ((*at)->request.ifindex != request->ifindex || (*at)->request.type != request->type ||
                   (*at)->request.alen != request->alen ||
                   memcmp((*at)->request.address, request->address, request->alen) != 0))
        at = &(*at)->next;
    return at;
}

/* The interface's lock is held. */
static int64_t membership_add(struct packet_socket *socket, struct interface *interface,
                              const struct packet_mreq *request) {
    struct membership *fresh = heap_zalloc(sizeof *fresh);
    if (!fresh)
        return -ENOMEM;
    *fresh = (struct membership){.request = *request, .count = 1};
    mutex_lock(&net_lock);
    struct membership **at = membership_find(socket, request);
    bool known = *at;
    if (known)
        (*at)->count++;
    else
        *at = fresh;
    mutex_unlock(&net_lock);
    if (known)
        heap_free(fresh);
    else
        interface_membership(interface, request->type, 1);
    return 0;
}

static void membership_drop(struct packet_socket *socket, struct interface *interface,
                            const struct packet_mreq *request) {
    struct membership *last = NULL;
    mutex_lock(&net_lock);
    struct membership **at = membership_find(socket, request);
    if (*at && --(*at)->count == 0) {
        last = *at;
        *at = last->next;
    }
    mutex_unlock(&net_lock);
    if (last && interface)
        interface_membership(interface, request->type, -1);
    heap_free(last);
}

static int64_t membership_set(struct packet_socket *socket, uint64_t from, uint32_t length, bool add) {
    struct packet_mreq request;
    if (length < sizeof request)
        return -EINVAL;
    if (guest_copy_in(&request, from, sizeof request) < 0)
        return -EFAULT;
    struct interface *interface = interface_by_index(request.ifindex);
    if (!interface)
        return add ? -ENODEV : 0;
    int64_t error = request.alen > ETH_ALEN ? -EINVAL : 0;
    if (request.type == PACKET_MR_MULTICAST && request.alen != ETH_ALEN)
        error = -EINVAL;
    mutex_lock(&interface->lock);
    if (!error && add)
        error = membership_add(socket, interface, &request);
    else if (!add)
        membership_drop(socket, interface, &request);
    mutex_unlock(&interface->lock);
    interface_put(interface);
    return add ? error : 0;
}

void packet_memberships_drop(struct packet_socket *socket) {
    while (socket->memberships) {
        struct packet_mreq request = socket->memberships->request;
        socket->memberships->count = 1; /* nobody else knows the socket any more */
        struct interface *interface = interface_by_index(request.ifindex);
        if (interface)
            mutex_lock(&interface->lock);
        membership_drop(socket, interface, &request);
        if (interface)
            mutex_unlock(&interface->lock);
        interface_put(interface);
    }
}

/* ---- the calls ---- */

static int64_t socket_option_get(struct packet_socket *socket, uint32_t option, struct socket_option *value) {
    int32_t error;
    switch (option) {
    case SO_TYPE:
        return socket_option_number(value, (int32_t)socket->type);
    case SO_DOMAIN:
        return socket_option_number(value, AF_PACKET);
    case SO_ERROR:
        mutex_lock(&socket->lock);
        error = socket->error;
        socket->error = 0;
        mutex_unlock(&socket->lock);
        return socket_option_number(value, error);
    case SO_RCVBUF:
        return socket_option_number(value, (int32_t)socket->limit);
    case SO_SNDBUF:
        return socket_option_number(value, LIMIT_MOST / 2);
    case SO_LOCK_FILTER:
        return socket_option_number(value, socket->filter_locked);
    case SO_PROTOCOL:
    case SO_ACCEPTCONN:
    case SO_BROADCAST:
    case SO_PASSCRED:
        return socket_option_number(value, 0);
    default:
        return -ENOPROTOOPT;
    }
}

int64_t packet_option_get(struct file *file, uint32_t level, uint32_t option, struct socket_option *value) {
    struct packet_socket *socket = packet_of(file);
    if (level == SOL_SOCKET)
        return socket_option_get(socket, option, value);
    if (level != SOL_PACKET)
        return -ENOPROTOOPT;
    if (option == PACKET_IGNORE_OUTGOING)
        return socket_option_number(value, socket->ignore_outgoing);
    if (option != PACKET_STATISTICS)
        return -ENOPROTOOPT;
    mutex_lock(&socket->lock);
    value->length = sizeof socket->statistics;
    memcpy(value->bytes, &socket->statistics, sizeof socket->statistics);
    socket->statistics = (struct tpacket_stats){0};
    mutex_unlock(&socket->lock);
    return 0;
}

static int64_t outgoing_set(struct packet_socket *socket, int32_t ignore) {
    if (ignore < 0 || ignore > 1)
        return -EINVAL;
    mutex_lock(&net_lock);
    socket->ignore_outgoing = ignore;
    mutex_unlock(&net_lock);
    return 0;
}

/* Options that are a number. What has no meaning here is taken as a hint. */
static int64_t number_set(struct packet_socket *socket, uint32_t level, uint32_t option, int32_t value) {
    if (level == SOL_PACKET)
        return option == PACKET_IGNORE_OUTGOING ? outgoing_set(socket, value) : -ENOPROTOOPT;
    switch (option) {
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        return limit_set(socket, value);
    case SO_DETACH_FILTER:
        return filter_detach(socket);
    case SO_LOCK_FILTER:
        return filter_lock(socket, value);
    case SO_TYPE:
    case SO_ERROR:
    case SO_DOMAIN:
    case SO_PROTOCOL:
    case SO_ACCEPTCONN:
        return -ENOPROTOOPT;
    default:
        return 0;
    }
}

int64_t packet_option_set(struct file *file, uint32_t level, uint32_t option, uint64_t from,
                          uint32_t length) {
    struct packet_socket *socket = packet_of(file);
    int32_t value = 0;
    if (level != SOL_SOCKET && level != SOL_PACKET)
        return -ENOPROTOOPT;
    if (level == SOL_PACKET && (option == PACKET_ADD_MEMBERSHIP || option == PACKET_DROP_MEMBERSHIP))
        return membership_set(socket, from, length, option == PACKET_ADD_MEMBERSHIP);
    if (level == SOL_SOCKET && option == SO_ATTACH_FILTER)
        return filter_attach(socket, from, length);
    if (level == SOL_SOCKET && option == SO_RCVTIMEO)
        return timeout_set(socket, from, length);
    if (level == SOL_SOCKET && (option == SO_SNDTIMEO || option == SO_BINDTODEVICE))
        return -ENOPROTOOPT;
    if (length < sizeof value)
        return -EINVAL;
    if (guest_copy_in(&value, from, sizeof value) < 0)
        return -EFAULT;
    return number_set(socket, level, option, value);
}
