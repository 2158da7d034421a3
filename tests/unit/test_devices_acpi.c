/* sources: servers/devices/acpi.c */
/* The ACPI reader of user space on tables built here: good ones, and ones damaged in every byte. */
#include "servers/devices/acpi.h"

#include <string.h>

#include "tests/unit/check.h"

/* Physical memory [AREA, AREA + SIZE). */
enum {
    AREA = 0x10000,
    SIZE = 4096,
    RSDP = 0,
    XSDT = 64,
    XSDT_LENGTH = 60,
    MCFG = 256,
    FADT = 512,
    DSDT = 1024,
    DSDT_LENGTH = 96,
    DMAR = 1280,
    HPET = 1536,
    HPET_LENGTH = 56,
};

static uint8_t area[SIZE];
static unsigned complaints;
static struct acpi_facts facts;

static bool area_read(void *context, uint64_t address, void *to, uint32_t length) {
    (void)context;
    if (address < AREA || address > AREA + SIZE || length > AREA + SIZE - address)
        return false;
    memcpy(to, area + (address - AREA), length);
    return true;
}

static void complaint(void *context, const char *what, uint64_t address) {
    (void)context, (void)what, (void)address;
    complaints++;
}

static const struct acpi_memory memory = {area_read, complaint, NULL};

static void put(uint32_t at, uint64_t value, unsigned width) {
    memcpy(area + at, &value, width);
}

static void sum_set(uint32_t at, uint32_t length, uint32_t sum_at) {
    uint8_t sum = 0;
    area[at + sum_at] = 0;
    for (uint32_t i = 0; i < length; i++)
        sum += area[at + i];
    area[at + sum_at] = (uint8_t)-sum;
}

static void table_finish(uint32_t at, const char *name, uint32_t length) {
    memcpy(area + at, name, 4);
    put(at + 4, length, 4);
    sum_set(at, length, 9);
}

static void dsdt_put(const void *code, size_t length) {
    memset(area + DSDT, 0xa3, DSDT_LENGTH);
    memcpy(area + DSDT + 50, code, length);
    table_finish(DSDT, "DSDT", DSDT_LENGTH);
}

static void build(void) {
    memset(area, 0, sizeof area);
    complaints = 0;
    memcpy(area + RSDP, "RSD PTR ", 8);
    area[RSDP + 15] = 2;
    put(RSDP + 20, 36, 4);
    put(RSDP + 24, AREA + XSDT, 8);
    sum_set(RSDP, 20, 8);
    sum_set(RSDP, 36, 32);
    put(XSDT + 36, AREA + MCFG, 8);
    put(XSDT + 44, AREA + FADT, 8);
    put(XSDT + 52, AREA + HPET, 8);
    table_finish(XSDT, "XSDT", XSDT_LENGTH);
    put(MCFG + 44, 0xb0000000, 8);
    area[MCFG + 55] = 255;
    put(MCFG + 60, 0xa0000000, 8);
    put(MCFG + 68, 1, 2);
    area[MCFG + 71] = 31;
    table_finish(MCFG, "MCFG", 76);
    put(FADT + 40, AREA + DSDT, 4);
    put(FADT + 48, 0xb2, 4);
    area[FADT + 52] = 2;
    put(FADT + 64, 0x604, 4);
    put(FADT + 112, 1 << 10, 4);
    area[FADT + 116] = 1;
    put(FADT + 120, 0xcf9, 8);
    area[FADT + 128] = 0x0f;
    table_finish(FADT, "FACP", 132);
    dsdt_put("\x08_S5_\x12\x06\x04\x0a\x05\x01\x00\x00", 13);
    put(HPET + 36, 0x8086a201, 4);
    put(HPET + 44, 0xfed00000, 8);
    area[HPET + 52] = 1;
    put(HPET + 53, 100, 2);
    table_finish(HPET, "HPET", HPET_LENGTH);
}

static void read_all(void) {
    acpi_read(&facts, &memory, AREA + RSDP);
}

TEST(good_tables) {
    build();
    read_all();
    CHECK_EQ(complaints, 0);
    CHECK_EQ(facts.segment_count, 2);
    CHECK_EQ(facts.segments[0].base, 0xb0000000);
    CHECK_EQ(facts.segments[0].last, 255);
    CHECK_EQ(facts.segments[1].segment, 1);
    CHECK(facts.power.known);
    CHECK_EQ(facts.power.pm1a, 0x604);
    CHECK_EQ(facts.power.sleep_a, 5);
    CHECK_EQ(facts.power.sleep_b, 1);
    CHECK_EQ(facts.power.smi_port, 0xb2);
    CHECK(facts.power.can_reset && !facts.power.reset_memory);
    CHECK_EQ(facts.power.reset, 0xcf9);
    CHECK_EQ(facts.power.reset_value, 0x0f);
    CHECK_EQ(facts.hpet.base, 0xfed00000);
    CHECK(facts.hpet.least_tick == 100 && facts.hpet.number == 1);
}

