/* Scan code set 1, which the controller makes of the keyboard's set 2: bytes to keys. Pure. */
#pragma once

#include <stdbool.h>

#include "drivers/ps2/keys.h"

struct scancode {
    uint8_t prefix;              /* 0xe0 or 0xe1 was the last byte */
    uint8_t skip;                /* bytes of a Pause still to come */
    uint8_t down[KEY_COUNT / 8]; /* which keys are held: a key that comes again repeats */
};

/* Takes one byte; true when a key event is complete. What is no key's code is dropped. */
bool scancode_take(struct scancode *scancode, uint8_t byte, struct key_event *event);
