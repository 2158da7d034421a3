/* sources: boot/efi/sections.c */
/* The EFI program's look at its own PE headers: finds what tools/launch/efi.py put there, and never reads
 * outside the image, whatever the headers say. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/efi/sections.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

enum { PE = 64, OPTIONAL = 240, SECTIONS = PE + 24 + OPTIONAL, SIZE = 1024 };

static uint8_t bytes[SIZE];

static void put(uint32_t at, uint64_t value, uint32_t size) {
    memcpy(bytes + at, &value, size);
}

static void put_section(uint32_t index, const char *name, uint32_t place, uint32_t length) {
    uint32_t at = SECTIONS + index * 40;
    memcpy(bytes + at, name, strnlen(name, 8));
    put(at + 8, length, 4);
    put(at + 12, place, 4);
}

static void begin(void) {
    memset(bytes, 0, sizeof(bytes));
    put(0x3c, PE, 4);
    put(PE + 6, 3, 2);
    put(PE + 20, OPTIONAL, 2);
    put_section(0, ".boot", 600, 24);
    put_section(1, ".archive", 700, 124); /* eight characters: no 0 behind */
    put_section(2, ".outside", 1000, 25);
}

/* In a buffer of its own, so that a read behind its end is seen. The place found, or -1. */
static int64_t find(const char *name, uint32_t size, uint64_t *length) {
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    struct section found = section_find(copy, size, name);
    int64_t place = found.bytes ? found.bytes - copy : -1;
    *length = found.length;
    free(copy);
    return place;
}

TEST(found_by_their_whole_names) {
    uint64_t length;
    begin();
    CHECK_EQ(find(".boot", SIZE, &length), 600);
    CHECK_EQ(length, 24);
    CHECK_EQ(find(".archive", SIZE, &length), 700);
    CHECK_EQ(length, 124);
    CHECK_EQ(find(".boo", SIZE, &length), -1);
    CHECK_EQ(find(".cmdline", SIZE, &length), -1);
}

TEST(outside_the_image_is_nowhere) {
    uint64_t length;
    begin();
    CHECK_EQ(find(".outside", SIZE, &length), -1);
    CHECK_EQ(length, 0);
}

TEST(cut_and_wild_headers) {
    uint64_t length;
    begin();
    for (uint32_t size = 0; size < SIZE; size++) {
        int64_t place = find(".archive", size, &length);
        CHECK(place < 0 || (uint64_t)place + length <= size);
    }
    for (int round = 0; round < 100000; round++) {
        begin();
        for (int i = 0; i < 4; i++)
            bytes[random_below(470)] = (uint8_t)random_below(256);
        int64_t place = find(".archive", SIZE, &length);
        CHECK(place < 0 || (uint64_t)place + length <= SIZE);
    }
}

TEST_MAIN();
