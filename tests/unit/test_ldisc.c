/* sources: linux/io/ldisc.c linux/io/ldisc_input.c */
/*
 * The terminal line discipline: editing, echo, signals, flow control and output processing, byte by byte as
 * Linux's N_TTY does them. Each test types at a terminal with some settings and looks at the echo and at what
 * a program reads.
 */
#include <stdbool.h>
#include <string.h>

#include "linux/abi/signal.h"
#include "linux/io/ldisc.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

static struct ldisc ldisc;

static const struct termios64 usual = {
    .iflag = ICRNL | IXON,
    .oflag = OPOST | ONLCR,
    .cflag = B38400 | CS8 | CREAD,
    .lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .cc = {[VINTR] = 3,
           [VQUIT] = 28,
           [VERASE] = 127,
           [VKILL] = 21,
           [VEOF] = 4,
           [VMIN] = 1,
           [VSTART] = 17,
           [VSTOP] = 19,
           [VSUSP] = 26,
           [VREPRINT] = 18,
           [VWERASE] = 23,
           [VLNEXT] = 22},
};

static void start(uint32_t set, uint32_t clear) {
    struct termios64 settings = usual;
    settings.lflag = (settings.lflag | set) & ~clear;
    ldisc_init(&ldisc, &settings);
}

static void change(uint32_t iflag_set, uint32_t iflag_clear, uint32_t oflag_set, uint32_t oflag_clear) {
    struct termios64 settings = ldisc.termios;
    settings.iflag = (settings.iflag | iflag_set) & ~iflag_clear;
    settings.oflag = (settings.oflag | oflag_set) & ~oflag_clear;
    ldisc_set(&ldisc, &settings);
}

static size_t type_bytes(const char *text, size_t length) {
    return ldisc_receive(&ldisc, (const uint8_t *)text, length);
}

static void type(const char *text) {
    CHECK_EQ(type_bytes(text, strlen(text)), strlen(text));
}

/* Everything put out so far. */
static const char *shown(void) {
    static char text[LDISC_OUTPUT + 1];
    size_t length = 0;
    const uint8_t *bytes;
    size_t part;
    while ((part = ldisc_output_peek(&ldisc, &bytes)) > 0) {
        memcpy(text + length, bytes, part);
        length += part;
        ldisc_output_take(&ldisc, part);
    }
    text[length] = 0;
    return text;
}

static bool line_ended;

static const char *read_most(size_t most) {
    static char text[LDISC_INPUT + 1];
    size_t length = ldisc_read(&ldisc, (uint8_t *)text, most, &line_ended);
    text[length] = 0;
    return text;
}

static const char *read_all(void) {
    return read_most(LDISC_INPUT);
}

#define CHECK_TEXT(left, right) check_text(left, right, __LINE__)
static void check_text(const char *left, const char *right, int line) {
    if (strcmp(left, right) == 0)
        return;
    fprintf(stderr, "%s:%d: got ", __FILE__, line);
    for (const char *at = left; *at; at++)
        fprintf(stderr, *at < 32 ? "\\x%02x" : "%c", *at);
    fprintf(stderr, " not ");
    for (const char *at = right; *at; at++)
        fprintf(stderr, *at < 32 ? "\\x%02x" : "%c", *at);
    fprintf(stderr, "\n");
    exit(1);
}

TEST(a_line_is_read_when_it_is_complete) {
    start(0, 0);
    type("abc");
    CHECK(!ldisc_readable(&ldisc, false));
    CHECK_TEXT(shown(), "abc");
    type("\r");
    CHECK(ldisc_readable(&ldisc, false));
    CHECK_EQ(ldisc_available(&ldisc), 4);
    CHECK_TEXT(shown(), "\r\n");
    CHECK_TEXT(read_all(), "abc\n");
    CHECK(line_ended);
    CHECK(!ldisc_readable(&ldisc, false));
}

TEST(one_read_gets_one_line_at_most) {
    start(0, 0);
    type("one\ntwo\n");
    CHECK_TEXT(read_most(2), "on");
    CHECK(!line_ended);
    CHECK_TEXT(read_all(), "e\n");
    CHECK_TEXT(read_all(), "two\n");
}

