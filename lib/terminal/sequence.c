/* Control sequences: ESC [ parameters final. See internal.h. */
#include <stdio.h>
#include <string.h>

#include "lib/terminal/internal.h"

/* A parameter as a count: absent or 0 is 1. */
static int count_of(const struct terminal *terminal, unsigned index) {
    const struct terminal_parser *parser = &terminal->parser;
    return index < parser->count && parser->parameters[index] ? parser->parameters[index] : 1;
}

static unsigned number_of(const struct terminal *terminal, unsigned index) {
    return index < terminal->parser.count ? terminal->parser.parameters[index] : 0;
}

/* ---- answers ---- */

static void answer(struct terminal *terminal, const char *text) {
    size_t length = strlen(text);
    if (length > (size_t)(TERMINAL_ANSWERS - terminal->answer_length))
        return; /* nobody reads them */
    memcpy(terminal->answers + terminal->answer_length, text, length);
    terminal->answer_length = (uint8_t)(terminal->answer_length + length);
}

size_t terminal_answers(struct terminal *terminal, char *bytes, size_t limit) {
    size_t length = terminal->answer_length < limit ? terminal->answer_length : limit;
    memcpy(bytes, terminal->answers, length);
    memmove(terminal->answers, terminal->answers + length, terminal->answer_length - length);
    terminal->answer_length = (uint8_t)(terminal->answer_length - length);
    return length;
}

static void report_status(struct terminal *terminal) {
    char text[32];
    unsigned row = terminal->cursor.row + 1U, column = terminal->cursor.column + 1U;
    if (terminal->modes & TERMINAL_ORIGIN)
        row -= terminal->top;
    if (number_of(terminal, 0) == 5)
        answer(terminal, "\033[0n");
    if (number_of(terminal, 0) != 6)
        return;
    snprintf(text, sizeof text, "\033[%s%u;%uR", terminal->parser.private == '?' ? "?" : "", row, column);
    answer(terminal, text);
}

/* Linux's console says that it is a VT102, and xterm's secondary answer is what programs look for. */
static void report_identity(struct terminal *terminal) {
    if (terminal->parser.private == 0 && number_of(terminal, 0) == 0)
        answer(terminal, "\033[?6c");
    else if (terminal->parser.private == '>' && number_of(terminal, 0) == 0)
        answer(terminal, "\033[>0;95;0c");
}

/* xterm's window operations: only the question for the size in characters is answered. */
static void report_size(struct terminal *terminal) {
    char text[32];
    if (number_of(terminal, 0) != 18)
        return;
    snprintf(text, sizeof text, "\033[8;%u;%ut", terminal->rows, terminal->columns);
    answer(terminal, text);
}

/* ---- modes ---- */

/* 47, 1047 and 1049: the alternate screen; the last one saves the cursor and clears, too. */
static void alternate_use(struct terminal *terminal, unsigned which, bool on) {
    struct terminal_cursor cursor;
    if (terminal->alternate == on)
        return;
    if (which == 1049 && on)
        cursor_save(terminal);
    if (which == 1047 && !on)
        screen_erase_rows(terminal, 0, terminal->rows);
    cursor = terminal->cursor;
    screen_switch(terminal, on);
    terminal->cursor = cursor;
    if (which == 1049 && on)
        screen_erase_rows(terminal, 0, terminal->rows);
    if (which == 1049 && !on)
        cursor_restore(terminal);
}

