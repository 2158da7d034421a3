/* sources: drivers/display/font.c drivers/display/pixels.c */
/* Fonts and framebuffers: good ones are drawn exactly, damaged ones are refused by what is wrong with them.
 */
#include <string.h>

#include "drivers/display/pixels.h"
#include "tests/unit/check.h"

enum { HEADER = 32, GLYPHS = 3, WIDTH = 10, HEIGHT = 2, GLYPH_BYTES = 4 };

static uint8_t file[256];
static size_t file_length;
static struct font font;

static void put32(size_t at, uint32_t value) {
    memcpy(file + at, &value, sizeof value);
}

/* Three glyphs of 10 x 2 pixels: 'A' and e acute, '?', and a black square; the first also for a sequence. */
static void file_make(void) {
    static const uint8_t glyphs[] = {0x80, 0x40, 0xff, 0xc0, 0x01, 0x00, 0x02, 0x00, 0xff, 0xc0, 0xff, 0xc0};
    static const char table[] = "A\xc3\xa9\xfe"
                                "e\xcc\x81\xff?\xff\xe2\x96\x88\xff";
    memset(file, 0, sizeof file);
    put32(0, 0x864ab572);
    put32(8, HEADER);
    put32(12, 1);
    put32(16, GLYPHS);
    put32(20, GLYPH_BYTES);
    put32(24, HEIGHT);
    put32(28, WIDTH);
    memcpy(file + HEADER, glyphs, sizeof glyphs);
    memcpy(file + HEADER + sizeof glyphs, table, sizeof table - 1);
    file_length = HEADER + sizeof glyphs + sizeof table - 1;
}

static void problem_is(const char *got, const char *problem) {
    if ((got == NULL) != (problem == NULL) || (got && strcmp(got, problem) != 0)) {
        fprintf(stderr, "\"%s\", not \"%s\"\n", got ? got : "good", problem ? problem : "good");
        exit(1);
    }
}

TEST(font_glyphs) {
    file_make();
    problem_is(font_open(&font, file, sizeof file), NULL); /* zeros behind it do not matter */
    CHECK_EQ(font.character_count, 4);
    CHECK(font_glyph(&font, 'A') == file + HEADER);
    CHECK(font_glyph(&font, 0xe9) == file + HEADER);
    CHECK(font_glyph(&font, 0x2588) == file + HEADER + 2 * GLYPH_BYTES);
    CHECK(font_glyph(&font, 'e') == file + HEADER + GLYPH_BYTES);
    CHECK(font_glyph(&font, UINT32_MAX) == file + HEADER + GLYPH_BYTES);
}

static void changed(size_t at, uint32_t value, const char *problem) {
    file_make();
    put32(at, value);
    problem_is(font_open(&font, file, file_length), problem);
}

TEST(damaged_fonts) {
    changed(0, 0x864ab573, "it is no PSF2 file");
    changed(8, 31, "it is cut off");
    changed(8, 0xffffffff, "it is cut off");
    changed(12, 0, "it does not tell which characters it has");
    changed(16, 0, "it is cut off");
    changed(16, 0xffffffff, "it is cut off");
    changed(16, 4, "its table of characters ends early");
    changed(20, 5, "its glyphs have an impossible size");
    changed(24, 0, "its glyphs have an impossible size");
    changed(28, 0x80000000, "its glyphs have an impossible size");
    for (size_t length = 0; length < file_length; length++) {
        file_make();
        CHECK(font_open(&font, file, length) != NULL);
    }
    file_make();
    file[HEADER + GLYPHS * GLYPH_BYTES + 1] = 0x80;
    problem_is(font_open(&font, file, file_length), "its table of characters is damaged");
}

static uint8_t memory[4096];
static struct pixels pixels;

