/* sources: boot/acpi.c */
/* The loader's ACPI reader on tables built here: good ones, and ones damaged in every byte. */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "boot/acpi.h"
#include "boot/console.h"
#include "boot/memory.h"
#include "tests/unit/check.h"

enum { AREA = 8192, RSDP = 0, XSDT = 64, MADT = 256, SRAT = 1024, FADT = 2048 };

struct boot_info boot_info;
static uint8_t *area; /* below 4 GB, as the reader wants it; an unmapped page follows */
static int notes, node_calls;

void boot_note(const char *format, ...) {
    (void)format;
    notes++;
}
void memory_set_node(uint64_t base, uint64_t end, uint32_t node) {
    (void)node;
    CHECK(base <= end && end <= boot_info.direct_map_end);
    node_calls++;
}

static void put16(uint32_t at, uint16_t value) {
    memcpy(area + at, &value, sizeof(value));
}
static void put32(uint32_t at, uint32_t value) {
    memcpy(area + at, &value, sizeof(value));
}
static void put64(uint32_t at, uint64_t value) {
    memcpy(area + at, &value, sizeof(value));
}
static uint64_t address(uint32_t at) {
    return (uint64_t)(uintptr_t)area + at;
}

static void set_sum(uint32_t at, uint32_t length, uint32_t sum_at) {
    uint8_t sum = 0;
    area[at + sum_at] = 0;
    for (uint32_t i = 0; i < length; i++)
        sum += area[at + i];
    area[at + sum_at] = (uint8_t)-sum;
}

static void finish_table(uint32_t at, const char *name, uint32_t length) {
    memcpy(area + at, name, 4);
    put32(at + 4, length);
    set_sum(at, length, 9);
}

static uint32_t put_lapic(uint32_t at, uint8_t id, uint32_t flags) {
    area[at] = 0;
    area[at + 1] = 8;
    area[at + 3] = id;
    put32(at + 4, flags);
    return at + 8;
}

static uint8_t other_id(int which) {
    return (uint8_t)(boot_info.cpus[0].apic_id + (uint32_t)which + 1) % 200;
}

static void put_madt(void) {
    uint32_t at = MADT + 44;
    put32(MADT + 36, 0xfee00000);
    at = put_lapic(at, other_id(0), 1);
    at = put_lapic(at, other_id(1), 0);
    at = put_lapic(at, other_id(2), 1);
    memcpy(area + at, "\1\14\0\0", 4);
    put32(at + 4, 0xfec10000);
    put32(at + 8, 24);
    at += 12;
    memcpy(area + at, "\1\14\0\0", 4);
    put32(at + 4, 0xfec00000);
    put32(at + 8, 0);
    at += 12;
    memcpy(area + at, "\2\12\0\11", 4);
    put32(at + 4, 20);
    put16(at + 8, 0xf);
    at += 10;
    finish_table(MADT, "APIC", at - MADT);
}

static void put_srat(void) {
    uint32_t at = SRAT + 48;
    memcpy(area + at, "\0\20\7", 3);
    area[at + 3] = other_id(0);
    put32(at + 4, 1);
    at += 16;
    memcpy(area + at, "\1\50", 2);
    put32(at + 2, 9);
    put64(at + 8, 1 << 20);
    put64(at + 16, UINT64_MAX);
    put32(at + 28, 1);
    at += 40;
    finish_table(SRAT, "SRAT", at - SRAT);
}

static void put_root(void) {
    memcpy(area + RSDP, "RSD PTR ", 8);
    area[RSDP + 15] = 2;
    put32(RSDP + 20, 36);
    put64(RSDP + 24, address(XSDT));
    set_sum(RSDP, 20, 8);
    set_sum(RSDP, 36, 32);
    put64(XSDT + 36, address(FADT));
    put64(XSDT + 44, address(MADT));
    put64(XSDT + 52, address(SRAT));
    finish_table(XSDT, "XSDT", 60);
}

static void make_tables(void) {
    if (!area) {
        area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        CHECK(area != MAP_FAILED);
        CHECK(!mprotect(area + AREA / 2, AREA / 2, PROT_NONE));
    }
    memset(&boot_info, 0, sizeof(boot_info));
    boot_info.direct_map_end = 1ULL << 32;
    acpi_init(0); /* tells this machine's APIC id */
    memset(area, 0, AREA / 2);
    put_madt();
    put_srat();
    put32(FADT + 76, 0x608);
    finish_table(FADT, "FACP", 116);
    put_root();
}

