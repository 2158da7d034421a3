/* The EFI program carries what it starts as PE sections of its own (tools/launch/efi.py), so that one
 * signature covers it all. This finds them by name in the image as the firmware loaded it. */
#pragma once

#include <stdint.h>

struct section {
    const uint8_t *bytes; /* NULL: there is none, or it lies outside the image */
    uint64_t length;      /* bytes that were given to it */
};

/* name: at most 8 characters. */
struct section section_find(const uint8_t *image, uint64_t size, const char *name);