TEST(framebuffer_descriptions) {
    static const char *const wrong[] = {"", "0,32,4,128,32,16:8,8:8", "0,32,4,128,8,5:3,2:3,0:2",
                                        "0,32,4,128,32,16:8,8:8,a"};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        problem_is(pixels_open(&pixels, wrong[i], memory, sizeof memory), "its description makes no sense");
    problem_is(pixels_open(&pixels, "0,32,4,128,32,25:8,8:8,0:8", memory, sizeof memory),
               "its colours do not fit a pixel");
    problem_is(pixels_open(&pixels, "0,32,4,128,16,11:5,5:6,0:17", memory, sizeof memory),
               "its colours do not fit a pixel");
    problem_is(pixels_open(&pixels, "0,32,4,127,32,16:8,8:8,0:8", memory, sizeof memory),
               "it is larger than its memory");
    problem_is(pixels_open(&pixels, "1,32,32,128,32,16:8,8:8,0:8", memory, sizeof memory),
               "it is larger than its memory");
    problem_is(pixels_open(&pixels, "4097,1,1,4,32,16:8,8:8,0:8", memory, sizeof memory),
               "it is larger than its memory");
    problem_is(pixels_open(&pixels, "0,32,32,4294967295,32,16:8,8:8,0:8", memory, sizeof memory),
               "it is larger than its memory");
    problem_is(pixels_open(&pixels, "0,32,32,128,32,16:8,8:8,0:8", memory, sizeof memory), NULL);
}

static uint32_t pixel_at(unsigned x, unsigned y) {
    uint32_t value = 0;
    memcpy(&value, (const uint8_t *)pixels.at + y * pixels.pitch + x * pixels.bytes, pixels.bytes);
    return value;
}

/* The second character of the second line, and nothing around it. */
static void draws(const char *description) {
    memset(memory, 0xee, sizeof memory);
    problem_is(pixels_open(&pixels, description, memory, sizeof memory), NULL);
    file_make();
    problem_is(font_open(&font, file, file_length), NULL);
    uint32_t on = pixels_colour(&pixels, 0xff8000), off = pixels_colour(&pixels, 0x0000ff);
    uint32_t none = pixels.bytes == 4 ? 0xeeeeeeee : pixels.bytes == 3 ? 0xeeeeee : 0xeeee;
    pixels_draw(&pixels, &font, 1, 1, font_glyph(&font, 'A'), on, off, false);
    for (unsigned y = 0; y < pixels.height; y++)
        for (unsigned x = 0; x < pixels.width; x++) {
            bool inside = x >= WIDTH && x < 2 * WIDTH && y >= HEIGHT && y < 2 * HEIGHT;
            bool set = y == HEIGHT + 1 || x == WIDTH || x == 2 * WIDTH - 1;
            CHECK_EQ(pixel_at(x, y), !inside ? none : set ? on : off);
        }
    pixels_draw(&pixels, &font, 0, 0, font_glyph(&font, '?'), on, off, true);
    CHECK_EQ(pixel_at(7, 0), on);
    CHECK_EQ(pixel_at(6, 0), off);
    CHECK_EQ(pixel_at(0, 1), on); /* the line */
    pixels_fill(&pixels, off);
    CHECK(pixel_at(0, 0) == off && pixel_at(pixels.width - 1, pixels.height - 1) == off);
}

TEST(drawing) {
    draws("0,37,6,148,32,16:8,8:8,0:8");
    draws("4,37,6,160,32,0:8,8:8,16:8");
    draws("3,37,6,111,24,16:8,8:8,0:8");
    draws("2,37,6,80,16,11:5,5:6,0:5");
}

TEST(colours) {
    problem_is(pixels_open(&pixels, "0,32,4,128,32,16:8,8:8,0:8", memory, sizeof memory), NULL);
    CHECK_EQ(pixels_colour(&pixels, 0x123456), 0x123456);
    problem_is(pixels_open(&pixels, "0,32,4,128,16,11:5,5:6,0:5", memory, sizeof memory), NULL);
    CHECK_EQ(pixels_colour(&pixels, 0xffffff), 0xffff);
    CHECK_EQ(pixels_colour(&pixels, 0x80ff08), 0x87e1);
    problem_is(pixels_open(&pixels, "0,32,4,128,32,20:10,10:10,0:10", memory, sizeof memory), NULL);
    CHECK_EQ(pixels_colour(&pixels, 0xffffff), 0x3fffffff);
}

TEST_MAIN();
