/* sources: drivers/speaker/tone.c */
/* The speaker's tone at a model of the interval timer and its gate. */
#include "drivers/speaker/tone.h"

#include "tests/unit/check.h"

static const struct driver_bar timer = {.length = 4}, gate = {.length = 1};
static const struct tone tone = {&timer, &gate};

static struct {
    bool present, gated, low_taken, latched; /* what is there: the timer, its gate */
    uint8_t command, gate;
    uint16_t count;
} model;

uint32_t bar_read(const struct driver_bar *bar, uint64_t offset, unsigned width) {
    CHECK(width == 1 && offset < bar->length);
    if (bar == &gate) /* the upper half tells of other things */
        return model.gated ? model.gate | 0xb0 : 0xff;
    if (!model.present)
        return 0xff;
    CHECK(offset == 2 && model.latched);
    model.latched = false;
    return 0x40 | (model.command & 0x3f);
}

void bar_write(const struct driver_bar *bar, uint64_t offset, unsigned width, uint32_t value) {
    CHECK(width == 1 && offset < bar->length && value <= 0xff);
    if (bar == &gate) {
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

TEST_MAIN();
