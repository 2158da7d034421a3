/* sources: lib/terminal/*.c */
/* Any bytes leave a valid terminal: the cursor on the screen, a region with two rows, whole wide characters,
 * and all that differs from before inside the damage. */
#include "lib/terminal/terminal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS_MAX = 40, ROWS_MAX = 12 };

static void check(bool condition) {
    if (!condition)
        abort();
}

static void check_state(const struct terminal *terminal) {
    check(terminal->cursor.column < terminal->columns && terminal->cursor.row < terminal->rows);
    check(terminal->top + 1 < terminal->bottom && terminal->bottom <= terminal->rows);
    check(terminal->answer_length <= TERMINAL_ANSWERS);
    for (unsigned row = 0; row < terminal->rows; row++) {
        const struct terminal_cell *cells = terminal_row(terminal, row);
        check(terminal->damage[row].to <= terminal->columns &&
              terminal->damage[row].from <= terminal->damage[row].to);
        for (unsigned column = 0; column < terminal->columns; column++) {
            bool wide = cells[column].character && terminal_character_width(cells[column].character) == 2;
            bool half = column + 1 < terminal->columns && cells[column + 1].character == 0;
            check(wide == half);
            check(cells[column].character <= 0x10ffff && (column > 0 || cells[column].character));
            (void)terminal_cell_colours(terminal, &cells[column]);
            check(terminal_cell_colours_16(terminal, &cells[column]).foreground < 16);
        }
    }
}

static void check_damage(const struct terminal *terminal, const struct terminal_cell *before) {
    for (unsigned row = 0; row < terminal->rows; row++, before += terminal->columns)
        for (unsigned column = 0; column < terminal->columns; column++)
            if (memcmp(&before[column], &terminal_row(terminal, row)[column], sizeof *before) != 0)
                check(column >= terminal->damage[row].from && column < terminal->damage[row].to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct terminal_cell memory[COLUMNS_MAX * ROWS_MAX * 2 + ROWS_MAX], before[COLUMNS_MAX * ROWS_MAX];
    static struct terminal terminal;
    char answers[TERMINAL_ANSWERS];
    if (size < 2)
        return 0;
    unsigned columns = 2 + data[0] % (COLUMNS_MAX - 1), rows = 2 + data[1] % (ROWS_MAX - 1);
    check(terminal_memory(columns, rows) <= sizeof memory);
    terminal_init(&terminal, columns, rows, memory);
    for (size_t at = 2; at < size; at += 16) {
        terminal_damage_clear(&terminal);
        memcpy(before, terminal.cells, sizeof *before * columns * rows);
        terminal_write(&terminal, data + at, size - at < 16 ? size - at : 16);
        check_state(&terminal);
        check_damage(&terminal, before);
        if (data[at] & 1)
            (void)terminal_answers(&terminal, answers, data[at] % sizeof answers);
    }
    return 0;
}
