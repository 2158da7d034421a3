/* The end of the system. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"

/* What the personality ends with when the machine is to start again (reboot). */
enum { STATUS_REBOOT = 0x100 };

/* Events by which the service that knows the machine's registers is asked; HANDLE_NONE: nobody is. */
struct power {
    handle_t root; /* the root resource */
    handle_t off, reset;
};

/* Makes the events. 0 or the kernel's negated error. */
int64_t power_open(struct power *power, handle_t root);

/* Logs "keel: exit STATUS" as the last line and switches the machine off: QEMU's isa-debug-exit with the low
 * seven bits of the status, then ACPI by the service that has `power` in the manifest, then QEMU's ACPI
 * ports, then an endless wait. */
_Noreturn void power_off(const struct power *power, unsigned status);

/* The same, but the machine starts again: by ACPI, then by the keyboard controller. */
_Noreturn void power_reset(const struct power *power);
