/* Control characters, and the escape sequences without parameters. See internal.h. */
#include <string.h>

#include "lib/terminal/internal.h"

enum {
    BELL = 7,
    BACKSPACE = 8,
    TAB = 9,
    LINE_FEED = 10,
    VERTICAL_TAB = 11,
    FORM_FEED = 12,
    CARRIAGE_RETURN = 13,
    SHIFT_OUT = 14,
    SHIFT_IN = 15
};

void control_take(struct terminal *terminal, uint8_t byte) {
    switch (byte) {
    case BELL:
        terminal->bells++;
        return;
    case BACKSPACE:
        cursor_to(terminal, terminal->cursor.column - 1, terminal->cursor.row);
        return;
    case TAB:
        cursor_tab(terminal, 1);
        return;
    case LINE_FEED:
    case VERTICAL_TAB:
    case FORM_FEED:
        cursor_line_feed(terminal);
        if (terminal->modes & TERMINAL_NEW_LINE)
            cursor_carriage_return(terminal);
        return;
    case CARRIAGE_RETURN:
        cursor_carriage_return(terminal);
        return;
    case SHIFT_OUT:
    case SHIFT_IN:
        terminal->cursor.shift = byte == SHIFT_OUT;
        return;
    default:
        return;
    }
}

void terminal_reset(struct terminal *terminal) {
    terminal->modes = TERMINAL_CURSOR | TERMINAL_WRAP;
    terminal->top = 0;
    terminal->bottom = terminal->rows;
    terminal->utf8 = true;
    terminal->cursor =
        (struct terminal_cursor){.charsets = {TERMINAL_ASCII, TERMINAL_DRAWING}, .pen = attributes_none()};
    tabs_reset(terminal);
    for (int screen = 1; screen >= 0; screen--) {
        terminal->alternate = screen;
        terminal->cells = terminal->screens[screen];
        terminal->saved[screen] = terminal->cursor;
        screen_erase_rows(terminal, 0, terminal->rows);
    }
    terminal_damage_all(terminal);
}

static void charset_choose(struct terminal *terminal, unsigned which, uint8_t final) {
    uint8_t charset = final == '0'   ? TERMINAL_DRAWING
                      : final == 'A' ? TERMINAL_BRITISH
                      : final == 'U' ? TERMINAL_CP437
                                     : TERMINAL_ASCII;
    terminal->cursor.charsets[which] = charset;
}

/* DECALN: the screen full of E. */
static void alignment_show(struct terminal *terminal) {
    terminal->top = 0;
    terminal->bottom = terminal->rows;
    cursor_to(terminal, 0, 0);
    for (size_t i = 0; i < (size_t)terminal->rows * terminal->columns; i++) {
        terminal->cells[i] = attributes_none();
        terminal->cells[i].character = 'E';
    }
    terminal_damage_all(terminal);
}

static void answer_identity(struct terminal *terminal) {
    terminal->parser.count = 1;
    terminal->parser.parameters[0] = 0;
    terminal->parser.private = 0;
    sequence_take(terminal, 'c');
}

static void escape_plain(struct terminal *terminal, uint8_t final) {
    switch (final) {
    case '7':
        cursor_save(terminal);
        return;
    case '8':
        cursor_restore(terminal);
        return;
    case 'D':
        cursor_line_feed(terminal);
        return;
    case 'E':
        cursor_line_feed(terminal);
        cursor_carriage_return(terminal);
        return;
    case 'M':
        cursor_reverse_feed(terminal);
        return;
    case 'H':
        tab_set(terminal, terminal->cursor.column, true);
        return;
    case 'Z':
        answer_identity(terminal);
        return;
    case 'c':
        terminal_reset(terminal);
        return;
    case '=':
    case '>':
        mode_set(terminal, TERMINAL_KEYPAD, final == '=');
        return;
    default:
        return;
    }
}

void escape_take(struct terminal *terminal, uint8_t intermediate, uint8_t final) {
    if (intermediate == 0)
        escape_plain(terminal, final);
    else if (intermediate == '(' || intermediate == ')')
        charset_choose(terminal, intermediate == ')', final);
    else if (intermediate == '#' && final == '8')
        alignment_show(terminal);
    else if (intermediate == '%')
        terminal->utf8 = final != '@';
}
