/* See boot_report.h. */
#include "drivers/xhci/boot_report.h"

#include <string.h>

#include "abi/input.h"

enum { MODIFIERS = 8, MODIFIER_FIRST = 0xe0, SLOT_FIRST = 2, ROLL_OVER = 1, USAGE_FIRST = 4 };

/* By usage: letters, digits, control and punctuation, functions, navigation, number pad. */
static const uint8_t keys[] = {
    [0x04] = 30, 48,          46,          32,  18,  33,          34,  35,  23,  36,  37,          38,  50,
    49,          24,          25,          16,  19,  31,          20,  22,  47,  17,  45,          21,  44,
    [0x1e] = 2,  3,           4,           5,   6,   7,           8,   9,   10,  11,  [0x28] = 28, 1,   14,
    15,          57,          12,          13,  26,  27,          43,  43,  39,  40,  41,          51,  52,
    53,          58,          [0x3a] = 59, 60,  61,  62,          63,  64,  65,  66,  67,          68,  87,
    88,          [0x46] = 99, 70,          119, 110, 102,         104, 111, 107, 109, 106,         105, 108,
    103,         [0x53] = 69, 98,          55,  74,  78,          96,  79,  80,  81,  75,          76,  77,
    71,          72,          73,          82,  83,  [0x64] = 86, 127,
};
static const uint8_t modifiers[MODIFIERS] = {KEY_LEFT_CTRL,  KEY_LEFT_SHIFT,  KEY_LEFT_ALT,  KEY_LEFT_META,
                                             KEY_RIGHT_CTRL, KEY_RIGHT_SHIFT, KEY_RIGHT_ALT, KEY_RIGHT_META};

uint16_t keyboard_key(uint8_t usage) {
    if (usage >= MODIFIER_FIRST && usage < MODIFIER_FIRST + MODIFIERS)
        return modifiers[usage - MODIFIER_FIRST];
    return usage < sizeof keys ? keys[usage] : (uint16_t)KEY_NONE;
}

static bool holds(const uint8_t report[KEYBOARD_REPORT], uint8_t usage) {
    return memchr(report + SLOT_FIRST, usage, KEYBOARD_REPORT - SLOT_FIRST) != NULL;
}

static unsigned change_add(struct key_change *changes, unsigned count, uint8_t usage, bool pressed) {
    uint16_t key = keyboard_key(usage);
    if (key != KEY_NONE && count < KEYBOARD_CHANGES)
        changes[count++] = (struct key_change){usage, key, pressed};
    return count;
}

/* Keys that one report holds and the other does not. */
static unsigned slots_compare(const uint8_t report[KEYBOARD_REPORT], const uint8_t other[KEYBOARD_REPORT],
                              struct key_change *changes, unsigned count, bool pressed) {
    for (unsigned i = SLOT_FIRST; i < KEYBOARD_REPORT; i++)
        if (report[i] >= USAGE_FIRST && !holds(other, report[i]) &&
            !memchr(report + SLOT_FIRST, report[i], i - SLOT_FIRST)) /* told twice */
            count = change_add(changes, count, report[i], pressed);
    return count;
}

unsigned keyboard_changes(uint8_t held[KEYBOARD_REPORT], const uint8_t report[KEYBOARD_REPORT],
                          struct key_change changes[KEYBOARD_CHANGES]) {
    unsigned count = 0;
    if (report[SLOT_FIRST] == ROLL_OVER)
        return 0;
    uint8_t up = held[0] & (uint8_t)~report[0], down = report[0] & (uint8_t)~held[0];
    for (unsigned i = 0; i < MODIFIERS; i++)
        if ((up | down) >> i & 1)
            count = change_add(changes, count, (uint8_t)(MODIFIER_FIRST + i), down >> i & 1);
    count = slots_compare(held, report, changes, count, false);
    count = slots_compare(report, held, changes, count, true);
    memcpy(held, report, KEYBOARD_REPORT);
    return count;
}
