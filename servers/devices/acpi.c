/* See acpi.h. Fields are not aligned. */
#include "servers/devices/acpi.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/bytes.h"

enum { HEADER_SIZE = 36, RSDP_SIZE_1 = 20, RSDP_SIZE_2 = 36, ENTRIES_MOST = 256 };
enum { DMAR_ENTRIES = 48, DMAR_ENTRY_LEAST = 4, DMAR_UNIT = 0, DMAR_UNIT_SIZE = 16, DMAR_RESERVED = 1 };
enum { HPET_SPACE = 40, HPET_ADDRESS = 44, HPET_NUMBER = 52, HPET_TICK = 53, HPET_LENGTH = 56 };
enum { PAGE_BYTES = 4096 };
enum { MCFG_ENTRIES = 44, MCFG_ENTRY_SIZE = 16 };
enum fadt {
    FADT_DSDT = 40,
    FADT_SMI_PORT = 48,
    FADT_ENABLE = 52,
    FADT_PM1A = 64,
    FADT_PM1B = 68,
    FADT_SIZE_1 = 116,
    FADT_FLAGS = 112,
    FADT_RESET = 116,
    FADT_RESET_VALUE = 128,
    FADT_RESET_END = 129,
    FADT_X_DSDT = 140,
    FADT_X_DSDT_END = 148,
};
enum { FLAG_RESET = 1 << 10, SPACE_MEMORY = 0, SPACE_PORT = 1 };
enum aml { AML_ZERO = 0, AML_ONE = 1, AML_NAME = 8, AML_BYTE = 10, AML_WORD = 11, AML_PACKAGE = 0x12 };

struct table {
    uint8_t *bytes; /* NULL: not there */
    uint32_t length;
};

struct reader {
    const struct acpi_memory *memory;
    struct table root;
    uint32_t entry_size;
};

static bool physical_read(const struct reader *reader, uint64_t address, void *to, uint32_t length) {
    return address != 0 && address <= UINT64_MAX - length &&
           reader->memory->read(reader->memory->context, address, to, length);
}

static void complain(const struct reader *reader, const char *what, uint64_t address) {
    reader->memory->complain(reader->memory->context, what, address);
}

/* A copy of the table at an address, when it is whole and has the name. The caller frees the bytes. */
static struct table table_load(const struct reader *reader, uint64_t address, const char *name) {
    uint8_t header[HEADER_SIZE];
    struct table table = {0};
    if (!physical_read(reader, address, header, sizeof header) || memcmp(header, name, 4) != 0) {
        complain(reader, name, address);
        return table;
    }
    table.length = read32(header + 4);
    if (table.length >= HEADER_SIZE && table.length <= ACPI_TABLE_MOST)
        table.bytes = malloc(table.length);
    if (table.bytes && physical_read(reader, address, table.bytes, table.length) &&
        sums_to_zero(table.bytes, table.length))
        return table;
    complain(reader, name, address);
    free(table.bytes);
    return (struct table){0};
}

static void root_find(struct reader *reader, uint64_t address) {
    uint8_t rsdp[RSDP_SIZE_2] = {0};
    if (address == 0)
        return;
    if (!physical_read(reader, address, rsdp, RSDP_SIZE_1) || memcmp(rsdp, "RSD PTR ", 8) != 0 ||
        !sums_to_zero(rsdp, RSDP_SIZE_1)) {
        complain(reader, "RSDP", address);
        return;
    }
    if (rsdp[15] >= 2 && physical_read(reader, address, rsdp, RSDP_SIZE_2) &&
        sums_to_zero(rsdp, RSDP_SIZE_2) && read64(rsdp + 24)) {
        reader->root = table_load(reader, read64(rsdp + 24), "XSDT");
        reader->entry_size = 8;
    }
    if (!reader->root.bytes) {
        reader->root = table_load(reader, read32(rsdp + 16), "RSDT");
        reader->entry_size = 4;
    }
}

/* The first table of a name. */
static struct table table_find(const struct reader *reader, const char *name) {
    uint32_t count = reader->root.bytes ? (reader->root.length - HEADER_SIZE) / reader->entry_size : 0;
    for (uint32_t i = 0; i < count && i < ENTRIES_MOST; i++) {
        const uint8_t *entry = reader->root.bytes + HEADER_SIZE + i * reader->entry_size;
        uint64_t address = reader->entry_size == 8 ? read64(entry) : read32(entry);
        uint8_t found[4];
        if (physical_read(reader, address, found, sizeof found) && memcmp(found, name, 4) == 0)
            return table_load(reader, address, name);
    }
    return (struct table){0};
}

static void mcfg_read(const struct reader *reader, struct acpi_facts *facts) {
    struct table mcfg = table_find(reader, "MCFG");
    for (uint32_t at = MCFG_ENTRIES; mcfg.bytes && at <= mcfg.length && mcfg.length - at >= MCFG_ENTRY_SIZE;
         at += MCFG_ENTRY_SIZE) {
        const uint8_t *entry = mcfg.bytes + at;
        struct acpi_segment segment = {read64(entry), read16(entry + 8), entry[10], entry[11]};
        if (segment.base % (1 << 20) || segment.first > segment.last || facts->segment_count == ACPI_SEGMENTS)
            complain(reader, "MCFG entry", segment.base);
        else
            facts->segments[facts->segment_count++] = segment;
    }
    free(mcfg.bytes);
}

