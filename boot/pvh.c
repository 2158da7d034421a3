/*
 * The PVH boot protocol (Xen's "HVM direct boot ABI"), which QEMU speaks for -kernel: reads struct
 * hvm_start_info and what it points to, all of it below 4 GB, and copies it.
 */
#include "boot/console.h"
#include "boot/io.h"
#include "boot/protocol.h"
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

static void read_memory_map(const struct start_info *start, struct boot_source *source) {
    const struct start_memory *map =
        physical_at(start->memory_map, start->memory_map_entries * sizeof(struct start_memory));

    if (start->version < 1 || !map || start->memory_map_entries == 0)
        boot_fail("PVH start information has no memory map");
    for (uint32_t i = 0; i < start->memory_map_entries; i++)
        if (!source_add_memory(source, map[i].address, map[i].size, map[i].type == MEMORY_RAM))
            boot_fail("the memory map has more than %d entries", SOURCE_MAX_MEMORY);
}

static void read_module(const struct start_info *start, struct boot_source *source) {
    if (start->module_count == 0)
        return;
    const struct start_module *module = physical_at(start->modules, sizeof(struct start_module));
    if (!module || !physical_at(module->address, module->size))
        boot_fail("the initial archive lies beyond 4 GB");
    source->pieces[source->piece_count++] = (struct source_piece){module->address, module->size};
}

static void read_command_line(const struct start_info *start, struct boot_source *source) {
    const char *text = physical_at(start->command_line, SOURCE_COMMAND_LINE + 1);

    if (text && !source_set_command_line(source, text, strnlen(text, SOURCE_COMMAND_LINE + 1)))
        boot_note("the command line is longer than %d bytes and was cut", SOURCE_COMMAND_LINE);
}

void pvh_read(uint64_t address, struct boot_source *source) {
    const struct start_info *start = physical_at(address, sizeof(*start));

    if (!start || start->magic != START_MAGIC)
        boot_fail("started neither by PVH nor by Multiboot2 nor by Keel's EFI program");
    read_memory_map(start, source);
    read_module(start, source);
    read_command_line(start, source);
    source->rsdp = start->rsdp;
}
