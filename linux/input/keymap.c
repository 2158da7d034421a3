/* See keymap.h. */
#include "linux/input/keymap.h"

#include "abi/console.h"
#include "lib/base/format.h"
#include "lib/base/string.h"

enum modifier {
    LEFT_SHIFT = 1,
    RIGHT_SHIFT = 2,
    SHIFT = LEFT_SHIFT | RIGHT_SHIFT,
    LEFT_CTRL = 4,
    RIGHT_CTRL = 8,
    CTRL = LEFT_CTRL | RIGHT_CTRL,
    LEFT_ALT = 16, /* the right one chooses a third level, which this layout does not have */
};

enum { ESCAPE = 27, DELETE = 127, STOP = 'S' - '@', GO = 'Q' - '@' };

/* The layout: rows of keys in the order of their numbers, plain and with shift. */
struct layout_row {
    uint8_t first; /* enum key */
    const char *plain, *shifted;
};
static const struct layout_row layout[] = {
    {KEY_1, "1234567890-=", "!@#$%^&*()_+"},
    {KEY_Q, "qwertyuiop[]", "QWERTYUIOP{}"},
    {KEY_A, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
    {KEY_BACKSLASH, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
    {KEY_SPACE, " ", " "},
    {KEY_102ND, "<", ">"},
};

/* What else sends a fixed text; with a number, ESC [ number ~. */
struct key_text {
    uint8_t key, shifted_number, number;
    const char *text;
};
static const struct key_text texts[] = {
    {KEY_HOME, 1, 1, NULL},         {KEY_INSERT, 2, 2, NULL},       {KEY_DELETE, 3, 3, NULL},
    {KEY_END, 4, 4, NULL},          {KEY_PAGE_UP, 5, 5, NULL},      {KEY_PAGE_DOWN, 6, 6, NULL},
    {KEY_F1, 25, 0, "\033[[A"},     {KEY_F1 + 1, 26, 0, "\033[[B"}, {KEY_F1 + 2, 28, 0, "\033[[C"},
    {KEY_F1 + 3, 29, 0, "\033[[D"}, {KEY_F1 + 4, 31, 0, "\033[[E"}, {KEY_F1 + 5, 32, 17, NULL},
    {KEY_F1 + 6, 33, 18, NULL},     {KEY_F1 + 7, 34, 19, NULL},     {KEY_F1 + 8, 20, 20, NULL},
    {KEY_F10, 21, 21, NULL},        {KEY_F11, 23, 23, NULL},        {KEY_F12, 24, 24, NULL},
    {KEY_PAUSE, 0, 0, "\033[P"},
};

/* The keypad from KEY_PAD_7 on: what it is with and without Num Lock, and in application mode behind ESC O.
 */
static const char pad_digits[] = "789-456+1230.";
static const char pad_application[] = "wxyStuvlqrspn";
static const uint8_t pad_keys[] = {KEY_HOME,      KEY_UP,     KEY_PAGE_UP, KEY_NONE, KEY_LEFT,
                                   KEY_NONE,      KEY_RIGHT,  KEY_NONE,    KEY_END,  KEY_DOWN,
                                   KEY_PAGE_DOWN, KEY_INSERT, KEY_DELETE};

static unsigned modifier_of(unsigned key) {
    switch (key) {
    case KEY_LEFT_SHIFT:
        return LEFT_SHIFT;
    case KEY_RIGHT_SHIFT:
        return RIGHT_SHIFT;
    case KEY_LEFT_CTRL:
        return LEFT_CTRL;
    case KEY_RIGHT_CTRL:
        return RIGHT_CTRL;
    case KEY_LEFT_ALT:
        return LEFT_ALT;
    default:
        return 0;
    }
}

static unsigned lock_of(unsigned key) {
    return key == KEY_CAPS_LOCK     ? LOCK_CAPS
           : key == KEY_NUM_LOCK    ? LOCK_NUM
           : key == KEY_SCROLL_LOCK ? LOCK_SCROLL
                                    : 0;
}

static size_t text_out(char *bytes, const char *text) {
    size_t length = 0;
    for (; text[length]; length++)
        bytes[length] = text[length];
    return length;
}

static size_t byte_out(const struct keymap *map, char *bytes, int byte) {
    size_t length = 0;
    if (map->held & LEFT_ALT)
        bytes[length++] = ESCAPE;
    bytes[length++] = (char)byte;
    return length;
}

/* With Ctrl, as on Linux: letters and @ [ \ ] ^ _, and digits for those that are hard to reach. */
static int control_of(int character) {
    static const char plain[] = "2345678 -/?";
    static const char control[] = {0, 27, 28, 29, 30, 31, 127, 0, 31, 31, 127};
    const char *found = strchr(plain, character);
    if (found && *found)
        return control[found - plain];
    return character >= '@' && character < DELETE && character != '`' && (character < '{' || character == '~')
               ? character & 31
               : character;
}

static bool is_letter(int character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

static size_t character_out(const struct keymap *map, unsigned key, char *bytes) {
    for (unsigned i = 0; i < sizeof(layout) / sizeof(layout[0]); i++) {
        const struct layout_row *row = &layout[i];
        if (key < row->first || key >= row->first + strlen(row->plain))
            continue;
        int plain = row->plain[key - row->first];
        bool shift = map->held & SHIFT;
        if (is_letter(plain) && map->locks & LOCK_CAPS)
            shift = !shift;
        int character = shift ? row->shifted[key - row->first] : plain;
        return byte_out(map, bytes, map->held & CTRL ? control_of(character) : character);
    }
    return 0;
}

static size_t editing_out(const struct keymap *map, unsigned key, char *bytes) {
    switch (key) {
    case KEY_ENTER:
    case KEY_PAD_ENTER:
        return byte_out(map, bytes, '\r');
    case KEY_BACKSPACE:
        return byte_out(map, bytes, map->held & CTRL ? '\b' : DELETE);
    case KEY_TAB:
        return map->held & SHIFT ? text_out(bytes, "\033\t") : byte_out(map, bytes, '\t');
    case KEY_ESC:
        return byte_out(map, bytes, ESCAPE);
    case KEY_PAD_SLASH:
        return byte_out(map, bytes, '/');
    case KEY_PAD_STAR:
        return byte_out(map, bytes, '*');
    default:
        return 0;
    }
}

static size_t cursor_out(unsigned key, unsigned modes, char *bytes) {
    char letter = key == KEY_UP      ? 'A'
                  : key == KEY_DOWN  ? 'B'
                  : key == KEY_RIGHT ? 'C'
                  : key == KEY_LEFT  ? 'D'
                                     : 0;
    if (!letter)
        return 0;
    return format_text(bytes, KEYMAP_BYTES, "\033%c%c", modes & KEYBOARD_CURSOR_KEYS ? 'O' : '[', letter);
}

static size_t function_out(const struct keymap *map, unsigned key, char *bytes) {
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unsigned number = map->held & SHIFT ? texts[i].shifted_number : texts[i].number;
        if (texts[i].key != key)
            continue;
        if (number == 0)
            return text_out(bytes, texts[i].text);
        return format_text(bytes, KEYMAP_BYTES, "\033[%u~", number);
    }
    return 0;
}

static size_t key_out(const struct keymap *map, unsigned key, unsigned modes, char *bytes) {
    size_t length = character_out(map, key, bytes);
    if (length == 0)
        length = editing_out(map, key, bytes);
    if (length == 0)
        length = cursor_out(key, modes, bytes);
    return length ? length : function_out(map, key, bytes);
}

/* In application mode the rest of the keypad, too. */
static char pad_letter(unsigned key) {
    if (key >= KEY_PAD_7 && key <= KEY_PAD_DOT)
        return pad_application[key - KEY_PAD_7];
    return key == KEY_PAD_ENTER ? 'M' : key == KEY_PAD_SLASH ? 'Q' : key == KEY_PAD_STAR ? 'R' : 0;
}

static size_t pad_out(const struct keymap *map, unsigned key, unsigned modes, char *bytes) {
    unsigned index = key - KEY_PAD_7;
    if (modes & KEYBOARD_KEYPAD && !(map->held & SHIFT) && pad_letter(key))
        return format_text(bytes, KEYMAP_BYTES, "\033O%c", pad_letter(key));
    if (index >= sizeof pad_keys)
        return key_out(map, key, modes, bytes);
    bool digits = !(map->locks & LOCK_NUM) == !!(map->held & SHIFT);
    if (pad_digits[index] == '-' || pad_digits[index] == '+' || digits)
        return byte_out(map, bytes, pad_digits[index]);
    if (pad_keys[index] == KEY_NONE) /* the five in the middle */
        return text_out(bytes, "\033[G");
    struct keymap unshifted = {.locks = map->locks};
    return key_out(&unshifted, pad_keys[index], modes, bytes);
}

/* Scroll Lock stops the output, as ^S and ^Q do. */
static size_t lock_toggle(struct keymap *map, unsigned lock, char *bytes) {
    map->locks ^= (uint8_t)lock;
    if (lock != LOCK_SCROLL)
        return 0;
    bytes[0] = map->locks & LOCK_SCROLL ? STOP : GO;
    return 1;
}

size_t keymap_take(struct keymap *map, unsigned key, unsigned value, unsigned modes,
                   char bytes[KEYMAP_BYTES]) {
    unsigned modifier = modifier_of(key), lock = lock_of(key);
    if (modifier) {
        map->held = (uint8_t)(value ? map->held | modifier : map->held & ~modifier);
        return 0;
    }
    if (value == KEY_RELEASED || (lock && value == KEY_REPEATED))
        return 0;
    return lock ? lock_toggle(map, lock, bytes) : pad_out(map, key, modes, bytes);
}
