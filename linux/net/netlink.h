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
#include "linux/net/filter.h"

struct netlink_socket {
    struct mutex lock; /* everything */
    uint32_t type;     /* SOCK_RAW or SOCK_DGRAM */
    uint32_t protocol; /* the family */
    uint32_t port;     /* its address; 0: none yet */
    bool listens;      /* to uevents */
    bool credentials;  /* wants to know the sender of each message (SO_PASSCRED) */
    bool lost;         /* some of what it should have heard, and was not told of it yet */
    struct uevent_listener listener;
    struct filter *filter; /* of uevents; NULL: all are wanted */
    struct ring input;
    struct list notes; /* received before what is in the ring */
    struct waitq waiters;
};

enum { NETLINK_NOTE_SIZE = 32 };

/*
 * A message that some other part of the system will send to a socket, made beforehand so that nothing can
 * fail then: what mq_notify's SIGEV_THREAD is built on. It holds the socket open until it is sent or freed.
 */
struct netlink_note;
/* 0; -ENOTSOCK, -EINVAL (no netlink socket), -ENOMEM. */
int64_t netlink_note_make(struct file *file, const uint8_t bytes[NETLINK_NOTE_SIZE],
                          struct netlink_note **note);
/* Sends and forgets it with its last byte replaced. The socket's lock is taken, no other may be held. */
void netlink_note_send(struct netlink_note *note, uint8_t last);
void netlink_note_free(struct netlink_note *note); /* NULL is allowed */

extern const struct file_operations netlink_operations;
extern const struct socket_calls netlink_calls;

/* socket(AF_NETLINK, type, protocol): a descriptor or an error; flags O_NONBLOCK and O_CLOEXEC. */
int64_t netlink_create(uint32_t type, uint32_t flags, uint32_t protocol);
