/* sources: lib/base/elf.c */
/* The ELF validator: a good program passes, and each single damage is refused. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/elf.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

enum { FILE_SIZE = 0x3000, LOADS = 2, SEGMENTS = 5, USER_LIMIT_SHIFT = 47 };
static const uint64_t user_limit = 1ULL << USER_LIMIT_SHIFT;

/* A file whose fields the tests damage one at a time. */
static unsigned char header[ELF_HEADER_SIZE];
static struct elf_segment segments[ELF_SEGMENTS_MAX]; /* as many as a damaged count can make believe */

static void put(size_t offset, const void *value, size_t size) {
    memcpy(header + offset, value, size);
}
static void put16(size_t offset, uint16_t value) {
    put(offset, &value, sizeof(value));
}
static void put64(size_t offset, uint64_t value) {
    put(offset, &value, sizeof(value));
}

static void make_program(void) {
    memset(header, 0, sizeof(header));
    memcpy(header, "\177ELF\2\1\1", 7);
    put16(16, ELF_EXEC);
    put16(18, 62);
    put64(24, 0x401000);
    put64(32, ELF_HEADER_SIZE);
    put16(54, ELF_SEGMENT_SIZE);
    put16(56, SEGMENTS);
    segments[0] = (struct elf_segment){ELF_LOAD, ELF_R | ELF_X, 0, 0x400000, 0, 0x1800, 0x1800, 4096};
    segments[1] = (struct elf_segment){ELF_LOAD, ELF_R | ELF_W, 0x1800, 0x402800, 0, 0x100, 0x2000, 4096};
    segments[2] = (struct elf_segment){ELF_TLS, ELF_R, 0x1800, 0x402800, 0, 0x10, 0x20, 8};
    segments[3] = (struct elf_segment){ELF_GNU_STACK, ELF_R | ELF_W, 0, 0, 0, 0, 0, 16};
    segments[4] = (struct elf_segment){ELF_LOAD, ELF_R, 0, 0, 0, 0, 0, 4096};
}

static int read_within(struct elf_image *image, uint64_t lowest, uint64_t limit) {
    int error = elf_read_header(image, header, sizeof(header), FILE_SIZE);
    return error ? error : elf_read_segments(image, segments, lowest, limit);
}

static int read_program(void) {
    struct elf_image image;
    return read_within(&image, 0, user_limit);
}

TEST(good_program) {
    struct elf_image image;
    make_program();
    CHECK_EQ(read_within(&image, 0, user_limit), 0);
    CHECK_EQ(image.type, ELF_EXEC);
    CHECK_EQ(image.entry, 0x401000);
    CHECK_EQ(image.segments_offset, ELF_HEADER_SIZE);
    CHECK_EQ(image.segments_count, SEGMENTS);
    CHECK_EQ(image.segments_address, 0x400040);
    CHECK_EQ(image.low, 0x400000);
    CHECK_EQ(image.high, 0x405000);
    CHECK(!image.stack_executable);
}

TEST(segments_by_type) {
    struct elf_image image;
    struct elf_segment segment;
    uint32_t index = 0;
    make_program();
    CHECK_EQ(read_within(&image, 0, user_limit), 0);
    for (int i = 0; i < LOADS; i++) {
        CHECK(elf_next_segment(&image, segments, ELF_LOAD, &index, &segment));
        CHECK(!memcmp(&segment, &segments[i], sizeof(segment)));
    }
    CHECK(!elf_next_segment(&image, segments, ELF_LOAD, &index, &segment));
    index = 0;
    CHECK(elf_next_segment(&image, segments, ELF_TLS, &index, &segment));
    CHECK_EQ(segment.memory_size, 0x20);
    index = 0;
    CHECK(!elf_next_segment(&image, segments, ELF_INTERP, &index, &segment));
}

TEST(executable_stack) {
    struct elf_image image;
    make_program();
    segments[3].flags |= ELF_X;
    CHECK_EQ(read_within(&image, 0, user_limit), 0);
    CHECK(image.stack_executable);
    make_program();
    segments[3].type = ELF_NOTE;
    CHECK_EQ(read_within(&image, 0, user_limit), 0);
    CHECK(image.stack_executable);
}

TEST(short_buffers) {
    struct elf_image image;
    make_program();
    for (size_t length = 0; length < ELF_HEADER_SIZE; length++) {
        CHECK_EQ(elf_read_header(&image, header, length, FILE_SIZE), -ENOEXEC);
        CHECK_EQ(elf_read_header(&image, header, sizeof(header), length), -ENOEXEC);
    }
}

TEST(bad_identification) {
    static const size_t fields[] = {0, 1, 2, 3, 4, 5, 6, 16, 17, 18, 19, 54, 55};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        make_program();
        header[fields[i]] ^= 0x40;
        CHECK_EQ(read_program(), -ENOEXEC);
    }
}

