/*
 * The framebuffer that the boot path found (abi/boot_info.h): whether what the firmware said can be true, and
 * the same as an argument for the driver that gets it. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "abi/boot_info.h"

enum { FRAMEBUFFER_ARGUMENT = 128 };

/* NULL, or what is wrong with it. It may not lie in memory that the system uses: ranges are those of
 * boot_info. */
const char *framebuffer_check(const struct boot_framebuffer *framebuffer, const struct boot_range *ranges,
                              size_t range_count);

/* The whole pages that hold a framebuffer, and the driver's argument. */
struct framebuffer_pages {
    uint64_t base, length; /* length 0: there is none */
    char argument[FRAMEBUFFER_ARGUMENT];
};

/* The argument: --framebuffer=INSET,WIDTH,HEIGHT,PITCH,BITS,SHIFT:BITS,SHIFT:BITS,SHIFT:BITS, the inset into
 * the first page, the colours red, green and blue; all decimal. For one that framebuffer_check lets pass. */
void framebuffer_describe(const struct boot_framebuffer *framebuffer, struct framebuffer_pages *pages);
