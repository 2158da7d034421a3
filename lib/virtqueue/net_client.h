/*
 * The client of a net link (abi/net.h): sends frames from its own buffers in the area, receives into others,
 * and follows the driver's generations. Never blocks. The caller owns the events: when net_client_run says so
 * it signals the link's kick event; it calls net_client_run after each call event. Freestanding. Not locked:
 * the caller serialises all calls on one client.
 *
 * Frames that were not sent when the driver was restarted are offered again, in their order (abi/net.h).
 *
 * A driver that breaks the protocol gets a new session, and after NET_CLIENT_PATIENCE of these without a
 * frame between them none any more; nor does one that tells of a card that cannot be. Frames then wait for
 * its successor, and after NET_CLIENT_PATIENCE such drivers in a row the card counts as gone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/net.h"
#include "lib/virtqueue/driver.h"

enum { NET_CLIENT_PATIENCE = 8, NET_TRANSMIT_WORDS = NET_TRANSMIT_BUFFERS / 64 };

struct net_client {
    uint8_t *area;
    struct virtqueue_driver receive, transmit;
    uint8_t address[NET_ADDRESS]; /* what the driver said when the last session began */
    uint16_t mtu;
    bool link_up;
    bool described;      /* the three are valid */
    bool gone;           /* nothing comes or goes any more */
    bool refused;        /* nothing comes or goes with this driver */
    bool dirty;          /* frames were added and not published */
    bool rooms_given;    /* buffers, likewise */
    uint32_t generation; /* of the driver that the session is for; 0: none yet */
    uint32_t session;
    uint32_t failures; /* sessions broken in a row */
    uint32_t refusals; /* drivers refused in a row */
    uint32_t taken;    /* the buffer that net_client_take gave out; NET_RECEIVE_BUFFERS: none */
    /* The transmit buffers are used in turn: [oldest, next) are under way, except those in ended. */
    uint32_t next, oldest;
    uint64_t ended[NET_TRANSMIT_WORDS];     /* a bit each */
    uint16_t lengths[NET_TRANSMIT_BUFFERS]; /* of the frames in them */
};

/* Attaches to an area (of at least NET_AREA_MIN bytes, mapped read-write) and gives up an earlier client's
 * session. -EINVAL when the area is too small. */
int net_client_init(struct net_client *client, void *area, uint64_t length);

/* Where the next frame to send is to be put, NET_FRAME_MOST bytes: NULL when all buffers are under way. */
uint8_t *net_client_buffer(const struct net_client *client);
/* Sends what was put there: NET_ETHERNET to NET_FRAME_MOST bytes. Without a session, at the beginning of the
 * next. */
void net_client_send(struct net_client *client, uint32_t length);

/* The next received frame, where it lies: true with its bytes, which are the caller's until the next call of
 * net_client_take or net_client_run. Nobody else writes to it, unless the driver or the device is broken:
 * what is checked must be copied first. */
bool net_client_take(struct net_client *client, const uint8_t **bytes, uint32_t *length);

/* Publishes what was sent and taken, takes back what has gone out, follows sessions and the link's state.
 * True: signal the kick event. */
bool net_client_run(struct net_client *client);

/* Asks to be called when frames were received, and, with room, when buffers are free again; true when there
 * is something already. */
bool net_client_await(struct net_client *client, bool room);
/* Suppresses the calls meanwhile. */
void net_client_busy(struct net_client *client);

/* NET_MODE_…: what the card shall receive; then signal the kick event. */
void net_client_mode(struct net_client *client, uint32_t mode);

/* The card is no more. */
void net_client_fail(struct net_client *client);
