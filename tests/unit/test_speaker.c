/* sources: drivers/speaker/tone.c drivers/speaker/main.c lib/driver/input.c lib/virtqueue/device.c */
/* flags: -iquote tests/host -Dmain=driver_start */
/* The speaker's tone at a model of the interval timer and its gate; its driver between that and a client. */
#include "drivers/speaker/tone.h"

#include <string.h>

#include "lib/driver/input.h"
#include "lib/native/keel.h"
#include "tests/unit/check.h"

#undef main
int driver_start(int argc, char **argv);

static const struct driver_bar timer = {.length = 4, .port = 0x40}, gate = {.length = 1, .port = 0x61};
static const struct tone tone = {&timer, &gate};

static struct {
    bool present, gated, low_taken, latched; /* what is there: the timer, its gate */
    uint8_t command, gate;
    uint16_t count;
} model;

uint32_t bar_read(const struct driver_bar *bar, uint64_t offset, unsigned width) {
    CHECK(width == 1 && offset < bar->length);
    if (bar->port == gate.port) /* the upper half tells of other things */
        return model.gated ? model.gate | 0xb0 : 0xff;
    if (!model.present)
        return 0xff;
    CHECK(offset == 2 && model.latched);
    model.latched = false;
    return 0x40 | (model.command & 0x3f);
}

void bar_write(const struct driver_bar *bar, uint64_t offset, unsigned width, uint32_t value) {
    CHECK(width == 1 && offset < bar->length && value <= 0xff);
    if (bar->port == gate.port) {
        CHECK(value < 0x10);
        model.gate = (uint8_t)value;
    } else if (offset == 3 && value == 0xe8) {
        model.latched = true;
    } else if (offset == 3) {
        CHECK_EQ(value >> 6, 2); /* no other counter is touched */
        model.command = (uint8_t)value;
        model.low_taken = false;
    } else {
        CHECK_EQ(offset, 2);
        model.count = (uint16_t)(model.low_taken ? model.count | value << 8 : value);
        model.low_taken = !model.low_taken;
    }
}

static void open(void) {
    model.present = model.gated = true;
    model.gate = 0x0f;
    CHECK(tone_open(&tone));
    CHECK_EQ(model.gate, 0x0c); /* what belongs to others stays */
}

TEST(absent) {
    CHECK(!tone_open(&tone));
    model.gated = true;
    CHECK(!tone_open(&tone));
    model.gated = false;
    model.present = true;
    CHECK(!tone_open(&tone));
}

TEST(tones) {
    open();
    tone_sound(&tone, 1000);
    CHECK(model.command == 0xb6 && model.count == 1193 && !model.low_taken && model.gate == 0x0f);
    tone_sound(&tone, 440);
    CHECK_EQ(model.count, 2711);
    tone_sound(&tone, 0);
    CHECK_EQ(model.gate, 0x0c);
}

/* From 21 to 32766 Hz, whatever a program asks for. */
TEST(limits) {
    open();
    tone_sound(&tone, 21);
    CHECK(model.count == 56818 && model.gate == 0x0f);
    tone_sound(&tone, 20);
    CHECK_EQ(model.gate, 0x0c);
    tone_sound(&tone, 32766);
    CHECK(model.count == 36 && model.gate == 0x0f);
    tone_sound(&tone, 32767);
    CHECK_EQ(model.gate, 0x0c);
    tone_sound(&tone, 440);
    tone_sound(&tone, UINT32_MAX); /* -1 */
    CHECK_EQ(model.gate, 0x0c);
}

/* ---- the driver ---- */

static const struct driver *driver;
static _Alignas(4096) uint8_t area[INPUT_AREA_SIZE];

int driver_main(const struct driver *started, int argc, char **argv) {
    (void)argc, (void)argv;
    driver = started;
    return 0;
}
_Noreturn void driver_fail(const char *what, int64_t error) {
    fprintf(stderr, "%s: %d\n", what, (int)error);
    exit(1);
}
void driver_call(struct driver_link *link) {
    (void)link;
}
void log_line(const char *format, ...) {
    (void)format;
}

static void device_open(struct driver_device *device) {
    model.present = model.gated = true;
    model.gate = 0x0f;
    *device = (struct driver_device){.bars = {timer, gate}, .link_count = 1};
    device->links[0].area = (struct driver_memory){area, sizeof area, 0};
    memset(area, 0, sizeof area);
    CHECK(driver_start(0, NULL) == 0 && driver->init(device) == 0);
}

static void session(struct driver_device *device, uint32_t number) {
    device->links[0].session = number;
    driver->session(device, &device->links[0]);
}

static void event_write(struct driver_device *device, uint16_t code, uint32_t value) {
    struct virtqueue_memory ring = input_ring(area, INPUT_STATUS);
    *(struct input_event *)(area + 0x800) = (struct input_event){EV_SND, code, value};
    ring.desc[0] = (struct virtq_desc){.addr = 0x800, .len = sizeof(struct input_event)};
    ring.avail->idx++;
    driver->kick(device, &device->links[0]);
}

/* Nobody is left who could end it. */
TEST(a_tone_ends_with_its_session) {
    static struct driver_device device;
    device_open(&device);
    session(&device, 1);
    event_write(&device, SND_BELL, 1);
    CHECK(model.gate == 0x0f && model.count == 1193);
    event_write(&device, SND_BELL, 0);
    CHECK_EQ(model.gate, 0x0c);
    event_write(&device, SND_TONE, 440);
    CHECK_EQ(model.gate, 0x0f);
    session(&device, 0);
    CHECK_EQ(model.gate, 0x0c);
    memset(area + INPUT_STATUS, 0, 0x100);
}

/* Its ports are not touched again. */
TEST(no_speaker) {
    static struct driver_device device;
    device_open(&device);
    model.gated = false;
    CHECK_EQ(driver->init(&device), 0);
    model.gate = 0x55;
    session(&device, 1);
    event_write(&device, SND_TONE, 440);
    CHECK_EQ(model.gate, 0x55);
}

TEST_MAIN();