TEST(bad_segment_table) {
    make_program();
    put16(56, 0);
    CHECK_EQ(read_program(), -ENOEXEC);
    put16(56, ELF_SEGMENTS_MAX + 1);
    CHECK_EQ(read_program(), -ENOEXEC);
    make_program();
    put64(32, FILE_SIZE - SEGMENTS * ELF_SEGMENT_SIZE);
    CHECK_EQ(read_program(), 0);
    put64(32, FILE_SIZE - SEGMENTS * ELF_SEGMENT_SIZE + 1);
    CHECK_EQ(read_program(), -ENOEXEC);
    put64(32, UINT64_MAX - 8);
    CHECK_EQ(read_program(), -ENOEXEC);
}

/* Every one of these turns the good program into one that must be refused. */
TEST(bad_loads) {
    static const struct {
        size_t field;
        uint64_t value;
    } damages[] = {
        {offsetof(struct elf_segment, file_size), 0x2001},          /* more in the file than in memory */
        {offsetof(struct elf_segment, file_size), UINT64_MAX},      /* wraps */
        {offsetof(struct elf_segment, offset), FILE_SIZE - 0x800},  /* runs out of the file by bytes below */
        {offsetof(struct elf_segment, offset), UINT64_MAX - 0x7ff}, /* far outside */
        {offsetof(struct elf_segment, offset), 0x1801},             /* not congruent */
        {offsetof(struct elf_segment, address), 0x401000},          /* overlaps the one before */
        {offsetof(struct elf_segment, address), 0x300800},          /* out of order */
        {offsetof(struct elf_segment, address), 0x800000000000 - 0x1800}, /* ends beyond the limit */
        {offsetof(struct elf_segment, address), 0xffffffff80000800},      /* kernel half */
        {offsetof(struct elf_segment, address), UINT64_MAX - 0x7ff},      /* wraps */
        {offsetof(struct elf_segment, memory_size), UINT64_MAX},          /* wraps */
        {offsetof(struct elf_segment, memory_size), 0},
    };
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        make_program();
        segments[1].file_size = 0x900;
        CHECK_EQ(read_program(), 0);
        memcpy((char *)&segments[1] + damages[i].field, &damages[i].value, sizeof(uint64_t));
        CHECK_EQ(read_program(), -ENOEXEC);
    }
}

TEST(bss_only_load) {
    make_program();
    segments[1].file_size = 0;
    segments[1].offset = UINT64_MAX; /* of no importance then */
    CHECK_EQ(read_program(), 0);
}

TEST(no_loads) {
    make_program();
    segments[0].type = segments[1].type = ELF_NOTE;
    CHECK_EQ(read_program(), -ENOEXEC);
}

TEST(entry_outside) {
    make_program();
    put64(24, user_limit);
    CHECK_EQ(read_program(), -ENOEXEC);
}

TEST(address_window) {
    struct elf_image image;
    make_program();
    CHECK_EQ(read_within(&image, 0x400000, 0x404800), 0);
    CHECK_EQ(read_within(&image, 0x400001, 0x404800), -ENOEXEC);
    CHECK_EQ(read_within(&image, 0x400000, 0x4047ff), -ENOEXEC);
}

TEST(interpreter) {
    make_program();
    segments[3] = (struct elf_segment){ELF_INTERP, ELF_R, 0x100, 0x400100, 0, 28, 28, 1};
    CHECK_EQ(read_program(), 0);
    static const uint64_t sizes[] = {0, 1, ELF_PATH_MAX + 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        segments[3].file_size = sizes[i];
        CHECK_EQ(read_program(), -ENOEXEC);
    }
    segments[3].file_size = 28;
    segments[3].offset = FILE_SIZE - 27;
    CHECK_EQ(read_program(), -ENOEXEC);
}

TEST(tls_larger_in_file) {
    make_program();
    segments[2].file_size = 0x21;
    CHECK_EQ(read_program(), -ENOEXEC);
}

TEST(random_bytes) {
    for (int round = 0; round < 200000; round++) {
        make_program();
        for (int i = 0; i < 4; i++) {
            bool first = random_below(2);
            unsigned char *target = first ? header : (unsigned char *)segments;
            size_t size = first ? sizeof(header) : SEGMENTS * sizeof(segments[0]);
            target[random_below((unsigned)size)] = (unsigned char)random_below(256);
        }
        struct elf_image image;
        if (read_within(&image, 0, user_limit))
            continue;
        uint32_t index = 0;
        struct elf_segment load;
        while (elf_next_segment(&image, segments, ELF_LOAD, &index, &load)) {
            CHECK(load.address >= image.low && load.address + load.memory_size <= image.high);
            CHECK(image.high <= user_limit);
        }
    }
}

TEST_MAIN();
