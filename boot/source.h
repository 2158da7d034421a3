/*
 * What every way of booting knows, in one form: the reader of a boot protocol (pvh.c, multiboot.c, the EFI
 * program in boot/efi) fills this in from its structures, and boot_main goes on from there. By then nothing
 * points into memory the boot code is going to hand out, except the pieces of the archive, which are marked
 * as taken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/boot_info.h"

enum { SOURCE_MAX_MEMORY = 128, SOURCE_MAX_PIECES = 8, SOURCE_COMMAND_LINE = 4096, SOURCE_RSDP = 36 };

/* In eax at the entry: who calls, and so what ebx points at. Without one of these it is PVH. */
#define SOURCE_MULTIBOOT2 0x36d76289U
#define SOURCE_EFI        0x4546494bU /* a struct boot_source, made by boot/efi */

struct source_memory {
    uint64_t base, length; /* bytes, not aligned, in any order, may overlap */
    uint32_t usable;       /* 1: RAM, 0: anything else */
    uint32_t reserved;
};

struct source_piece {
    uint64_t address, length; /* physical, below 4 GB, bytes */
};

struct boot_source {
    struct source_memory memory[SOURCE_MAX_MEMORY];
    struct source_piece pieces[SOURCE_MAX_PIECES]; /* of the initial archive, in their order */
    uint32_t memory_count, piece_count;
    uint64_t rsdp;                  /* physical; 0: none, or a copy below */
    uint8_t rsdp_copy[SOURCE_RSDP]; /* for protocols that hand over the bytes, not their place */
    uint32_t rsdp_copied;           /* bytes; 0: none */
    struct boot_framebuffer framebuffer;
    char command_line[SOURCE_COMMAND_LINE];
    uint64_t command_line_length;
    uint64_t seed; /* random, from the firmware; 0: none */
};

/* Adds an entry to the memory map; one that continues the last, of the same kind, is joined to it. False when
 * the map is full. */
bool source_add_memory(struct boot_source *source, uint64_t base, uint64_t length, bool usable);

/* Sets the command line, cut to what fits. False when it was cut. */
bool source_set_command_line(struct boot_source *source, const char *text, uint64_t length);

/* The characters that stand behind each place where the command line has this text: returns the last, 0 when
 * there is none; *letters gets a bit for each, its code modulo 32. */
char source_option(const struct boot_source *source, const char *text, uint32_t *letters);

/* Whether the command line has this word, between blanks or its ends. */
bool source_has_word(const struct boot_source *source, const char *text);

/* What follows text in the last word that begins with it, and the length of that; NULL when no word does. */
const char *source_value(const struct boot_source *source, const char *text, size_t *length);
