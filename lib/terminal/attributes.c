/* Colours and styles: what SGR sets, and what a cell looks like in the end. See internal.h. */
#include "lib/terminal/internal.h"

enum { CUBE = 16, GREYS = 232, COLOURS = 256 };

/* Linux's and the VGA's sixteen, as 0xrrggbb. */
static const uint32_t basic[16] = {0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa,
                                   0x00aaaa, 0xaaaaaa, 0x555555, 0xff5555, 0x55ff55, 0xffff55,
                                   0x5555ff, 0xff55ff, 0x55ffff, 0xffffff};

enum { DEFAULT_FOREGROUND = 7, DEFAULT_BACKGROUND = 0 };

struct terminal_cell attributes_none(void) {
    return (struct terminal_cell){' ', TERMINAL_DEFAULT, TERMINAL_DEFAULT, 0};
}

/* ---- SGR ---- */

/* How many parameters behind index belong to it by colons. */
static unsigned joined_count(const struct terminal_parser *parser, unsigned index) {
    unsigned count = 0;
    while (index + count + 1 < parser->count && parser->joined >> (index + count + 1) & 1)
        count++;
    return count;
}

static uint32_t rgb(const uint16_t *parts) {
    uint32_t colour = TERMINAL_RGB;
    for (int i = 0; i < 3; i++)
        colour |= (uint32_t)(parts[i] > 255 ? 255 : parts[i]) << (16 - 8 * i);
    return colour;
}

/* 38 and 48: ;5;N ;2;R;G;B and the same with colons, where a colour space may stand before R. Returns the
 * last index used. */
static unsigned extended_take(const struct terminal_parser *parser, unsigned index, uint32_t *colour) {
    unsigned joined = joined_count(parser, index), last = joined ? index + joined : parser->count - 1U;
    const uint16_t *parameters = parser->parameters;
    if (index + 2 <= last && parameters[index + 1] == 5) {
        if (parameters[index + 2] < COLOURS)
            *colour = parameters[index + 2];
        return joined ? last : index + 2;
    }
    if (index + 4 <= last && parameters[index + 1] == 2) {
        *colour = rgb(parameters + index + (joined >= 5 ? 3 : 2));
        return joined ? last : index + 4;
    }
    return last;
}

static void style_take(struct terminal_cell *pen, unsigned number) {
    static const uint8_t on[10] = {0,
                                   TERMINAL_BOLD,
                                   TERMINAL_DIM,
                                   TERMINAL_ITALIC,
                                   TERMINAL_UNDERLINE,
                                   TERMINAL_BLINK,
                                   TERMINAL_BLINK,
                                   TERMINAL_INVERSE,
                                   TERMINAL_HIDDEN,
                                   TERMINAL_STRUCK};
    if (number == 0)
        *pen = attributes_none();
    else if (number < 10)
        pen->style |= on[number];
    else if (number == 21) /* as on Linux and in xterm: a double line */
        pen->style |= TERMINAL_UNDERLINE;
    else if (number == 22)
        pen->style &= ~(uint32_t)(TERMINAL_BOLD | TERMINAL_DIM);
    else if (number > 22 && number < 30)
        pen->style &= ~(uint32_t)on[number - 20];
}

static void colour_take(struct terminal_cell *pen, unsigned number) {
    if (number >= 30 && number < 38)
        pen->foreground = number - 30;
    else if (number == 39)
        pen->foreground = TERMINAL_DEFAULT;
    else if (number >= 40 && number < 48)
        pen->background = number - 40;
    else if (number == 49)
        pen->background = TERMINAL_DEFAULT;
    else if (number >= 90 && number < 98)
        pen->foreground = number - 90 + 8;
    else if (number >= 100 && number < 108)
        pen->background = number - 100 + 8;
}

void attributes_take(struct terminal *terminal) {
    const struct terminal_parser *parser = &terminal->parser;
    struct terminal_cell *pen = &terminal->cursor.pen;
    for (unsigned i = 0; i < parser->count; i++) {
        unsigned number = parser->parameters[i], joined = joined_count(parser, i);
        if (number == 38 || number == 48) {
            i = extended_take(parser, i, number == 38 ? &pen->foreground : &pen->background);
            continue;
        }
        if (number == 4 && joined && parser->parameters[i + 1] == 0) /* 4:0, no line */
            number = 24;
        if (number < 30)
            style_take(pen, number);
        else
            colour_take(pen, number);
        i += joined;
    }
}

/* ---- what it looks like ---- */

static uint32_t cube_level(unsigned step) {
    return step ? 55 + 40 * step : 0;
}

static uint32_t colour_rgb(uint32_t colour) {
    if (colour & TERMINAL_RGB)
        return colour & 0xffffff;
    if (colour < CUBE)
        return basic[colour];
    if (colour >= GREYS)
        return (8 + 10 * (colour - GREYS)) * 0x010101;
    colour -= CUBE;
    return cube_level(colour / 36) << 16 | cube_level(colour / 6 % 6) << 8 | cube_level(colour % 6);
}

/* The two colours as palette indexes or RGB, after everything that changes them but dimming. */
static struct terminal_colours colours_choose(const struct terminal *terminal,
                                              const struct terminal_cell *cell) {
    uint32_t foreground =
        cell->foreground == TERMINAL_DEFAULT ? (uint32_t)DEFAULT_FOREGROUND : cell->foreground;
    uint32_t background =
        cell->background == TERMINAL_DEFAULT ? (uint32_t)DEFAULT_BACKGROUND : cell->background;
    bool inverse = cell->style & TERMINAL_INVERSE, reverse = terminal->modes & TERMINAL_REVERSE;
    if (cell->style & TERMINAL_BOLD && foreground < 8)
        foreground += 8;
    if (cell->style & TERMINAL_HIDDEN)
        foreground = background;
    if (inverse != reverse)
        return (struct terminal_colours){background, foreground};
    return (struct terminal_colours){foreground, background};
}

struct terminal_colours terminal_cell_colours(const struct terminal *terminal,
                                              const struct terminal_cell *cell) {
    struct terminal_colours colours = colours_choose(terminal, cell);
    colours.foreground = colour_rgb(colours.foreground);
    colours.background = colour_rgb(colours.background);
    if (cell->style & TERMINAL_DIM)
        colours.foreground = (colours.foreground >> 1 & 0x7f7f7f) + (colours.background >> 1 & 0x7f7f7f);
    return colours;
}

static uint32_t distance(uint32_t a, uint32_t b) {
    uint32_t sum = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        int difference = (int)(a >> shift & 255) - (int)(b >> shift & 255);
        sum += (uint32_t)(difference * difference);
    }
    return sum;
}

static uint32_t nearest_16(uint32_t colour) {
    uint32_t best = 0;
    if (colour < CUBE)
        return colour;
    uint32_t wanted = colour_rgb(colour);
    for (uint32_t i = 1; i < CUBE; i++)
        if (distance(basic[i], wanted) < distance(basic[best], wanted))
            best = i;
    return best;
}

struct terminal_colours terminal_cell_colours_16(const struct terminal *terminal,
                                                 const struct terminal_cell *cell) {
    struct terminal_colours colours = colours_choose(terminal, cell);
    colours.foreground = nearest_16(colours.foreground);
    colours.background = nearest_16(colours.background);
    if (cell->style & TERMINAL_DIM && colours.background != 8)
        colours.foreground = 8;
    return colours;
}
