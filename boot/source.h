/*
 * What every way of booting knows, in one form: a boot protocol's own file (pvh.c) fills this in from its
 * structures and calls boot_main. By then nothing points into memory the boot code is going to hand out.
 */
#pragma once

#include <stdint.h>

enum { SOURCE_MAX_MEMORY = 128, SOURCE_COMMAND_LINE = 4096 };

struct source_memory {
    uint64_t base, length; /* bytes, not aligned, in any order, may overlap */
    uint32_t usable;       /* 1: RAM, 0: anything else */
};

struct boot_source {
    struct source_memory memory[SOURCE_MAX_MEMORY];
    uint32_t memory_count;
    uint64_t archive, archive_length; /* physical; length 0: none */
    uint64_t rsdp;                    /* physical; 0: none */
    char command_line[SOURCE_COMMAND_LINE];
    uint64_t command_line_length;
};

_Noreturn void boot_main(const struct boot_source *source);