static void read_tables(void) {
    memset(&boot_info, 0, sizeof(boot_info));
    boot_info.direct_map_end = 1ULL << 32;
    notes = node_calls = 0;
    acpi_init(address(RSDP));
    acpi_set_nodes();
}

TEST(good_tables) {
    make_tables();
    read_tables();
    CHECK_EQ(notes, 0);
    CHECK_EQ(boot_info.rsdp, address(RSDP));
    CHECK_EQ(boot_info.cpu_count, 3);
    CHECK_EQ(boot_info.cpus[1].apic_id, other_id(0));
    CHECK_EQ(boot_info.cpus[2].apic_id, other_id(2));
    CHECK_EQ(boot_info.lapic, 0xfee00000);
    CHECK_EQ(boot_info.ioapic, 0xfec00000);
    CHECK_EQ(boot_info.ioapic_gsi_base, 0);
    CHECK_EQ(boot_info.override_count, 1);
    CHECK_EQ(boot_info.overrides[0].irq, 9);
    CHECK_EQ(boot_info.overrides[0].gsi, 20);
    CHECK_EQ(boot_info.overrides[0].active_low, 1);
    CHECK_EQ(boot_info.overrides[0].level, 1);
    CHECK_EQ(boot_info.cpus[1].node, 0);
    CHECK_EQ(node_calls, 1);
    CHECK_EQ(acpi_timer_port(), 0x608);
}

TEST(damaged_table_means_one_cpu) {
    make_tables();
    area[MADT + 47] ^= 1;
    read_tables();
    CHECK_EQ(notes, 1);
    CHECK_EQ(boot_info.cpu_count, 1);
    CHECK_EQ(boot_info.lapic, 0xfee00000);
    CHECK_EQ(boot_info.ioapic, 0xfec00000);
}

TEST(entry_of_length_0) {
    make_tables();
    area[MADT + 45] = 0;
    set_sum(MADT, area[MADT + 4], 9);
    read_tables();
    CHECK_EQ(boot_info.cpu_count, 1);
    CHECK_EQ(notes, 1);
}

TEST(root_that_names_itself) {
    make_tables();
    put64(XSDT + 44, address(XSDT));
    set_sum(XSDT, 60, 9);
    read_tables();
    CHECK_EQ(boot_info.cpu_count, 1);
}

TEST(no_tables) {
    make_tables();
    memset(&boot_info, 0, sizeof(boot_info));
    acpi_init(0);
    CHECK_EQ(boot_info.cpu_count, 1);
    CHECK_EQ(boot_info.rsdp, 0);
}

/* The unmapped page behind the area ends the test at any read too far. */
TEST(tables_up_to_the_end) {
    make_tables();
    memmove(area + AREA / 2 - 60, area + XSDT, 60);
    put64(RSDP + 24, address(AREA / 2 - 60));
    set_sum(RSDP, 36, 32);
    read_tables();
    CHECK_EQ(boot_info.cpu_count, 3);
}

/* Bytes that are wrong with a right checksum: the worst firmware can do. Lengths that lead out of the area
 * are left out, since the reader may follow them anywhere below 4 GB. */
TEST(every_byte_damaged) {
    static const uint32_t tables[] = {XSDT, MADT, SRAT, FADT};
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
        for (uint32_t i = 8; i < 140; i++)
            for (int value = 0; value < 256; value += 3) {
                make_tables();
                if (tables[t] == XSDT && i >= 36 && i < 60 && i % 8 != 4)
                    continue; /* addresses */
                area[tables[t] + i] = (uint8_t)value;
                uint32_t length;
                memcpy(&length, area + tables[t] + 4, sizeof(length));
                set_sum(tables[t], length, 9);
                read_tables();
                CHECK(boot_info.cpu_count >= 1 && boot_info.cpu_count <= BOOT_MAX_CPUS);
                CHECK(boot_info.override_count <= BOOT_MAX_OVERRIDES);
            }
}

TEST_MAIN();
