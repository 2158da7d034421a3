/* sources: lib/terminal/*.c */
/* The terminal emulator, by what Linux's console and xterm do with the same bytes. */
#include "lib/terminal/terminal.h"

#include <string.h>

#include "tests/unit/check.h"

enum { COLUMNS = 20, ROWS = 5 };

static struct terminal terminal;

static void open_sized(unsigned columns, unsigned rows) {
    static struct terminal_cell memory[COLUMNS * ROWS * 2 + ROWS];
    CHECK(terminal_memory(columns, rows) <= sizeof memory);
    terminal_init(&terminal, columns, rows, memory);
    terminal_damage_clear(&terminal);
}

static void put(const char *text) {
    terminal_write(&terminal, text, strlen(text));
}

static void start(const char *text) {
    open_sized(COLUMNS, ROWS);
    put(text);
}

static size_t utf8_put(char *to, uint32_t character) {
    if (character < 0x80)
        return to[0] = (char)character, 1;
    if (character < 0x800)
        return to[0] = (char)(0xc0 | character >> 6), to[1] = (char)(0x80 | (character & 63)), 2;
    to[0] = (char)(0xe0 | character >> 12);
    to[1] = (char)(0x80 | (character >> 6 & 63));
    to[2] = (char)(0x80 | (character & 63));
    return 3;
}

/* A row without the blanks at its end. */
static const char *row_text(unsigned row) {
    static char text[COLUMNS * 3 + 1];
    size_t length = 0;
    for (unsigned column = 0; column < terminal.columns; column++)
        if (terminal_row(&terminal, row)[column].character)
            length += utf8_put(text + length, terminal_row(&terminal, row)[column].character);
    while (length && text[length - 1] == ' ')
        length--;
    text[length] = 0;
    return text;
}

static void row_is(unsigned row, const char *text) {
    if (strcmp(row_text(row), text) != 0) {
        fprintf(stderr, "row %u is \"%s\", not \"%s\"\n", row, row_text(row), text);
        exit(1);
    }
}

static void cursor_is(unsigned column, unsigned row) {
    CHECK_EQ(terminal.cursor.column, column);
    CHECK_EQ(terminal.cursor.row, row);
}

static void answers(const char *question, const char *answer) {
    char text[TERMINAL_ANSWERS + 1];
    put(question);
    text[terminal_answers(&terminal, text, TERMINAL_ANSWERS)] = 0;
    if (strcmp(text, answer) != 0) {
        fprintf(stderr, "answer \"%s\", not \"%s\"\n", text + 1, answer + 1);
        exit(1);
    }
}

static const struct terminal_cell *cell(unsigned column, unsigned row) {
    return &terminal_row(&terminal, row)[column];
}

TEST(text_and_controls) {
    start("one\r\ntwo\b\bX\tY\nZ\r.");
    row_is(0, "one");
    row_is(1, "tXo     Y");
    row_is(2, ".        Z");
    cursor_is(1, 2);
}

TEST(scrolling) {
    start("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7");
    row_is(0, "3");
    row_is(4, "7");
}

TEST(last_column_waits) {
    start("12345678901234567890");
    cursor_is(19, 0);
    put("\r\nx\033[H12345678901234567890ab");
    row_is(1, "ab");
    cursor_is(2, 1);
    put("\033[?7l\033[3;19Habcdef");
    row_is(2, "                  af");
}

