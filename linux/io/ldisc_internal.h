/* What ldisc.c and ldisc_input.c share. */
#pragma once

#include "linux/io/ldisc.h"

static inline bool ldisc_canonical(const struct ldisc *ldisc) {
    return (ldisc->termios.lflag & (ICANON | EXTPROC)) == ICANON;
}

static inline uint8_t ldisc_input_at(const struct ldisc *ldisc, uint32_t position) {
    return ldisc->input[position % LDISC_INPUT];
}

static inline bool ldisc_ends_line(const struct ldisc *ldisc, uint32_t position) {
    return ldisc->line_end[position % LDISC_INPUT / 64] >> position % 64 & 1;
}

static inline void ldisc_mark_end(struct ldisc *ldisc, uint32_t position) {
    ldisc->line_end[position % LDISC_INPUT / 64] |= 1ULL << position % 64;
}

static inline bool ldisc_is_control(uint8_t byte) {
    return byte < 0x20 || byte == 0x7f;
}

/* A byte inside a UTF-8 character, when the terminal is told that input is UTF-8. */
static inline bool ldisc_is_continuation(const struct ldisc *ldisc, uint8_t byte) {
    return ldisc->termios.iflag & IUTF8 && (byte & 0xc0) == 0x80;
}

/* One byte from the driver; there is room for it. */
void ldisc_receive_byte(struct ldisc *ldisc, uint8_t byte);
/* One byte to the driver, through OPOST processing or past it. Dropped when the ring is full. */
void ldisc_put(struct ldisc *ldisc, uint8_t byte);
void ldisc_put_raw(struct ldisc *ldisc, uint8_t byte);
