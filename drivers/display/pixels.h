/* A linear framebuffer of 16, 24 or 32 bits per pixel: characters of a font drawn into it. Write only; pure
 * but for its memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/display/font.h"

struct pixels_channel {
    uint32_t shift, bits; /* where in the pixel, little-endian, and how wide: 1 to 16 bits */
};

struct pixels {
    volatile uint8_t *at;
    uint32_t width, height; /* pixels */
    uint32_t pitch;         /* bytes from a line to the next */
    uint32_t bytes;         /* per pixel */
    struct pixels_channel red, green, blue;
};

/* Reads --framebuffer= (servers/init/framebuffer.h) for length bytes of memory. NULL, or what is wrong: also
 * when it does not fit the memory. */
const char *pixels_open(struct pixels *pixels, const char *text, volatile uint8_t *memory, uint64_t length);

/* A colour 0xrrggbb as the framebuffer has it. */
uint32_t pixels_colour(const struct pixels *pixels, uint32_t rgb);

/* One character at a place in characters, which must lie inside; colours as of pixels_colour. line: with a
 * line under it. */
void pixels_draw(const struct pixels *pixels, const struct font *font, unsigned column, unsigned row,
                 const uint8_t *glyph, uint32_t foreground, uint32_t background, bool line);

/* Everything in one colour. */
void pixels_fill(const struct pixels *pixels, uint32_t colour);
