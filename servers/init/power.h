/* The end of the system. */
#pragma once

#include <stdint.h>

#include "abi/rights.h"

/* Logs "keel: exit STATUS" as the last line and switches the machine off: QEMU's isa-debug-exit with the low
 * seven bits of the status, then QEMU's ACPI ports, then an endless wait. root: the root resource. */
_Noreturn void power_off(handle_t root, unsigned status);
