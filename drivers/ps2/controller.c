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
    MOUSE_ON = 0xa8,
    MOUSE_NEXT = 0xd4, /* the next byte is for the mouse */
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
enum mouse_command { IDENTIFY = 0xf2, RATE = 0xf3, REPORT = 0xf4, DEFAULTS = 0xf6 };
enum { TEST_PASSED = 0x55, REPEAT_250_MS_30_HZ = 0, MOUSE_RATE = 100, TRIES = 3, FLUSH_MOST = 64 };

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

bool controller_read(struct controller *controller, uint8_t *byte, bool *mouse) {
    if (controller->kept_count > 0) {
        *byte = controller->kept[0].byte;
        *mouse = controller->kept[0].mouse;
        controller->kept_count--;
        for (unsigned i = 0; i < controller->kept_count; i++)
            controller->kept[i] = controller->kept[i + 1];
        return true;
    }
    uint8_t now = status(controller);
    if (!(now & OUTPUT_FULL) || now == STATUS_NONE)
        return false;
    *mouse = now & FROM_MOUSE;
    *byte = data_read(controller);
    return true;
}

/* The next byte from one of the two devices; what the other sends meanwhile is kept. -1: none comes. */
static int device_answer(struct controller *controller, bool mouse) {
    uint64_t deadline = clock_now() + ANSWER_NS;
    do {
        uint8_t now = status(controller);
        if (!(now & OUTPUT_FULL))
            continue;
        uint8_t byte = data_read(controller);
        if (!(now & FROM_MOUSE) == !mouse)
            return byte;
        if (controller->kept_count < CONTROLLER_KEPT)
            controller->kept[controller->kept_count++] = (struct controller_byte){byte, !mouse};
    } while (clock_now() < deadline);
    return -1;
}

/* Whether the device has acknowledged a byte, or wants it again, after at most FLUSH_MOST others; -1:
 * neither. */
static int acknowledgement(struct controller *controller, bool mouse) {
    for (unsigned others = 0; others < FLUSH_MOST; others++) {
        int answer = device_answer(controller, mouse);
        if (answer < 0 || answer == ACKNOWLEDGED || answer == RESEND)
            return answer;
        if (!mouse && controller->kept_count < CONTROLLER_KEPT)
            controller->kept[controller->kept_count++] = (struct controller_byte){(uint8_t)answer, false};
    }
    return -1;
}

/* One byte to a device, until it is acknowledged. What is typed meanwhile is kept for controller_read; what
 * the mouse moves is not: it is being set up. */
static bool device_write(struct controller *controller, bool mouse, uint8_t byte) {
    int answer = RESEND;
    for (int tries = 0; tries < TRIES && answer == RESEND; tries++) {
        if (mouse)
            command_write(controller, MOUSE_NEXT);
        data_write(controller, byte);
        answer = acknowledgement(controller, mouse);
    }
    return answer == ACKNOWLEDGED;
}

static bool keyboard_write(struct controller *controller, uint8_t byte) {
    return device_write(controller, false, byte);
}

void controller_lights(struct controller *controller, unsigned lights) {
    if (keyboard_write(controller, LIGHTS))
        (void)keyboard_write(controller, (uint8_t)lights);
}

static void flush(const struct controller *controller) {
    for (int i = 0; i < FLUSH_MOST && status(controller) & OUTPUT_FULL; i++)
        (void)data_read(controller);
}

/* Interrupts of the devices that are wanted; the keyboard's codes translated. */
static bool configure(const struct controller *controller, bool mouse) {
    command_write(controller, CONFIGURATION_READ);
    int configuration = answer_read(controller, ANSWER_NS);
    if (configuration < 0)
        return false;
    configuration |= KEYBOARD_INTERRUPT | TRANSLATE | (mouse ? MOUSE_INTERRUPT : MOUSE_DISABLED);
    configuration &= ~(KEYBOARD_DISABLED | (mouse ? MOUSE_DISABLED : MOUSE_INTERRUPT));
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
    if (!configure(controller, false))
        return "the keyboard controller does not answer";
    if (keyboard_write(controller, REPEAT))
        (void)keyboard_write(controller, REPEAT_250_MS_30_HZ);
    controller_lights(controller, 0);
    return keyboard_write(controller, SCAN) ? NULL : "there is no keyboard";
}

/* Its number after three sampling rates in a row, which wake up wheels and more buttons. */
static int mouse_identify(struct controller *controller, const uint8_t rates[3]) {
    for (unsigned i = 0; i < 3; i++)
        if (!device_write(controller, true, RATE) || !device_write(controller, true, rates[i]))
            return -1;
    return device_write(controller, true, IDENTIFY) ? device_answer(controller, true) : -1;
}

int controller_mouse_open(struct controller *controller) {
    static const uint8_t wheel[] = {200, 100, 80}, explorer[] = {200, 200, 80};
    command_write(controller, MOUSE_ON);
    int kind = device_write(controller, true, DEFAULTS) ? mouse_identify(controller, wheel) : -1;
    if (kind > 0)
        kind = mouse_identify(controller, explorer);
    if (kind < 0 || !device_write(controller, true, RATE) || !device_write(controller, true, MOUSE_RATE) ||
        !configure(controller, true) || !device_write(controller, true, REPORT)) {
        command_write(controller, MOUSE_OFF);
        return -1;
    }
    return kind;
}
