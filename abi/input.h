/*
 * Input events, as drivers offer them (lib/virtqueue/input_ring.h) and as Linux programs read them: the
 * layout and the selectors are those of virtio-input (virtio 1.2, section 5.8), types and codes those of
 * Linux's input-event-codes.h, which virtio takes over.
 */
#pragma once

#include <stdint.h>

/* Little-endian. */
struct input_event {
    uint16_t type, code; /* enum input_type; a code of that type */
    uint32_t value;      /* a signed number for axes */
};

enum input_type {
    EV_SYN = 0,
    EV_KEY = 1,
    EV_REL = 2,
    EV_ABS = 3,
    EV_MSC = 4,
    EV_SW = 5,
    EV_LED = 0x11,
    EV_SND = 0x12,
    EV_REP = 0x14,
    EV_FF = 0x15,
    EV_COUNT = 0x20,
};

/* How many codes each type has. */
enum {
    INPUT_KEYS = 0x300,
    INPUT_RELS = 0x10,
    INPUT_ABSES = 0x40,
    INPUT_MSCS = 0x08,
    INPUT_SWS = 0x11,
    INPUT_LEDS = 0x10,
    INPUT_SNDS = 0x08,
    INPUT_REPS = 0x02,
    INPUT_PROPS = 0x20,
};

enum { SYN_REPORT = 0, SYN_CONFIG = 1, SYN_MT_REPORT = 2, SYN_DROPPED = 3 };
enum { REL_X = 0, REL_Y = 1, REL_HWHEEL = 6, REL_WHEEL = 8, REL_WHEEL_HI_RES = 11, REL_HWHEEL_HI_RES = 12 };
enum { ABS_X = 0, ABS_Y = 1, ABS_MT_SLOT = 0x2f };
enum { MSC_SCAN = 4 };
enum { LED_NUML = 0, LED_CAPSL = 1, LED_SCROLLL = 2 };
enum { SND_CLICK = 0, SND_BELL = 1, SND_TONE = 2 };
enum { REP_DELAY = 0, REP_PERIOD = 1 };
enum { INPUT_PROP_POINTER = 0 };

enum input_bus { BUS_USB = 3, BUS_VIRTUAL = 6, BUS_ISA = 0x10, BUS_I8042 = 0x11, BUS_HOST = 0x19 };

/* Keys: on a PC those of scan code set 1, and more behind. */
enum key {
    KEY_NONE = 0,
    KEY_ESC = 1,
    KEY_1 = 2,
    KEY_MINUS = 12,
    KEY_EQUAL = 13,
    KEY_BACKSPACE = 14,
    KEY_TAB = 15,
    KEY_Q = 16,
    KEY_ENTER = 28,
    KEY_LEFT_CTRL = 29,
    KEY_A = 30,
    KEY_GRAVE = 41,
    KEY_LEFT_SHIFT = 42,
    KEY_BACKSLASH = 43,
    KEY_Z = 44,
    KEY_RIGHT_SHIFT = 54,
    KEY_PAD_STAR = 55,
    KEY_LEFT_ALT = 56,
    KEY_SPACE = 57,
    KEY_CAPS_LOCK = 58,
    KEY_F1 = 59,
    KEY_F10 = 68,
    KEY_NUM_LOCK = 69,
    KEY_SCROLL_LOCK = 70,
    KEY_PAD_7 = 71,
    KEY_PAD_MINUS = 74,
    KEY_PAD_PLUS = 78,
    KEY_PAD_DOT = 83,
    KEY_102ND = 86,
    KEY_F11 = 87,
    KEY_F12 = 88,
    KEY_PAD_ENTER = 96,
    KEY_RIGHT_CTRL = 97,
    KEY_PAD_SLASH = 98,
    KEY_PRINT = 99,
    KEY_RIGHT_ALT = 100,
    KEY_HOME = 102,
    KEY_UP = 103,
    KEY_PAGE_UP = 104,
    KEY_LEFT = 105,
    KEY_RIGHT = 106,
    KEY_END = 107,
    KEY_DOWN = 108,
    KEY_PAGE_DOWN = 109,
    KEY_INSERT = 110,
    KEY_DELETE = 111,
    KEY_PAUSE = 119,
    KEY_LEFT_META = 125,
    KEY_RIGHT_META = 126,
    KEY_MENU = 127,
    KEY_PC_COUNT = 128, /* behind the last of a keyboard with 105 keys */
};

enum key_value { KEY_RELEASED = 0, KEY_PRESSED = 1, KEY_REPEATED = 2 };

enum {
    BTN_LEFT = 0x110,
    BTN_RIGHT = 0x111,
    BTN_MIDDLE = 0x112,
    BTN_SIDE = 0x113,
    BTN_EXTRA = 0x114,
    BTN_FORWARD = 0x115,
    BTN_BACK = 0x116,
    BTN_TOUCH = 0x14a,
};

/* What a piece of a device's description tells: virtio's virtio_input_config_select, and Keel's own behind.
 */
enum input_select {
    INPUT_CONFIG_NAME = 0x01,   /* text */
    INPUT_CONFIG_SERIAL = 0x02, /* text */
    INPUT_CONFIG_IDS = 0x03,    /* struct input_ids */
    INPUT_CONFIG_PROPS = 0x10,  /* bitmap */
    INPUT_CONFIG_BITS = 0x11,   /* bitmap of codes; subsel: enum input_type */
    INPUT_CONFIG_AXIS = 0x12,   /* struct input_axis; subsel: code of EV_ABS */
    INPUT_CONFIG_PLACE = 0x80,  /* text: where it is plugged in, Linux's "phys" */
    INPUT_CONFIG_REPEAT = 0x81, /* struct input_repeat: held keys repeat by themselves, so */
};

struct input_ids {
    uint16_t bus, vendor, product, version;
};

struct input_axis {
    int32_t minimum, maximum, fuzz, flat, resolution;
};

struct input_repeat {
    uint32_t delay, period; /* ms */
};

/* Selector, and what it tells: the layout of struct virtio_input_config. */
struct input_config {
    uint8_t select, subsel;
    uint8_t size; /* bytes of data */
    uint8_t reserved[5];
    uint8_t data[128];
};

_Static_assert(sizeof(struct input_event) == 8 && sizeof(struct input_config) == 136, "virtio's layout");
