/*
 * Packet sockets (AF_PACKET): frames of interfaces as they are, by the rules of Linux's packet(7). What a
 * socket received lies in a ring of its own, a record with struct packet_record and the bytes for each frame;
 * what does not fit is counted as dropped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "linux/abi/net.h"
#include "linux/io/socket.h"
#include "linux/net/filter.h"

struct interface;

struct membership {
    struct membership *next;
    struct packet_mreq request;
    uint32_t count; /* times it was asked for */
};

struct packet_socket {
    struct list link; /* of all; net_lock, down to memberships */
    uint32_t type;    /* SOCK_RAW or SOCK_DGRAM */
    uint32_t uid;     /* of who made it */
    uint64_t inode;
    uint16_t protocol; /* host order; 0: receives nothing */
    int32_t ifindex;   /* bound to; 0: any, -1: to one that is gone */
    bool running;      /* its interface is up */
    bool ignore_outgoing;
    struct membership *memberships;

    struct mutex lock; /* from here on */
    struct ring input;
    uint32_t limit; /* bytes in it, SO_RCVBUF */
    struct waitq waiters;
    int32_t error; /* reported once */
    struct tpacket_stats statistics;
    struct filter *filter;
    bool filter_locked;
    uint64_t receive_timeout; /* ns; 0: none */
};

extern const struct file_operations packet_operations;
extern const struct socket_calls packet_calls;

/* socket(AF_PACKET, type, protocol): a descriptor or an error; flags O_NONBLOCK and O_CLOEXEC. */
int64_t packet_create(uint32_t type, uint32_t flags, uint32_t protocol);

static inline struct packet_socket *packet_of(const struct file *file) {
    return file->data;
}

/* ---- for interfaces ---- */

/* A frame to be shown to the sockets; the interface's lock is held. */
struct packet_frame {
    const uint8_t *bytes; /* from the Ethernet header on; may change while it is looked at */
    uint32_t length;
    uint8_t header[ETH_HLEN]; /* the header, as it was checked */
    uint8_t type;             /* PACKET_HOST … */
    uint16_t protocol;        /* host order */
    const void *sender;       /* the socket that sent it (PACKET_OUTGOING) */
};
void packets_show(const struct interface *interface, const struct packet_frame *frame);
/* Whether anybody would look at outgoing frames of it. */
bool packets_watch_outgoing(const struct interface *interface, const void *sender);
/* Whether a socket is a member of a multicast group. */
bool packets_want_group(const struct interface *interface, const uint8_t *group);
/* The interface went down, came up, or is gone; its lock is held. */
void packets_state(const struct interface *interface, bool up, bool gone);

/* ---- parts ---- */

/* packet_options.c */
int64_t packet_option_get(struct file *file, uint32_t level, uint32_t option, struct socket_option *value);
int64_t packet_option_set(struct file *file, uint32_t level, uint32_t option, uint64_t from, uint32_t length);
void packet_memberships_drop(struct packet_socket *socket);

/* ioctl.c: of any socket. -ENOTTY: none of an interface. */
int64_t interface_ioctl(uint64_t command, uint64_t argument);
