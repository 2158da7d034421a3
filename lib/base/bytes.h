/* Numbers and sums in tables whose fields are little-endian and not aligned, as ACPI's are. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline uint16_t read16(const uint8_t *at) {
    return (uint16_t)(at[0] | at[1] << 8);
}
static inline uint32_t read32(const uint8_t *at) {
    return read16(at) | (uint32_t)read16(at + 2) << 16;
}
static inline uint64_t read64(const uint8_t *at) {
    return read32(at) | (uint64_t)read32(at + 4) << 32;
}

static inline bool sums_to_zero(const uint8_t *bytes, uint32_t length) {
    uint8_t sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum += bytes[i];
    return sum == 0;
}
