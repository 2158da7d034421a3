/* Where the next character goes, and the tab stops. See internal.h. */
#include <string.h>

#include "lib/terminal/internal.h"

enum { TAB_WIDTH = 8 };

static uint16_t clamp(int value, int least, int most) {
    return (uint16_t)(value < least ? least : value > most ? most : value);
}

void cursor_to(struct terminal *terminal, int column, int row) {
    terminal->cursor.column = clamp(column, 0, terminal->columns - 1);
    terminal->cursor.row = clamp(row, 0, terminal->rows - 1);
    terminal->cursor.wraps = false;
}

void cursor_to_absolute(struct terminal *terminal, int column, int row) {
    if (terminal->modes & TERMINAL_ORIGIN)
        row = clamp(row + terminal->top, terminal->top, terminal->bottom - 1);
    cursor_to(terminal, column, row);
}

void cursor_up(struct terminal *terminal, int count) {
    int row = terminal->cursor.row, least = row >= terminal->top ? terminal->top : 0;
    cursor_to(terminal, terminal->cursor.column, clamp(row - count, least, row));
}

void cursor_down(struct terminal *terminal, int count) {
    int row = terminal->cursor.row, end = row < terminal->bottom ? terminal->bottom : terminal->rows;
    cursor_to(terminal, terminal->cursor.column, clamp(row + count, row, end - 1));
}

void cursor_line_feed(struct terminal *terminal) {
    if (terminal->cursor.row + 1 == terminal->bottom)
        screen_scroll(terminal, terminal->top, terminal->bottom, 1);
    else if (terminal->cursor.row + 1 < terminal->rows)
        terminal->cursor.row++;
    terminal->cursor.wraps = false;
}

void cursor_reverse_feed(struct terminal *terminal) {
    if (terminal->cursor.row == terminal->top)
        screen_scroll(terminal, terminal->top, terminal->bottom, -1);
    else if (terminal->cursor.row > 0)
        terminal->cursor.row--;
    terminal->cursor.wraps = false;
}

void cursor_carriage_return(struct terminal *terminal) {
    terminal->cursor.column = 0;
    terminal->cursor.wraps = false;
}

void cursor_save(struct terminal *terminal) {
    terminal->cursor.origin = terminal->modes & TERMINAL_ORIGIN;
    terminal->saved[terminal->alternate] = terminal->cursor;
}

void cursor_restore(struct terminal *terminal) {
    terminal->cursor = terminal->saved[terminal->alternate];
    mode_set(terminal, TERMINAL_ORIGIN, terminal->cursor.origin);
}

void tab_set(struct terminal *terminal, unsigned column, bool set) {
    uint8_t bit = (uint8_t)(1U << column % 8);
    if (set)
        terminal->tabs[column / 8] |= bit;
    else
        terminal->tabs[column / 8] &= (uint8_t)~bit;
}

void tabs_reset(struct terminal *terminal) {
    memset(terminal->tabs, 0, sizeof terminal->tabs);
    for (unsigned column = 0; column < terminal->columns; column += TAB_WIDTH)
        tab_set(terminal, column, true);
}

static bool is_tab(const struct terminal *terminal, int column) {
    return terminal->tabs[column / 8] >> column % 8 & 1;
}

void cursor_tab(struct terminal *terminal, int count) {
    int column = terminal->cursor.column;
    for (; count > 0 && column < terminal->columns - 1; count--)
        do
            column++;
        while (column < terminal->columns - 1 && !is_tab(terminal, column));
    for (; count < 0 && column > 0; count++)
        do
            column--;
        while (column > 0 && !is_tab(terminal, column));
    cursor_to(terminal, column, terminal->cursor.row);
}
