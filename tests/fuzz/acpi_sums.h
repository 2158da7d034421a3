/* Right checksums for a fuzzer's ACPI tables, so that more than the first check is reached. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Makes the bytes of [at, at + count) sum to zero by the one at sum_at. */
static inline void acpi_sum_fix(uint8_t *bytes, size_t size, size_t at, uint32_t count, size_t sum_at) {
    if (at > size || count > size - at || sum_at >= count)
        return;
    bytes[at + sum_at] = 0;
    uint8_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += bytes[at + i];
    bytes[at + sum_at] = (uint8_t)-sum;
}

/* The sums of a root pointer at the beginning, and of whatever has the name of a table. */
static inline void acpi_sums_fix(uint8_t *bytes, size_t size) {
    static const char *const names[] = {"XSDT", "RSDT", "MCFG", "FACP", "DSDT",
                                        "HPET", "DMAR", "APIC", "SRAT"};
    acpi_sum_fix(bytes, size, 0, 20, 8);
    acpi_sum_fix(bytes, size, 0, 36, 32);
    for (size_t at = 36; at + 8 <= size; at++)
        for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
            if (!memcmp(bytes + at, names[i], 4)) {
                uint32_t count;
                memcpy(&count, bytes + at + 4, 4);
                acpi_sum_fix(bytes, size, at, count, 9);
            }
}
