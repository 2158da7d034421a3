/* Keys by the numbers that Linux gives them (input-event-codes.h): on a PC those of scan code set 1, and more
 * behind. */
#pragma once

#include <stdint.h>

enum key {
    KEY_NONE = 0,
    KEY_ESC = 1,
    KEY_1 = 2,
    KEY_MINUS = 12,
    KEY_EQUAL = 13,
    KEY_BACKSPACE = 14,
    KEY_TAB = 15,
    KEY_Q = 16,
    KEY_ENTER = 28,
    KEY_LEFT_CTRL = 29,
    KEY_A = 30,
    KEY_GRAVE = 41,
    KEY_LEFT_SHIFT = 42,
    KEY_BACKSLASH = 43,
    KEY_Z = 44,
    KEY_RIGHT_SHIFT = 54,
    KEY_PAD_STAR = 55,
    KEY_LEFT_ALT = 56,
    KEY_SPACE = 57,
    KEY_CAPS_LOCK = 58,
    KEY_F1 = 59,
    KEY_F10 = 68,
    KEY_NUM_LOCK = 69,
    KEY_SCROLL_LOCK = 70,
    KEY_PAD_7 = 71,
    KEY_PAD_MINUS = 74,
    KEY_PAD_PLUS = 78,
    KEY_PAD_DOT = 83,
    KEY_102ND = 86,
    KEY_F11 = 87,
    KEY_F12 = 88,
    KEY_PAD_ENTER = 96,
    KEY_RIGHT_CTRL = 97,
    KEY_PAD_SLASH = 98,
    KEY_PRINT = 99,
    KEY_RIGHT_ALT = 100,
    KEY_HOME = 102,
    KEY_UP = 103,
    KEY_PAGE_UP = 104,
    KEY_LEFT = 105,
    KEY_RIGHT = 106,
    KEY_END = 107,
    KEY_DOWN = 108,
    KEY_PAGE_DOWN = 109,
    KEY_INSERT = 110,
    KEY_DELETE = 111,
    KEY_PAUSE = 119,
    KEY_LEFT_META = 125,
    KEY_RIGHT_META = 126,
    KEY_MENU = 127,
    KEY_COUNT = 128,
};

enum key_value { KEY_RELEASED = 0, KEY_PRESSED = 1, KEY_REPEATED = 2 };

struct key_event {
    uint8_t key;   /* enum key */
    uint8_t value; /* enum key_value */
};
