/*
 * A terminal at the end of a console link: the serial line, the display with its keyboard, or a port of a
 * virtio console. The link is guarded by the tty's lock: the tty calls the driver with it held, and whoever
 * hears of the link's events takes it.
 */
#pragma once

#include "linux/io/console.h"
#include "linux/io/link.h"
#include "linux/io/tty.h"

enum { TERMINAL_TYPED = 1024 };

struct terminal {
    struct link link;
    struct tty *tty;                      /* NULL: it was not opened */
    uint8_t held[CONSOLE_RX_BUFFER_SIZE]; /* received, not yet taken by the line discipline */
    size_t held_from, held_to;
    uint8_t typed[TERMINAL_TYPED]; /* on the keyboard, likewise */
    size_t typed_length;
    struct winsize told; /* the size that the driver told last */
    unsigned bells;      /* likewise, how often the bell was to ring */
};

enum terminal_kind { TERMINAL_SERIAL, TERMINAL_DISPLAY, TERMINAL_PORT };
enum { TERMINAL_PORT_MAJOR = 229 };

/* Opens the link, makes the tty (ttyS0 or tty1), starts the thread. 0 or an error. */
int terminal_open(struct terminal *terminal, enum terminal_kind kind, const struct console_handles *handles,
                  const struct winsize *winsize);

/* A terminal of a port, hvcN: made on the heap, and freed with its tty's last reference. NULL: no memory. The
 * caller has the first one, calls terminal_port_event after each of the link's events, and ends it by
 * terminal_port_close, when its users are hung up on; then the link is not touched any more. */
struct terminal *terminal_port_create(uint32_t number, struct port_client *port, handle_t kick);
void terminal_port_event(struct terminal *terminal);
void terminal_port_close(struct terminal *terminal);

/* What was typed on the terminal's keyboard. It waits for a reader as long as there is room, and is lost
 * then, as on Linux. */
void terminal_type(struct terminal *terminal, const uint8_t *bytes, size_t length);

/* Writes a text; from any thread, blocks until taken. */
void terminal_message(struct tty *tty, const char *text, size_t length);

/* Waits until all output has left the machine, the link is broken, or the deadline has passed. */
void terminal_flush(struct tty *tty, uint64_t deadline);
