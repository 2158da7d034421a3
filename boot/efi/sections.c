/* See sections.h. */
#include "boot/efi/sections.h"

#include <stddef.h>

#include "lib/base/string.h"

enum { PE_PLACE = 0x3c, PE_HEADER = 24, SECTION_COUNT = 6, OPTIONAL_SIZE = 20, SECTION_SIZE = 40 };
enum { SECTION_NAME = 8, SECTION_LENGTH = 8, SECTION_PLACE = 12 };

static uint32_t read(const uint8_t *at, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << 8 * i;
    return value;
}

static struct section section_of(const uint8_t *image, uint64_t size, const uint8_t *header) {
    uint64_t length = read(header + SECTION_LENGTH, 4), place = read(header + SECTION_PLACE, 4);
    if (place > size || length > size - place)
        return (struct section){NULL, 0};
    return (struct section){image + place, length};
}

struct section section_find(const uint8_t *image, uint64_t size, const char *name) {
    const struct section none = {NULL, 0};
    uint64_t length = strnlen(name, SECTION_NAME);

    if (size < PE_PLACE + 4)
        return none;
    uint64_t pe = read(image + PE_PLACE, 4);
    if (pe > size || size - pe < PE_HEADER)
        return none;
    uint32_t count = read(image + pe + SECTION_COUNT, 2);
    uint64_t at = pe + PE_HEADER + read(image + pe + OPTIONAL_SIZE, 2);
    for (; count > 0 && at <= size && size - at >= SECTION_SIZE; count--, at += SECTION_SIZE)
        if (!memcmp(image + at, name, length) && (length == SECTION_NAME || !image[at + length]))
            return section_of(image, size, image + at);
    return none;
}