static void private_mode(struct terminal *terminal, unsigned mode, bool on) {
    switch (mode) {
    case 1:
        mode_set(terminal, TERMINAL_CURSOR_KEYS, on);
        return;
    case 5:
        if (on != !!(terminal->modes & TERMINAL_REVERSE))
            terminal_damage_all(terminal);
        mode_set(terminal, TERMINAL_REVERSE, on);
        return;
    case 6:
        mode_set(terminal, TERMINAL_ORIGIN, on);
        cursor_to_absolute(terminal, 0, 0);
        return;
    case 7:
        mode_set(terminal, TERMINAL_WRAP, on);
        return;
    case 25:
        mode_set(terminal, TERMINAL_CURSOR, on);
        return;
    case 47:
    case 1047:
    case 1049:
        alternate_use(terminal, mode, on);
        return;
    case 66:
        mode_set(terminal, TERMINAL_KEYPAD, on);
        return;
    case 1048:
        if (on)
            cursor_save(terminal);
        else
            cursor_restore(terminal);
        return;
    case 2004:
        mode_set(terminal, TERMINAL_PASTE, on);
        return;
    default:
        return;
    }
}

static void modes_take(struct terminal *terminal, bool on) {
    for (unsigned i = 0; i < terminal->parser.count; i++) {
        unsigned mode = number_of(terminal, i);
        if (terminal->parser.private == '?')
            private_mode(terminal, mode, on);
        else if (terminal->parser.private == 0 && mode == 4)
            mode_set(terminal, TERMINAL_INSERT, on);
        else if (terminal->parser.private == 0 && mode == 20)
            mode_set(terminal, TERMINAL_NEW_LINE, on);
    }
}

/* DECSTR: modes and attributes, not what is on the screen. */
static void soft_reset(struct terminal *terminal) {
    terminal->modes = TERMINAL_CURSOR | TERMINAL_WRAP | (terminal->modes & TERMINAL_REVERSE);
    terminal->top = 0;
    terminal->bottom = terminal->rows;
    terminal->cursor.pen = attributes_none();
    terminal->cursor.charsets[0] = TERMINAL_ASCII;
    terminal->cursor.charsets[1] = TERMINAL_DRAWING;
    terminal->cursor.shift = 0;
    terminal->saved[terminal->alternate] =
        (struct terminal_cursor){.charsets = {TERMINAL_ASCII, TERMINAL_DRAWING}, .pen = attributes_none()};
}

/* ---- erasing, inserting, scrolling ---- */

static void erase_display(struct terminal *terminal) {
    const struct terminal_cursor *cursor = &terminal->cursor;
    switch (number_of(terminal, 0)) {
    case 0:
        screen_erase(terminal, cursor->row, cursor->column, terminal->columns);
        screen_erase_rows(terminal, cursor->row + 1U, terminal->rows);
        return;
    case 1:
        screen_erase_rows(terminal, 0, cursor->row);
        screen_erase(terminal, cursor->row, 0, cursor->column + 1U);
        return;
    case 2:
    case 3:
        screen_erase_rows(terminal, 0, terminal->rows);
        return;
    default:
        return;
    }
}

static void erase_line(struct terminal *terminal) {
    const struct terminal_cursor *cursor = &terminal->cursor;
    unsigned what = number_of(terminal, 0);
    if (what <= 2)
        screen_erase(terminal, cursor->row, what == 0 ? cursor->column : 0,
                     what == 1 ? cursor->column + 1U : terminal->columns);
}

/* Lines are inserted and deleted at the cursor, in the region only. */
static void lines_move(struct terminal *terminal, int count) {
    unsigned row = terminal->cursor.row;
    if (row < terminal->top || row >= terminal->bottom)
        return;
    screen_scroll(terminal, row, terminal->bottom, count);
    cursor_carriage_return(terminal);
}

static void region_set(struct terminal *terminal) {
    unsigned top = (unsigned)count_of(terminal, 0) - 1, bottom = number_of(terminal, 1);
    if (bottom == 0 || bottom > terminal->rows)
        bottom = terminal->rows;
    if (top + 1 >= bottom)
        return;
    terminal->top = (uint16_t)top;
    terminal->bottom = (uint16_t)bottom;
    cursor_to_absolute(terminal, 0, 0);
}

static void repeat(struct terminal *terminal) {
    int most = terminal->columns * terminal->rows;
    for (int i = count_of(terminal, 0) < most ? count_of(terminal, 0) : most; i > 0 && terminal->last; i--)
        screen_put(terminal, terminal->last);
}

