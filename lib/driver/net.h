/*
 * What drivers of network cards share: the session's buffers, as many in the device as it takes, and when
 * each side is told of what. The driver supplies functions: `receive` and `transmit` hand a buffer to the
 * device, `doorbell` tells it of them, `start` takes all from it. It gives them back by their heads with
 * net_server_received and net_server_sent.
 *
 *     init       start the device, describe it: net_server_init
 *     session    net_server_session, then as kick
 *     kick, interrupt, timer
 *                give back what the device is done with, net_server_run, and again when there is more
 *
 * A device need not interrupt for each frame that it has sent: only while net_server_pressed. The timer looks
 * for the rest a moment later.
 */
#pragma once

#include "lib/driver/driver.h"
#include "lib/virtqueue/net_link.h"

struct net_server {
    struct driver_device *device;
    struct driver_link *link;
    struct net_link ring;
    unsigned receive_depth, transmit_depth; /* buffers that the device takes, at least 1 */
    unsigned receiving, transmitting;       /* buffers in the device */
    uint32_t mode;                          /* NET_MODE_… that the device was told */
    /* Room for a frame at an address of the device's, NET_FRAME bytes behind the room for its header; length
     * counts from the address. */
    void (*receive)(struct net_server *server, uint16_t head, uint64_t address, uint32_t length);
    /* A frame to send. */
    void (*transmit)(struct net_server *server, uint16_t head, uint64_t address, uint32_t length);
    void (*doorbell)(struct net_server *server, bool receive, bool transmit);
    /* Resets the device and starts it with empty queues. */
    int64_t (*start)(struct net_server *server);
    /* Whether the cable is plugged in. */
    bool (*link_up)(struct net_server *server);
    /* What the device shall receive has changed; NULL: it receives everything. */
    void (*filter)(struct net_server *server, uint32_t mode);
};

/* Serves a link of the device; the functions and depths are set. Ends the driver when it has no such link. */
void net_server_init(struct net_server *server, struct driver_device *device, unsigned link,
                     const struct net_identity *identity);

/* The client's session is another one: a device that holds buffers of the old one starts again, as nothing
 * else takes them from it. Ends the driver when it does not. */
void net_server_session(struct net_server *server);

/* Hands over what the client offers and the device has room for, publishes what came back. */
void net_server_run(struct net_server *server);

/* The device has filled a buffer with a frame of so many bytes; with what is no frame, nothing is handed
 * over. */
void net_server_received(struct net_server *server, uint16_t head, uint32_t length);
void net_server_sent(struct net_server *server, uint16_t head);

/* Whether the device shall interrupt when it has sent frames. */
bool net_server_pressed(const struct net_server *server);

/* The cable was plugged in or out. */
void net_server_status(struct net_server *server);
