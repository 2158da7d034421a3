/* See load.h. Both are ELF files that nobody has checked before. */
#include "boot/load.h"

#include "abi/boot_info.h"
#include "abi/objects.h"
#include "boot/console.h"
#include "boot/cpu.h"
#include "boot/io.h"
#include "boot/kernel_notes.h"
#include "boot/memory.h"
#include "boot/paging.h"
#include "lib/base/cpio.h"
#include "lib/base/elf.h"
#include "lib/base/string.h"

#define KERNEL_LIMIT 0xffffffffc0000000ULL
#define KERNEL_ROOM  0x100000ULL /* for what load_kernel's caller maps behind it */
#define USER_BASE    0x10000ULL
#define USER_LIMIT   0x7ffffffff000ULL

extern const char kernel_image[], kernel_image_end[];

static uint64_t kernel_base; /* the address that its first byte runs at */

typedef uint32_t packed_word __attribute__((aligned(1)));

static uint64_t page_down(uint64_t address) {
    return address & ~(uint64_t)(PAGE_SIZE - 1);
}
static uint64_t page_up(uint64_t address) {
    return page_down(address + PAGE_SIZE - 1);
}

/* Copies a segment of file to memory that stands for virtual address base, and clears the rest of [base,
 * end). */
static void copy_segment(char *memory, uint64_t base, uint64_t end, const char *file,
                         const struct elf_segment *load) {
    uint64_t lead = load->address - base;
    memset(memory, 0, lead);
    memcpy(memory + lead, file + load->offset, load->file_size);
    memset(memory + lead + load->file_size, 0, end - base - lead - load->file_size);
}

/* With the kernel in its place in memory: it will run slide bytes above where it was linked. */
static void relocate_kernel(uint64_t slide) {
    char *image = (char *)boot_info.kernel_physical;

    *(uint64_t *)(image + kernel_notes.direct_map_base) = direct_map(0);
    const uint32_t *place = (const uint32_t *)(kernel_notes.patches + kernel_notes.patch_count);
    for (; place < kernel_notes_end; place++)
        *(packed_word *)(image + *place) += (uint32_t)slide;
}

void *kernel_place(uint32_t offset) {
    return (char *)boot_info.kernel_physical + offset;
}

uint64_t kernel_address(uint32_t offset) {
    return kernel_base + offset;
}

static void load_kernel_segment(const struct elf_segment *load, uint64_t low, uint64_t slide) {
    uint64_t base = page_down(load->address), end = page_up(load->address + load->memory_size);
    uint64_t physical = boot_info.kernel_physical + (base - low);
    enum page_flags flags = (load->flags & ELF_W ? PAGE_WRITE : 0) | (load->flags & ELF_X ? PAGE_EXECUTE : 0);

    if (flags == (PAGE_WRITE | PAGE_EXECUTE))
        boot_fail("the kernel image has a segment that is writable and executable");
    copy_segment((char *)physical, base, end, kernel_image, load);
    for (uint64_t at = base; at < end; at += PAGE_SIZE)
        paging_map(at + slide, physical + (at - base), flags);
}

/* How far above its place the kernel goes, so that it and what the loader maps behind it stay in their range.
 */
static uint64_t choose_slide(const struct elf_image *image, bool random) {
    return random ? cpu_random() % ((KERNEL_LIMIT - KERNEL_ROOM - image->high) / PAGE_SIZE) * PAGE_SIZE : 0;
}

uint64_t load_kernel(bool random) {
    uint64_t size = (uint64_t)(kernel_image_end - kernel_image);
    struct elf_image image;
    struct elf_segment load;
    uint32_t index = 0;

    if (elf_read_header(&image, kernel_image, size, size) || image.type != ELF_EXEC ||
        elf_read_packed_segments(&image, kernel_image + image.segments_offset, KERNEL_BASE, KERNEL_LIMIT))
        boot_fail("the kernel image is not a valid ELF64 program for x86_64");
    boot_info.kernel_length = image.high - image.low;
    boot_info.kernel_physical = memory_take(boot_info.kernel_length / PAGE_SIZE, BOOT_RANGE_KERNEL);
    uint64_t slide = choose_slide(&image, random);
    boot_info.kernel_entry = image.entry + slide;
    while (elf_next_segment(&image, kernel_image + image.segments_offset, ELF_LOAD, &index, &load))
        load_kernel_segment(&load, image.low, slide);
    relocate_kernel(slide);
    kernel_base = image.low + slide;
    return image.high + slide;
}

