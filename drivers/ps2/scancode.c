/* See scancode.h. */
#include "drivers/ps2/scancode.h"

#include <stddef.h>

enum {
    EXTENDED = 0xe0,
    PAUSE = 0xe1,
    RELEASE = 0x80,
    PAUSE_BYTES = 5,
    PAUSE_CODE = 0xc6,
    KEYS_PLAIN = 0x59,
};

/* Behind 0xe0, as far as it is a key of its own. The shifts that the keyboard makes up (0x2a, 0x36) are none.
 */
static const uint8_t extended[128] = {
    [0x1c] = KEY_PAD_ENTER,
    [0x1d] = KEY_RIGHT_CTRL,
    [0x35] = KEY_PAD_SLASH,
    [0x37] = KEY_PRINT,
    [0x38] = KEY_RIGHT_ALT,
    [0x46] = KEY_PAUSE,
    [0x47] = KEY_HOME,
    [0x48] = KEY_UP,
    [0x49] = KEY_PAGE_UP,
    [0x4b] = KEY_LEFT,
    [0x4d] = KEY_RIGHT,
    [0x4f] = KEY_END,
    [0x50] = KEY_DOWN,
    [0x51] = KEY_PAGE_DOWN,
    [0x52] = KEY_INSERT,
    [0x53] = KEY_DELETE,
    [0x5b] = KEY_LEFT_META,
    [0x5c] = KEY_RIGHT_META,
    [0x5d] = KEY_MENU,
    /* The keys of multimedia and office keyboards, by Linux's numbers. */
    [0x10] = 165,
    [0x19] = 163,
    [0x20] = 113,
    [0x21] = 140,
    [0x22] = 164,
    [0x24] = 166,
    [0x2e] = 114,
    [0x30] = 115,
    [0x32] = 172,
    [0x5e] = 116,
    [0x5f] = 142,
    [0x63] = 143,
    [0x65] = 217,
    [0x66] = 156,
    [0x67] = 173,
    [0x68] = 128,
    [0x69] = 159,
    [0x6a] = 158,
    [0x6b] = 157,
    [0x6c] = 155,
    [0x6d] = 226,
};

static uint8_t key_of(uint8_t prefix, uint8_t code) {
    if (prefix == EXTENDED)
        return extended[code];
    return code < KEYS_PLAIN ? code : KEY_NONE;
}

static bool event_make(struct scancode *scancode, uint8_t key, bool released, uint8_t code,
                       struct key_event *event) {
    uint8_t *held = &scancode->down[key / 8], bit = (uint8_t)(1U << key % 8);
    if (key == KEY_NONE)
        return false;
    *event = (struct key_event){key,
                                released      ? KEY_RELEASED
                                : *held & bit ? KEY_REPEATED
                                              : KEY_PRESSED,
                                code};
    *held = released ? *held & (uint8_t)~bit : *held | bit;
    return true;
}

bool scancode_take(struct scancode *scancode, uint8_t byte, struct key_event *event) {
    uint8_t prefix = scancode->prefix;
    if (scancode->skip) /* Pause sends press and release at once, and has no state */
        return --scancode->skip == 0 &&
               (*event = (struct key_event){KEY_PAUSE, KEY_PRESSED, PAUSE_CODE}, true);
    if (byte == EXTENDED) {
        scancode->prefix = byte;
        return false;
    }
    scancode->prefix = 0;
    if (byte == PAUSE) {
        scancode->skip = PAUSE_BYTES;
        return false;
    }
    uint8_t plain = byte & (RELEASE - 1);
    return event_make(scancode, key_of(prefix, plain), byte & RELEASE, prefix ? plain | RELEASE : plain,
                      event);
}