TEST(sleep_packages) {
    build();
    dsdt_put("\x08\\_S5_\x12\x06\x04\x00\x0b\x07\x00", 12);
    read_all();
    CHECK(facts.power.known && facts.power.sleep_a == 0 && facts.power.sleep_b == 7);
    dsdt_put("\x08_S5_\x12\x46\x00\x04\x0a\x05\x0a\x05", 13); /* a length of two bytes */
    read_all();
    CHECK(facts.power.known && facts.power.sleep_a == 5);
    dsdt_put("\x08_S5_\x12\x06\x04\x0a\x0c\x00", 10); /* no sleep type */
    read_all();
    CHECK(!facts.power.known);
    dsdt_put("\x09_S5_\x12\x06\x04\x0a\x05\x00", 10); /* not a name's definition */
    read_all();
    CHECK(!facts.power.known);
}

TEST(no_root_pointer) {
    build();
    acpi_read(&facts, &memory, 0);
    CHECK_EQ(complaints, 0);
    CHECK(facts.segment_count == 0 && !facts.power.known);
    acpi_read(&facts, &memory, 0x5000);
    CHECK_EQ(complaints, 1);
    acpi_read(&facts, &memory, UINT64_MAX - 3);
    CHECK_EQ(complaints, 2);
}

/* Every single damaged byte of a checked structure is noticed, and what stays is used. */
TEST(damage) {
    static const struct {
        uint32_t at, length;
    } tables[] = {{MCFG, 76}, {FADT, 132}, {DSDT, DSDT_LENGTH}, {XSDT, XSDT_LENGTH}, {HPET, HPET_LENGTH}};
    for (unsigned t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (uint32_t i = 0; i < tables[t].length; i++) {
            build();
            area[tables[t].at + i] ^= 0x40;
            read_all();
            bool mcfg = tables[t].at == MCFG, all = tables[t].at == XSDT, hpet = tables[t].at == HPET;
            CHECK(complaints > 0 || (i < 4 && facts.segment_count == (mcfg ? 0 : 2)));
            CHECK_EQ(facts.segment_count, mcfg || all ? 0 : 2);
            CHECK_EQ(facts.power.known, mcfg || hpet);
            CHECK_EQ(facts.hpet.base, hpet || all ? 0 : 0xfed00000);
        }
}

TEST(lengths) {
    build();
    put(MCFG + 4, 20, 4);
    read_all();
    CHECK(complaints == 1 && facts.segment_count == 0);
    build();
    put(MCFG + 4, UINT32_MAX, 4);
    read_all();
    CHECK(complaints == 1 && facts.segment_count == 0);
    build();
    put(MCFG + 4, SIZE, 4); /* beyond memory */
    read_all();
    CHECK(complaints == 1 && facts.segment_count == 0);
}

/* DMAR with two units, and a third structure of a type. */
static void dmar_build(uint16_t type, uint16_t length) {
    build();
    put(XSDT + 60, AREA + DMAR, 8);
    table_finish(XSDT, "XSDT", 68);
    put(DMAR + 48, 0, 2);
    put(DMAR + 50, 16, 2);
    put(DMAR + 56, 0xfed90000, 8);
    put(DMAR + 64, 0, 2);
    put(DMAR + 66, 16, 2);
    put(DMAR + 72, 0xfed91000, 8);
    put(DMAR + 80, type, 2);
    put(DMAR + 82, length, 2);
    table_finish(DMAR, "DMAR", 104);
    read_all();
}

TEST(iommus) {
    dmar_build(4, 24);
    CHECK_EQ(complaints, 0);
    CHECK_EQ(facts.iommu_count, 2);
    CHECK(facts.iommus[0] == 0xfed90000 && facts.iommus[1] == 0xfed91000 && !facts.iommu_reserved);
    dmar_build(1, 24); /* reserved memory */
    CHECK(facts.iommu_reserved && complaints == 0);
    dmar_build(4, 0); /* would never end */
    CHECK(facts.iommu_reserved && complaints == 1);
    dmar_build(4, 25); /* beyond the table */
    CHECK(facts.iommu_reserved && complaints == 1);
    dmar_build(0, 8); /* a unit without an address */
    CHECK(facts.iommu_reserved && facts.iommu_count == 2);
    area[DMAR + 56]++;
    read_all();
    CHECK(facts.iommu_count == 0);
}

static void hpet_change(uint32_t at, uint64_t value, unsigned width, uint32_t length) {
    build();
    put(HPET + at, value, width);
    table_finish(HPET, "HPET", length);
    read_all();
}

/* Addresses at which no page shows all registers, and tables too short to have one. */
TEST(event_timer) {
    hpet_change(44, 0xfed00c00, 8, HPET_LENGTH);
    CHECK(facts.hpet.base == 0xfed00c00 && complaints == 0);
    hpet_change(44, 0xfed00c08, 8, HPET_LENGTH);
    CHECK(facts.hpet.base == 0 && complaints == 1);
    hpet_change(44, 0xfed00004, 8, HPET_LENGTH);
    CHECK(facts.hpet.base == 0 && complaints == 1);
    hpet_change(44, 0, 8, HPET_LENGTH);
    CHECK(facts.hpet.base == 0 && complaints == 1);
    hpet_change(44, UINT64_MAX - 0xfff, 8, HPET_LENGTH);
    CHECK(facts.hpet.base == 0 && complaints == 1);
    hpet_change(40, 1, 1, HPET_LENGTH); /* I/O ports */
    CHECK(facts.hpet.base == 0 && complaints == 1);
    hpet_change(52, 0, 1, HPET_LENGTH - 1);
    CHECK(facts.hpet.base == 0 && complaints == 1 && facts.power.known && facts.segment_count == 2);
}

TEST_MAIN();