/* Units of the first segment; one of them is responsible for what no other names, so all are needed. */
static void dmar_read(const struct reader *reader, struct acpi_facts *facts) {
    struct table dmar = table_find(reader, "DMAR");
    uint32_t at = DMAR_ENTRIES;
    while (dmar.bytes && at <= dmar.length && dmar.length - at >= DMAR_ENTRY_LEAST) {
        const uint8_t *entry = dmar.bytes + at;
        uint16_t type = read16(entry), length = read16(entry + 2);
        if (length < DMAR_ENTRY_LEAST || length > dmar.length - at ||
            (type == DMAR_UNIT && length < DMAR_UNIT_SIZE)) {
            complain(reader, "DMAR entry", at);
            facts->iommu_reserved = true;
            break;
        }
        if (type == DMAR_RESERVED)
            facts->iommu_reserved = true;
        else if (type == DMAR_UNIT && facts->iommu_count < ACPI_IOMMUS && read64(entry + 8) % 4096 == 0 &&
                 read16(entry + 6) == 0)
            facts->iommus[facts->iommu_count++] = read64(entry + 8);
        else if (type == DMAR_UNIT)
            facts->iommu_reserved = true;
        at += length;
    }
    free(dmar.bytes);
}

/* IA-PC HPET specification 1.0a, section 3.2.4. The registers are memory, aligned as they are wide, and one
 * page can show them. */
static void hpet_read(const struct reader *reader, struct acpi_hpet *hpet) {
    struct table table = table_find(reader, "HPET");
    if (!table.bytes)
        return;
    uint64_t base = table.length >= HPET_LENGTH ? read64(table.bytes + HPET_ADDRESS) : 0;
    if (base == 0 || base >> 52 || base % 8 || base % PAGE_BYTES > PAGE_BYTES - ACPI_HPET_SIZE ||
        table.bytes[HPET_SPACE] != SPACE_MEMORY)
        complain(reader, "HPET's address", base);
    else
        *hpet = (struct acpi_hpet){base, read16(table.bytes + HPET_TICK), table.bytes[HPET_NUMBER]};
    free(table.bytes);
}

/* ---- power ---- */

/* An integer constant of AML in [*at, end): false when something else stands there. */
static bool constant_read(const struct table *table, uint32_t *at, uint8_t *value) {
    uint32_t left = table->length - *at;
    const uint8_t *code = table->bytes + *at;
    if (left >= 1 && (code[0] == AML_ZERO || code[0] == AML_ONE)) {
        *value = code[0];
        *at += 1;
        return true;
    }
    if (left >= 3 && (code[0] == AML_BYTE || code[0] == AML_WORD)) {
        *value = code[1];
        *at += code[0] == AML_BYTE ? 2 : 3;
        return true;
    }
    return false;
}

/* Name (_S5, Package (…) { A, B, … }): a definition of these bytes is the same in every DSDT, and no
 * interpreter is needed to find it. */
static bool sleep_find(const struct table *dsdt, struct acpi_power *power) {
    for (uint32_t at = HEADER_SIZE; at + 8 < dsdt->length; at++) {
        const uint8_t *code = dsdt->bytes + at;
        bool named = code[-1] == AML_NAME || (code[-1] == '\\' && code[-2] == AML_NAME);
        if (memcmp(code, "_S5_", 4) != 0 || !named || code[4] != AML_PACKAGE)
            continue;
        uint32_t next = at + 6 + (code[5] >> 6) + 1; /* behind the package's length and number of elements */
        if (next < dsdt->length && constant_read(dsdt, &next, &power->sleep_a) && next < dsdt->length &&
            constant_read(dsdt, &next, &power->sleep_b))
            return power->sleep_a < 8 && power->sleep_b < 8;
    }
    return false;
}

static void reset_read(const struct table *fadt, struct acpi_power *power) {
    const uint8_t *bytes = fadt->bytes;
    if (fadt->length < FADT_RESET_END || !(read32(bytes + FADT_FLAGS) & FLAG_RESET))
        return;
    uint8_t space = bytes[FADT_RESET];
    power->reset = read64(bytes + FADT_RESET + 4);
    power->reset_value = bytes[FADT_RESET_VALUE];
    power->reset_memory = space == SPACE_MEMORY;
    power->can_reset =
        power->reset != 0 && (space == SPACE_MEMORY || (space == SPACE_PORT && power->reset <= UINT16_MAX));
}

static uint16_t port_of(uint32_t value) {
    return value <= UINT16_MAX - 1 ? (uint16_t)value : 0;
}

static void power_read(const struct reader *reader, struct acpi_power *power) {
    struct table fadt = table_find(reader, "FACP");
    if (!fadt.bytes)
        return;
    if (fadt.length < FADT_SIZE_1) {
        complain(reader, "FACP", 0);
        free(fadt.bytes);
        return;
    }
    power->smi_port = port_of(read32(fadt.bytes + FADT_SMI_PORT));
    power->enable = fadt.bytes[FADT_ENABLE];
    power->pm1a = port_of(read32(fadt.bytes + FADT_PM1A));
    power->pm1b = port_of(read32(fadt.bytes + FADT_PM1B));
    reset_read(&fadt, power);
    uint64_t place = fadt.length >= FADT_X_DSDT_END ? read64(fadt.bytes + FADT_X_DSDT) : 0;
    struct table dsdt = table_load(reader, place ? place : read32(fadt.bytes + FADT_DSDT), "DSDT");
    power->known = dsdt.bytes && power->pm1a && sleep_find(&dsdt, power);
    free(dsdt.bytes);
    free(fadt.bytes);
}

void acpi_read(struct acpi_facts *facts, const struct acpi_memory *memory, uint64_t rsdp) {
    struct reader reader = {.memory = memory};
    *facts = (struct acpi_facts){0};
    root_find(&reader, rsdp);
    mcfg_read(&reader, facts);
    dmar_read(&reader, facts);
    hpet_read(&reader, &facts->hpet);
    power_read(&reader, &facts->power);
    free(reader.root.bytes);
}
