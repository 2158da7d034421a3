/* sources: drivers/display/font.c */
/* Any file is refused, or its every glyph lies inside it. */
#include "drivers/display/font.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct font font;
    if (font_open(&font, data, size))
        return 0;
    for (uint32_t i = 0; i <= font.character_count; i++) {
        uint32_t character = i < font.character_count ? font.characters[i].character : UINT32_MAX;
        const uint8_t *glyph = font_glyph(&font, character);
        if (glyph < data || font.glyph_bytes > size || glyph > data + size - font.glyph_bytes)
            abort();
    }
    return 0;
}
