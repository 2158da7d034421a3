/* sources: servers/devices/acpi.c */
/* Any bytes as physical memory from 64 on: the reader ends, and what it says it has found can be used. Sums
 * are made right where a table would begin, so that more than the first check is reached. */
#include "servers/devices/acpi.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *bytes;
static size_t length;

static bool read_bytes(void *context, uint64_t address, void *to, uint32_t count) {
    (void)context;
    if (address < 64 || address - 64 > length || count > length - (address - 64))
        return false;
    memcpy(to, bytes + (address - 64), count);
    return true;
}

static void complain(void *context, const char *what, uint64_t address) {
    (void)context, (void)what, (void)address;
}

/* Makes the bytes of [at, at + count) sum to zero by the one at sum_at. */
static void sum_fix(uint8_t *copy, size_t size, size_t at, uint32_t count, size_t sum_at) {
    if (at > size || count > size - at || sum_at >= count)
        return;
    copy[at + sum_at] = 0;
    uint8_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += copy[at + i];
    copy[at + sum_at] = (uint8_t)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"XSDT", "RSDT", "MCFG", "FACP", "DSDT", "HPET", "DMAR"};
    const struct acpi_memory memory = {read_bytes, complain, NULL};
    struct acpi_facts facts;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    sum_fix(copy, size, 0, 20, 8);
    sum_fix(copy, size, 0, 36, 32);
    for (size_t at = 36; at + 8 <= size; at++)
        for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
            if (!memcmp(copy + at, names[i], 4)) {
                uint32_t count;
                memcpy(&count, copy + at + 4, 4);
                sum_fix(copy, size, at, count, 9);
            }
    bytes = copy;
    length = size;
    acpi_read(&facts, &memory, 64);
    for (unsigned i = 0; i < facts.segment_count; i++)
        if (facts.segments[i].base % (1 << 20) || facts.segments[i].first > facts.segments[i].last)
            abort();
    if (facts.hpet.base % 8 || facts.hpet.base % 4096 + ACPI_HPET_SIZE > 4096)
        abort();
    if (facts.power.known && (!facts.power.pm1a || facts.power.sleep_a > 7 || facts.power.sleep_b > 7))
        abort();
    free(copy);
    return 0;
}
