/*
 * Network interfaces: lo, and eth0 … behind the links of network drivers (lib/virtqueue/net_client.h). Every
 * frame that an interface sends or receives passes the packet sockets (packet.h).
 *
 * Locks, outermost first: interface->lock (the link, state, counters), net_lock (the list of interfaces, the
 * packet sockets with what they are bound to and members of), a socket's own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/list.h"
#include "lib/virtqueue/net_client.h"
#include "linux/abi/net.h"
#include "linux/fs.h"

enum { LOOPBACK_INDEX = 1, LOOPBACK_MTU = 65536, TRANSMIT_QUEUE = 1000 };

struct interface_statistics {
    uint64_t rx_packets, rx_bytes, rx_dropped, multicast;
    uint64_t tx_packets, tx_bytes;
};

struct interface {
    struct list link; /* net_lock */
    _Atomic uint32_t references;
    int32_t index;
    char name[IFNAMSIZ];
    bool loopback;
    uint32_t device; /* the PCI function's address */
    handle_t kick;

    struct mutex lock; /* from here on */
    struct net_client client;
    bool listed; /* the driver has described it */
    bool told;   /* that it has come, to those who listen */
    bool gone;
    uint8_t address[ETH_ALEN];
    uint32_t mtu;
    bool up, carrier;
    uint32_t flags;                 /* IFF_PROMISC and IFF_ALLMULTI, as set by ioctl */
    uint32_t promiscuous, allmulti; /* how often it is asked for; IFF_ flags and memberships */
    uint32_t groups;                /* memberships in single groups */
    bool room_wanted;               /* somebody waits in net_room for a free buffer of it */
    struct interface_statistics statistics;
};

extern struct mutex net_lock;
extern struct waitq net_room; /* for whoever waits for room in any interface */

/* lo is there, and what `devices` offers will be; before offers_start. */
void interfaces_use(void);
/* After it: waits until as many cards are there as nets=N on the kernel's command line says, or for a while.
 */
void interfaces_wait(void);

/* An interface, referenced, or NULL. */
struct interface *interface_by_index(int32_t index);
struct interface *interface_by_name(const char *name, size_t length);
/* The one with the next larger index; 0 for the first. */
struct interface *interface_after(int32_t index);
void interface_put(struct interface *interface);

/* IFF_ flags as programs see them; the lock is held. */
uint32_t interface_flags(const struct interface *interface);
static inline uint16_t interface_type(const struct interface *interface) {
    return interface->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
}

/* Changes IFF_UP, IFF_PROMISC and IFF_ALLMULTI to what flags says. -ENODEV: it is gone. */
int interface_flags_set(struct interface *interface, uint32_t flags);
/* -EINVAL: too small or large for it. */
int interface_mtu_set(struct interface *interface, int64_t mtu);
/* Counts (change 1 or -1) wishes of packet sockets: PACKET_MR_…; the lock is held. */
void interface_membership(struct interface *interface, uint16_t type, int change);

/* A frame as a socket sends it: for SOCK_RAW all of it, else what is behind the header. */
struct frame_request {
    const uint8_t *header; /* ETH_HLEN bytes to put before the data; NULL: the data have it */
    uint16_t protocol;     /* that the socket says; 0: the frame's own */
    const void *sender;    /* the socket, which does not see it going out */
    bool nonblocking;
};

/* Sends one frame with the buffer's bytes; waits for room. Bytes of the buffer, -ENXIO gone, -ENETDOWN,
 * -EMSGSIZE, -EINVAL shorter than a header, -EFAULT, -EAGAIN, -ERESTARTSYS, -ENOMEM. */
int64_t interface_send(struct interface *interface, struct buffer *buffer,
                       const struct frame_request *request);
/* Whether a frame can be sent at once; else the watch, if any, is told when. */
bool interface_writable(struct interface *interface, struct poll_watch *watch);
