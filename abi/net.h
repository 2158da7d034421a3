/*
 * The net link between a network card's driver (device side) and its client (driver side in virtio's terms:
 * the personality, a network stack): two virtqueues with virtio-net frames (virtio 1.2, 5.1.6) and their
 * buffers in one shared area, a physically contiguous Vmo that `devices` makes zeroed. Descriptor addresses
 * are byte offsets into the area; the driver adds the area's physical address and hands the result to the
 * device, which reads and writes the frames there: nothing is copied between device and client. Neither side
 * believes what it reads here. An event at each end replaces the notification register and the interrupt:
 * `kick` client -> driver, `call` driver -> client.
 *
 *   0x0000 header
 *   0x1000 receive: descriptors, 0x2000 available ring, 0x3000 used ring
 *   0x4000 transmit: descriptors, 0x5000 available ring, 0x6000 used ring
 *   0x8000 buffers of NET_BUFFER bytes: NET_RECEIVE_BUFFERS, then NET_TRANSMIT_BUFFERS
 *
 * A chain is one descriptor: struct net_frame_header and the frame behind it, from the Ethernet header to the
 * end of the data, without the checksum. There are no offloads: the header is all zero when a frame is sent,
 * and nothing in it counts when one is received. A frame received fills one buffer.
 *
 * Sessions and generations are those of every link (abi/devices.h). Before the driver announces itself, and
 * before it serves a new session, it has reset the device, so that no buffer of an earlier session is used by
 * anybody any more. The client offers the frames that were not completed again, in their order, in each new
 * session: a frame that was under way when a driver died may go out twice. Frames that the device had
 * received and the driver had not handed over are lost. None is changed.
 */
#pragma once

#include <stdint.h>

#include "abi/devices.h"

enum {
    NET_QUEUE_SIZE = 256,
    NET_RECEIVE = 0x1000, /* offsets of the two rings … */
    NET_TRANSMIT = 0x4000,
    NET_RING_AVAIL = 0x1000, /* … and in them */
    NET_RING_USED = 0x2000,
    NET_BUFFERS = 0x8000,
    NET_BUFFER = 2048,
    NET_RECEIVE_BUFFERS = 256,
    NET_TRANSMIT_BUFFERS = 128,
    NET_AREA_MIN = NET_BUFFERS + (NET_RECEIVE_BUFFERS + NET_TRANSMIT_BUFFERS) * NET_BUFFER,
    NET_ADDRESS = 6,   /* bytes of an Ethernet address */
    NET_ETHERNET = 14, /* of the header of a frame */
    NET_VLAN = 4,      /* of a VLAN tag in it */
    NET_MTU_MIN = 68,  /* bytes behind the header, as of RFC 791 */
    NET_MTU_MAX = 1500,
};

/* What the device shall receive beside frames to its own address and to all: a wish, the client looks at
 * every frame itself. */
enum { NET_MODE_MULTICAST = 1, NET_MODE_ALL = 2 };

struct net_header {
    struct link_header link;
    uint8_t address[NET_ADDRESS]; /* from here on by the driver */
    uint16_t mtu;
    uint32_t link_up; /* changes at any time, with a call */
    uint32_t mode;    /* client: NET_MODE_…, with a kick */
};

_Static_assert(sizeof(struct net_header) == 40, "both sides read it");

/* struct virtio_net_hdr with VIRTIO_F_VERSION_1 */
struct net_frame_header {
    uint8_t flags, gso_type;
    uint16_t header_length, gso_size, checksum_start, checksum_offset;
    uint16_t buffers; /* 1 in a received frame */
};

enum { NET_FRAME = 12, NET_FRAME_MOST = NET_ETHERNET + NET_VLAN + NET_MTU_MAX };

_Static_assert(sizeof(struct net_frame_header) == NET_FRAME, "virtio layout");
_Static_assert(NET_FRAME + NET_FRAME_MOST <= NET_BUFFER, "a frame fits a buffer");
