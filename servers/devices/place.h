/*
 * Places for the BARs of functions that appear behind a PCI Express port while the system runs. The firmware
 * has left the port windows: ranges of addresses that it forwards. Nothing else lies in them, so each card
 * starts with all of them empty. Works on any way into configuration space, as pci.h does.
 *
 * A BAR gets at least a page, so that no driver sees another's registers. Memory that may be prefetched goes
 * to the window for that, memory that may not to the other one; a BAR of 32 bits only below 4 GB.
 */
#pragma once

#include "servers/devices/pci.h"

enum place_kind { PLACE_PORTS, PLACE_MEMORY, PLACE_PREFETCH, PLACE_KINDS };

struct place_window {
    uint64_t base, end; /* end exclusive; equal: the port forwards nothing of the kind */
};

struct place_windows {
    struct place_window free[PLACE_KINDS];
};

/* The windows of a port (a bridge). */
void place_windows_read(struct place_windows *windows, const struct pci_access *access, uint32_t port);

/* Measures the functions' BARs and writes their places to the BARs. The functions must decode nothing yet
 * (command register 0), so that no CPU sees any of it. How many memory BARs found no place: those stay unset.
 * Ports that find none are no loss where there is memory as well, and not counted. */
unsigned place_functions(struct place_windows *windows, const struct pci_access *access,
                         struct devices_pci *functions[], unsigned count);