/* "./bin/init" and "/bin/init" are the same file. */
static const char *plain_name(const char *name) {
    if (name[0] == '.' && name[1] == '/')
        name++;
    while (*name == '/')
        name++;
    return name;
}

static void clear_tail(char *memory, uint64_t length) {
    memset(memory + length, 0, page_up(length) - length);
}

/* Copies the pieces one behind the other, each from a page's start on: what is behind a cpio's end is
 * skipped. */
static void join_pieces(const struct boot_source *source) {
    uint64_t size = 0;
    for (uint32_t i = 0; i < source->piece_count; i++)
        size += page_up(source->pieces[i].length);
    boot_info.archive = memory_take(size / PAGE_SIZE, BOOT_RANGE_ARCHIVE);
    boot_info.archive_length = size;
    char *to = (char *)boot_info.archive;
    for (uint32_t i = 0; i < source->piece_count; i++) {
        const struct source_piece *piece = &source->pieces[i];
        memcpy(to, (const void *)piece->address, piece->length);
        clear_tail(to, piece->length);
        memory_mark(piece->address, piece->length, BOOT_RANGE_BOOT);
        to += page_up(piece->length);
    }
}

void load_archive(const struct boot_source *source) {
    if (source->piece_count == 0)
        boot_fail("there is no initial archive: QEMU's -initrd, GRUB's module2");
    boot_info.archive = source->pieces[0].address;
    boot_info.archive_length = source->pieces[0].length;
    if (source->piece_count > 1 || boot_info.archive % PAGE_SIZE)
        join_pieces(source);
    else /* the kernel hands out whole pages */
        clear_tail((char *)boot_info.archive, boot_info.archive_length);
}

static void find_init(struct cpio_entry *init) {
    struct cpio cpio;
    int more;

    cpio_open(&cpio, (const void *)boot_info.archive, boot_info.archive_length, 0);
    while ((more = cpio_next(&cpio, init)) == 1)
        if (!strcmp(plain_name(init->name), "bin/init"))
            return;
    if (more < 0)
        boot_fail("initial archive: %s at offset %lu", cpio.error, cpio.error_offset);
    boot_fail("there is no bin/init in the first cpio of the initial archive");
}

static uint32_t protection_of(const struct elf_segment *load) {
    return (load->flags & ELF_R ? MAP_READ : 0) | (load->flags & ELF_W ? MAP_WRITE : 0) |
           (load->flags & ELF_X ? MAP_EXEC : 0);
}

static void load_init_segment(const struct elf_segment *load, const char *file) {
    struct boot_segment *last =
        boot_info.segment_count ? &boot_info.segments[boot_info.segment_count - 1] : NULL;
    uint64_t base = page_down(load->address), end = page_up(load->address + load->memory_size);

    if (last && base < last->address + last->length)
        boot_fail("bin/init has two segments in the page at 0x%lx", base);
    if ((load->flags & (ELF_W | ELF_X)) == (ELF_W | ELF_X))
        boot_fail("bin/init has a segment that is writable and executable");
    if (boot_info.segment_count == BOOT_MAX_SEGMENTS)
        boot_fail("bin/init has more than %d segments", BOOT_MAX_SEGMENTS);
    uint64_t physical = memory_take((end - base) / PAGE_SIZE, BOOT_RANGE_KERNEL);
    copy_segment((char *)physical, base, end, file, load);
    boot_info.segments[boot_info.segment_count++] =
        (struct boot_segment){base, physical, end - base, protection_of(load), 0};
}

void load_init(void) {
    struct cpio_entry init;
    struct elf_image image;
    struct elf_segment load;
    uint32_t index = 0, interpreter = 0;

    find_init(&init);
    const char *file = (const char *)init.data;
    if (elf_read_header(&image, file, init.size, init.size) || image.type != ELF_EXEC ||
        elf_read_segments(&image, file + image.segments_offset, USER_BASE, USER_LIMIT) ||
        elf_next_segment(&image, file + image.segments_offset, ELF_INTERP, &interpreter, &load))
        boot_fail("bin/init is not a valid static ELF64 program for x86_64");
    while (elf_next_segment(&image, file + image.segments_offset, ELF_LOAD, &index, &load))
        load_init_segment(&load, file);
    boot_info.init_entry = image.entry;
}
