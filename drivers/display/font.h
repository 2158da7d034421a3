/*
 * A PSF2 font: fixed-size glyphs and which characters each of them shows. The file is looked at with
 * suspicion: what it says about itself must fit its length. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FONT_WIDTH_MAX = 32, FONT_HEIGHT_MAX = 64, FONT_CHARACTERS_MAX = 4096 };

struct font_character {
    uint32_t character;
    uint32_t glyph;
};

struct font {
    const uint8_t *glyphs; /* rows of (width + 7) / 8 bytes, the leftmost pixel in the top bit */
    uint32_t width, height;
    uint32_t count, glyph_bytes;
    uint32_t unknown; /* the glyph for characters that the font does not have */
    uint32_t character_count;
    struct font_character characters[FONT_CHARACTERS_MAX]; /* sorted by character */
};

/* NULL, or what is wrong with the file. The bytes are kept. Sequences of characters are left out. */
const char *font_open(struct font *font, const uint8_t *bytes, size_t length);

/* The glyph's bitmap; that of an unknown character when the font has none. */
const uint8_t *font_glyph(const struct font *font, uint32_t character);
