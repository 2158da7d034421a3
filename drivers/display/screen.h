/*
 * What the terminal's cells are shown on: pixels or VGA text. It remembers what each cell shows, so that only
 * what differs is drawn: writing to a display is slow, reading from it slower.
 */
#pragma once

#include "drivers/display/font.h"
#include "drivers/display/pixels.h"
#include "drivers/display/vga.h"
#include "lib/terminal/terminal.h"

struct screen_cell {
    uint32_t character;
    struct terminal_colours colours; /* as drawn */
    uint32_t line;                   /* underlined */
};

enum screen_kind { SCREEN_PIXELS, SCREEN_VGA };

struct screen {
    enum screen_kind kind;
    struct pixels pixels;
    struct font font;
    struct vga vga;
    unsigned columns, rows; /* characters */
    struct screen_cell *shown;
    unsigned cursor_column, cursor_row; /* where it was drawn */
};

/* With pixels and font, or the VGA, opened: sets the size, clears the display. False: no memory, or not a
 * character fits. */
bool screen_open(struct screen *screen, enum screen_kind kind);

/* Draws what the terminal's damage and cursor ask for, and clears the damage. */
void screen_show(struct screen *screen, struct terminal *terminal);
