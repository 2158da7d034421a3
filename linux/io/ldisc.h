/*
 * The terminal line discipline, N_TTY: what happens to characters between a terminal's driver and the
 * programs. Pure state without locks, tasks or waiting, so that it can be tested alone; tty.c puts those
 * around it.
 *
 *     driver → ldisc_receive → input ring → ldisc_read → program
 *     program → ldisc_write → output ring → driver          echo goes from receive to the output ring
 *
 * Input positions (head, canon, tail …) only grow; their low bits index the ring.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux/abi/termios.h"

enum { LDISC_INPUT = 4096, LDISC_OUTPUT = 8192 };

struct ldisc_output { /* bytes on their way to the driver */
    uint32_t head, tail;
    uint8_t bytes[LDISC_OUTPUT];
};

struct ldisc {
    struct termios64 termios;
    uint32_t head;         /* next free place */
    uint32_t canon;        /* canonical: behind the last complete line */
    uint32_t tail;         /* next to read */
    uint32_t column;       /* of the cursor */
    uint32_t canon_column; /* where the line being edited began */
    bool literal_next;     /* VLNEXT was typed */
    bool erasing;          /* inside an ECHOPRT erasure */
    bool pushed;           /* the data behind a switch to ICANON counts as a line once */
    bool stopped;          /* by VSTOP or TCOOFF: the driver takes no output */
    bool stopped_by_call;  /* TCOOFF: VSTART does not undo it */
    uint32_t signals;      /* bit n: signal n arose from input; the owner takes and clears them */
    bool flushed_input, flushed_output; /* likewise, for the owner (packet mode, wake-ups) */
    uint64_t special[4];                /* characters that need more than echo and storing */
    uint64_t line_end[LDISC_INPUT / 64];
    uint8_t input[LDISC_INPUT];
    struct ldisc_output output;
};

/* Initial settings are the caller's. */
void ldisc_init(struct ldisc *ldisc, const struct termios64 *termios);
/* Changes the settings; data that was read ahead stays, as in Linux. */
void ldisc_set(struct ldisc *ldisc, const struct termios64 *termios);

/* Takes input from the driver. Returns how many bytes were taken; fewer than length only when the ring is
 * full of lines not read yet. */
size_t ldisc_receive(struct ldisc *ldisc, const uint8_t *bytes, size_t length);
/* Whether ldisc_receive would take a byte. */
bool ldisc_room(const struct ldisc *ldisc);

/* Whether a read would get something (poll: at least VMIN bytes when VTIME is 0). End of file counts. */
bool ldisc_readable(const struct ldisc *ldisc, bool poll);
/* Bytes a read could get now, for FIONREAD. */
size_t ldisc_available(const struct ldisc *ldisc);
/* Moves up to length bytes: in canonical mode of one line at most. *end is set when the line (or an end of
 * file) was completed or in raw mode never. Nothing moved and *end: end of file. */
size_t ldisc_read(struct ldisc *ldisc, uint8_t *to, size_t length, bool *end);

/* Processes program output into the output ring; returns how many bytes were taken. */
size_t ldisc_write(struct ldisc *ldisc, const uint8_t *bytes, size_t length);

/* The output ring's first unbroken piece: pointer in *bytes, its length (0: empty); ldisc_output_take drops
 * bytes. */
size_t ldisc_output_peek(struct ldisc *ldisc, const uint8_t **bytes);
void ldisc_output_take(struct ldisc *ldisc, size_t length);
static inline size_t ldisc_output_length(const struct ldisc *ldisc) {
    return ldisc->output.head - ldisc->output.tail;
}
static inline size_t ldisc_output_room(const struct ldisc *ldisc) {
    return LDISC_OUTPUT - ldisc_output_length(ldisc);
}

void ldisc_flush_input(struct ldisc *ldisc);
void ldisc_flush_output(struct ldisc *ldisc);
/* TCOOFF and TCOON. */
void ldisc_stop(struct ldisc *ldisc);
void ldisc_start(struct ldisc *ldisc);
