/* The grid: writing, erasing, moving cells. Both halves of a wide character go together. See internal.h. */
#include <string.h>

#include "lib/terminal/internal.h"

size_t terminal_memory(unsigned columns, unsigned rows) {
    return (size_t)columns * rows * 2 * sizeof(struct terminal_cell) + rows * sizeof(struct terminal_damage);
}

static struct terminal_cell *row_at(struct terminal *terminal, unsigned row) {
    return terminal->cells + (size_t)row * terminal->columns;
}

/* An empty cell has the pen's background, as on Linux and in xterm ("back colour erase"). */
static struct terminal_cell blank(const struct terminal *terminal) {
    struct terminal_cell cell = attributes_none();
    cell.background = terminal->cursor.pen.background;
    return cell;
}

static void cells_fill(struct terminal_cell *cells, size_t count, struct terminal_cell cell) {
    for (size_t i = 0; i < count; i++)
        cells[i] = cell;
}

void terminal_init(struct terminal *terminal, unsigned columns, unsigned rows, void *memory) {
    memset(terminal, 0, sizeof *terminal);
    terminal->columns = (uint16_t)columns;
    terminal->rows = (uint16_t)rows;
    terminal->screens[0] = memory;
    terminal->screens[1] = terminal->screens[0] + (size_t)columns * rows;
    terminal->damage = (struct terminal_damage *)(terminal->screens[1] + (size_t)columns * rows);
    memset(terminal->damage, 0, rows * sizeof *terminal->damage);
    terminal_reset(terminal);
}

void terminal_damage_all(struct terminal *terminal) {
    for (unsigned row = 0; row < terminal->rows; row++)
        terminal->damage[row] = (struct terminal_damage){0, terminal->columns};
    terminal->changed = true;
}

void terminal_damage_clear(struct terminal *terminal) {
    memset(terminal->damage, 0, terminal->rows * sizeof *terminal->damage);
    terminal->changed = false;
}

/* Before the cells [from, to) change: a wide character that is cut by an end loses its other half. */
static void halves_cut(struct terminal *terminal, unsigned row, unsigned from, unsigned to) {
    struct terminal_cell *cells = row_at(terminal, row);
    if (from > 0 && from < terminal->columns && cells[from].character == 0) {
        cells[from - 1].character = ' ';
        damage_add(terminal, row, from - 1, from);
    }
    if (to < terminal->columns && cells[to].character == 0) {
        cells[to].character = ' ';
        damage_add(terminal, row, to, to + 1);
    }
}

void screen_erase(struct terminal *terminal, unsigned row, unsigned from, unsigned to) {
    if (to > terminal->columns)
        to = terminal->columns;
    if (row >= terminal->rows || from >= to)
        return;
    halves_cut(terminal, row, from, to);
    cells_fill(row_at(terminal, row) + from, to - from, blank(terminal));
    damage_add(terminal, row, from, to);
}

void screen_erase_rows(struct terminal *terminal, unsigned from, unsigned to) {
    for (unsigned row = from; row < to && row < terminal->rows; row++)
        screen_erase(terminal, row, 0, terminal->columns);
}

void screen_scroll(struct terminal *terminal, unsigned from, unsigned to, int count) {
    unsigned rows = to - from, by = count < 0 ? (unsigned)-count : (unsigned)count;
    if (to > terminal->rows || from >= to || by == 0)
        return;
    if (by > rows)
        by = rows;
    size_t bytes = (size_t)(rows - by) * terminal->columns * sizeof(struct terminal_cell);
    if (count > 0)
        memmove(row_at(terminal, from), row_at(terminal, from + by), bytes);
    else
        memmove(row_at(terminal, from + by), row_at(terminal, from), bytes);
    unsigned freed = count > 0 ? to - by : from;
    cells_fill(row_at(terminal, freed), (size_t)by * terminal->columns, blank(terminal));
    for (unsigned row = from; row < to; row++)
        damage_add(terminal, row, 0, terminal->columns);
}

void screen_shift(struct terminal *terminal, int count) {
    unsigned column = terminal->cursor.column, row = terminal->cursor.row,
             rest = (unsigned)terminal->columns - column;
    unsigned by = count < 0 ? (unsigned)-count : (unsigned)count;
    struct terminal_cell *cells = row_at(terminal, row) + column;
    if (by > rest)
        by = rest;
    /* No wide character is torn at the cursor, behind what is deleted, or at the edge. */
    halves_cut(terminal, row, column, count > 0 ? terminal->columns - by : column + by);
    if (cells[0].character == 0)
        cells[0].character = ' ';
    size_t bytes = (rest - by) * sizeof *cells;
    if (count > 0)
        memmove(cells + by, cells, bytes);
    else
        memmove(cells, cells + by, bytes);
    cells_fill(count > 0 ? cells : cells + rest - by, by, blank(terminal));
    /* The left half of one whose right half went over the edge. */
    struct terminal_cell *last = row_at(terminal, row) + terminal->columns - 1;
    if (last->character != 0 && terminal_character_width(last->character) == 2)
        last->character = ' ';
    damage_add(terminal, row, column, terminal->columns);
}

void screen_switch(struct terminal *terminal, bool alternate) {
    if (terminal->alternate == alternate)
        return;
    terminal->alternate = alternate;
    terminal->cells = terminal->screens[alternate];
    terminal_damage_all(terminal);
}

/* Goes on to the next line when the last column was written before. */
static void wrap(struct terminal *terminal, unsigned width) {
    struct terminal_cursor *cursor = &terminal->cursor;
    bool fits = cursor->column + width <= terminal->columns;
    if (terminal->modes & TERMINAL_WRAP && (cursor->wraps || !fits)) {
        cursor->column = 0;
        cursor_line_feed(terminal);
    } else if (!fits) {
        cursor->column = (uint16_t)(terminal->columns - width);
    }
    cursor->wraps = false;
}

void screen_put(struct terminal *terminal, uint32_t character) {
    struct terminal_cursor *cursor = &terminal->cursor;
    unsigned width = terminal_character_width(character);
    if (width == 0)
        return; /* one character a cell: what would be added to the one before is left out */
    wrap(terminal, width);
    if (terminal->modes & TERMINAL_INSERT)
        screen_shift(terminal, (int)width);
    halves_cut(terminal, cursor->row, cursor->column, cursor->column + width);
    struct terminal_cell *cell = row_at(terminal, cursor->row) + cursor->column;
    cell[0] = cursor->pen;
    cell[0].character = character;
    if (width == 2) {
        cell[1] = cursor->pen;
        cell[1].character = 0;
    }
    damage_add(terminal, cursor->row, cursor->column, cursor->column + width);
    terminal->last = character;
    cursor->wraps = cursor->column + width >= terminal->columns;
    cursor->column = (uint16_t)(cursor->wraps ? terminal->columns - 1U : cursor->column + width);
}
