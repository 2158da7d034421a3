/*
 * From keys to what a program at Linux's console reads: characters by a layout (US), escape sequences of
 * cursor and function keys, control characters, ESC before what is typed with Alt. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <stdint.h>

#include "abi/input.h"

enum { KEYMAP_BYTES = 8 };

enum keymap_lock { LOCK_SCROLL = 1, LOCK_NUM = 2, LOCK_CAPS = 4 }; /* as the keyboard's lights have them */

struct keymap {
    uint8_t held;  /* modifiers, left and right apart */
    uint8_t locks; /* enum keymap_lock */
};

/* Takes an event of a key (enum key, enum key_value); modes is an enum keyboard_mode (abi/console.h). Returns
 * how many bytes it makes, mostly 0 or 1. */
size_t keymap_take(struct keymap *map, unsigned key, unsigned value, unsigned modes,
                   char bytes[KEYMAP_BYTES]);
