/* See controller.h. Commands and bits are those of IBM's AT. */
#include "drivers/ps2/controller.h"

#include "abi/objects.h"
#include "lib/keel/call.h"
#include "lib/native/keel.h"

enum status { OUTPUT_FULL = 1, INPUT_FULL = 2, FROM_MOUSE = 0x20, STATUS_NONE = 0xff };
enum command {
    CONFIGURATION_READ = 0x20,
    CONFIGURATION_WRITE = 0x60,
    MOUSE_OFF = 0xa7,
    TEST = 0xaa,
    KEYBOARD_OFF = 0xad,
    KEYBOARD_ON = 0xae,
};
enum configuration {
    KEYBOARD_INTERRUPT = 1,
    MOUSE_INTERRUPT = 2,
    KEYBOARD_DISABLED = 0x10,
    MOUSE_DISABLED = 0x20,
    TRANSLATE = 0x40
};
enum keyboard { LIGHTS = 0xed, REPEAT = 0xf3, SCAN = 0xf4, RESEND = 0xfe, ACKNOWLEDGED = 0xfa };
enum { TEST_PASSED = 0x55, REPEAT_250_MS_30_HZ = 0, TRIES = 3, FLUSH_MOST = 64 };

#define ANSWER_NS 20000000ULL /* the keyboard's */
#define TEST_NS   200000000ULL

static uint8_t status(const struct controller *controller) {
    return (uint8_t)keel_io_read(controller->command, CONTROLLER_COMMAND, 1);
}

static bool wait_for(const struct controller *controller, uint8_t mask, uint8_t value, uint64_t ns) {
    uint64_t deadline = clock_now() + ns;
    do {
        if ((status(controller) & mask) == value)
            return true;
    } while (clock_now() < deadline);
    return false;
}

static void command_write(const struct controller *controller, enum command command) {
    if (wait_for(controller, INPUT_FULL, 0, ANSWER_NS))
        (void)keel_io_write(controller->command, CONTROLLER_COMMAND, 1, command);
}

static void data_write(const struct controller *controller, uint8_t byte) {
    if (wait_for(controller, INPUT_FULL, 0, ANSWER_NS))
        (void)keel_io_write(controller->data, CONTROLLER_DATA, 1, byte);
}

static uint8_t data_read(const struct controller *controller) {
    return (uint8_t)keel_io_read(controller->data, CONTROLLER_DATA, 1);
}

/* The controller's own answer; -1 when none comes. */
static int answer_read(const struct controller *controller, uint64_t ns) {
    return wait_for(controller, OUTPUT_FULL, OUTPUT_FULL, ns) ? data_read(controller) : -1;
}

bool controller_read(struct controller *controller, uint8_t *byte) {
    if (controller->kept_count > 0) {
        *byte = controller->kept[0];
        controller->kept_count--;
        for (unsigned i = 0; i < controller->kept_count; i++)
            controller->kept[i] = controller->kept[i + 1];
        return true;
    }
    for (;;) {
        uint8_t now = status(controller);
        if (!(now & OUTPUT_FULL))
            return false;
        *byte = data_read(controller);
        if (!(now & FROM_MOUSE))
            return true;
    }
}

/* One byte to the keyboard, until it is acknowledged. What is typed meanwhile is kept for controller_read. */
static bool keyboard_write(struct controller *controller, uint8_t byte) {
    for (int tries = 0; tries < TRIES; tries++) {
        int answer;
        data_write(controller, byte);
        while ((answer = answer_read(controller, ANSWER_NS)) >= 0 && answer != ACKNOWLEDGED &&
               answer != RESEND)
            if (controller->kept_count < CONTROLLER_KEPT)
                controller->kept[controller->kept_count++] = (uint8_t)answer;
        if (answer != RESEND)
            return answer == ACKNOWLEDGED;
    }
    return false;
}

void controller_lights(struct controller *controller, unsigned lights) {
    if (keyboard_write(controller, LIGHTS))
        (void)keyboard_write(controller, (uint8_t)lights);
}

static void flush(const struct controller *controller) {
    for (int i = 0; i < FLUSH_MOST && status(controller) & OUTPUT_FULL; i++)
        (void)data_read(controller);
}

/* The keyboard alone, translated, with interrupts. */
static bool configure(const struct controller *controller) {
    command_write(controller, CONFIGURATION_READ);
    int configuration = answer_read(controller, ANSWER_NS);
    if (configuration < 0)
        return false;
    configuration |= KEYBOARD_INTERRUPT | TRANSLATE | MOUSE_DISABLED;
    configuration &= ~(MOUSE_INTERRUPT | KEYBOARD_DISABLED);
    command_write(controller, CONFIGURATION_WRITE);
    data_write(controller, (uint8_t)configuration);
    command_write(controller, KEYBOARD_ON);
    return true;
}

const char *controller_open(struct controller *controller) {
    if (status(controller) == STATUS_NONE)
        return "there is no keyboard controller";
    command_write(controller, KEYBOARD_OFF);
    command_write(controller, MOUSE_OFF);
    flush(controller);
    command_write(controller, TEST);
    if (answer_read(controller, TEST_NS) != TEST_PASSED)
        return "the keyboard controller fails its test";
    if (!configure(controller))
        return "the keyboard controller does not answer";
    if (keyboard_write(controller, REPEAT))
        (void)keyboard_write(controller, REPEAT_250_MS_30_HZ);
    controller_lights(controller, 0);
    return keyboard_write(controller, SCAN) ? NULL : "there is no keyboard";
}
