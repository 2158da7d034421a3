/*
 * A terminal emulator: bytes in, a grid of character cells out. It understands what Linux's own console and
 * xterm understand as far as programs use it (TERM=linux, TERM=xterm and its colour variants): UTF-8,
 * scrolling regions, colours, tabs, the alternate screen, line drawing, status reports. Pure: no input or
 * output, no allocation, no clock. Whatever the bytes are, the cursor stays on the screen and the state
 * valid.
 *
 *     terminal_write ──▶ parser.c ──▶ control.c, sequence.c, attributes.c ──▶ screen.c ──▶ cells, damage
 *                                           └──▶ answers, for the program to read as if they were typed
 *
 * Not locked: one thread at a time. All positions count from 0, ends are exclusive.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TERMINAL_COLUMNS_MAX = 512,
    TERMINAL_ROWS_MAX = 256,
    TERMINAL_PARAMETERS = 16,
    TERMINAL_ANSWERS = 128,
};

/* A colour is a palette index 0-255, or one of: */
#define TERMINAL_RGB     0x01000000U /* | red << 16 | green << 8 | blue */
#define TERMINAL_DEFAULT 0x02000000U /* the terminal's own, light on dark */

enum terminal_style {
    TERMINAL_BOLD = 1,
    TERMINAL_DIM = 2,
    TERMINAL_ITALIC = 4,
    TERMINAL_UNDERLINE = 8,
    TERMINAL_BLINK = 16,
    TERMINAL_INVERSE = 32,
    TERMINAL_HIDDEN = 64,
    TERMINAL_STRUCK = 128,
};

struct terminal_cell {
    uint32_t character; /* Unicode; 0: the right half of the wide character before it */
    uint32_t foreground, background;
    uint32_t style; /* enum terminal_style */
};

enum terminal_mode {
    TERMINAL_CURSOR_KEYS = 1 << 0, /* DECCKM: cursor keys send ESC O in place of ESC [ */
    TERMINAL_KEYPAD = 1 << 1,      /* DECKPAM: the keypad sends ESC O */
    TERMINAL_CURSOR = 1 << 2,      /* DECTCEM: the cursor is visible */
    TERMINAL_WRAP = 1 << 3,        /* DECAWM */
    TERMINAL_ORIGIN = 1 << 4,      /* DECOM: rows count from the scrolling region */
    TERMINAL_INSERT = 1 << 5,      /* IRM */
    TERMINAL_NEW_LINE = 1 << 6,    /* LNM: a line feed returns the carriage, too */
    TERMINAL_REVERSE = 1 << 7,     /* DECSCNM: dark on light */
    TERMINAL_PASTE = 1 << 8,       /* bracketed paste, kept for who can paste */
};

enum terminal_charset { TERMINAL_ASCII, TERMINAL_DRAWING, TERMINAL_BRITISH, TERMINAL_CP437 };

struct terminal_cursor {
    uint16_t column, row;
    bool wraps;               /* the last column was written: the next character goes to the next line */
    bool origin;              /* saved and restored with it */
    uint8_t charsets[2];      /* G0, G1: enum terminal_charset */
    uint8_t shift;            /* which of them is in use */
    struct terminal_cell pen; /* character is unused */
};

struct terminal_damage {
    uint16_t from, to; /* columns of a row that may have changed; none when equal */
};

enum terminal_state {
    TERMINAL_GROUND,
    TERMINAL_ESCAPE,
    TERMINAL_ESCAPE_INTERMEDIATE,
    TERMINAL_SEQUENCE,
    TERMINAL_SEQUENCE_IGNORED,
    TERMINAL_FUNCTION_ECHO, /* Linux: ESC [ [ and one character more are swallowed */
    TERMINAL_STRING,        /* OSC, DCS and the like: ignored up to their end */
    TERMINAL_STRING_START,  /* after ESC ]: Linux's palette commands have no end */
    TERMINAL_STRING_ESCAPE,
    TERMINAL_PALETTE,
};

struct terminal_parser {
    enum terminal_state state;
    uint16_t parameters[TERMINAL_PARAMETERS];
    uint32_t joined; /* bit n: parameter n follows a colon */
    uint8_t count;   /* of parameters begun, at least 1 in a sequence */
    uint8_t private; /* '?', '>', '=', '<' or 0 */
    uint8_t intermediate;
    uint8_t palette_digits;
    uint32_t character; /* UTF-8: what is known of it, */
    uint8_t missing;    /* how many bytes are to come, */
    uint32_t least;     /* and below what it would be overlong */
};

struct terminal {
    uint16_t columns, rows;
    uint16_t top, bottom; /* scrolling region */
    uint32_t modes;       /* enum terminal_mode */
    bool alternate, utf8;
    bool changed; /* something may differ since terminal_damage_clear, cursor and modes included */
    struct terminal_cell *cells, *screens[2];
    struct terminal_damage *damage;
    struct terminal_cursor cursor, saved[2];
    uint8_t tabs[TERMINAL_COLUMNS_MAX / 8];
    uint32_t last;  /* printed: REP repeats it */
    uint32_t bells; /* how often the bell was to ring */
    struct terminal_parser parser;
    char answers[TERMINAL_ANSWERS];
    uint8_t answer_length;
};

/* Bytes of memory that terminal_init wants; columns and rows from 2 up to the limits above. */
size_t terminal_memory(unsigned columns, unsigned rows);

/* A cleared terminal. memory: terminal_memory() bytes, aligned for uint32_t, kept. */
void terminal_init(struct terminal *terminal, unsigned columns, unsigned rows, void *memory);

/* What a program wrote. */
void terminal_write(struct terminal *terminal, const void *bytes, size_t length);

/* Takes the bytes that the terminal wants to send to the program; returns how many. */
size_t terminal_answers(struct terminal *terminal, char *bytes, size_t limit);

static inline const struct terminal_cell *terminal_row(const struct terminal *terminal, unsigned row) {
    return terminal->cells + (size_t)row * terminal->columns;
}

/* Everything is to be shown again, or was shown. */
void terminal_damage_all(struct terminal *terminal);
void terminal_damage_clear(struct terminal *terminal);

/* The colours to draw a cell with as 0xrrggbb: style, inversion and the whole screen's applied. */
struct terminal_colours {
    uint32_t foreground, background;
};
struct terminal_colours terminal_cell_colours(const struct terminal *terminal,
                                              const struct terminal_cell *cell);

/* The same in the 16 colours of a text mode: indexes of the palette, red is bit 0. */
struct terminal_colours terminal_cell_colours_16(const struct terminal *terminal,
                                                 const struct terminal_cell *cell);

/* Columns a character takes: 0 for combining and invisible ones, 2 for wide ones, else 1. */
unsigned terminal_character_width(uint32_t character);

/* Code page 437, the PC's: the Unicode character of a byte from 0x80 on, and of 0-31 as it is displayed. */
uint32_t terminal_cp437(uint8_t byte);
