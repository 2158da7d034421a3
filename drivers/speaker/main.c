/*
 * The PC's speaker as Linux's pcspkr has it: an input device without input, which sounds when a program or
 * the console writes it EV_SND events. A tone ends with the driver, and with the session of the client that
 * asked for it. Without a speaker the driver stays, and offers nothing.
 */
#include "drivers/speaker/tone.h"
#include "lib/driver/input.h"
#include "lib/native/keel.h"

enum { VENDOR = 0x1f, PRODUCT = 1, VERSION = 0x100, BELL_HZ = 1000 };

static struct input_server server;
static struct tone tone;

static void sound(struct input_server *of, const struct input_event *event) {
    (void)of;
    if (event->type != EV_SND)
        return;
    if (event->code == SND_TONE)
        tone_sound(&tone, event->value);
    else if (event->code == SND_BELL)
        tone_sound(&tone, event->value ? BELL_HZ : 0);
}

static int64_t init(struct driver_device *device) {
    tone = (struct tone){.timer = &device->bars[0], .gate = &device->bars[1]};
    input_server_init(&server, device, 0);
    server.status = sound;
    if (!tone_open(&tone)) {
        log_line("there is no speaker at an interval timer");
        return 0;
    }
    input_describe_text(&server, INPUT_CONFIG_NAME, "PC Speaker");
    input_describe_text(&server, INPUT_CONFIG_PLACE, "isa0061/input0");
    input_describe_ids(&server, BUS_ISA, VENDOR, PRODUCT, VERSION);
    input_describe_codes(&server, EV_SND, SND_BELL, SND_TONE);
    input_server_offer(&server);
    return 0;
}

static void session(struct driver_device *device, struct driver_link *link) {
    (void)device;
    if (server.offered)
        tone_sound(&tone, 0);
    if (link->session)
        input_server_session(link->state);
}

static void kick(struct driver_device *device, struct driver_link *link) {
    (void)device;
    input_server_run(link->state);
}

static const struct driver speaker = {.name = "speaker", .init = init, .session = session, .kick = kick};

int main(int argc, char **argv) {
    return driver_main(&speaker, argc, argv);
}
