/* The I/O APIC: how each interrupt line reaches it, and all of its pins masked. */
#pragma once

/* Fills boot_info.lines from ioapic, ioapic_gsi_base and overrides, which acpi_init found. */
void ioapic_prepare(void);
