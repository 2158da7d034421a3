/* See power.h. */
#include "servers/init/power.h"

#include <stdio.h>

#include "lib/native/keel.h"

#define SERVICE_TIME 1000000000ULL /* ns for the service to do it */

struct power_port {
    uint16_t port;
    uint8_t width;
    uint16_t value;
};

/* A resource of its own for the one port; a machine without the device ignores the write. */
static void port_write(handle_t root, const struct power_port *power) {
    int64_t ports = keel_handle_create(OBJECT_RESOURCE, root, (uint64_t)RESOURCE_IOPORT << 56 | power->port,
                                       power->width);
    if (ports >= 0)
        (void)keel_io_write((uint64_t)ports, power->port, power->width, power->value);
}

int64_t power_open(struct power *power, handle_t root) {
    power->root = root;
    int64_t off = keel_handle_create(OBJECT_EVENT, 0, 0, 0),
            reset = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    if (off < 0 || reset < 0)
        return off < 0 ? off : reset;
    power->off = (handle_t)off;
    power->reset = (handle_t)reset;
    return 0;
}

static void last_line(unsigned status) {
    char line[64];
    int length = snprintf(line, sizeof line, "keel: exit %u\n", status);
    log_bytes(line, (size_t)length);
}

static void service_ask(handle_t event) {
    if (event == HANDLE_NONE || keel_event_signal(event) < 0)
        return;
    (void)keel_thread_wait(clock_now() + SERVICE_TIME);
}

static _Noreturn void wait_forever(void) {
    for (;;)
        (void)keel_thread_wait(DEADLINE_NEVER);
}

void power_off(const struct power *power, unsigned status) {
    /* isa-debug-exit: QEMU ends with (value << 1) | 1 */
    const struct power_port debug_exit = {0xf4, 1, (uint16_t)(status & 0x7f)};
    const struct power_port ways[] = {
        {0x604, 2, 0x2000},  /* ACPI PM1a control of QEMU's q35 and pc: S5 */
        {0xb004, 2, 0x2000}, /* the same on older models */
    };
    last_line(status);
    port_write(power->root, &debug_exit);
    service_ask(power->off);
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++)
        port_write(power->root, &ways[i]);
    wait_forever();
}

void power_reset(const struct power *power) {
    const struct power_port ways[] = {
        {0xcf9, 1, 0x06}, /* reset control of the chip sets that have it */
        {0x64, 1, 0xfe},  /* keyboard controller: pulses the processor's reset line */
    };
    last_line(0);
    service_ask(power->reset);
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++)
        port_write(power->root, &ways[i]);
    wait_forever();
}