TEST(end_of_file) {
    start(0, 0);
    type("\4");
    CHECK(ldisc_readable(&ldisc, false));
    CHECK_EQ(ldisc_available(&ldisc), 0);
    CHECK_TEXT(read_all(), "");
    CHECK(line_ended);
    type("ab\4");
    CHECK_EQ(ldisc_available(&ldisc), 2);
    CHECK_TEXT(read_all(), "ab");
    CHECK(line_ended);
    CHECK_TEXT(shown(), "ab");
    /* a read that the line filled takes the end with it */
    type("xy\4z\n");
    CHECK_TEXT(read_most(2), "xy");
    CHECK_TEXT(read_all(), "z\n");
}

TEST(erase_character) {
    start(0, 0);
    type("ab\177\177\177c\n");
    CHECK_TEXT(shown(), "ab\b \b\b \bc\r\n");
    CHECK_TEXT(read_all(), "c\n");
    start(0, ECHOE);
    type("ab\177\n");
    CHECK_TEXT(shown(), "ab^?\r\n");
    CHECK_TEXT(read_all(), "a\n");
    start(0, ECHO);
    type("ab\177\n");
    CHECK_TEXT(shown(), "");
    CHECK_TEXT(read_all(), "a\n");
}

TEST(erase_control_character) {
    start(0, 0);
    type("\1\177");
    CHECK_TEXT(shown(), "^A\b \b\b \b");
    start(0, ECHOCTL);
    type("\1\177");
    CHECK_TEXT(shown(), "\1");
}

TEST(erase_tab) {
    start(0, 0);
    ldisc_write(&ldisc, (const uint8_t *)"$ ", 2);
    CHECK_TEXT(shown(), "$ ");
    type("a\tb\177\177");
    CHECK_TEXT(shown(), "a\tb\b \b\b\b\b\b\b");
    type("\t\177");
    CHECK_TEXT(shown(), "\t\b\b\b\b\b");
    type("\t\t\177");
    CHECK_TEXT(shown(), "\t\t\b\b\b\b\b\b\b\b");
}

TEST(erase_word) {
    start(0, 0);
    type("one two. \27");
    CHECK_TEXT(shown(), "one two. \b \b\b \b\b \b\b \b\b \b");
    type("\n");
    CHECK_TEXT(read_all(), "one \n");
    start(0, IEXTEN);
    type("a\27\n");
    CHECK_TEXT(read_all(), "a\27\n");
}

TEST(kill_line) {
    start(0, 0);
    type("abc\25d\n");
    CHECK_TEXT(shown(), "abc\b \b\b \b\b \bd\r\n");
    CHECK_TEXT(read_all(), "d\n");
    start(0, ECHOKE);
    type("abc\25d\n");
    CHECK_TEXT(shown(), "abc^U\r\nd\r\n");
    CHECK_TEXT(read_all(), "d\n");
}

TEST(utf8_erase) {
    start(0, 0);
    change(IUTF8, 0, 0, 0);
    type("a\303\244\177");
    CHECK_TEXT(shown(), "a\303\244\b \b");
    type("\n");
    CHECK_TEXT(read_all(), "a\n");
    start(0, 0);
    type("\303\244\177");
    CHECK_TEXT(shown(), "\303\244\b \b");
    type("\n");
    CHECK_TEXT(read_all(), "\303\n");
}

TEST(hard_copy_erase) {
    start(ECHOPRT, 0);
    type("abc\177\177d\n");
    CHECK_TEXT(shown(), "abc\\cb/d\r\n");
    CHECK_TEXT(read_all(), "ad\n");
}

TEST(literal_next) {
    start(0, 0);
    type("\26\3\26\177\n");
    CHECK_TEXT(shown(), "^\b^C^\b^?\r\n");
    CHECK_TEXT(read_all(), "\3\177\n");
    CHECK_EQ(ldisc.signals, 0);
}

TEST(reprint) {
    start(0, 0);
    type("a\1b\22");
    CHECK_TEXT(shown(), "a^Ab^R\r\na^Ab");
}

