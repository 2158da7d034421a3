/*
 * The device side of a console link (abi/console.h): which session is attached, the chain being sent, and
 * input that waits for buffers. It knows nothing of the device; output is asked for and confirmed in small
 * pieces, in order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/virtqueue/device.h"

enum { LINK_HELD = 4096 };

struct link {
    uint8_t *area;
    uint32_t session; /* 0: no client attached */
    bool first;       /* no session seen since this driver started: continue where an earlier one stopped */
    struct virtqueue_device rx, tx;

    bool sending; /* chain is taken and not yet given back */
    struct virtqueue_chain chain;
    uint16_t segment; /* position in it */
    uint32_t offset;

    uint8_t held[LINK_HELD]; /* ring of received bytes the client had no buffer for */
    uint32_t held_first, held_count;
};

void link_init(struct link *link, void *area);

/* Follows the client's session number. True when a new client was attached. */
bool link_follow(struct link *link);

/* Takes the next chain when none is taken; true when one is. */
bool link_pending(struct link *link);
/* Next bytes to send, up to a limit; 0 when there are none now. The client may change them any time: copied
 * once. */
size_t link_take(struct link *link, uint8_t *bytes, size_t limit);
/* True when every byte of the chain taken has been handed out and link_sent is due. */
bool link_chain_done(const struct link *link);
/* The bytes of the chain have left: gives it back to the client. */
void link_sent(struct link *link);

/* Room for received bytes. */
size_t link_room(const struct link *link);
/* Keeps a received byte; only when there is room. */
void link_receive(struct link *link, uint8_t byte);
/* Moves held bytes into the client's buffers. */
void link_deliver(struct link *link);

/* Makes everything given back visible; true when the client is to be signalled. */
bool link_publish(struct link *link);

/* Asks for kicks. True when there is work already. */
bool link_await(struct link *link);
/* Suppresses kicks while the driver is at work anyway. */
void link_busy(struct link *link);

/* The client broke the protocol; nothing moves until its next session. */
bool link_broken(const struct link *link);
