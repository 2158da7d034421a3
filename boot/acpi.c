/* See acpi.h. Tables are read through the identity map: those beyond 4 GB are refused. Fields are not
 * aligned. */
#include "boot/acpi.h"

#include <stdbool.h>

#include "boot/console.h"
#include "boot/io.h"
#include "boot/memory.h"
#include "lib/base/bytes.h"
#include "lib/base/string.h"

enum { HEADER_SIZE = 36, RSDP_SIZE_1 = 20, RSDP_SIZE_2 = 36, MOST_TABLE_SIZE = 1 << 20, MOST_NODES = 64 };
enum { MADT_ENTRIES = 44, SRAT_ENTRIES = 48 };
enum madt_type {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_ADDRESS = 5,
    MADT_X2APIC = 9
};
enum srat_type { SRAT_LAPIC = 0, SRAT_MEMORY = 1, SRAT_X2APIC = 2 };
enum { ENABLED = 1, POLARITY_LOW = 3, TRIGGER_LEVEL = 3, LAST_XAPIC_ID = 254 };
#define DEFAULT_LAPIC  0xfee00000ULL
#define DEFAULT_IOAPIC 0xfec00000ULL

struct table {
    const uint8_t *bytes; /* NULL: not there */
    uint32_t length;
};

static struct table root; /* the RSDT or XSDT */
static uint32_t root_entry_size;
static uint32_t domains[MOST_NODES], domain_count; /* proximity domains in the order of their first mention */

/* A table by address, wholly readable, of at least its header's size. */
static struct table table_at(uint64_t address) {
    const uint8_t *bytes = physical_at(address, HEADER_SIZE);
    if (!bytes)
        return (struct table){0};
    uint32_t length = read32(bytes + 4);
    if (length < HEADER_SIZE || length > MOST_TABLE_SIZE || !physical_at(address, length))
        return (struct table){0};
    return (struct table){bytes, length};
}

static struct table checked_table(uint64_t address, const char *name) {
    struct table table = table_at(address);
    if (!table.bytes || memcmp(table.bytes, name, 4) || !sums_to_zero(table.bytes, table.length)) {
        boot_note("ACPI table %s at 0x%lx is damaged and ignored", name, address);
        return (struct table){0};
    }
    return table;
}

/* Finds a table by its name in the root table. */
static struct table find_table(const char *name) {
    for (uint32_t at = HEADER_SIZE; root.bytes && root_entry_size <= root.length - at;
         at += root_entry_size) {
        uint64_t address = root_entry_size == 8 ? read64(root.bytes + at) : read32(root.bytes + at);
        const uint8_t *bytes = physical_at(address, HEADER_SIZE);
        if (bytes && !memcmp(bytes, name, 4))
            return checked_table(address, name);
    }
    return (struct table){0};
}

static void find_root(uint64_t address) {
    const uint8_t *rsdp = physical_at(address, RSDP_SIZE_2);

    if (address == 0)
        return;
    if (!rsdp || memcmp(rsdp, "RSD PTR ", 8) || !sums_to_zero(rsdp, RSDP_SIZE_1)) {
        boot_note("the ACPI root pointer at 0x%lx is damaged and ignored", address);
        return;
    }
    boot_info.rsdp = address;
    uint8_t revision = rsdp[15];
    if (revision >= 2 && sums_to_zero(rsdp, RSDP_SIZE_2) && read64(rsdp + 24)) {
        root = checked_table(read64(rsdp + 24), "XSDT");
        root_entry_size = 8;
    }
    if (!root.bytes) {
        root = checked_table(read32(rsdp + 16), "RSDT");
        root_entry_size = 4;
    }
}

/* Steps through the entries {type, length, …} behind a table's fixed part; NULL at the end or where a length
 * is wrong. */
static const uint8_t *next_entry(const struct table *table, uint32_t *at, uint32_t minimum) {
    if (*at > table->length || table->length - *at < minimum)
        return NULL;
    const uint8_t *entry = table->bytes + *at;
    if (entry[1] < minimum || entry[1] > table->length - *at)
        return NULL;
    *at += entry[1];
    return entry;
}

/* The boot CPU is in the list from the start. */
static void add_cpu(uint32_t id, uint32_t flags) {
    if (!(flags & ENABLED) || id > LAST_XAPIC_ID)
        return;
    for (uint32_t i = 0; i < boot_info.cpu_count; i++)
        if (boot_info.cpus[i].apic_id == id)
            return;
    if (boot_info.cpu_count == BOOT_MAX_CPUS)
        boot_note("CPU with APIC id %u stays off: the most is %d CPUs", id, BOOT_MAX_CPUS);
    else
        boot_info.cpus[boot_info.cpu_count++] = (struct boot_cpu){id, 0};
}

/* Of several I/O APICs the one with the lowest interrupt numbers counts. */
static void add_ioapic(uint64_t address, uint32_t gsi_base) {
    if (boot_info.ioapic && gsi_base >= boot_info.ioapic_gsi_base)
        return;
    boot_info.ioapic = address;
    boot_info.ioapic_gsi_base = gsi_base;
}

