/* See framebuffer.h. */
#include "servers/init/framebuffer.h"

#include <stdbool.h>
#include <stdio.h>

enum { PAGE_BYTES = 4096, LEAST_PIXELS = 64, MOST_PIXELS = 16384, MOST_PITCH = 1 << 18, COLOURS = 3 };

#define PHYSICAL_END (1ULL << 52)

static bool size_wrong(const struct boot_framebuffer *framebuffer) {
    return framebuffer->width < LEAST_PIXELS || framebuffer->width > MOST_PIXELS ||
           framebuffer->height < LEAST_PIXELS || framebuffer->height > MOST_PIXELS;
}

static bool colours_wrong(const struct boot_framebuffer *framebuffer) {
    const unsigned shifts[COLOURS] = {framebuffer->red.shift, framebuffer->green.shift,
                                      framebuffer->blue.shift};
    const unsigned bits[COLOURS] = {framebuffer->red.bits, framebuffer->green.bits, framebuffer->blue.bits};
    uint64_t seen = 0;
    for (int i = 0; i < COLOURS; i++) {
        if (bits[i] == 0 || bits[i] > 16 || shifts[i] + bits[i] > framebuffer->bits)
            return true;
        uint64_t mask = ((1ULL << bits[i]) - 1) << shifts[i];
        if (seen & mask)
            return true;
        seen |= mask;
    }
    return false;
}

static uint64_t length_of(const struct boot_framebuffer *framebuffer) {
    return (uint64_t)framebuffer->pitch * framebuffer->height;
}

/* Reserved ranges are not looked at: some firmware keeps the framebuffer in memory that it set aside. */
static bool overlaps(const struct boot_range *range, const struct boot_framebuffer *framebuffer) {
    return range->kind != BOOT_RANGE_FIRMWARE &&
           range->base < framebuffer->address + length_of(framebuffer) &&
           framebuffer->address < range->base + range->length;
}

const char *framebuffer_check(const struct boot_framebuffer *framebuffer, const struct boot_range *ranges,
                              size_t range_count) {
    unsigned bits = framebuffer->bits;
    if (framebuffer->address == 0)
        return "there is none";
    if (size_wrong(framebuffer))
        return "its size is not possible";
    if (bits != 16 && bits != 24 && bits != 32)
        return "its pixels have neither 16 nor 24 nor 32 bits";
    if (framebuffer->pitch < framebuffer->width * (bits / 8) || framebuffer->pitch > MOST_PITCH)
        return "its lines are too short or too long";
    if (colours_wrong(framebuffer))
        return "its colours overlap or do not fit a pixel";
    if (framebuffer->address >= PHYSICAL_END || length_of(framebuffer) > PHYSICAL_END - framebuffer->address)
        return "it does not lie in physical memory";
    for (size_t i = 0; i < range_count; i++)
        if (overlaps(&ranges[i], framebuffer))
            return "it lies in memory that is in use";
    return NULL;
}

void framebuffer_describe(const struct boot_framebuffer *framebuffer, struct framebuffer_pages *pages) {
    uint64_t end = framebuffer->address + length_of(framebuffer);
    pages->base = framebuffer->address & ~(uint64_t)(PAGE_BYTES - 1);
    pages->length = ((end + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1)) - pages->base;
    snprintf(pages->argument, sizeof pages->argument, "--framebuffer=%u,%u,%u,%u,%u,%u:%u,%u:%u,%u:%u",
             (unsigned)(framebuffer->address - pages->base), framebuffer->width, framebuffer->height,
             framebuffer->pitch, framebuffer->bits, framebuffer->red.shift, framebuffer->red.bits,
             framebuffer->green.shift, framebuffer->green.bits, framebuffer->blue.shift,
             framebuffer->blue.bits);
}
