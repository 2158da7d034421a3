/* sources: drivers/ps2/scancode.c linux/input/keymap.c lib/base/format.c */
/* From the keyboard's bytes to what a program reads, as at Linux's console with a US layout. */
#include <string.h>

#include "abi/console.h"
#include "drivers/ps2/scancode.h"
#include "linux/input/keymap.h"
#include "tests/unit/check.h"

static struct scancode scancode;
static struct keymap keymap;
static unsigned modes;

static void start(void) {
    memset(&scancode, 0, sizeof scancode);
    memset(&keymap, 0, sizeof keymap);
    modes = 0;
}

/* Sends scan codes, written in hexadecimal; what is typed by them must be `text`. */
static void types_bytes(const char *codes, const char *text, size_t text_length) {
    char typed[64];
    size_t length = 0;
    for (char *end; *codes; codes = end + strspn(end, " ")) {
        struct key_event event;
        unsigned long code = strtoul(codes, &end, 16);
        if (scancode_take(&scancode, (uint8_t)code, &event))
            length += keymap_take(&keymap, event.key, event.value, modes, typed + length);
    }
    if (length != text_length || memcmp(typed, text, length) != 0) {
        fprintf(stderr, "typed %zu bytes \"%.*s\", not \"%s\"\n", length, (int)length, typed, text);
        exit(1);
    }
}

static void types(const char *codes, const char *text) {
    types_bytes(codes, text, strlen(text));
}

TEST(letters_and_shift) {
    start();
    types("1e 9e 30 b0", "ab");
    types("2a 1e 9e aa 1e 9e", "Aa");
    types("36 02 82 b6 02 82", "!1");
    types("0c 8c 0d 8d 1a 1b 27 28 29 2b 33 34 35 56", "-=[];'`\\,./<");
    types("2a 0c 0d 1a 1b 27 28 29 2b 33 34 35 56 aa", "_+{}:\"~|<>?>");
    types("2a 36 aa 1e b6 1e", "Aa"); /* either of two */
    types("39 b9 1c 9c 0f 8f 01 81 0e 8e", " \r\t\033\177");
}

TEST(repeat_and_release) {
    struct key_event event;
    start();
    CHECK(scancode_take(&scancode, 0x1e, &event) && event.key == KEY_A && event.value == KEY_PRESSED);
    CHECK(scancode_take(&scancode, 0x1e, &event) && event.value == KEY_REPEATED);
    CHECK(scancode_take(&scancode, 0x9e, &event) && event.value == KEY_RELEASED);
    CHECK(scancode_take(&scancode, 0x1e, &event) && event.value == KEY_PRESSED);
    start();
    types("1e 1e 1e 9e", "aaa");
}

TEST(caps_lock) {
    start();
    types("3a ba 1e 02", "A1");
    CHECK_EQ(keymap.locks, LOCK_CAPS);
    types("2a 1e 02 aa", "a!");
    types("3a 3a 3a ba 1e", "a"); /* held: it toggles once */
    CHECK_EQ(keymap.locks, 0);
}

TEST(control) {
    start();
    types("1d 2e 20 1a 2b 1b 9d", "\003\004\033\034\035");
    types("e0 1d 26 e0 9d 26", "\014l");
    types_bytes("1d 39 03 04 07 09 9d", "\000\000\033\036\177", 5);
    types("1d 0c 35 0e 9d 0e", "\037\037\b\177");
    types("1d 2a 07 aa 9d", "\036"); /* Ctrl-^ */
    types("1d 0b 9d", "0");
}

TEST(alt) {
    start();
    types("38 1e 2a 1e aa 1c b8 1e", "\033a\033A\033\ra");
    types("38 1d 1e 9d b8", "\033\001");
    types("e0 38 1e e0 b8", "a"); /* the right one has no third level here */
}

TEST(cursor_keys) {
    start();
    types("e0 48 e0 c8 e0 50 e0 4d e0 4b", "\033[A\033[B\033[C\033[D");
    types("e0 47 e0 4f e0 49 e0 51 e0 52 e0 53", "\033[1~\033[4~\033[5~\033[6~\033[2~\033[3~");
    types("e0 2a e0 48 e0 c8 e0 aa 1e", "\033[Aa"); /* shifts that the keyboard makes up */
    modes = KEYBOARD_CURSOR_KEYS;
    types("e0 48 e0 47", "\033OA\033[1~");
}

TEST(function_keys) {
    start();
    types("3b 3c 3d 3e 3f", "\033[[A\033[[B\033[[C\033[[D\033[[E");
    types("40 41 42 43 44 57 58", "\033[17~\033[18~\033[19~\033[20~\033[21~\033[23~\033[24~");
    types("2a 3b 3f 42 0f aa", "\033[25~\033[31~\033[34~\033\t");
    types("e1 1d 45 e1 9d c5 1e", "\033[Pa");
    types("e0 37 e0 5b e0 5d 54 7f e0 00", "");
}

TEST(keypad) {
    start();
    types("47 48 49 4b 4c 4d 4f 50 51 52 53",
          "\033[1~\033[A\033[5~\033[D\033[G\033[C\033[4~\033[B\033[6~\033[2~\033[3~");
    types("4a 4e 37 e0 35 e0 1c", "-+*/\r");
    types("45 c5 47 4c 52 53", "750.");
    CHECK_EQ(keymap.locks, LOCK_NUM);
    types("2a 47 4c aa", "\033[1~\033[G");
    modes = KEYBOARD_KEYPAD;
    types("47 4c 52 53 4a 4e 37 e0 35 e0 1c", "\033Ow\033Ou\033Op\033On\033OS\033Ol\033OR\033OQ\033OM");
    modes = KEYBOARD_KEYPAD | KEYBOARD_CURSOR_KEYS;
    types("e0 48", "\033OA");
}

TEST(scroll_lock) {
    start();
    types("46 c6", "\023");
    CHECK_EQ(keymap.locks, LOCK_SCROLL);
    types("46 46 c6", "\021");
}

TEST(any_bytes) {
    char bytes[KEYMAP_BYTES];
    struct key_event event;
    start();
    srand(1);
    for (int i = 0; i < 200000; i++) {
        modes = (unsigned)rand() & 3;
        if (scancode_take(&scancode, (uint8_t)rand(), &event)) {
            CHECK(event.key > 0 && event.value <= KEY_REPEATED);
            CHECK(keymap_take(&keymap, event.key, event.value, modes, bytes) < KEYMAP_BYTES);
        }
    }
}

TEST_MAIN();
