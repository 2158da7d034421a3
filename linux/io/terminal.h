/*
 * A terminal at the end of a console link: the serial line, or the display with its keyboard. The link is
 * guarded by the tty's lock: the tty calls the driver with it held, and the link's thread takes it.
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
};

enum terminal_kind { TERMINAL_SERIAL, TERMINAL_DISPLAY };

/* Opens the link, makes the tty (ttyS0 or tty1), starts the thread. 0 or an error. */
int terminal_open(struct terminal *terminal, enum terminal_kind kind, const struct console_handles *handles,
                  const struct winsize *winsize);

/* What was typed on the terminal's keyboard. It waits for a reader as long as there is room, and is lost
 * then, as on Linux. */
void terminal_type(struct terminal *terminal, const uint8_t *bytes, size_t length);

/* Writes a text; from any thread, blocks until taken. */
void terminal_message(struct terminal *terminal, const char *text, size_t length);

/* Waits until all output has left the machine, or the link is broken. */
void terminal_flush(struct terminal *terminal);
