/* sources: */
/*
 * Any bytes as physical memory from BASE on, with a root pointer at its beginning, or in tables: the loader's
 * reader ends, reads nothing else, and tells the kernel of no more than there is room for. boot/acpi.c is
 * compiled here, with its memory replaced.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "boot/io.h"
#include "tests/fuzz/acpi_sums.h"

enum { BASE = 64, ROOT_SIZE = 60, TABLES_MORE = 512, INPUT_MOST = 1 << 16 };

static const uint8_t *memory;
static size_t memory_size;

static const void *memory_at(uint64_t address, uint64_t length) {
    bool there = address >= BASE && address - BASE <= memory_size && length <= memory_size - (address - BASE);
    return there ? memory + (address - BASE) : NULL;
}
#define physical_at memory_at
#include "boot/acpi.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct boot_info boot_info;

void boot_note(const char *format, ...) {
    (void)format;
}

void memory_set_node(uint64_t base, uint64_t end, uint32_t node) {
    if (base > end || end > boot_info.direct_map_end || node >= MOST_NODES)
        abort();
}

/* Tables of the names that are looked for, with thirds of the input in them, behind a root that leads to
 * them. */
static size_t tables_make(uint8_t *to, const uint8_t *data, size_t size, unsigned first) {
    static const char names[3][5] = {"APIC", "SRAT", "FACP"};
    size_t end = HEADER_SIZE + ROOT_SIZE, third = size / 3;
    uint8_t *root_table = to + HEADER_SIZE;
    memset(to, 0, end);
    memcpy(to, "RSD PTR ", 8);
    to[15] = 2;
    to[24] = BASE + HEADER_SIZE;
    memcpy(root_table, "XSDT", 4);
    root_table[4] = ROOT_SIZE;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t address = BASE + end;
        uint32_t length = (uint32_t)(HEADER_SIZE + third);
        memcpy(root_table + HEADER_SIZE + i * 8, &address, 8);
        memset(to + end, 0, HEADER_SIZE);
        memcpy(to + end, names[(first + i) % 3], 4); /* any may be the last, which ends the memory */
        memcpy(to + end + 4, &length, 4);
        memcpy(to + end + HEADER_SIZE, data + i * third, third);
        end += length;
    }
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size > INPUT_MOST)
        return 0;
    uint8_t *bytes = malloc(size + TABLES_MORE);
    if (!bytes)
        return 0;
    memory_size = size - 1;
    if (data[0] & 1)
        memory_size = tables_make(bytes, data + 1, size - 1, data[0] >> 1);
    else
        memcpy(bytes, data + 1, size - 1);
    uint8_t *copy =
        realloc(bytes, memory_size ? memory_size : 1); /* the sanitizer sees what is read behind it */
    if (!copy)
        abort();
    acpi_sums_fix(copy, memory_size);
    memory = copy;
    memset(&boot_info, 0, sizeof boot_info);
    boot_info.direct_map_end = 1ULL << 32;
    root = (struct table){0};
    root_entry_size = domain_count = 0;
    acpi_init(BASE);
    acpi_set_nodes();
    (void)acpi_timer_port();
    if (boot_info.cpu_count < 1 || boot_info.cpu_count > BOOT_MAX_CPUS ||
        boot_info.override_count > BOOT_MAX_OVERRIDES)
        abort();
    free(copy);
    return 0;
}
