/*
 * What `devices` holds of the machine, and how it reaches it: physical memory, I/O ports, configuration
 * space.
 */
#pragma once

#include "abi/rights.h"
#include "servers/devices/acpi.h"
#include "servers/devices/pci.h"
#include "servers/init/archive.h"

struct machine {
    handle_t ports, memory, irqs, dma, job, log;
    handle_t port; /* where everything arrives */
    struct archive archive;
    struct acpi_facts acpi;
    struct pci_access access; /* config_length 0: the machine has no PCI */
};

extern struct machine machine;

/* Finds the handles that init gave, and reads the ACPI tables. 0, or a negated error after a log line. */
int64_t machine_open(void);

/* A Vmo over device memory: [base, base + length), whole pages. A negated error when it cannot be made. */
int64_t machine_physical(uint64_t base, uint64_t length);

/* The same, mapped here; NULL when it cannot be. memory_unmap takes it away. */
void *machine_map(uint64_t base, uint64_t length, uint64_t flags);

uint32_t config_read(uint32_t address, uint32_t offset, unsigned width);
void config_write(uint32_t address, uint32_t offset, unsigned width, uint32_t value);

/* Switches the machine off, or starts it again, by ACPI; returns when that did not do it. */
void machine_power_off(void);
void machine_reset(void);