TEST(signals_flush) {
    start(0, 0);
    type("abc\3d\n");
    CHECK_EQ(ldisc.signals, 1u << SIGINT);
    CHECK_TEXT(shown(), "^Cd\r\n"); /* what was not put out yet is gone */
    CHECK_TEXT(read_all(), "d\n");
    start(NOFLSH, 0);
    type("abc\32d\n");
    CHECK_EQ(ldisc.signals, 1u << SIGTSTP);
    CHECK_TEXT(shown(), "abc^Zd\r\n");
    CHECK_TEXT(read_all(), "abcd\n");
    start(0, ISIG);
    type("\3\34\n");
    CHECK_EQ(ldisc.signals, 0);
    CHECK_TEXT(read_all(), "\3\34\n");
}

TEST(flow_control) {
    start(0, 0);
    type("\23");
    CHECK(ldisc.stopped);
    type("\21");
    CHECK(!ldisc.stopped);
    type("\23a");
    CHECK(ldisc.stopped);
    type("\3");
    CHECK(!ldisc.stopped);
    change(IXANY, 0, 0, 0);
    type("\23");
    CHECK(ldisc.stopped);
    type("a");
    CHECK(!ldisc.stopped);
    ldisc_stop(&ldisc);
    type("\21");
    CHECK(ldisc.stopped);
    ldisc_start(&ldisc);
    CHECK(!ldisc.stopped);
    type("\23");
    change(0, IXON, 0, 0);
    CHECK(!ldisc.stopped);
}

TEST(input_translation) {
    start(0, ECHO);
    type("a\r");
    CHECK_TEXT(read_all(), "a\n");
    change(IGNCR, 0, 0, 0);
    type("a\rb\n");
    CHECK_TEXT(read_all(), "ab\n");
    change(0, IGNCR | ICRNL, 0, 0);
    type("a\rb\n");
    CHECK_TEXT(read_all(), "a\rb\n");
    change(ISTRIP | IUCLC, 0, 0, 0);
    type("\301B\n");
    CHECK_TEXT(read_all(), "ab\n");
}

TEST(other_line_ends) {
    struct termios64 settings = usual;
    settings.cc[VEOL] = ';';
    settings.cc[VEOL2] = ':';
    ldisc_init(&ldisc, &settings);
    type("a;b:");
    CHECK_TEXT(shown(), "a;b:");
    CHECK_TEXT(read_all(), "a;");
    CHECK_TEXT(read_all(), "b:");
}

TEST(echo_of_newline_only) {
    start(ECHONL, ECHO);
    type("ab\n");
    CHECK_TEXT(shown(), "\r\n");
}

TEST(raw_reading) {
    start(0, ICANON | ECHO | ISIG);
    change(0, ICRNL | IXON, 0, 0);
    type("a\r\3\23\177");
    CHECK_EQ(ldisc_available(&ldisc), 5);
    CHECK_TEXT(read_most(2), "a\r");
    CHECK_TEXT(read_all(), "\3\23\177");
    CHECK(!line_ended);
    ldisc.termios.cc[VMIN] = 3;
    type("ab");
    CHECK(ldisc_readable(&ldisc, false));
    CHECK(!ldisc_readable(&ldisc, true));
    type("c");
    CHECK(ldisc_readable(&ldisc, true));
}

TEST(switching_modes_keeps_input) {
    start(0, 0);
    type("abc");
    struct termios64 settings = ldisc.termios;
    settings.lflag &= ~(uint32_t)ICANON;
    ldisc_set(&ldisc, &settings);
    CHECK_EQ(ldisc_available(&ldisc), 3);
    settings.lflag |= ICANON;
    ldisc_set(&ldisc, &settings);
    CHECK(ldisc_readable(&ldisc, false));
    CHECK_TEXT(read_all(), "abc");
    type("d\n");
    CHECK_TEXT(read_all(), "d\n");
}

TEST(a_long_line_keeps_its_beginning) {
    static char line[5001];
    start(0, ECHO);
    memset(line, 'x', 5000);
    type(line);
    type("y\n");
    CHECK_EQ(ldisc_available(&ldisc), LDISC_INPUT);
    const char *got = read_all();
    CHECK_EQ(strlen(got), LDISC_INPUT);
    CHECK_EQ(got[LDISC_INPUT - 1], '\n');
    CHECK_EQ(got[LDISC_INPUT - 2], 'x');
}

