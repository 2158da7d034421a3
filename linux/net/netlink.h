/*
 * Netlink sockets of the family ROUTE (rtnetlink(7)), as far as `ip link` and `ip address` ask: interfaces
 * are listed, looked up and switched on and off; there are no addresses and no events. Requests are answered
 * inside send; the answers wait in a ring, each with its length in front. Those of the family KOBJECT_UEVENT
 * hear of devices that come and go (linux/fs/uevent.h).
 */
#pragma once

#include "linux/abi/netlink.h"
#include "linux/fs/uevent.h"
#include "linux/io/socket.h"

struct netlink_socket {
    struct mutex lock; /* everything */
    uint32_t type;     /* SOCK_RAW or SOCK_DGRAM */
    uint32_t protocol; /* the family */
    uint32_t port;     /* its address; 0: none yet */
    bool listens;      /* to uevents */
    bool lost;         /* some of what it should have heard, and was not told of it yet */
    struct uevent_listener listener;
    struct ring input;
    struct waitq waiters;
};

extern const struct file_operations netlink_operations;
extern const struct socket_calls netlink_calls;

/* socket(AF_NETLINK, type, protocol): a descriptor or an error; flags O_NONBLOCK and O_CLOEXEC. */
int64_t netlink_create(uint32_t type, uint32_t flags, uint32_t protocol);
