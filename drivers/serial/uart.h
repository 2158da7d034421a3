/* Registers of a 16550 UART, through an I/O port capability. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"

enum { UART_FIFO = 16 };

/* Bits of uart_status. */
enum { UART_DATA_READY = 0x01, UART_OVERRUN = 0x02, UART_TX_READY = 0x20, UART_TX_EMPTY = 0x40 };
/* Bits of uart_interrupts. */
enum { UART_ON_DATA = 0x01, UART_ON_TX_READY = 0x02 };

struct uart {
    handle_t ports;
    uint16_t base;
    uint8_t enabled; /* interrupt sources switched on now */
};

/* True when the scratch register keeps what is written to it: a UART is there. */
bool uart_probe(const struct uart *uart);

/* 115200 baud, 8 bits, no parity, FIFOs on, interrupts off. FIFOs that are on keep what they hold. Where they
 * are not, a byte that waits in the receiver is returned, because switching them on would drop it (as it
 * does, in QEMU, one that arrives meanwhile); otherwise -1. */
int uart_start(struct uart *uart);

uint8_t uart_status(const struct uart *uart);
uint8_t uart_read(const struct uart *uart);
void uart_write(const struct uart *uart, uint8_t byte);

/* Switches interrupt sources; no port is touched when nothing changes. */
void uart_interrupts(struct uart *uart, uint8_t sources);

/* True while the UART holds its interrupt line up; reading it also takes back a transmit interrupt. */
bool uart_pending(const struct uart *uart);
