/*
 * The PVH boot protocol (Xen's "HVM direct boot ABI"), which QEMU speaks for -kernel: reads struct
 * hvm_start_info and what it points to, all of it below 4 GB, and copies it.
 */
#include "boot/console.h"
#include "boot/io.h"
#include "boot/source.h"
#include "lib/base/string.h"

enum { START_MAGIC = 0x336ec578, MEMORY_RAM = 1 };

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp;
    uint64_t memory_map; /* from version 1 on */
    uint32_t memory_map_entries, reserved;
};

struct start_module {
    uint64_t address, size, command_line, reserved;
};

struct start_memory {
    uint64_t address, size;
    uint32_t type, reserved;
};

static struct boot_source source;

static void read_memory_map(const struct start_info *start) {
    const struct start_memory *map =
        physical_at(start->memory_map, start->memory_map_entries * sizeof(struct start_memory));

    if (start->version < 1 || !map || start->memory_map_entries == 0)
        boot_fail("PVH start information has no memory map");
    if (start->memory_map_entries > SOURCE_MAX_MEMORY)
        boot_fail("the memory map has %u entries, the most is %d", start->memory_map_entries,
                  SOURCE_MAX_MEMORY);
    for (uint32_t i = 0; i < start->memory_map_entries; i++)
        source.memory[i] = (struct source_memory){map[i].address, map[i].size, map[i].type == MEMORY_RAM};
    source.memory_count = start->memory_map_entries;
}

static void read_module(const struct start_info *start) {
    if (start->module_count == 0)
        return;
    const struct start_module *module = physical_at(start->modules, sizeof(struct start_module));
    if (!module || !physical_at(module->address, module->size))
        boot_fail("the initial archive lies beyond 4 GB");
    source.archive = module->address;
    source.archive_length = module->size;
}

static void read_command_line(const struct start_info *start) {
    const char *text = physical_at(start->command_line, SOURCE_COMMAND_LINE);

    if (!text)
        return;
    source.command_line_length = strnlen(text, SOURCE_COMMAND_LINE);
    if (source.command_line_length == SOURCE_COMMAND_LINE)
        boot_note("the command line is longer than %d bytes and was cut", SOURCE_COMMAND_LINE);
    memcpy(source.command_line, text, source.command_line_length);
}

/* Called by entry.S with the physical address in ebx at the entry. */
_Noreturn void pvh_main(uint64_t address);

void pvh_main(uint64_t address) {
    const struct start_info *start = physical_at(address, sizeof(*start));

    if (!start || start->magic != START_MAGIC)
        boot_fail("started without PVH start information");
    read_memory_map(start);
    read_module(start);
    read_command_line(start);
    source.rsdp = start->rsdp;
    boot_main(&source);
}
