/*
 * The Multiboot2 protocol, which GRUB speaks on BIOS and on UEFI: a list of tags {type, size, …}, each padded
 * to 8 bytes. GRUB has left the firmware's boot services by then. The header that asks for it is in entry.S.
 */
#include "boot/console.h"
#include "boot/io.h"
#include "boot/protocol.h"
#include "lib/base/string.h"

enum { INFORMATION_HEADER = 8, TAG_HEADER = 8, TAG_ALIGN = 8, MOST_INFORMATION = 1 << 20 };
enum tag_type {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_MODULE = 3,
    TAG_MEMORY = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_RSDP_1 = 14,
    TAG_RSDP_2 = 15,
};
enum { MODULE_TEXT = 16, MEMORY_ENTRIES = 16, MEMORY_ENTRY = 24, MEMORY_RAM = 1 };
enum { FRAMEBUFFER_COLOURS = 32, FRAMEBUFFER_SIZE = 38, FRAMEBUFFER_DIRECT = 1 };
enum { RSDP_1_SIZE = 20 };

struct tag {
    uint32_t type, size;  /* size with the header, without padding */
    const uint8_t *bytes; /* the header's first */
};

static uint32_t read32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}
static uint64_t read64(const uint8_t *at) {
    return read32(at) | (uint64_t)read32(at + 4) << 32;
}

static const char *parse_command_line(const struct tag *tag, struct boot_source *source) {
    const char *text = (const char *)tag->bytes + TAG_HEADER;

    if (!source_set_command_line(source, text, strnlen(text, tag->size - TAG_HEADER)))
        boot_note("the command line is longer than %d bytes and was cut", SOURCE_COMMAND_LINE);
    return NULL;
}

static const char *parse_module(const struct tag *tag, struct boot_source *source) {
    if (tag->size < MODULE_TEXT)
        return "a module's tag is too short";
    uint32_t start = read32(tag->bytes + 8), end = read32(tag->bytes + 12);
    if (end < start)
        return "a module ends before it starts";
    if (source->piece_count == SOURCE_MAX_PIECES)
        return "there are more modules than the 8 that fit";
    if (end > start)
        source->pieces[source->piece_count++] = (struct source_piece){start, end - start};
    return NULL;
}

static const char *parse_memory(const struct tag *tag, struct boot_source *source) {
    if (tag->size < MEMORY_ENTRIES)
        return "the memory map's tag is too short";
    uint32_t entry_size = read32(tag->bytes + 8);
    if (entry_size < MEMORY_ENTRY)
        return "the memory map's entries are too short";
    for (uint32_t at = MEMORY_ENTRIES; entry_size <= tag->size - at; at += entry_size) {
        const uint8_t *entry = tag->bytes + at;
        if (!source_add_memory(source, read64(entry), read64(entry + 8), read32(entry + 16) == MEMORY_RAM))
            return "the memory map has more entries than the 128 that fit";
    }
    return NULL;
}

/* What cannot be shown on is left out: palettes and VGA text. */
static const char *parse_framebuffer(const struct tag *tag, struct boot_source *source) {
    const uint8_t *at = tag->bytes;

    if (tag->size < FRAMEBUFFER_SIZE || at[29] != FRAMEBUFFER_DIRECT)
        return NULL;
    source->framebuffer = (struct boot_framebuffer){
        .address = read64(at + 8),
        .pitch = read32(at + 16),
        .width = read32(at + 20),
        .height = read32(at + 24),
        .bits = at[28],
        .red = {at[FRAMEBUFFER_COLOURS], at[FRAMEBUFFER_COLOURS + 1]},
        .green = {at[FRAMEBUFFER_COLOURS + 2], at[FRAMEBUFFER_COLOURS + 3]},
        .blue = {at[FRAMEBUFFER_COLOURS + 4], at[FRAMEBUFFER_COLOURS + 5]},
    };
    return NULL;
}

/* The tag holds the structure itself. Of two, the newer counts. */
static const char *parse_rsdp(const struct tag *tag, struct boot_source *source) {
    uint32_t length = tag->size - TAG_HEADER;

    if (length > SOURCE_RSDP)
        length = SOURCE_RSDP;
    if (length < RSDP_1_SIZE || length < source->rsdp_copied)
        return NULL;
    memcpy(source->rsdp_copy, tag->bytes + TAG_HEADER, length);
    source->rsdp_copied = length;
    return NULL;
}

static const char *parse_tag(const struct tag *tag, struct boot_source *source) {
    switch (tag->type) {
    case TAG_COMMAND_LINE:
        return parse_command_line(tag, source);
    case TAG_MODULE:
        return parse_module(tag, source);
    case TAG_MEMORY:
        return parse_memory(tag, source);
    case TAG_FRAMEBUFFER:
        return parse_framebuffer(tag, source);
    case TAG_RSDP_1:
    case TAG_RSDP_2:
        return parse_rsdp(tag, source);
    default:
        return NULL;
    }
}

const char *multiboot_parse(const uint8_t *information, uint32_t length, struct boot_source *source) {
    uint32_t at = INFORMATION_HEADER;

    for (;;) {
        if (at > length || length - at < TAG_HEADER)
            return "the list of tags has no end";
        struct tag tag = {read32(information + at), read32(information + at + 4), information + at};
        if (tag.type == TAG_END)
            break;
        if (tag.size < TAG_HEADER || tag.size > length - at)
            return "a tag's size is wrong";
        const char *problem = parse_tag(&tag, source);
        if (problem)
            return problem;
        at += (tag.size + TAG_ALIGN - 1) & ~(uint32_t)(TAG_ALIGN - 1);
    }
    return source->memory_count ? NULL : "there is no memory map";
}

void multiboot_read(uint64_t address, struct boot_source *source) {
    const uint8_t *information = physical_at(address, INFORMATION_HEADER);
    uint32_t length = information ? read32(information) : 0;

    if (length > MOST_INFORMATION || !physical_at(address, length))
        boot_fail("Multiboot2: the information's size is wrong");
    const char *problem = multiboot_parse(information, length, source);
    if (problem)
        boot_fail("Multiboot2: %s", problem);
}
