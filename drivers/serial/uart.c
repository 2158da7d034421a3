/* See uart.h. Register numbers and bits are those of the National 16550 data sheet. */
#include "drivers/serial/uart.h"

#include "lib/keel/call.h"

enum register_number {
    DATA = 0,
    INTERRUPTS = 1,
    IDENTITY = 2,
    FIFO = 2,
    LINE = 3,
    MODEM = 4,
    STATUS = 5,
    SCRATCH = 7
};
enum { DIVISOR_LOW = 0, DIVISOR_HIGH = 1 };
enum {
    LINE_DIVISOR = 0x80,
    LINE_8N1 = 0x03,
    FIFO_ENABLE = 0x81, /* interrupt at eight bytes or after a pause */
    FIFO_CLEAR = 0x06,  /* both */
    MODEM_LOOPBACK = 0x10,
    MODEM_DTR_RTS_OUT2 = 0x0b, /* OUT2 lets the interrupt through on a PC */
    IDENTITY_NONE = 0x01,
    IDENTITY_FIFO = 0xc0,
};

static uint8_t register_read(const struct uart *uart, enum register_number number) {
    return (uint8_t)keel_io_read(uart->ports, uart->base + number, 1);
}

static void register_write(const struct uart *uart, enum register_number number, uint8_t value) {
    (void)keel_io_write(uart->ports, uart->base + number, 1, value);
}

bool uart_probe(const struct uart *uart) {
    static const uint8_t patterns[] = {0x5a, 0xa5};
    for (unsigned i = 0; i < sizeof patterns; i++) {
        register_write(uart, SCRATCH, patterns[i]);
        if (register_read(uart, SCRATCH) != patterns[i])
            return false;
    }
    return true;
}

int uart_start(struct uart *uart) {
    register_write(uart, INTERRUPTS, 0);
    uart->enabled = 0;
    register_write(uart, LINE, LINE_DIVISOR);
    register_write(uart, (enum register_number)DIVISOR_LOW, 1);
    register_write(uart, (enum register_number)DIVISOR_HIGH, 0);
    register_write(uart, LINE, LINE_8N1);
    int waiting = -1;
    if ((register_read(uart, IDENTITY) & IDENTITY_FIFO) == IDENTITY_FIFO) {
        register_write(uart, FIFO, FIFO_ENABLE); /* what it holds stays */
    } else {
        /* Enabling the FIFO drops what the receiver holds. In loopback it gets no more, but from QEMU. */
        register_write(uart, MODEM, MODEM_LOOPBACK);
        waiting = uart_status(uart) & UART_DATA_READY ? uart_read(uart) : -1;
        register_write(uart, FIFO, FIFO_ENABLE | FIFO_CLEAR);
    }
    register_write(uart, MODEM, MODEM_DTR_RTS_OUT2);
    return waiting;
}

uint8_t uart_status(const struct uart *uart) {
    return register_read(uart, STATUS);
}
uint8_t uart_read(const struct uart *uart) {
    return register_read(uart, DATA);
}
void uart_write(const struct uart *uart, uint8_t byte) {
    register_write(uart, DATA, byte);
}

void uart_interrupts(struct uart *uart, uint8_t sources) {
    if (uart->enabled == sources)
        return;
    uart->enabled = sources;
    register_write(uart, INTERRUPTS, sources);
}

bool uart_pending(const struct uart *uart) {
    return !(register_read(uart, IDENTITY) & IDENTITY_NONE);
}