TEST(utf_8) {
    start("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xe4\xbd\xa0.");
    row_is(0, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xe4\xbd\xa0.");
    CHECK_EQ(cell(7, 0)->character, 0x4f60);
    CHECK_EQ(cell(8, 0)->character, 0);
    cursor_is(10, 0);
    put("\033[1;9HX"); /* on the right half */
    CHECK_EQ(cell(7, 0)->character, ' ');
    CHECK_EQ(cell(8, 0)->character, 'X');
}

TEST(utf_8_damaged) {
    start("a\xff\xc0\x80"
          "b\xe2\x82\033[3GX");
    CHECK_EQ(cell(1, 0)->character, 0xfffd);
    CHECK_EQ(cell(2, 0)->character, 'X');
    CHECK_EQ(cell(4, 0)->character, 'b');
    CHECK_EQ(cell(5, 0)->character, 0xfffd);
    start("\xed\xa0\x80|\xf5|\xe0\x80\x80|e\xcc\x81.");
    CHECK_EQ(cell(0, 0)->character, 0xfffd); /* a surrogate */
    CHECK_EQ(cell(3, 0)->character, '|');
    row_is(0, "\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd|e.");
    start("\xe4\xbd"); /* in two pieces */
    put("\xa0");
    CHECK_EQ(cell(0, 0)->character, 0x4f60);
}

TEST(cursor_movement) {
    start("\033[3;5H");
    cursor_is(4, 2);
    put("\033[A\033[2C");
    cursor_is(6, 1);
    put("\033[99B\033[99D");
    cursor_is(0, 4);
    put("\033[2d\033[7G");
    cursor_is(6, 1);
    put("\033[99;99f");
    cursor_is(19, 4);
    put("\033[2F");
    cursor_is(0, 2);
    put("\033[E\033[3a\033[e");
    cursor_is(3, 4);
    put("\033[H\033M"); /* at the top: scrolls down */
    cursor_is(0, 0);
    put("\0337\033[4;4H\0338");
    cursor_is(0, 0);
}

TEST(erasing) {
    start("aaaaa\r\nbbbbb\r\nccccc\033[2;3H\033[K");
    row_is(1, "bb");
    put("\033[1;3H\033[1K");
    row_is(0, "   aa");
    put("\033[2;1H\033[J");
    row_is(0, "   aa");
    row_is(2, "");
    put("\033[5;1Hxyz\033[1;4H\033[X");
    row_is(0, "    a");
    put("\033[44m\033[2J");
    row_is(4, "");
    CHECK_EQ(cell(7, 3)->background, 4);
}

TEST(inserting_and_deleting) {
    start("abcdef\033[3G\033[2@");
    row_is(0, "ab  cdef");
    put("\033[P\033[P");
    row_is(0, "abcdef");
    put("\033[4hXY\033[4l");
    row_is(0, "abXYcdef");
    put("\033[H1\r\n2\r\n3\033[2;1H\033[L");
    row_is(1, "");
    row_is(2, "2");
    put("\033[2M");
    row_is(1, "3");
    put("\033[5;1Hab\033[3b");
    row_is(4, "abbbb");
}

TEST(scrolling_region) {
    start("1\r\n2\r\n3\r\n4\r\n5\033[2;4r");
    cursor_is(0, 0);
    put("\033[4;1H\n");
    row_is(0, "1");
    row_is(1, "3");
    row_is(3, "");
    row_is(4, "5");
    put("\033[2;1H\033M");
    row_is(1, "");
    row_is(2, "3");
    put("\033[?6h\033[1;1HX\033[99;1HY\033[?6l");
    row_is(1, "X");
    row_is(3, "Y");
    put("\033[5;1H\n"); /* below the region nothing moves */
    row_is(4, "5");
    put("\033[4;2r\033[S"); /* no region: refused */
    row_is(0, "1");
    put("\033[r\033[S");
    row_is(0, "3");
    put("\033[2T");
    row_is(2, "3");
}

TEST(tab_stops) {
    start("\033[3g\033[5G\033H\033[10G\033H\r\tx\ty\tz");
    row_is(0, "    x    y         z");
    put("\033[Z\033[Z");
    cursor_is(4, 0);
    put("\033[g\r\033[I");
    cursor_is(9, 0);
}

TEST(colours_and_styles) {
    start("\033[1;31;44ma\033[38;5;200mb\033[48;2;1;2;3mc\033[22;39;49md\033[0;7me\033[27;4;91mf\033[mg");
    CHECK_EQ(terminal_cell_colours(&terminal, cell(0, 0)).foreground, 0xff5555);
    CHECK_EQ(terminal_cell_colours(&terminal, cell(0, 0)).background, 0x0000aa);
    CHECK_EQ(terminal_cell_colours(&terminal, cell(1, 0)).foreground, 0xff00d7);
    CHECK_EQ(cell(2, 0)->background, TERMINAL_RGB | 0x010203);
    CHECK_EQ(cell(3, 0)->style, 0);
    CHECK_EQ(cell(3, 0)->background, TERMINAL_DEFAULT);
    CHECK_EQ(terminal_cell_colours(&terminal, cell(4, 0)).foreground, 0x000000);
    CHECK_EQ(terminal_cell_colours(&terminal, cell(4, 0)).background, 0xaaaaaa);
    CHECK_EQ(cell(5, 0)->style, TERMINAL_UNDERLINE);
    CHECK_EQ(cell(5, 0)->foreground, 9);
    CHECK_EQ(cell(6, 0)->style, 0);
    put("\r\n\033[38:2::9:8:7ma\033[38:5:3;4:0mb\033[4:3;38;5mc");
    CHECK_EQ(cell(0, 1)->foreground, TERMINAL_RGB | 0x090807);
    CHECK_EQ(cell(1, 1)->foreground, 3);
    CHECK_EQ(cell(1, 1)->style, 0);
    CHECK_EQ(cell(2, 1)->style, TERMINAL_UNDERLINE);
    CHECK_EQ(terminal_cell_colours_16(&terminal, cell(1, 0)).foreground, 13);
    put("\033[?5h");
    CHECK_EQ(terminal_cell_colours(&terminal, cell(19, 4)).background, 0xaaaaaa);
}

TEST(grey_and_cube) {
    start("\033[38;5;232mx\033[38;5;255my\033[38;5;21mz\033[38;5;300mw");
    CHECK_EQ(terminal_cell_colours(&terminal, cell(0, 0)).foreground, 0x080808);
    CHECK_EQ(terminal_cell_colours(&terminal, cell(1, 0)).foreground, 0xeeeeee);
    CHECK_EQ(terminal_cell_colours(&terminal, cell(2, 0)).foreground, 0x0000ff);
    CHECK_EQ(cell(3, 0)->foreground, 21);
}

TEST(line_drawing) {
    start("\033(0lqk\033(Blqk\016x\017x\033(UA");
    row_is(0, "\xe2\x94\x8c\xe2\x94\x80\xe2\x94\x90lqk\xe2\x94\x82xA");
}

TEST(alternate_screen) {
    start("shell\033[?1049h");
    row_is(0, "");
    cursor_is(5, 0);
    put("\033[Hvi\033[?1049l$");
    row_is(0, "shell$");
    CHECK(!terminal.alternate);
    put("\033[?47h");
    row_is(0, "vi");
    put("\033[?47l");
    row_is(0, "shell$");
}

TEST(reports) {
    start("\033[3;7H");
    answers("\033[6n", "\033[3;7R");
    answers("\033[5n", "\033[0n");
    answers("\033[c", "\033[?6c");
    answers("\033Z", "\033[?6c");
    answers("\033[>c", "\033[>0;95;0c");
    answers("\033[18t", "\033[8;5;20t");
    for (int i = 0; i < 100; i++)
        put("\033[c"); /* nobody reads: what does not fit whole is dropped */
    char text[TERMINAL_ANSWERS];
    CHECK_EQ(terminal_answers(&terminal, text, 3), 3);
    CHECK_EQ(terminal_answers(&terminal, text, sizeof text) % 5, 2);
}

TEST(modes) {
    start("");
    CHECK_EQ(terminal.modes, TERMINAL_CURSOR | TERMINAL_WRAP);
    put("\033[?1h\033=\033[?25l\033[?2004h");
    CHECK_EQ(terminal.modes, TERMINAL_WRAP | TERMINAL_CURSOR_KEYS | TERMINAL_KEYPAD | TERMINAL_PASTE);
    put("\033[!p");
    CHECK_EQ(terminal.modes, TERMINAL_CURSOR | TERMINAL_WRAP);
    put("abc\033c");
    row_is(0, "");
}

/* What is not known shows nothing, and what is cut off does not swallow what follows. */
TEST(ignored_sequences) {
    start("\033]0;title\007a\033]2;title\033\\b\033P1$r\033\\c\033]P1aabbccd\033]Re\033[[Af\033[?9999hg\033[>"
          "4;1mh\033[1;2 qi");
    row_is(0, "abcdefghi");
    put("\r\n\033[12\030x\033[3\033[2Cy\033[1\bzw");
    row_is(1, "x  w");
    start("\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17mx\033[99999999999Cy");
    row_is(0, "x                  y");
    CHECK_EQ(cell(0, 0)->style, 0);
    CHECK_EQ(terminal.bells, 0);
    start("\007\033[\0071m\033]0;title\007");
    CHECK_EQ(terminal.bells, 2); /* a control character acts within a sequence, and ends a string */
}

TEST(damage) {
    start("");
    CHECK(!terminal.changed || terminal.damage[0].from == terminal.damage[0].to);
    put("\033[2;3Habc");
    CHECK_EQ(terminal.damage[1].from, 2);
    CHECK_EQ(terminal.damage[1].to, 5);
    CHECK_EQ(terminal.damage[0].to, 0);
    CHECK(terminal.changed);
    terminal_damage_clear(&terminal);
    put("\033[S");
    CHECK_EQ(terminal.damage[4].to, COLUMNS);
    CHECK_EQ(terminal_memory(COLUMNS, ROWS), COLUMNS * ROWS * 32 + ROWS * 4);
}

TEST(smallest_screen) {
    open_sized(2, 2);
    put("\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0");
    row_is(0, "\xe5\xa5\xbd");
    row_is(1, "\xe4\xbd\xa0");
    put("\033[H\033[9@\033[9L\033[9M\033[9S\033[9T\033[99X\033[99b");
    cursor_is(1, 1);
}

TEST_MAIN();
