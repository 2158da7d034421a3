/*
 * The PS/2 keyboard: scan codes become key events (lib/driver/input.h), and what the client sends switches
 * its lights. Without a controller or a keyboard the driver stays, and offers nothing.
 */
#include <errno.h>

#include "drivers/ps2/controller.h"
#include "drivers/ps2/scancode.h"
#include "lib/driver/input.h"
#include "lib/native/keel.h"

enum { VENDOR_AT = 1, PRODUCT_KEYBOARD = 1, VERSION_SET_2 = 0xab41 };

static struct controller controller;
static struct scancode scancode;
static struct input_server keyboard;
static unsigned lights;

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

static void keyboard_read(void) {
    struct key_event event;
    uint8_t byte;
    while (controller_read(&controller, &byte)) {
        if (!scancode_take(&scancode, byte, &event))
            continue;
        input_report(&keyboard, EV_MSC, MSC_SCAN, event.code);
        input_report(&keyboard, EV_KEY, event.key, event.value);
        input_sync(&keyboard);
        if (event.key == KEY_PAUSE) { /* which tells of no release */
            input_report(&keyboard, EV_KEY, event.key, KEY_RELEASED);
            input_sync(&keyboard);
        }
    }
}

static int64_t ps2_init(struct driver_device *device) {
    controller.data = device->bars[0].ports;
    controller.command = device->bars[1].ports;
    input_server_init(&keyboard, device, 0);
    keyboard.status = keyboard_status;
    const char *problem = controller_open(&controller);
    if (problem) {
        log_line("%s", problem);
        return 0;
    }
    keyboard_describe();
    input_server_offer(&keyboard);
    return 0;
}

static void ps2_interrupt(struct driver_device *device, unsigned index) {
    (void)device, (void)index;
    if (keyboard.offered)
        keyboard_read();
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
