/*
 * One console link of the personality: the client of lib/virtqueue with its events. It is init's
 * (abi/console.h), with a thread that waits for the driver's events, or a port that `devices` offers
 * (lib/virtqueue/port_ring.h), whose events come to its owner (port.h). The user of a link (terminal or
 * stream) guards all calls on it by a lock of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/virtqueue/console_client.h"
#include "lib/virtqueue/port_client.h"
#include "linux/io/console.h"

struct link {
    bool present; /* otherwise it takes everything and has come to its end */
    handle_t kick, call;
    struct console_client client;
    struct port_client *port;     /* in place of client; NULL: init's link */
    void (*event)(void *context); /* on the link's thread after each of the driver's events, no locks held */
    void *context;
};

/* Maps the area and lays the rings. 0 or an error; without handles an absent link. */
int link_open(struct link *link, const struct console_handles *handles);
/* A port's link, until link_close: then it takes everything, and nothing comes any more. */
void link_open_port(struct link *link, struct port_client *port, handle_t kick);
void link_close(struct link *link);
/* Starts the thread, once the link's user can take events. */
int link_start(struct link *link, void (*event)(void *context), void *context);

/* As console_write and console_read, with the signal to the driver. */
size_t link_write(struct link *link, const void *bytes, size_t length);
size_t link_read(struct link *link, void *bytes, size_t length);
/* Before waiting for an event: true when there is something to read, or room to write, already. The events
 * for room go on until link_space_enough. */
bool link_readable(struct link *link);
bool link_want_space(struct link *link);
void link_space_enough(struct link *link);
/* Whether a byte could be written now; otherwise an event will tell. */
bool link_writable(struct link *link);
/* The size that the driver tells, in characters; 0 when it does not. */
void link_size(const struct link *link, uint16_t *columns, uint16_t *rows);
/* How the driver's terminal wants keys to send: enum keyboard_mode. */
unsigned link_keyboard(const struct link *link);
/* How often the driver's terminal was to ring the bell. */
unsigned link_bells(const struct link *link);
/* Everything written has left the driver (or there is none). */
bool link_drained(struct link *link);
