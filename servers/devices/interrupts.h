/* A device's interrupts. A function's: MSI-X, else MSI, else its line; the event timer's: hpet.h. */
#pragma once

#include "abi/devices.h"
#include "servers/devices/grants.h"

/* Makes up to count interrupts, programs the function to send them, and adds "irq0" … and --irq=MODE to the
 * grants. A function without any is no error: the driver sees that it has none. */
void interrupts_grant(struct grants *grants, const struct devices_pci *function, unsigned count);

/* One message for this process itself, of a function of which only the page with the MSI-X table, if that, is
 * used: the grants' only handle. None: the function sends none. */
void interrupts_own(struct grants *grants, struct devices_pci *function);

/* Up to count interrupts of the event timer, whose registers are mapped; connects comparators to them. */
void interrupts_hpet(struct grants *grants, volatile uint32_t *registers, unsigned count);

/* Stops the function's messages. */
void interrupts_stop(const struct devices_pci *function);
