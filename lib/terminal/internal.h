/* What the files of the terminal share. */
#pragma once

#include "lib/terminal/terminal.h"

/* screen.c: nothing here looks at the parser. Rows and columns are clamped to the screen. */
void screen_put(struct terminal *terminal, uint32_t character);
void screen_erase(struct terminal *terminal, unsigned row, unsigned from, unsigned to);
void screen_erase_rows(struct terminal *terminal, unsigned from, unsigned to);
/* Moves rows [from, to) up (count > 0) or down; what comes free is erased. */
void screen_scroll(struct terminal *terminal, unsigned from, unsigned to, int count);
/* Shifts the rest of the cursor's row: right for count > 0, left for less. */
void screen_shift(struct terminal *terminal, int count);
void screen_switch(struct terminal *terminal, bool alternate);

/* cursor.c */
void cursor_to(struct terminal *terminal, int column, int row);
/* row as programs count it: from the region's top in origin mode. */
void cursor_to_absolute(struct terminal *terminal, int column, int row);
/* By rows within the region when the cursor is inside it. */
void cursor_up(struct terminal *terminal, int count);
void cursor_down(struct terminal *terminal, int count);
void cursor_tab(struct terminal *terminal, int count); /* backwards when negative */
void cursor_line_feed(struct terminal *terminal);
void cursor_reverse_feed(struct terminal *terminal);
void cursor_save(struct terminal *terminal);
void cursor_restore(struct terminal *terminal);
void cursor_carriage_return(struct terminal *terminal);
void tabs_reset(struct terminal *terminal);
void tab_set(struct terminal *terminal, unsigned column, bool set);

/* control.c: C0 characters, and sequences ESC intermediate final. */
void control_take(struct terminal *terminal, uint8_t byte);
void escape_take(struct terminal *terminal, uint8_t intermediate, uint8_t final);
void terminal_reset(struct terminal *terminal); /* RIS */

/* sequence.c: CSI … final, with the parameters in the parser. */
void sequence_take(struct terminal *terminal, uint8_t final);

/* attributes.c: SGR. */
void attributes_take(struct terminal *terminal);
struct terminal_cell attributes_none(void);

/* charset.c */
uint32_t charset_map(enum terminal_charset charset, uint32_t character);

static inline void damage_add(struct terminal *terminal, unsigned row, unsigned from, unsigned to) {
    struct terminal_damage *damage = &terminal->damage[row];
    if (damage->from == damage->to) {
        damage->from = (uint16_t)from;
        damage->to = (uint16_t)to;
    }
    if (from < damage->from)
        damage->from = (uint16_t)from;
    if (to > damage->to)
        damage->to = (uint16_t)to;
}

static inline void mode_set(struct terminal *terminal, uint32_t modes, bool on) {
    terminal->modes = on ? terminal->modes | modes : terminal->modes & ~modes;
}
