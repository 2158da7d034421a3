/* See power.h. */
#include "servers/init/power.h"

#include <stdio.h>

#include "lib/native/keel.h"

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

void power_off(handle_t root, unsigned status) {
    const struct power_port ways[] = {
        {0xf4, 1, (uint16_t)(status & 0x7f)}, /* isa-debug-exit: QEMU ends with (value << 1) | 1 */
        {0x604, 2, 0x2000},                   /* ACPI PM1a control of QEMU's q35 and pc: S5 */
        {0xb004, 2, 0x2000},                  /* the same on older models */
    };
    char line[64];
    int length = snprintf(line, sizeof line, "keel: exit %u\n", status);
    log_bytes(line, (size_t)length);
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++)
        port_write(root, &ways[i]);
    for (;;)
        (void)keel_thread_wait(DEADLINE_NEVER);
}