TEST(full_of_lines_takes_no_more) {
    start(0, ECHO);
    size_t taken = 0;
    for (int i = 0; i < 2000; i++)
        taken += type_bytes("abc\n", 4);
    CHECK_EQ(taken, LDISC_INPUT - 1);
    CHECK(!ldisc_room(&ldisc));
    CHECK_TEXT(read_all(), "abc\n");
    CHECK(ldisc_room(&ldisc));
    CHECK_EQ(type_bytes("12345678", 8), 4);
}

TEST(output_processing) {
    start(0, 0);
    CHECK_EQ(ldisc_write(&ldisc, (const uint8_t *)"a\nb\tc\r", 6), 6);
    CHECK_TEXT(shown(), "a\r\nb\tc\r");
    CHECK_EQ(ldisc.column, 0);
    change(0, 0, XTABS, 0);
    ldisc_write(&ldisc, (const uint8_t *)"b\tc", 3);
    CHECK_TEXT(shown(), "b       c");
    CHECK_EQ(ldisc.column, 9);
    change(0, 0, OCRNL | OLCUC, ONLCR);
    ldisc_write(&ldisc, (const uint8_t *)"x\r\n", 3);
    CHECK_TEXT(shown(), "X\n\n");
    change(0, 0, 0, OPOST);
    ldisc_write(&ldisc, (const uint8_t *)"x\r\n\t", 4);
    CHECK_TEXT(shown(), "x\r\n\t");
    start(0, 0);
    change(0, 0, ONOCR, 0);
    ldisc_write(&ldisc, (const uint8_t *)"\ra\r", 3);
    CHECK_TEXT(shown(), "a\r");
}

TEST(output_leaves_room_for_echo) {
    static uint8_t text[2 * LDISC_OUTPUT];
    memset(text, 'o', sizeof text);
    start(0, 0);
    size_t taken = ldisc_write(&ldisc, text, sizeof text);
    CHECK(taken < LDISC_OUTPUT && taken > LDISC_OUTPUT / 2);
    type("hi");
    const char *all = shown();
    CHECK_EQ(strlen(all), taken + 2);
    CHECK_TEXT(all + taken, "hi");
}

TEST(disabled_characters_are_ordinary) {
    struct termios64 settings = usual;
    memset(settings.cc, 0, sizeof settings.cc);
    ldisc_init(&ldisc, &settings);
    CHECK_EQ(type_bytes("a\0\3\4\177\n", 6), 6);
    CHECK_EQ(ldisc_available(&ldisc), 6);
    uint8_t bytes[8];
    CHECK_EQ(ldisc_read(&ldisc, bytes, sizeof bytes, &line_ended), 6);
    CHECK(memcmp(bytes, "a\0\3\4\177\n", 6) == 0);
    CHECK_EQ(ldisc.signals, 0);
}

TEST(positions_wrap) {
    start(0, ECHO);
    ldisc.head = ldisc.tail = ldisc.canon = UINT32_MAX - 10;
    for (int i = 0; i < 100; i++) {
        type("hello\177!\n");
        CHECK_TEXT(read_all(), "hell!\n");
    }
}

/* Any bytes with any settings keep the positions in order and the rings in bounds. */
TEST(random_input_and_settings) {
    uint8_t bytes[64];
    start(0, 0);
    for (int i = 0; i < 200000; i++) {
        uint32_t choice = random_below(16), length = random_below(sizeof bytes);
        for (uint32_t k = 0; k < length; k++)
            bytes[k] = (uint8_t)random_below(256);
        if (choice < 8) {
            ldisc_receive(&ldisc, bytes, length);
        } else if (choice < 11) {
            ldisc_read(&ldisc, bytes, length, &line_ended);
        } else if (choice < 13) {
            ldisc_write(&ldisc, bytes, length);
        } else if (choice < 15) {
            shown();
        } else {
            struct termios64 settings = usual;
            settings.iflag = random_below(0x8000);
            settings.lflag = random_below(0x20000);
            settings.oflag = random_below(0x2000);
            settings.cc[VEOL] = (uint8_t)random_below(256);
            ldisc_set(&ldisc, &settings);
        }
        CHECK(ldisc.head - ldisc.tail <= LDISC_INPUT);
        CHECK(ldisc_output_length(&ldisc) <= LDISC_OUTPUT);
        if (ldisc.termios.lflag & ICANON)
            CHECK(ldisc.canon - ldisc.tail <= ldisc.head - ldisc.tail);
    }
}

TEST_MAIN();
