/*
 * The third counter of the PC's interval timer (8254) as the speaker's tone: it divides the timer's clock,
 * and port 0x61 lets it count and its output through. The registers are BARs of I/O ports: the timer's four,
 * and the gate's one.
 */
#pragma once

#include "lib/driver/driver.h"

struct tone {
    const struct driver_bar *timer, *gate;
};

/* Silence; false when there is no such timer, or no gate. */
bool tone_open(const struct tone *tone);

/* Sounds at a frequency in Hz, until the next call; silence when it is none from 21 to 32766, as on Linux. */
void tone_sound(const struct tone *tone, uint32_t hz);
