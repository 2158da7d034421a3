/* See vga.h. Register numbers are those of IBM's VGA. */
#include "drivers/display/vga.h"

#include "lib/keel/call.h"
#include "lib/terminal/terminal.h"

enum port {
    ATTRIBUTE = 0x3c0,
    ATTRIBUTE_READ = 0x3c1,
    MISCELLANEOUS_READ = 0x3cc,
    GRAPHICS = 0x3ce,
    CRT = 0x3d4,
    STATUS = 0x3da,
};
enum {
    MISCELLANEOUS_COLOUR = 1,
    GRAPHICS_MODE = 6, /* bit 0: not text */
    ATTRIBUTE_MODE = 0x10,
    ATTRIBUTE_BLINK = 8,
    ATTRIBUTE_SHOW = 0x20, /* in the index: the palette stays on the screen */
    CRT_COLUMNS = 1,
    CRT_OVERFLOW = 7,
    CRT_LINES_PER_ROW = 9,
    CRT_CURSOR_START = 10,
    CRT_CURSOR_END = 11,
    CRT_START = 12,
    CRT_CURSOR = 14,
    CRT_LINES = 18,
    CURSOR_OFF = 0x20,
};
enum { NOTHING = 0xff, PATTERN = 0x1234, COLUMNS_LEAST = 40, COLUMNS_MOST = 132, ROWS_MOST = 60 };

static uint8_t in(const struct vga *vga, unsigned port) {
    return (uint8_t)keel_io_read(vga->ports, port, 1);
}

static void out(const struct vga *vga, unsigned port, unsigned value) {
    (void)keel_io_write(vga->ports, port, 1, value & 255);
}

static uint8_t indexed_in(const struct vga *vga, unsigned port, unsigned index) {
    out(vga, port, index);
    return in(vga, port + 1);
}

static void indexed_out(const struct vga *vga, unsigned port, unsigned index, unsigned value) {
    out(vga, port, index);
    out(vga, port + 1, value);
}

/* From the CRT controller: 80 x 25, or what else the firmware likes. */
static void size_read(struct vga *vga) {
    unsigned overflow = indexed_in(vga, CRT, CRT_OVERFLOW);
    unsigned lines = indexed_in(vga, CRT, CRT_LINES) + 1U + ((overflow & 2) << 7) + ((overflow & 0x40) << 3);
    vga->columns = indexed_in(vga, CRT, CRT_COLUMNS) + 1U;
    vga->rows = lines / ((indexed_in(vga, CRT, CRT_LINES_PER_ROW) & 31U) + 1);
}

/* All sixteen background colours, no blinking. */
static void blinking_off(const struct vga *vga) {
    (void)in(vga, STATUS); /* the next write is an index */
    out(vga, ATTRIBUTE, ATTRIBUTE_MODE | ATTRIBUTE_SHOW);
    out(vga, ATTRIBUTE, in(vga, ATTRIBUTE_READ) & ~(unsigned)ATTRIBUTE_BLINK);
}

static bool memory_answers(const struct vga *vga) {
    uint16_t before = vga->cells[0];
    vga->cells[0] = PATTERN;
    bool kept = vga->cells[0] == PATTERN;
    vga->cells[0] = before;
    return kept;
}

const char *vga_open(struct vga *vga, handle_t ports, volatile void *memory) {
    *vga = (struct vga){.ports = ports, .cells = memory};
    uint8_t miscellaneous = in(vga, MISCELLANEOUS_READ);
    if (miscellaneous == NOTHING || !memory)
        return "there is no VGA";
    if (!(miscellaneous & MISCELLANEOUS_COLOUR) || indexed_in(vga, GRAPHICS, GRAPHICS_MODE) & 1)
        return "the VGA is not in a text mode with colours";
    size_read(vga);
    if (vga->columns < COLUMNS_LEAST || vga->columns > COLUMNS_MOST || vga->rows < 2 || vga->rows > ROWS_MOST)
        return "the VGA's text mode has an impossible size";
    if (!memory_answers(vga))
        return "the VGA's memory does not answer";
    indexed_out(vga, CRT, CRT_START, 0);
    indexed_out(vga, CRT, CRT_START + 1, 0);
    blinking_off(vga);
    return NULL;
}

static uint8_t code_of(uint32_t character) {
    if (character >= 0x20 && character < 0x7f)
        return (uint8_t)character;
    for (unsigned byte = 0; byte < 256 && character; byte++)
        if (terminal_cp437((uint8_t)byte) == character && byte != 0)
            return (uint8_t)byte;
    return character ? '?' : ' ';
}

/* The VGA has blue in bit 0 where the terminal has red. */
static unsigned colour_of(uint32_t colour) {
    return (colour & 10) | (colour & 1) << 2 | (colour >> 2 & 1);
}

void vga_draw(const struct vga *vga, unsigned column, unsigned row, uint32_t character, uint32_t foreground,
              uint32_t background) {
    unsigned attribute = colour_of(background) << 4 | colour_of(foreground);
    vga->cells[row * vga->columns + column] = (uint16_t)(attribute << 8 | code_of(character));
}

void vga_cursor(const struct vga *vga, unsigned column, unsigned row, bool visible) {
    unsigned place = row * vga->columns + column, last = indexed_in(vga, CRT, CRT_LINES_PER_ROW) & 31U;
    indexed_out(vga, CRT, CRT_CURSOR, place >> 8);
    indexed_out(vga, CRT, CRT_CURSOR + 1, place);
    indexed_out(vga, CRT, CRT_CURSOR_START, visible ? last - 1 : CURSOR_OFF);
    indexed_out(vga, CRT, CRT_CURSOR_END, last);
}
