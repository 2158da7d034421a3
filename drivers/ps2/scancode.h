/* Scan code set 1, which the controller makes of the keyboard's set 2: bytes to keys. Pure. */
#pragma once

#include <stdbool.h>

#include "abi/input.h"

struct key_event {
    uint8_t key;   /* enum key, or one of Linux's behind */
    uint8_t value; /* enum key_value */
    uint8_t code;  /* as MSC_SCAN tells it: bit 7 is the prefix 0xe0 */
};

struct scancode {
    uint8_t prefix;        /* 0xe0 or 0xe1 was the last byte */
    uint8_t skip;          /* bytes of a Pause still to come */
    uint8_t down[256 / 8]; /* which keys are held: a key that comes again repeats */
};

/* Takes one byte; true when a key event is complete. What is no key's code is dropped. */
bool scancode_take(struct scancode *scancode, uint8_t byte, struct key_event *event);
