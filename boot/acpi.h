/*
 * What boot needs from the ACPI tables: CPUs and interrupt controllers (MADT), NUMA nodes (SRAT), the power
 * management timer (FADT). The tables are firmware's and checked like any input: bounds, lengths, checksums.
 * A damaged one is refused with a note and boot goes on as if it were not there.
 */
#pragma once

#include <stdint.h>

/* Fills boot_info.rsdp, cpus, cpu_count (every enabled CPU, the boot CPU first), lapic, ioapic and overrides.
 */
void acpi_init(uint64_t rsdp);

/* Notes the nodes of boot_info.cpus and of boot_info.ranges, when there is an SRAT. */
void acpi_set_nodes(void);

/* The I/O port of the 3,579,545 Hz timer, 0 when there is none. */
uint16_t acpi_timer_port(void);
