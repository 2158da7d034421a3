/*
 * The i8042: the PC's keyboard controller, at two ports, with a mouse at its second connector. It makes scan
 * code set 1 of what the keyboard sends. Commands are waited for, a few milliseconds at most; what is typed
 * meanwhile is kept.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"

enum { CONTROLLER_DATA = 0x60, CONTROLLER_COMMAND = 0x64, CONTROLLER_KEPT = 16 };
enum { CONTROLLER_REPEAT_DELAY = 250, CONTROLLER_REPEAT_PERIOD = 33 }; /* ms, of a held key */
enum controller_light { CONTROLLER_SCROLL = 1, CONTROLLER_NUM = 2, CONTROLLER_CAPS = 4 };

struct controller_byte {
    uint8_t byte;
    bool mouse; /* from the mouse, not the keyboard */
};

struct controller {
    handle_t data, command;                       /* I/O ports */
    struct controller_byte kept[CONTROLLER_KEPT]; /* came in while an answer was waited for */
    unsigned kept_count;
};

/* Sets the controller and the keyboard up: interrupts, translation, key repeat. NULL, or what is missing. */
const char *controller_open(struct controller *controller);

/* Sets the mouse up, behind controller_open: its kind (enum mouse_kind, or another number), -1 there is none.
 */
int controller_mouse_open(struct controller *controller);

/* The next byte from keyboard or mouse; false: there is none now. */
bool controller_read(struct controller *controller, uint8_t *byte, bool *mouse);

/* Switches the keyboard's lights: enum controller_light. A keyboard that does not answer keeps them as they
 * are. */
void controller_lights(struct controller *controller, unsigned lights);
