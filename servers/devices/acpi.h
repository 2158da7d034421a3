/*
 * What user space needs from the ACPI tables: where PCI Express configuration spaces lie (MCFG), where the
 * registers of IOMMUs are (DMAR) and of the event timer (HPET), and how the machine is switched off and reset
 * (FADT, and the \_S5 package of the DSDT). The tables are firmware's and are checked like any input: bounds,
 * lengths, checksums; a damaged one is refused with a message and the rest is used.
 *
 * Pure but for the two functions of struct acpi_memory: tables come from there, messages go there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { ACPI_SEGMENTS = 8, ACPI_IOMMUS = 8, ACPI_TABLE_MOST = 1 << 20, ACPI_HPET_SIZE = 1024 };

struct acpi_memory {
    /* Copies physical memory; false when it cannot be read. */
    bool (*read)(void *context, uint64_t address, void *to, uint32_t length);
    void (*complain)(void *context, const char *what, uint64_t address);
    void *context;
};

/* Configuration spaces of buses first … last of a segment: 1 MB a bus, that of bus 0 at base. */
struct acpi_segment {
    uint64_t base;
    uint16_t segment;
    uint8_t first, last;
};

/* The block of a high precision event timer: ACPI_HPET_SIZE bytes of registers within one page. */
struct acpi_hpet {
    uint64_t base;       /* 0: none */
    uint16_t least_tick; /* periods shorter than so many ticks lose interrupts, says the firmware */
    uint8_t number;
};

struct acpi_power {
    bool known;          /* PM1a control and \_S5 were found */
    uint16_t pm1a, pm1b; /* control registers, I/O ports; pm1b 0: none */
    uint8_t sleep_a, sleep_b;
    uint16_t smi_port; /* 0: none */
    uint8_t enable;    /* value that turns ACPI on there; 0: none */
    bool can_reset;
    bool reset_memory; /* the reset register is memory, otherwise a port */
    uint64_t reset;
    uint8_t reset_value;
};

struct acpi_facts {
    struct acpi_segment segments[ACPI_SEGMENTS];
    unsigned segment_count;
    uint64_t iommus[ACPI_IOMMUS]; /* registers: one page each */
    unsigned iommu_count;
    bool iommu_reserved; /* firmware wants some memory to be reached by devices, or DMAR is not understood */
    struct acpi_hpet hpet; /* the first, where there are several */
    struct acpi_power power;
};

/* Reads everything from the root pointer on. An address of 0, or one without a valid structure: no facts. */
void acpi_read(struct acpi_facts *facts, const struct acpi_memory *memory, uint64_t rsdp);
