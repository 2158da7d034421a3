/*
 * The console's keyboard, as Linux's keyboard handler is one: what is typed on any device that has the keys
 * for it, and is not grabbed, becomes text by the key map for the terminal that shows. Modifiers and locks
 * are those of all keyboards together, and so are the lights.
 */
#include "lib/base/string.h"
#include "linux/input/input.h"
#include "linux/input/keymap.h"
#include "linux/io/console.h"

/* input_lock */
static struct keymap keymap;
static uint8_t typed[KEYBOARD_TYPED];
static size_t typed_length;

bool keyboard_is(const struct input_device *device) {
    return input_has(device, EV_KEY, KEY_A) && input_has(device, EV_KEY, KEY_ENTER);
}

static void lights_set(struct input_device *device) {
    if (!keyboard_is(device))
        return;
    input_take(device, EV_LED, LED_SCROLLL, !!(keymap.locks & LOCK_SCROLL));
    input_take(device, EV_LED, LED_NUML, !!(keymap.locks & LOCK_NUM));
    input_take(device, EV_LED, LED_CAPSL, !!(keymap.locks & LOCK_CAPS));
    input_take(device, EV_SYN, SYN_REPORT, 0);
}

void keyboard_appear(struct input_device *device) {
    if (console_has_display())
        lights_set(device);
}

/* What nobody has taken for hundreds of keys is lost, as at a real terminal. */
static void key_take(unsigned key, unsigned value) {
    char bytes[KEYMAP_BYTES];
    size_t length = keymap_take(&keymap, key, value, console_keyboard_modes(), bytes);
    if (length > sizeof(typed) - typed_length)
        return;
    memcpy(typed + typed_length, bytes, length);
    typed_length += length;
}

size_t keyboard_typed(uint8_t bytes[KEYBOARD_TYPED]) {
    size_t length = typed_length;
    memcpy(bytes, typed, length);
    typed_length = 0;
    return length;
}

void keyboard_packet(struct input_device *device, const struct input_value *values, unsigned count) {
    uint8_t locks = keymap.locks;
    if (!keyboard_is(device) || !console_has_display())
        return;
    for (unsigned i = 0; i < count; i++)
        if (values[i].type == EV_KEY)
            key_take(values[i].code, (unsigned)values[i].value);
    if (locks != keymap.locks)
        input_each(lights_set);
}
