/* See font.h. The format is described in kbd's documentation (psfaddtable); all numbers are little-endian. */
#include "drivers/display/font.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 32, HAS_TABLE = 1, SEQUENCE = 0xfe, END = 0xff };
enum { UNKNOWN = 0xfffd };

static const uint8_t magic[4] = {0x72, 0xb5, 0x4a, 0x86};

static uint32_t read32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static int compare(const void *left, const void *right) {
    const struct font_character *a = left, *b = right;
    if (a->character != b->character)
        return a->character < b->character ? -1 : 1;
    return a->glyph < b->glyph ? -1 : a->glyph > b->glyph;
}

/* Reads one character of UTF-8; 0 bytes when it is damaged or cut. */
static size_t character_read(const uint8_t *at, size_t length, uint32_t *character) {
    size_t bytes = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc0 ? 2 : 0;
    if (bytes == 0 || bytes > length)
        return 0;
    *character = bytes == 1 ? at[0] : at[0] & (0x7fU >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (at[i] & 0x3f);
    }
    return bytes;
}

/* For each glyph the characters it shows, then sequences behind 0xfe, then 0xff. */
static const char *table_read(struct font *font, const uint8_t *at, size_t length) {
    uint32_t glyph = 0;
    bool sequence = false;
    for (size_t i = 0; glyph < font->count;) {
        struct font_character *next = &font->characters[font->character_count];
        if (i == length)
            return "its table of characters ends early";
        if (at[i] == END || at[i] == SEQUENCE) {
            sequence = at[i] == SEQUENCE;
            glyph += at[i++] == END;
            continue;
        }
        if (font->character_count == FONT_CHARACTERS_MAX)
            return "it has too many characters";
        size_t bytes = character_read(at + i, length - i, &next->character);
        if (bytes == 0)
            return "its table of characters is damaged";
        next->glyph = glyph;
        font->character_count += !sequence;
        i += bytes;
    }
    return NULL;
}

static const struct font_character *find(const struct font *font, uint32_t character) {
    uint32_t low = 0, high = font->character_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (font->characters[middle].character < character)
            low = middle + 1;
        else
            high = middle;
    }
    return low < font->character_count && font->characters[low].character == character
               ? &font->characters[low]
               : NULL;
}

const char *font_open(struct font *font, const uint8_t *bytes, size_t length) {
    memset(font, 0, sizeof *font);
    if (length < HEADER || memcmp(bytes, magic, sizeof magic) != 0)
        return "it is no PSF2 file";
    uint32_t start = read32(bytes + 8), flags = read32(bytes + 12);
    font->count = read32(bytes + 16);
    font->glyph_bytes = read32(bytes + 20);
    font->height = read32(bytes + 24);
    font->width = read32(bytes + 28);
    if (font->width == 0 || font->width > FONT_WIDTH_MAX || font->height == 0 ||
        font->height > FONT_HEIGHT_MAX || font->glyph_bytes != font->height * ((font->width + 7) / 8))
        return "its glyphs have an impossible size";
    if (start < HEADER || start > length || font->count == 0 ||
        font->count > (length - start) / font->glyph_bytes)
        return "it is cut off";
    font->glyphs = bytes + start;
    size_t table = start + (size_t)font->count * font->glyph_bytes;
    if (!(flags & HAS_TABLE))
        return "it does not tell which characters it has";
    const char *problem = table_read(font, bytes + table, length - table);
    if (problem)
        return problem;
    qsort(font->characters, font->character_count, sizeof font->characters[0], compare);
    const struct font_character *unknown = find(font, UNKNOWN);
    if (!unknown)
        unknown = find(font, '?');
    font->unknown = unknown ? unknown->glyph : 0;
    return NULL;
}

const uint8_t *font_glyph(const struct font *font, uint32_t character) {
    const struct font_character *found = find(font, character);
    return font->glyphs + (size_t)(found ? found->glyph : font->unknown) * font->glyph_bytes;
}
