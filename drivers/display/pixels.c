/* See pixels.h. */
#include "drivers/display/pixels.h"

#include <stdio.h>
#include <string.h>

enum { BYTES_MAX = 4, COLOUR_BITS = 8 };

static bool channel_fits(const struct pixels *pixels, const struct pixels_channel *channel) {
    return channel->bits >= 1 && channel->bits <= 16 && channel->shift <= 31 &&
           channel->shift + channel->bits <= pixels->bytes * 8;
}

const char *pixels_open(struct pixels *pixels, const char *text, volatile uint8_t *memory, uint64_t length) {
    unsigned inset, bits;
    *pixels = (struct pixels){0};
    int got = sscanf(text, "%u,%u,%u,%u,%u,%u:%u,%u:%u,%u:%u", &inset, &pixels->width, &pixels->height,
                     &pixels->pitch, &bits, &pixels->red.shift, &pixels->red.bits, &pixels->green.shift,
                     &pixels->green.bits, &pixels->blue.shift, &pixels->blue.bits);
    if (got != 11 || (bits != 16 && bits != 24 && bits != 32))
        return "its description makes no sense";
    pixels->bytes = bits / 8;
    if (!channel_fits(pixels, &pixels->red) || !channel_fits(pixels, &pixels->green) ||
        !channel_fits(pixels, &pixels->blue))
        return "its colours do not fit a pixel";
    if (pixels->width == 0 || pixels->height == 0 || pixels->pitch / pixels->bytes < pixels->width ||
        inset > length || (uint64_t)pixels->pitch * pixels->height > length - inset)
        return "it is larger than its memory";
    pixels->at = memory + inset;
    return NULL;
}

static uint32_t channel_value(const struct pixels_channel *channel, uint32_t value) {
    value = channel->bits <= COLOUR_BITS ? value >> (COLOUR_BITS - channel->bits)
                                         : value * 0x101 >> (16 - channel->bits);
    return value << channel->shift;
}

uint32_t pixels_colour(const struct pixels *pixels, uint32_t rgb) {
    return channel_value(&pixels->red, rgb >> 16 & 255) | channel_value(&pixels->green, rgb >> 8 & 255) |
           channel_value(&pixels->blue, rgb & 255);
}

static uint8_t *pixel_put(uint8_t *to, uint32_t colour, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++, colour >>= 8)
        *to++ = (uint8_t)colour;
    return to;
}

/* Device memory is slow: it gets whole words, in order. */
static void line_copy(volatile uint8_t *to, const uint8_t *from, size_t length) {
    size_t at = 0;
    for (; at + 4 <= length && (uintptr_t)(to + at) % 4 == 0; at += 4) {
        uint32_t word;
        memcpy(&word, from + at, sizeof word);
        *(volatile uint32_t *)(to + at) = word;
    }
    for (; at < length; at++)
        to[at] = from[at];
}

void pixels_draw(const struct pixels *pixels, const struct font *font, unsigned column, unsigned row,
                 const uint8_t *glyph, uint32_t foreground, uint32_t background, bool line) {
    uint8_t text[FONT_WIDTH_MAX * BYTES_MAX];
    volatile uint8_t *at = pixels->at + (size_t)row * font->height * pixels->pitch +
                           (size_t)column * font->width * pixels->bytes;
    for (uint32_t y = 0; y < font->height; y++, at += pixels->pitch, glyph += (font->width + 7) / 8) {
        uint8_t *to = text;
        bool whole = line && y + 1 == font->height;
        for (uint32_t x = 0; x < font->width; x++)
            to =
                pixel_put(to, whole || glyph[x / 8] & 0x80 >> x % 8 ? foreground : background, pixels->bytes);
        line_copy(at, text, (size_t)(to - text));
    }
}

void pixels_fill(const struct pixels *pixels, uint32_t colour) {
    uint8_t text[FONT_WIDTH_MAX * BYTES_MAX], *end = text;
    for (uint32_t x = 0; x < FONT_WIDTH_MAX; x++)
        end = pixel_put(end, colour, pixels->bytes);
    for (uint32_t y = 0; y < pixels->height; y++) {
        size_t length = (size_t)pixels->width * pixels->bytes, most = (size_t)(end - text);
        for (size_t at = 0; at < length; at += most)
            line_copy(pixels->at + (size_t)y * pixels->pitch + at, text,
                      length - at < most ? length - at : most);
    }
}
