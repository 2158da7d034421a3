/* See screen.h. */
#include "drivers/display/screen.h"

#include <stdlib.h>
#include <string.h>

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

static void size_set(struct screen *screen) {
    bool text = screen->kind == SCREEN_VGA;
    unsigned columns = text ? screen->vga.columns : screen->pixels.width / screen->font.width;
    unsigned rows = text ? screen->vga.rows : screen->pixels.height / screen->font.height;
    screen->columns = least(columns, TERMINAL_COLUMNS_MAX);
    screen->rows = least(rows, TERMINAL_ROWS_MAX);
}

static void cell_draw(const struct screen *screen, unsigned column, unsigned row,
                      const struct screen_cell *cell) {
    if (screen->kind == SCREEN_VGA) {
        vga_draw(&screen->vga, column, row, cell->character, cell->colours.foreground,
                 cell->colours.background);
        return;
    }
    const uint8_t *glyph = font_glyph(&screen->font, cell->character ? cell->character : ' ');
    pixels_draw(&screen->pixels, &screen->font, column, row, glyph,
                pixels_colour(&screen->pixels, cell->colours.foreground),
                pixels_colour(&screen->pixels, cell->colours.background), cell->line);
}

bool screen_open(struct screen *screen, enum screen_kind kind) {
    static const struct screen_cell empty = {.character = ' ', .colours = {0, 0}};
    screen->kind = kind;
    size_set(screen);
    size_t count = (size_t)screen->columns * screen->rows;
    if (screen->columns < 2 || screen->rows < 2 || !(screen->shown = malloc(count * sizeof *screen->shown)))
        return false;
    if (kind == SCREEN_PIXELS)
        pixels_fill(&screen->pixels, pixels_colour(&screen->pixels, 0));
    for (unsigned i = 0; i < count; i++) {
        screen->shown[i] = empty;
        if (kind == SCREEN_VGA)
            cell_draw(screen, i % screen->columns, i / screen->columns, &empty);
    }
    return true;
}

static struct screen_cell cell_wanted(const struct screen *screen, const struct terminal *terminal,
                                      unsigned column, unsigned row) {
    const struct terminal_cell *cell = &terminal_row(terminal, row)[column];
    bool text = screen->kind == SCREEN_VGA;
    struct screen_cell wanted = {
        .character = cell->character,
        .colours = text ? terminal_cell_colours_16(terminal, cell) : terminal_cell_colours(terminal, cell),
        .line = cell->style & TERMINAL_UNDERLINE,
    };
    bool cursor =
        terminal->modes & TERMINAL_CURSOR && column == terminal->cursor.column && row == terminal->cursor.row;
    if (cursor && !text) /* a block; the VGA has its own */
        wanted.colours = (struct terminal_colours){wanted.colours.background, wanted.colours.foreground};
    return wanted;
}

static void cell_show(struct screen *screen, const struct terminal *terminal, unsigned column, unsigned row) {
    struct screen_cell wanted = cell_wanted(screen, terminal, column, row);
    struct screen_cell *shown = &screen->shown[(size_t)row * screen->columns + column];
    if (memcmp(shown, &wanted, sizeof wanted) == 0)
        return;
    *shown = wanted;
    cell_draw(screen, column, row, shown);
}

void screen_show(struct screen *screen, struct terminal *terminal) {
    for (unsigned row = 0; row < terminal->rows; row++)
        for (unsigned column = terminal->damage[row].from; column < terminal->damage[row].to; column++)
            cell_show(screen, terminal, column, row);
    cell_show(screen, terminal, screen->cursor_column, screen->cursor_row);
    screen->cursor_column = terminal->cursor.column;
    screen->cursor_row = terminal->cursor.row;
    cell_show(screen, terminal, screen->cursor_column, screen->cursor_row);
    if (screen->kind == SCREEN_VGA)
        vga_cursor(&screen->vga, screen->cursor_column, screen->cursor_row,
                   terminal->modes & TERMINAL_CURSOR);
    terminal_damage_clear(terminal);
}
