/* sources: servers/devices/acpi.c */
/* Any bytes as physical memory from 64 on: the reader ends, and what it says it has found can be used. Sums
 * are made right where a table would begin. */
#include "servers/devices/acpi.h"

#include <stdlib.h>

#include "tests/fuzz/acpi_sums.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct acpi_memory memory = {read_bytes, complain, NULL};
    struct acpi_facts facts;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    acpi_sums_fix(copy, size);
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
