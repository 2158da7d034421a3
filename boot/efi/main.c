/*
 * BOOTX64.EFI: starts the boot image (boot/) from UEFI. It carries the image, the initial archive and the
 * command line inside itself, fills in struct boot_source from the firmware's tables, leaves the firmware's
 * boot services and enters the boot image as every other protocol does. Position-independent without
 * relocations: the firmware may load it anywhere, and what must lie below 4 GB is moved there.
 */
#include "boot/console.h"
#include "boot/efi/efi.h"
#include "boot/efi/sections.h"
#include "boot/io.h"
#include "boot/source.h"
#include "lib/base/elf.h"
#include "lib/base/string.h"

#define BELOW_4GB 0xffffffffULL

static const struct efi_guid loaded_image_guid = {
    0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid screen_guid = {
    0x9042a9de, 0x23dc, 0x4a38, {0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a}};
static const struct efi_guid generator_guid = {
    0x3152bca5, 0xeade, 0x433d, {0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44}};
static const struct efi_guid acpi_2_guid = {
    0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};
static const struct efi_guid acpi_1_guid = {
    0xeb9d2d30, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};

static const struct efi_system_table *firmware;

extern const char leave_start[], leave_end[];

/* A copy of leave.S. */
typedef void leave_code(const struct boot_source *source, uint64_t entry);

/* The firmware's entry, which never returns to it. */
_Noreturn EFI_CALL void efi_main(void *handle, const struct efi_system_table *table);

/* On the firmware's screen, where a person looks, and then as every failed boot. */
static _Noreturn void efi_fail(const char *text) {
    uint16_t line[128] = {'k', 'e', 'e', 'l', ':', ' '};
    size_t at = 6;

    for (; *text && at < 124; at++)
        line[at] = (uint8_t)*text++;
    line[at] = '\r';
    line[at + 1] = '\n';
    firmware->output->write(firmware->output, line);
    boot_fail("%s", text - (at - 6));
}

static uint64_t pages_of(uint64_t bytes) {
    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Memory below 4 GB, not cleared. */
static void *take_below(enum efi_memory_type type, uint64_t bytes) {
    uint64_t address = BELOW_4GB;
    if (firmware->boot->allocate_pages(EFI_PAGES_BELOW, type, pages_of(bytes), &address))
        efi_fail("not enough memory below 4 GB");
    return (void *)address;
}

static struct section find(const struct efi_loaded_image *image, const char *name, const char *problem) {
    struct section found = section_find(image->base, image->size, name);
    if (!found.bytes || found.length == 0)
        efi_fail(problem);
    return found;
}

static void set_archive(struct boot_source *source, struct section archive) {
    uint64_t address = (uintptr_t)archive.bytes;
    if (address + archive.length > BELOW_4GB) {
        address = (uintptr_t)take_below(EFI_LOADER_DATA, archive.length);
        memcpy((void *)address, archive.bytes, archive.length);
    }
    source->pieces[source->piece_count++] = (struct source_piece){address, archive.length};
}

static void set_root_pointer(struct boot_source *source) {
    for (uint64_t i = 0; i < firmware->configuration_count; i++) {
        const struct efi_configuration *entry = &firmware->configuration[i];
        if (!memcmp(&entry->guid, &acpi_2_guid, sizeof(entry->guid)))
            source->rsdp = entry->table;
        else if (!source->rsdp && !memcmp(&entry->guid, &acpi_1_guid, sizeof(entry->guid)))
            source->rsdp = entry->table;
    }
}

static void set_colours(struct boot_framebuffer *to, uint32_t red, uint32_t green, uint32_t blue) {
    const uint32_t masks[] = {red, green, blue};
    uint8_t shift[3] = {0}, bits[3] = {0};

    for (int i = 0; i < 3; i++) {
        uint32_t mask = masks[i];
        for (; mask && !(mask & 1); mask >>= 1)
            shift[i]++;
        for (; mask; mask >>= 1)
            bits[i]++;
    }
    to->red.shift = shift[0], to->red.bits = bits[0];
    to->green.shift = shift[1], to->green.bits = bits[1];
    to->blue.shift = shift[2], to->blue.bits = bits[2];
}

/* Stays 0 where the firmware has no generator. */
static void set_seed(struct boot_source *source) {
    void *found;

    if (firmware->boot->locate_protocol(&generator_guid, NULL, &found))
        return;
    struct efi_generator *generator = found;
    if (generator->generate(generator, NULL, sizeof(source->seed), &source->seed))
        source->seed = 0;
}

static void set_framebuffer(struct boot_source *source) {
    struct efi_screen *screen;
    void *found;

    if (firmware->boot->locate_protocol(&screen_guid, NULL, &found))
        return;
    screen = found;
    const struct efi_screen_information *information = screen->mode->information;
    struct boot_framebuffer framebuffer = {
        .address = screen->mode->base,
        .width = information->width,
        .height = information->height,
        .pitch = information->line_pixels * 4,
        .bits = 32,
    };
    if (information->format == EFI_PIXEL_RGB)
        set_colours(&framebuffer, 0xff, 0xff00, 0xff0000);
    else if (information->format == EFI_PIXEL_BGR)
        set_colours(&framebuffer, 0xff0000, 0xff00, 0xff);
    else if (information->format == EFI_PIXEL_MASKS)
        set_colours(&framebuffer, information->red, information->green, information->blue);
    else
        return; /* only to be drawn on by the firmware */
    source->framebuffer = framebuffer;
}

/* Puts the boot image at the address it is linked for. Returns its entry. */
static uint64_t load_boot_image(struct section file) {
    struct elf_image image;
    struct elf_segment load;
    uint32_t index = 0;

    if (elf_read_header(&image, file.bytes, file.length, file.length) || image.type != ELF_EXEC ||
        elf_read_segments(&image, file.bytes + image.segments_offset, PAGE_SIZE, BELOW_4GB))
        efi_fail("the boot image inside is damaged");
    uint64_t address = image.low;
    if (firmware->boot->allocate_pages(EFI_PAGES_AT, EFI_LOADER_DATA, pages_of(image.high - image.low),
                                       &address))
        efi_fail("the firmware uses the memory at 1 MB that the boot image needs");
    memset((void *)image.low, 0, image.high - image.low);
    while (elf_next_segment(&image, file.bytes + image.segments_offset, ELF_LOAD, &index, &load))
        memcpy((void *)load.address, file.bytes + load.offset, load.file_size);
    return image.entry;
}

static leave_code *copy_leave(void) {
    uint64_t length = (uint64_t)(leave_end - leave_start);
    void *copy = take_below(EFI_LOADER_CODE, length);
    memcpy(copy, leave_start, length);
    return (leave_code *)(uintptr_t)copy;
}

static bool is_usable(uint32_t type) {
    return type == EFI_CONVENTIONAL || (type >= EFI_LOADER_CODE && type <= EFI_BOOT_DATA);
}

/* The memory map must be the newest when boot services end; a timer of the firmware's may change it in
 * between. */
static void exit_boot_services(void *handle, struct boot_source *source) {
    uint64_t room = 0, size = 0, key, entry_size;
    uint8_t *map = NULL;
    uint32_t version;

    for (int tries = 0;; tries++) {
        size = room;
        bool whole = !firmware->boot->get_memory_map(&size, map, &key, &entry_size, &version);
        if (whole && map && !firmware->boot->exit_boot_services(handle, key))
            break;
        if (tries == 8)
            boot_fail("the firmware does not let go");
        if (size > room) {
            room = size + 16 * entry_size; /* taking memory for the map makes it longer */
            map = take_below(EFI_LOADER_DATA, room);
        }
    }
    for (uint64_t at = 0; at + sizeof(struct efi_memory) <= size; at += entry_size) {
        const struct efi_memory *entry = (const struct efi_memory *)(map + at);
        if (!source_add_memory(source, entry->physical, entry->pages * PAGE_SIZE, is_usable(entry->type)))
            boot_fail("the firmware's memory map has more than %d pieces", SOURCE_MAX_MEMORY);
    }
}

EFI_CALL void efi_main(void *handle, const struct efi_system_table *table) {
    void *found;

    firmware = table;
    if (table->boot->handle_protocol(handle, &loaded_image_guid, &found))
        efi_fail("the firmware does not tell where it loaded the program");
    const struct efi_loaded_image *image = found;
    struct boot_source *source = take_below(EFI_LOADER_DATA, sizeof(*source));
    memset(source, 0, sizeof(*source));

    set_archive(source, find(image, ".archive", "there is no initial archive inside"));
    struct section line = section_find(image->base, image->size, ".cmdline");
    if (line.bytes)
        source_set_command_line(source, (const char *)line.bytes, line.length);
    set_root_pointer(source);
    set_framebuffer(source);
    set_seed(source);
    uint64_t entry = load_boot_image(find(image, ".boot", "there is no boot image inside"));
    leave_code *leave = copy_leave();
    exit_boot_services(handle, source);
    leave(source, entry);
    __builtin_unreachable();
}
