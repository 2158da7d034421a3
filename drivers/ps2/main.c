/*
 * The PS/2 keyboard: scan codes become key events (lib/driver/input.h), and what the client sends switches
 * its lights. Without a controller or a keyboard the driver stays, and offers nothing.
 */
#include <errno.h>

#include "drivers/ps2/controller.h"
#include "drivers/ps2/mouse.h"
#include "drivers/ps2/scancode.h"
#include "lib/driver/input.h"
#include "lib/native/keel.h"

enum { VENDOR_AT = 1, PRODUCT_KEYBOARD = 1, VERSION_SET_2 = 0xab41, VENDOR_PS2 = 2, BUTTONS = 5 };

static struct controller controller;
static struct scancode scancode;
static struct mouse mouse;
static struct input_server keyboard, pointer;
static unsigned lights, buttons;

/* The keys that Linux's driver claims for every AT keyboard, 64 to a word. */
static const uint64_t keys[] = {0xfffffffffffffffe, 0xfeffffdfffefffff, 0x03803078f800d001, 0x402000002};

static void keyboard_describe(void) {
    static const struct input_repeat repeat = {.delay = CONTROLLER_REPEAT_DELAY,
                                               .period = CONTROLLER_REPEAT_PERIOD};
    input_describe_text(&keyboard, INPUT_CONFIG_NAME, "AT Translated Set 2 keyboard");
    input_describe_text(&keyboard, INPUT_CONFIG_PLACE, "isa0060/serio0/input0");
    input_describe_ids(&keyboard, BUS_I8042, VENDOR_AT, PRODUCT_KEYBOARD, VERSION_SET_2);
    for (unsigned key = 0; key < sizeof keys * 8; key++)
        if (keys[key / 64] >> key % 64 & 1)
            input_describe_code(&keyboard, EV_KEY, key);
    input_describe_code(&keyboard, EV_MSC, MSC_SCAN);
    input_describe_codes(&keyboard, EV_LED, LED_NUML, LED_SCROLLL);
    input_describe_codes(&keyboard, EV_REP, REP_DELAY, REP_PERIOD);
    input_describe(&keyboard, INPUT_CONFIG_REPEAT, 0, &repeat, sizeof repeat);
}

/* Linux's order of lights is not the keyboard's. */
static void keyboard_status(struct input_server *server, const struct input_event *event) {
    static const uint8_t bits[] = {
        [LED_NUML] = CONTROLLER_NUM, [LED_CAPSL] = CONTROLLER_CAPS, [LED_SCROLLL] = CONTROLLER_SCROLL};
    (void)server;
    if (event->type != EV_LED || event->code >= sizeof bits)
        return;
    unsigned bit = bits[event->code], wanted = event->value ? lights | bit : lights & ~bit;
    if (wanted == lights)
        return;
    lights = wanted;
    controller_lights(&controller, lights);
}

static void keyboard_take(uint8_t byte) {
    struct key_event event;
    if (!scancode_take(&scancode, byte, &event))
        return;
    input_report(&keyboard, EV_MSC, MSC_SCAN, event.code);
    input_report(&keyboard, EV_KEY, event.key, event.value);
    input_sync(&keyboard);
    if (event.key == KEY_PAUSE) { /* which tells of no release */
        input_report(&keyboard, EV_KEY, event.key, KEY_RELEASED);
        input_sync(&keyboard);
    }
}

/* As Linux's driver names and numbers what the three kinds are. */
static void pointer_describe(int kind) {
    bool wheel = kind == MOUSE_WHEEL || kind == MOUSE_EXPLORER, explorer = kind == MOUSE_EXPLORER;
    static const uint8_t pointer_property = 1 << INPUT_PROP_POINTER;
    mouse = (struct mouse){.kind = explorer ? MOUSE_EXPLORER : wheel ? MOUSE_WHEEL : MOUSE_PLAIN};
    input_describe_text(&pointer, INPUT_CONFIG_NAME,
                        explorer ? "ImExPS/2 Generic Explorer Mouse"
                        : wheel  ? "ImPS/2 Generic Wheel Mouse"
                                 : "PS/2 Generic Mouse");
    input_describe_text(&pointer, INPUT_CONFIG_PLACE, "isa0060/serio1/input0");
    input_describe_ids(&pointer, BUS_I8042, VENDOR_PS2, explorer ? 6 : wheel ? 5 : 1, 0);
    input_describe(&pointer, INPUT_CONFIG_PROPS, 0, &pointer_property, sizeof pointer_property);
    input_describe_codes(&pointer, EV_KEY, BTN_LEFT, explorer ? BTN_EXTRA : BTN_MIDDLE);
    input_describe_codes(&pointer, EV_REL, REL_X, REL_Y);
    if (wheel)
        input_describe_code(&pointer, EV_REL, REL_WHEEL);
}

static void pointer_take(uint8_t byte) {
    struct mouse_motion motion;
    if (!mouse_take(&mouse, byte, &motion))
        return;
    for (unsigned i = 0; i < BUTTONS; i++)
        if ((motion.buttons ^ buttons) >> i & 1)
            input_report(&pointer, EV_KEY, BTN_LEFT + i, motion.buttons >> i & 1);
    buttons = motion.buttons;
    if (motion.x)
        input_report(&pointer, EV_REL, REL_X, motion.x);
    if (motion.y)
        input_report(&pointer, EV_REL, REL_Y, motion.y);
    if (motion.wheel)
        input_report(&pointer, EV_REL, REL_WHEEL, motion.wheel);
    input_sync(&pointer);
}

static void bytes_take(void) {
    uint8_t byte;
    bool from_mouse;
    while (controller_read(&controller, &byte, &from_mouse))
        if (from_mouse)
            pointer_take(byte);
        else
            keyboard_take(byte);
}

static int64_t ps2_init(struct driver_device *device) {
    controller.data = device->bars[0].ports;
    controller.command = device->bars[1].ports;
    input_server_init(&keyboard, device, 0);
    input_server_init(&pointer, device, 1);
    keyboard.status = keyboard_status;
    const char *problem = controller_open(&controller);
    if (problem) {
        log_line("%s", problem);
        return 0;
    }
    keyboard_describe();
    input_server_offer(&keyboard);
    int kind = controller_mouse_open(&controller);
    if (kind >= 0) {
        pointer_describe(kind);
        input_server_offer(&pointer);
    }
    return 0;
}

/* Either line tells of bytes of both. */
static void ps2_interrupt(struct driver_device *device, unsigned index) {
    (void)device, (void)index;
    if (keyboard.offered)
        bytes_take();
}

static void ps2_session(struct driver_device *device, struct driver_link *link) {
    (void)device;
    if (link->session)
        input_server_session(link->state);
}

static void ps2_kick(struct driver_device *device, struct driver_link *link) {
    input_server_run(link->state);
    ps2_interrupt(device, 0); /* what was typed while a light was switched */
}

static const struct driver ps2 = {
    .name = "ps2", .init = ps2_init, .interrupt = ps2_interrupt, .session = ps2_session, .kick = ps2_kick};

int main(int argc, char **argv) {
    return driver_main(&ps2, argc, argv);
}
