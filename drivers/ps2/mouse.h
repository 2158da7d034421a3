/* PS/2 mice: packets of three bytes, or four with a wheel, to buttons and motion. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* As a mouse identifies itself, after the sampling rates that Microsoft's drivers set have woken it up. */
enum mouse_kind { MOUSE_PLAIN = 0, MOUSE_WHEEL = 3, MOUSE_EXPLORER = 4 };
enum mouse_button { MOUSE_LEFT = 1, MOUSE_RIGHT = 2, MOUSE_MIDDLE = 4, MOUSE_SIDE = 8, MOUSE_EXTRA = 16 };

struct mouse {
    enum mouse_kind kind;
    uint8_t bytes[4];
    unsigned count; /* of the packet that is under way */
};

struct mouse_motion {
    int x, y, wheel;  /* right, down, and away from the user */
    unsigned buttons; /* enum mouse_button: those held */
};

/* Takes one byte; true when a packet is complete. A byte that begins none is dropped. */
bool mouse_take(struct mouse *mouse, uint8_t byte, struct mouse_motion *motion);
