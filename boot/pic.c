/* See pic.h. A spurious interrupt can come even from a masked 8259, hence the vectors. */
#include "boot/pic.h"

#include "boot/io.h"

enum { MASTER = 0x20, SLAVE = 0xa0, INITIALIZE = 0x11, MODE_8086 = 1, CASCADE_LINE = 2, VECTOR_BASE = 32 };

static void pic_init(uint16_t port, uint8_t vector, uint8_t cascade) {
    port_write8(port, INITIALIZE);
    port_write8(port + 1, vector);
    port_write8(port + 1, cascade);
    port_write8(port + 1, MODE_8086);
    port_write8(port + 1, 0xff);
}

void pic_mask(void) {
    pic_init(MASTER, VECTOR_BASE, 1 << CASCADE_LINE);
    pic_init(SLAVE, VECTOR_BASE + 8, CASCADE_LINE);
}
