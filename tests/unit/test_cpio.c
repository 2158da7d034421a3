/* sources: lib/base/cpio.c */
/* The cpio reader: archives made here entry by entry, read back, and damaged in every way. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cpio.h"
#include "tests/unit/check.h"

static unsigned char archive[8192];
static size_t archive_length;

static void append(const void *bytes, size_t size) {
    memcpy(archive + archive_length, bytes, size);
    archive_length += size;
}

static void append_padding(void) {
    while (archive_length % 4)
        archive[archive_length++] = 0;
}

static void append_entry(const char *magic, const char *name, const char *data, uint32_t checksum) {
    char header[128];
    int size = snprintf(header, sizeof(header), "%s%08x%08x%08x%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                        magic, 7u, 0100644u, 1000u, 0xABCu, 2u, 1700000000u, (unsigned)strlen(data), 8u, 1u,
                        4u, 64u, (unsigned)strlen(name) + 1, checksum);
    append(header, (size_t)size);
    append(name, strlen(name) + 1);
    append_padding();
    append(data, strlen(data));
    append_padding();
}

static void make_archive(void) {
    archive_length = 0;
    append_entry("070701", "bin/init", "hello", 0);
    append_entry("070702", "etc/check", "ab", 'a' + 'b');
    append_entry("070701", "empty", "", 0);
    append_entry("070701", "TRAILER!!!", "", 0);
}

/* Reads a copy of exactly the archive's size, so that the sanitizer sees any read beyond it. */
static int read_all(struct cpio *cpio, int *entries) {
    unsigned char *copy = malloc(archive_length);
    struct cpio_entry entry;
    int result;
    memcpy(copy, archive, archive_length);
    cpio_open(cpio, copy, archive_length, 0);
    *entries = 0;
    while ((result = cpio_next(cpio, &entry)) == 1) {
        CHECK_EQ(strlen(entry.name), entry.name_length);
        for (size_t i = 0; i < entry.size; i++)
            *entries += entry.data[i] == 0xff;
        (*entries)++;
    }
    if (result < 0)
        CHECK_EQ(cpio_next(cpio, &entry), -EINVAL);
    free(copy);
    return result;
}

static void check_damage(const char *what, size_t offset) {
    struct cpio cpio;
    int entries;
    CHECK_EQ(read_all(&cpio, &entries), -EINVAL);
    if (strcmp(cpio.error, what))
        printf("expected \"%s\", got \"%s\"\n", what, cpio.error);
    CHECK(!strcmp(cpio.error, what));
    CHECK_EQ(cpio.error_offset, offset);
}

TEST(every_field) {
    struct cpio cpio;
    struct cpio_entry entry;
    make_archive();
    cpio_open(&cpio, archive, archive_length, 0);
    CHECK_EQ(cpio_next(&cpio, &entry), 1);
    CHECK(!strcmp(entry.name, "bin/init"));
    CHECK_EQ(entry.name_length, 8);
    CHECK_EQ(entry.size, 5);
    CHECK(!memcmp(entry.data, "hello", 5));
    CHECK_EQ(entry.offset, 0);
    CHECK_EQ(entry.ino, 7);
    CHECK_EQ(entry.mode, 0100644);
    CHECK_EQ(entry.uid, 1000);
    CHECK_EQ(entry.gid, 0xABC);
    CHECK_EQ(entry.nlink, 2);
    CHECK_EQ(entry.mtime, 1700000000);
    CHECK_EQ(entry.device_major, 8);
    CHECK_EQ(entry.device_minor, 1);
    CHECK_EQ(entry.special_major, 4);
    CHECK_EQ(entry.special_minor, 64);
    CHECK_EQ(cpio_next(&cpio, &entry), 1);
    CHECK(!strcmp(entry.name, "etc/check"));
    CHECK_EQ(cpio_next(&cpio, &entry), 1);
    CHECK_EQ(entry.size, 0);
    CHECK_EQ(cpio_next(&cpio, &entry), 0);
    CHECK_EQ(cpio.offset, archive_length);
    CHECK_EQ(cpio_skip_padding(&cpio), archive_length);
}

TEST(two_archives) {
    struct cpio cpio;
    struct cpio_entry entry;
    make_archive();
    size_t first_end = archive_length;
    memset(archive + archive_length, 0, 4096 - archive_length);
    archive_length = 4096;
    append_entry("070701", "second", "x", 0);
    append_entry("070701", "TRAILER!!!", "", 0);
    cpio_open(&cpio, archive, archive_length, 0);
    while (cpio_next(&cpio, &entry) == 1)
        ;
    CHECK(!cpio.error);
    CHECK_EQ(cpio.offset, first_end);
    CHECK_EQ(cpio_skip_padding(&cpio), 4096);
    cpio_open(&cpio, archive, archive_length, 4096);
    CHECK_EQ(cpio_next(&cpio, &entry), 1);
    CHECK(!strcmp(entry.name, "second"));
    CHECK_EQ(entry.offset, 4096);
    CHECK_EQ(cpio_next(&cpio, &entry), 0);
}

TEST(empty_memory) {
    archive_length = 0;
    check_damage("no TRAILER!!! before the end", 0);
}

TEST(missing_trailer) {
    make_archive();
    archive_length -= 124;
    check_damage("no TRAILER!!! before the end", archive_length);
}

TEST(bad_magic) {
    make_archive();
    archive[128] = 'x';
    check_damage("bad magic", 128);
    memcpy(archive, "\x1f\x8b", 2);
    check_damage("gzip data", 0);
}

TEST(bad_digits) {
    for (size_t digit = 6; digit < 110; digit++) {
        make_archive();
        archive[digit] = 'g';
        check_damage("bad hexadecimal number", 6 + (digit - 6) / 8 * 8);
    }
}

TEST(wrong_checksum) {
    make_archive();
    archive[128 + 120] ^= 1;
    check_damage("wrong checksum", 128 + 120);
}

TEST(bad_names) {
    make_archive();
    memcpy(archive + 94, "00000000", 8);
    check_damage("bad name length", 0);
    memcpy(archive + 94, "ffffffff", 8);
    check_damage("bad name length", 0);
    memcpy(archive + 94, "00000fff", 8);
    check_damage("name cut off", 110);
    make_archive();
    archive[112] = 0;
    check_damage("name does not end where its length says", 110);
    make_archive();
    archive[118] = 'x';
    check_damage("name does not end where its length says", 110);
}

TEST(data_beyond_end) {
    make_archive();
    memcpy(archive + 54, "ffffffff", 8);
    check_damage("file data cut off", 120);
}

TEST(cut_anywhere) {
    struct cpio cpio;
    int entries;
    make_archive();
    size_t whole = archive_length;
    for (archive_length = 1; archive_length < whole; archive_length++) {
        int result = read_all(&cpio, &entries);
        CHECK(result == -EINVAL || archive_length > whole - 4);
        CHECK(result == 0 || cpio.error_offset <= archive_length);
    }
}

TEST(every_byte_damaged) {
    struct cpio cpio;
    int entries;
    for (size_t i = 0; i < 500; i++)
        for (int value = 0; value < 256; value += 5) {
            make_archive();
            if (i >= archive_length)
                return;
            archive[i] = (unsigned char)value;
            int result = read_all(&cpio, &entries);
            CHECK(result == 0 || cpio.error_offset <= archive_length);
        }
}

TEST_MAIN();