static void add_override(const uint8_t *entry) {
    uint16_t flags = read16(entry + 8);
    if (boot_info.override_count == BOOT_MAX_OVERRIDES)
        return;
    boot_info.overrides[boot_info.override_count++] = (struct boot_override){
        .irq = entry[3],
        .gsi = read32(entry + 4),
        .active_low = (flags & 3) == POLARITY_LOW,
        .level = (flags >> 2 & 3) == TRIGGER_LEVEL,
    };
}

/* The least length of each kind of entry read below. */
static bool madt_entry_whole(const uint8_t *entry) {
    switch (entry[0]) {
    case MADT_LAPIC:
        return entry[1] >= 8;
    case MADT_IOAPIC:
    case MADT_LAPIC_ADDRESS:
        return entry[1] >= 12;
    case MADT_OVERRIDE:
        return entry[1] >= 10;
    case MADT_X2APIC:
        return entry[1] >= 16;
    default:
        return true;
    }
}

static void read_madt_entry(const uint8_t *entry) {
    switch (entry[0]) {
    case MADT_LAPIC:
        add_cpu(entry[3], read32(entry + 4));
        break;
    case MADT_IOAPIC:
        add_ioapic(read32(entry + 4), read32(entry + 8));
        break;
    case MADT_OVERRIDE:
        add_override(entry);
        break;
    case MADT_LAPIC_ADDRESS:
        boot_info.lapic = read64(entry + 4);
        break;
    case MADT_X2APIC:
        add_cpu(read32(entry + 4), read32(entry + 8));
        break;
    }
}

/* The whole table is checked before any of it is believed. */
static bool madt_whole(const struct table *madt) {
    uint32_t at = MADT_ENTRIES;
    const uint8_t *entry;
    while ((entry = next_entry(madt, &at, 2)))
        if (!madt_entry_whole(entry))
            return false;
    return at == madt->length;
}

static void read_madt(void) {
    struct table madt = find_table("APIC");
    const uint8_t *entry;
    uint32_t at = MADT_ENTRIES;

    if (!madt.bytes)
        return;
    if (!madt_whole(&madt)) {
        boot_note("ACPI table APIC has an entry of a wrong length and is ignored");
        return;
    }
    boot_info.lapic = read32(madt.bytes + 36);
    while ((entry = next_entry(&madt, &at, 2)))
        read_madt_entry(entry);
}

void acpi_init(uint64_t rsdp) {
    struct cpuid one = cpuid(1, 0);

    root = (struct table){0};
    domain_count = 0;
    boot_info.cpus[0].apic_id = one.ebx >> 24;
    boot_info.cpu_count = 1;
    find_root(rsdp);
    read_madt();
    if (!(one.edx >> 9 & 1)) {
        boot_info.lapic = boot_info.ioapic = 0;
        return;
    }
    if (!physical_at(boot_info.lapic, PAGE_SIZE))
        boot_info.lapic = DEFAULT_LAPIC;
    if (!boot_info.ioapic)
        boot_info.ioapic = DEFAULT_IOAPIC;
}

/* Nodes are numbered densely, whatever the firmware's domain numbers are. */
static uint32_t node_of(uint32_t domain) {
    for (uint32_t i = 0; i < domain_count; i++)
        if (domains[i] == domain)
            return i;
    if (domain_count == MOST_NODES)
        return 0;
    domains[domain_count] = domain;
    return domain_count++;
}

static void set_cpu_node(uint32_t id, uint32_t domain, uint32_t flags) {
    for (uint32_t i = 0; i < boot_info.cpu_count; i++)
        if ((flags & ENABLED) && boot_info.cpus[i].apic_id == id)
            boot_info.cpus[i].node = node_of(domain);
}

static void set_memory_node(const uint8_t *entry) {
    uint64_t base = read64(entry + 8), length = read64(entry + 16);
    uint32_t domain = read32(entry + 2), flags = read32(entry + 28);
    if ((flags & ENABLED) && base < boot_info.direct_map_end) {
        uint64_t room = boot_info.direct_map_end - base;
        memory_set_node(base, base + (length < room ? length : room), node_of(domain));
    }
}

void acpi_set_nodes(void) {
    struct table srat = find_table("SRAT");
    const uint8_t *entry;
    uint32_t at = SRAT_ENTRIES;

    while (srat.bytes && (entry = next_entry(&srat, &at, 2))) {
        if (entry[0] == SRAT_LAPIC && entry[1] >= 16)
            set_cpu_node(entry[3], entry[2] | (read32(entry + 8) & 0xffffff00), read32(entry + 4));
        else if (entry[0] == SRAT_X2APIC && entry[1] >= 24)
            set_cpu_node(read32(entry + 8), read32(entry + 4), read32(entry + 12));
        else if (entry[0] == SRAT_MEMORY && entry[1] >= 40)
            set_memory_node(entry);
    }
}

uint16_t acpi_timer_port(void) {
    struct table fadt = find_table("FACP");
    if (!fadt.bytes || fadt.length < 80)
        return 0;
    uint32_t port = read32(fadt.bytes + 76);
    return port <= 0xfffc ? (uint16_t)port : 0;
}
