/* See console.h. */
#include "boot/console.h"

#include "boot/io.h"
#include "lib/base/format.h"

enum { DEBUG_PORT = 0xe9, EXIT_PORT = 0xf4, EXIT_FAILED = 0x7f, COM1 = 0x3f8, COM2 = 0x2f8 };
enum { UART_DATA = 0, UART_INTERRUPTS = 1, UART_FIFO = 2, UART_LINE = 3, UART_MODEM = 4, UART_STATUS = 5 };
enum {
    LINE_8N1 = 3,
    LINE_DIVISOR = 0x80,
    FIFO_ENABLE_CLEAR = 7,
    STATUS_TRANSMIT_EMPTY = 0x20,
    TRANSMIT_POLLS = 1 << 16
};

static void debug_write(const char *text) {
    for (; *text; text++)
        port_write8(DEBUG_PORT, (uint8_t)*text);
}

/* 115200 8N1, polled. The FIFO is on before anybody is told that he may send: to switch it on drops a byte
 * that comes in at that moment. The driver finds what came in before it started. */
static void serial_open(uint16_t port) {
    port_write8(port + UART_INTERRUPTS, 0);
    port_write8(port + UART_LINE, LINE_DIVISOR);
    port_write8(port + UART_DATA, 1);
    port_write8(port + UART_INTERRUPTS, 0);
    port_write8(port + UART_LINE, LINE_8N1);
    port_write8(port + UART_FIFO, FIFO_ENABLE_CLEAR);
    port_write8(port + UART_MODEM, 3);
}

static void serial_write(uint16_t port, const char *text) {
    for (; *text; text++) {
        for (int i = 0; i < TRANSMIT_POLLS; i++)
            if (port_read8(port + UART_STATUS) & STATUS_TRANSMIT_EMPTY)
                break;
        port_write8(port + UART_DATA, (uint8_t)*text);
    }
}

void boot_lines_open(void) {
    serial_open(COM1);
    serial_open(COM2);
}

void boot_mark(void) {
    static const char mark[] = "keel: start\r\n";

    serial_write(COM1, mark);
    serial_write(COM2, mark);
    debug_write(mark);
}

void boot_note(const char *format, ...) {
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    format_text_va(text, sizeof(text), format, arguments);
    va_end(arguments);
    debug_write("keel: ");
    debug_write(text);
    debug_write("\r\n");
}

void boot_fail(const char *format, ...) {
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    format_text_va(text, sizeof(text), format, arguments);
    va_end(arguments);
    boot_note("%s", text);
    serial_open(COM1);
    serial_write(COM1, "keel: ");
    serial_write(COM1, text);
    serial_write(COM1, "\r\n");
    port_write8(EXIT_PORT, EXIT_FAILED);
    for (;;)
        __asm__ volatile("cli; hlt");
}
