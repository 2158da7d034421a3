/*
 * The driver's side of a net link (abi/net.h): takes the client's buffers and frames, checks them, and gives
 * them back. Nothing here touches a device. A client that breaks the protocol is not served until its next
 * session. Not locked: one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/net.h"
#include "lib/virtqueue/device.h"

struct net_identity {
    uint8_t address[NET_ADDRESS];
    uint16_t mtu; /* NET_MTU_MIN to NET_MTU_MAX */
};

/* A buffer of the client's: room for a frame, or a frame to send. Both lie wholly in the area. */
struct net_buffer {
    uint16_t head;   /* of its chain */
    uint32_t length; /* of the frame to send; of the room: at least NET_FRAME_MOST */
    uint64_t offset; /* of the frame in the area; the frame's header lies before it */
};

struct net_link {
    uint8_t *area;
    uint64_t length;
    bool attached; /* there is a client */
    struct net_identity identity;
    struct virtqueue_device receive, transmit;
    uint32_t refused; /* frames to send that were none */
};

/* Attaches to an area and describes the card; before the driver announces itself (lib/driver). */
void net_link_init(struct net_link *link, void *area, uint64_t length, const struct net_identity *identity);

/* A client laid its rings, or left (begun false). Buffers taken before belong to nobody now. */
void net_link_session(struct net_link *link, bool begun);

/* The next buffer to receive into: true when there is one. */
bool net_link_take_room(struct net_link *link, struct net_buffer *buffer);
/* The next frame to send. */
bool net_link_take_frame(struct net_link *link, struct net_buffer *buffer);

/* A frame of so many bytes is in the buffer; NET_FRAME_MOST at most. 0: none is, the buffer goes back. */
void net_link_received(struct net_link *link, uint16_t head, uint32_t length);
/* The device is done with a frame. */
void net_link_sent(struct net_link *link, uint16_t head);

/* Makes both visible: true when the call event is to be signalled. */
bool net_link_publish(struct net_link *link);

/* Asks for kicks when there are frames to send, and when there is room to receive; true when there is such
 * work already. */
bool net_link_await(struct net_link *link, bool frames, bool room);
/* Suppresses kicks while the driver looks by itself. */
void net_link_busy(struct net_link *link);

/* Whether the cable is plugged in; the call event is to be signalled then. */
void net_link_status(struct net_link *link, bool up);
/* NET_MODE_…, as the client wishes. */
uint32_t net_link_mode(const struct net_link *link);
