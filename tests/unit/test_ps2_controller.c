/* What the keyboard controller's driver makes of one that answers, is silent, babbles, or is not there. */
#include <string.h>

#include "lib/keel/call.h"
#include "lib/native/keel.h"

static int64_t chip_read(uint64_t ports, uint64_t port, uint64_t width);
static int64_t chip_write(uint64_t ports, uint64_t port, uint64_t width, uint64_t value);
#define keel_io_read  chip_read
#define keel_io_write chip_write
#include "drivers/ps2/controller.c"

#include "tests/unit/check.h"

static uint8_t output[16]; /* what the chip has to say */
static unsigned first, count;
static bool babbles, absent, refuses;
static unsigned reads;

uint64_t clock_now(void) {
    static uint64_t now;
    return now += 1000000;
}

static void say(uint8_t byte) {
    CHECK(count < sizeof output);
    output[(first + count++) % sizeof output] = byte;
}

static int64_t chip_read(uint64_t ports, uint64_t port, uint64_t width) {
    CHECK(width == 1 && ports == 0 && ++reads < 100000);
    if (absent)
        return 0xff;
    if (port == CONTROLLER_COMMAND)
        return babbles || count ? OUTPUT_FULL : 0;
    if (!count)
        return babbles ? 0x1c : 0;
    count--;
    return output[first++ % sizeof output];
}

static int64_t chip_write(uint64_t ports, uint64_t port, uint64_t width, uint64_t value) {
    CHECK(width == 1 && ports == 0);
    if (port == CONTROLLER_COMMAND && value == TEST)
        say(TEST_PASSED);
    else if (port == CONTROLLER_COMMAND && value == CONFIGURATION_READ)
        say(0);
    else if (port == CONTROLLER_DATA && !babbles)
        say(refuses ? RESEND : ACKNOWLEDGED);
    return 0;
}

static void start(struct controller *controller) {
    *controller = (struct controller){0};
    first = count = reads = 0;
    babbles = absent = refuses = false;
}

TEST(a_keyboard_is_set_up_and_read) {
    struct controller controller;
    uint8_t byte;
    bool mouse;
    start(&controller);
    CHECK(controller_open(&controller) == NULL);
    while (controller_read(&controller, &byte, &mouse))
        continue;
    say(0x1e);
    CHECK(controller_read(&controller, &byte, &mouse) && byte == 0x1e && !mouse);
    CHECK(!controller_read(&controller, &byte, &mouse));
}

TEST(what_is_typed_before_an_acknowledgement_is_kept) {
    struct controller controller;
    uint8_t byte;
    bool mouse;
    start(&controller);
    say(0x1e);
    controller_lights(&controller, CONTROLLER_NUM);
    CHECK(controller_read(&controller, &byte, &mouse) && byte == 0x1e);
}

TEST(a_keyboard_that_wants_all_again_is_given_up) {
    struct controller controller;
    start(&controller);
    refuses = true;
    CHECK(!strcmp(controller_open(&controller), "there is no keyboard"));
}

/* Sends scan codes for ever, and acknowledges nothing. */
TEST(a_keyboard_that_babbles_does_not_hold_the_driver) {
    struct controller controller;
    start(&controller);
    babbles = true;
    controller_lights(&controller, CONTROLLER_NUM);
    CHECK(controller.kept_count == CONTROLLER_KEPT);
}

/* All ones, as from a bus where nobody answers: no bytes for ever. */
TEST(without_a_controller_nothing_is_read) {
    struct controller controller;
    uint8_t byte;
    bool mouse;
    start(&controller);
    absent = true;
    CHECK(controller_open(&controller) != NULL);
    CHECK(!controller_read(&controller, &byte, &mouse));
}

TEST_MAIN();
