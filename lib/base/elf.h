/*
 * Validation of ELF64 programs for x86_64 from untrusted bytes: the loader (boot/), init and the personality
 * read the file with their own means and ask here whether to believe it. Two steps, so that no step needs the
 * whole file: elf_read_header looks at the first bytes, elf_read_segments at the program headers the header
 * pointed to. After both succeeded, nothing in the segments needs another check against the file's size or
 * the address limits. Freestanding, no allocation, never reads outside the buffers given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_HEADER_SIZE = 64,
    ELF_SEGMENT_SIZE = 56,
    ELF_SEGMENTS_MAX = 4096 / ELF_SEGMENT_SIZE, /* Linux's limit: the program headers fit a page */
    ELF_PATH_MAX = 4096,                        /* PT_INTERP, with its terminating 0 */
};

enum elf_type { ELF_EXEC = 2, ELF_DYN = 3 };

enum elf_segment_type {
    ELF_LOAD = 1,
    ELF_DYNAMIC = 2,
    ELF_INTERP = 3,
    ELF_NOTE = 4,
    ELF_PHDR = 6,
    ELF_TLS = 7,
    ELF_GNU_STACK = 0x6474e551,
    ELF_GNU_RELRO = 0x6474e552,
};

enum elf_segment_flags { ELF_X = 1, ELF_W = 2, ELF_R = 4 };

/* A program header, as it stands in the file. */
struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, address, physical;
    uint64_t file_size, memory_size;
    uint64_t align;
};

struct elf_image {
    /* From the header. */
    enum elf_type type;
    uint64_t entry; /* unbiased, as every address here; inside [low, high) is not implied */
    uint64_t file_size;
    uint64_t segments_offset; /* the program headers: inside the file */
    uint32_t segments_count;  /* 1 to ELF_SEGMENTS_MAX, each ELF_SEGMENT_SIZE bytes */

    /* From the program headers. */
    uint64_t low, high;        /* span of all ELF_LOAD, widened to pages */
    uint64_t segments_address; /* where the program headers will stand in memory (AT_PHDR), 0 if nowhere */
    bool stack_executable;     /* PT_GNU_STACK asks for it (its absence does too, as on Linux) */
};

/*
 * Checks the ELF header in bytes[0, length) of a file of file_size bytes and fills the header's part of
 * image. Then the caller reads segments_count * ELF_SEGMENT_SIZE bytes at segments_offset. Returns 0 or
 * -ENOEXEC.
 */
int elf_read_header(struct elf_image *image, const void *bytes, size_t length, uint64_t file_size);

/*
 * Checks the program headers and fills the rest of image. Every non-empty ELF_LOAD lies in [lowest, limit),
 * in ascending order without overlap, with its bytes inside the file and congruent to its offset modulo 4096;
 * so for ELF_DYN choose lowest 0 and a limit that leaves room for the bias. Returns 0 or -ENOEXEC.
 */
int elf_read_segments(struct elf_image *image, const void *segments, uint64_t lowest, uint64_t limit);
/* As above for a file whose segments are copied, not mapped, and so need not be congruent to their offsets.
 */
int elf_read_packed_segments(struct elf_image *image, const void *segments, uint64_t lowest, uint64_t limit);

/*
 * Steps through the segments of one type: *index starts at 0 and is moved on. Empty ELF_LOADs are left out.
 * Call it on the same bytes that elf_read_segments accepted. False at the end.
 */
bool elf_next_segment(const struct elf_image *image, const void *segments, enum elf_segment_type type,
                      uint32_t *index, struct elf_segment *segment);
