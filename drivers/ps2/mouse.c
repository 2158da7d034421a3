/* See mouse.h. */
#include "drivers/ps2/mouse.h"

enum { BUTTONS = 7, FIRST = 8, X_NEGATIVE = 0x10, Y_NEGATIVE = 0x20, OVERFLOW = 0xc0 };
enum { WHEEL_NEGATIVE = 8, WHEEL_SIZE = 7, SIDE = 0x10, EXTRA = 0x20, SIGN = 0x100 };

/* The wheel's four bits, or eight of a plain wheel mouse, in two's complement; towards the user is positive.
 */
static int wheel_of(const struct mouse *mouse) {
    uint8_t byte = mouse->bytes[3];
    if (mouse->kind == MOUSE_WHEEL)
        return -(int8_t)byte;
    return (byte & WHEEL_NEGATIVE) - (byte & WHEEL_SIZE);
}

bool mouse_take(struct mouse *mouse, uint8_t byte, struct mouse_motion *motion) {
    const uint8_t *bytes = mouse->bytes;
    if (mouse->count == 0 && !(byte & FIRST))
        return false;
    mouse->bytes[mouse->count++] = byte;
    if (mouse->count < (mouse->kind == MOUSE_PLAIN ? 3U : 4U))
        return false;
    mouse->count = 0;
    *motion = (struct mouse_motion){.buttons = bytes[0] & BUTTONS};
    if (!(bytes[0] & OVERFLOW)) {
        motion->x = bytes[1] - (bytes[0] & X_NEGATIVE ? SIGN : 0);
        motion->y = (bytes[0] & Y_NEGATIVE ? SIGN : 0) - bytes[2];
    }
    if (mouse->kind != MOUSE_PLAIN)
        motion->wheel = wheel_of(mouse);
    if (mouse->kind == MOUSE_EXPLORER)
        motion->buttons |= (bytes[3] & SIDE ? MOUSE_SIDE : 0U) | (bytes[3] & EXTRA ? MOUSE_EXTRA : 0U);
    return true;
}
