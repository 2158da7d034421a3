/* See vt.h. Numbers and structures are those of Linux's <linux/kd.h> and <linux/vt.h>. */
#include "linux/io/vt.h"

#include "abi/errors.h"
#include "linux/input/sound.h"
#include "linux/io/tty_internal.h"
#include "linux/platform.h"
#include "linux/task.h"

enum {
    KIOCSOUND = 0x4b2f,
    KDMKTONE = 0x4b30,
    KDGKBTYPE = 0x4b33,
    KDSETMODE = 0x4b3a,
    KDGETMODE = 0x4b3b,
    KDGKBMODE = 0x4b44,
    KDSKBMODE = 0x4b45,
    VT_OPENQRY = 0x5600,
    VT_GETMODE = 0x5601,
    VT_SETMODE = 0x5602,
    VT_GETSTATE = 0x5603,
    VT_ACTIVATE = 0x5606,
    VT_WAITACTIVE = 0x5607,
};
enum { PIT_HZ = 1193182, KEYBOARD_101 = 2, TEXT = 0, KEYS_UNICODE = 3, ONLY_TERMINAL = 1, NO_TERMINAL = -1 };

struct vt_mode {
    char mode, wait; /* mode 0: the terminals are switched without asking */
    int16_t signals[3];
};

struct vt_state {
    uint16_t active, signal, used; /* used: bit n for tty n, and bit 0 */
};

static int64_t word_out(uint64_t argument, int32_t value) {
    return guest_copy_out(argument, &value, sizeof value);
}

/* The argument is a divisor of the interval timer's frequency, whatever makes the sound. */
static int64_t sound(struct tty *tty, uint32_t divisor, uint32_t ms) {
    if (!tty_is_own(tty) && !task_is_root(task_current()))
        return -EPERM;
    sound_tone(divisor ? PIT_HZ / divisor : 0, ms);
    return 0;
}

int64_t vt_ioctl(struct tty *tty, uint32_t command, uint64_t argument) {
    static const struct vt_mode automatic;
    static const struct vt_state state = {.active = ONLY_TERMINAL, .used = 1 | 1 << ONLY_TERMINAL};
    static const char type = KEYBOARD_101;
    switch (command) {
    case KIOCSOUND:
        return sound(tty, (uint32_t)argument, 0);
    case KDMKTONE: /* in the upper half for how long */
        return sound(tty, argument >> 16 & 0xffff ? argument & 0xffff : 0, argument >> 16 & 0xffff);
    case KDGKBTYPE:
        return guest_copy_out(argument, &type, sizeof type);
    case KDGETMODE:
        return word_out(argument, TEXT);
    case KDSETMODE:
        return argument == TEXT ? 0 : -EINVAL;
    case KDGKBMODE:
        return word_out(argument, KEYS_UNICODE);
    case KDSKBMODE:
        return argument == KEYS_UNICODE ? 0 : -EINVAL;
    case VT_OPENQRY:
        return word_out(argument, NO_TERMINAL);
    case VT_GETMODE:
        return guest_copy_out(argument, &automatic, sizeof automatic);
    case VT_SETMODE:
        return 0;
    case VT_GETSTATE:
        return guest_copy_out(argument, &state, sizeof state);
    case VT_ACTIVATE:
    case VT_WAITACTIVE:
        return argument == ONLY_TERMINAL ? 0 : -ENXIO;
    default:
        return TTY_NOT_HANDLED;
    }
}
