/* See elf.h. All arithmetic on values from the file is by subtraction from a known bound, so that nothing
 * wraps. */
#include "lib/base/elf.h"

/* Programs that link musl know the error names from their own header; the numbers are the same. */
#if __STDC_HOSTED__
#include <errno.h>
#else
#include "abi/errors.h"
#endif

#include "lib/base/string.h"

enum { PAGE = 4096, CLASS_64 = 2, LITTLE_ENDIAN_DATA = 1, VERSION_CURRENT = 1, MACHINE_X86_64 = 62 };

struct elf_header {
    uint8_t magic[4], class, data, version, abi, abi_version, padding[7];
    uint16_t type, machine;
    uint32_t file_version;
    uint64_t entry, segments_offset, sections_offset;
    uint32_t flags;
    uint16_t header_size, segment_size, segments_count;
    uint16_t section_size, sections_count, section_names;
};

_Static_assert(sizeof(struct elf_header) == ELF_HEADER_SIZE, "ELF64 header");
_Static_assert(sizeof(struct elf_segment) == ELF_SEGMENT_SIZE, "ELF64 program header");

static bool range_inside(uint64_t offset, uint64_t size, uint64_t limit) {
    return offset <= limit && size <= limit - offset;
}

static bool ident_valid(const struct elf_header *header) {
    return !memcmp(header->magic, "\177ELF", 4) && header->class == CLASS_64 &&
           header->data == LITTLE_ENDIAN_DATA && header->version == VERSION_CURRENT &&
           header->machine == MACHINE_X86_64;
}

int elf_read_header(struct elf_image *image, const void *bytes, size_t length, uint64_t file_size) {
    struct elf_header header;

    if (length < sizeof(header) || file_size < sizeof(header))
        return -ENOEXEC;
    memcpy(&header, bytes, sizeof(header));
    if (!ident_valid(&header) || (header.type != ELF_EXEC && header.type != ELF_DYN))
        return -ENOEXEC;
    if (header.segment_size != ELF_SEGMENT_SIZE || header.segments_count == 0 ||
        header.segments_count > ELF_SEGMENTS_MAX)
        return -ENOEXEC;
    if (!range_inside(header.segments_offset, (uint64_t)header.segments_count * ELF_SEGMENT_SIZE, file_size))
        return -ENOEXEC;
    *image = (struct elf_image){
        .type = header.type,
        .entry = header.entry,
        .file_size = file_size,
        .segments_offset = header.segments_offset,
        .segments_count = header.segments_count,
    };
    return 0;
}

static struct elf_segment segment_at(const void *segments, uint32_t index) {
    struct elf_segment segment;
    memcpy(&segment, (const char *)segments + (size_t)index * ELF_SEGMENT_SIZE, sizeof(segment));
    return segment;
}

static bool load_valid(const struct elf_image *image, const struct elf_segment *load, uint64_t lowest,
                       uint64_t limit, bool mapped) {
    if (load->file_size > load->memory_size)
        return false;
    if (load->address < lowest || !range_inside(load->address, load->memory_size, limit))
        return false;
    if (load->file_size == 0)
        return true;
    return range_inside(load->offset, load->file_size, image->file_size) &&
           (!mapped || load->address % PAGE == load->offset % PAGE);
}

/* Takes a checked ELF_LOAD into the span; previous_end is where the one before it ended, 0 for the first. */
static bool load_append(struct elf_image *image, const struct elf_segment *load, uint64_t *previous_end) {
    if (load->address < *previous_end)
        return false;
    uint64_t table_size = (uint64_t)image->segments_count * ELF_SEGMENT_SIZE;
    if (*previous_end == 0)
        image->low = load->address & ~(uint64_t)(PAGE - 1);
    *previous_end = load->address + load->memory_size;
    image->high = (*previous_end + PAGE - 1) & ~(uint64_t)(PAGE - 1);

    if (image->segments_offset >= load->offset &&
        range_inside(image->segments_offset - load->offset, table_size, load->file_size))
        image->segments_address = load->address + (image->segments_offset - load->offset);
    return true;
}

static bool other_valid(const struct elf_image *image, const struct elf_segment *segment) {
    switch (segment->type) {
    case ELF_INTERP:
        return segment->file_size >= 2 && segment->file_size <= ELF_PATH_MAX &&
               range_inside(segment->offset, segment->file_size, image->file_size);
    case ELF_TLS:
        return segment->file_size <= segment->memory_size;
    default:
        return true;
    }
}

static int read_segments(struct elf_image *image, const void *segments, uint64_t lowest, uint64_t limit,
                         bool mapped) {
    uint64_t previous_end = 0;

    /* The last page of the address space would make the widened span end at 0; a file with no segment that
     * says otherwise wants an executable stack. */
    if (limit > (uint64_t)-PAGE)
        limit = (uint64_t)-PAGE;
    image->stack_executable = true;
    for (uint32_t i = 0; i < image->segments_count; i++) {
        struct elf_segment segment = segment_at(segments, i);
        if (segment.type == ELF_GNU_STACK)
            image->stack_executable = segment.flags & ELF_X;
        if (segment.type != ELF_LOAD) {
            if (!other_valid(image, &segment))
                return -ENOEXEC;
            continue;
        }
        if (segment.memory_size == 0 && segment.file_size == 0)
            continue;
        if (!load_valid(image, &segment, lowest, limit, mapped) ||
            !load_append(image, &segment, &previous_end))
            return -ENOEXEC;
    }
    if (previous_end == 0 || image->entry < lowest || image->entry >= limit)
        return -ENOEXEC;
    return 0;
}

int elf_read_segments(struct elf_image *image, const void *segments, uint64_t lowest, uint64_t limit) {
    return read_segments(image, segments, lowest, limit, true);
}

int elf_read_packed_segments(struct elf_image *image, const void *segments, uint64_t lowest, uint64_t limit) {
    return read_segments(image, segments, lowest, limit, false);
}

bool elf_next_segment(const struct elf_image *image, const void *segments, enum elf_segment_type type,
                      uint32_t *index, struct elf_segment *segment) {
    while (*index < image->segments_count) {
        *segment = segment_at(segments, (*index)++);
        if (segment->type == (uint32_t)type && (type != ELF_LOAD || segment->memory_size > 0))
            return true;
    }
    return false;
}