static void tabs_clear(struct terminal *terminal) {
    if (number_of(terminal, 0) == 0)
        tab_set(terminal, terminal->cursor.column, false);
    else if (number_of(terminal, 0) == 3)
        memset(terminal->tabs, 0, sizeof terminal->tabs);
}

/* ---- dispatch ---- */

static void cursor_sequence(struct terminal *terminal, uint8_t final) {
    int column = terminal->cursor.column, row = terminal->cursor.row, count = count_of(terminal, 0);
    switch (final) {
    case 'E':
    case 'F':
        cursor_carriage_return(terminal);
        /* fall through */
    case 'A':
    case 'B':
    case 'e':
        if (final == 'A' || final == 'F')
            cursor_up(terminal, count);
        else
            cursor_down(terminal, count);
        return;
    case 'C':
    case 'a':
        cursor_to(terminal, column + count, row);
        return;
    case 'D':
        cursor_to(terminal, column - count, row);
        return;
    case 'G':
    case '`':
        cursor_to(terminal, count - 1, row);
        return;
    case 'd':
        cursor_to_absolute(terminal, column, count - 1);
        return;
    default:
        cursor_to_absolute(terminal, count_of(terminal, 1) - 1, count - 1);
        return;
    }
}

/* Moves or clears what the screen shows. False: it is not about that. */
static bool edit_sequence(struct terminal *terminal, uint8_t final) {
    int count = count_of(terminal, 0);
    switch (final) {
    case '@':
        screen_shift(terminal, count);
        return true;
    case 'P':
        screen_shift(terminal, -count);
        return true;
    case 'X':
        screen_erase(terminal, terminal->cursor.row, terminal->cursor.column,
                     (unsigned)(terminal->cursor.column + count));
        return true;
    case 'J':
        erase_display(terminal);
        return true;
    case 'K':
        erase_line(terminal);
        return true;
    case 'L':
        lines_move(terminal, -count);
        return true;
    case 'M':
        lines_move(terminal, count);
        return true;
    case 'S':
        screen_scroll(terminal, terminal->top, terminal->bottom, count);
        return true;
    case 'T':
        screen_scroll(terminal, terminal->top, terminal->bottom, -count);
        return true;
    default:
        return false;
    }
}

static void plain_sequence(struct terminal *terminal, uint8_t final) {
    int count = count_of(terminal, 0);
    switch (final) {
    case 'I':
        cursor_tab(terminal, count);
        return;
    case 'Z':
        cursor_tab(terminal, -count);
        return;
    case 'b':
        repeat(terminal);
        return;
    case 'g':
        tabs_clear(terminal);
        return;
    case 'm':
        attributes_take(terminal);
        return;
    case 'r':
        region_set(terminal);
        return;
    case 's':
        cursor_save(terminal);
        return;
    case 't':
        report_size(terminal);
        return;
    case 'u':
        cursor_restore(terminal);
        return;
    default:
        if (!edit_sequence(terminal, final) && strchr("ABCDEFGHade`f", final))
            cursor_sequence(terminal, final);
        return;
    }
}

void sequence_take(struct terminal *terminal, uint8_t final) {
    const struct terminal_parser *parser = &terminal->parser;
    if (parser->intermediate) {
        if (parser->intermediate == '!' && final == 'p')
            soft_reset(terminal);
    } else if (final == 'h' || final == 'l') {
        modes_take(terminal, final == 'h');
    } else if (final == 'n') {
        report_status(terminal);
    } else if (final == 'c') {
        report_identity(terminal);
    } else if (parser->private == 0) {
        plain_sequence(terminal, final);
    } else if (parser->private == '?' && final == 'J') { /* selective: nothing is protected */
        erase_display(terminal);
    } else if (parser->private == '?' && final == 'K') {
        erase_line(terminal);
    }
}
