/*
 * The serial driver: one 16550 UART and one console link (abi/console.h), in one thread that sleeps at one
 * port for the UART's interrupt and the client's kick. It holds the UART's ports, its interrupt line, and the
 * link; nothing else.
 *
 *   serial --link=NAME --port=0x3f8 --irq=4
 *
 * Handles: "NAME", "NAME.kick", "NAME.call", "ioport.3f8", "irq.4", "log". Without a UART at the ports the
 * link is a sink: what is written is dropped and nothing is ever received.
 *
 * A chain is given back only when its last byte has left the UART, so that a client that has everything back
 * may power the machine off. Input that finds no room stays in the UART, which stops the sender where it can.
 */
#include <errno.h>
#include <stdlib.h>

#include "drivers/serial/uart.h"
#include "lib/console/start.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"

enum { KEY_KICK = 1, KEY_INTERRUPT = 2, PORT_QUEUE = 8, POLL_NS = 200000 };

struct serial {
    struct uart uart;
    struct link link;
    bool sink;       /* no UART */
    bool complained; /* about this session's broken rings */
    unsigned overruns;
    handle_t port, call, interrupt;
};

enum tx_wait { TX_IDLE, TX_WAIT_READY, TX_WAIT_EMPTY };

static void sink_run(struct serial *serial) {
    uint8_t bytes[256];
    do {
        while (link_take(&serial->link, bytes, sizeof bytes) > 0)
            continue;
        if (!link_chain_done(&serial->link))
            return;
        link_sent(&serial->link);
    } while (true);
}

static void input_run(struct serial *serial) {
    uint8_t status;
    while (link_room(&serial->link) > 0 && (status = uart_status(&serial->uart)) & UART_DATA_READY) {
        if (status & UART_OVERRUN)
            log_line("input was lost, %u times so far", ++serial->overruns);
        link_receive(&serial->link, uart_read(&serial->uart));
    }
    link_deliver(&serial->link);
}

/* Sends until there is nothing to send or the UART is not ready; tells what to wait for. */
static enum tx_wait output_run(struct serial *serial) {
    uint8_t bytes[UART_FIFO];
    for (;;) {
        bool done = link_chain_done(&serial->link);
        if (!link_pending(&serial->link))
            return TX_IDLE;
        uint8_t status = uart_status(&serial->uart);
        if (!(status & UART_TX_READY))
            return TX_WAIT_READY;
        if (done && !(status & UART_TX_EMPTY))
            return TX_WAIT_EMPTY;
        if (done)
            link_sent(&serial->link);
        size_t length = link_take(&serial->link, bytes, sizeof bytes);
        for (size_t i = 0; i < length; i++)
            uart_write(&serial->uart, bytes[i]);
    }
}

static void interrupts_choose(struct serial *serial, enum tx_wait wait) {
    uint8_t sources = wait == TX_WAIT_READY ? UART_ON_TX_READY : 0;
    if (link_room(&serial->link) > 0)
        sources |= UART_ON_DATA;
    uart_interrupts(&serial->uart, sources);
}

/* One round over both directions, until the UART's interrupt line is down: only then can it rise again. */
static enum tx_wait uart_run(struct serial *serial) {
    enum tx_wait wait;
    do {
        input_run(serial);
        wait = output_run(serial);
        interrupts_choose(serial, wait);
    } while (uart_pending(&serial->uart));
    return wait;
}

static void session_check(struct serial *serial) {
    if (link_follow(&serial->link))
        serial->complained = false;
    if (link_broken(&serial->link) && !serial->complained) {
        log_line("the client's rings are invalid; waiting for a new session");
        serial->complained = true;
    }
}

static void packet_wait(struct serial *serial, enum tx_wait wait) {
    struct port_packet packet;
    uint64_t deadline = wait == TX_WAIT_EMPTY ? clock_now() + POLL_NS : DEADLINE_NEVER;
    int64_t result = packet_receive(serial->port, deadline, &packet);
    if (result < 0 && result != -ETIMEDOUT)
        start_fail("port_receive", result);
    /* Unmask first: what happens from here on raises the line again and is not missed. */
    if (result == 0 && packet.key == KEY_INTERRUPT)
        (void)keel_interrupt_ack(serial->interrupt);
}

static _Noreturn void serial_run(struct serial *serial) {
    for (;;) {
        enum tx_wait wait = TX_IDLE;
        session_check(serial);
        link_busy(&serial->link);
        if (serial->sink)
            sink_run(serial);
        else
            wait = uart_run(serial);
        if (link_publish(&serial->link))
            (void)keel_event_signal(serial->call);
        if (!link_await(&serial->link))
            packet_wait(serial, wait);
    }
}

static void uart_open(struct serial *serial, unsigned port, unsigned irq) {
    serial->uart = (struct uart){.ports = handle_need_number("ioport.%x", port), .base = (uint16_t)port};
    serial->sink = !uart_probe(&serial->uart);
    if (serial->sink) {
        log_line("no UART at port 0x%x, output is dropped", port);
        return;
    }
    serial->interrupt = object_make(OBJECT_INTERRUPT, handle_need_number("irq.%u", irq), irq);
    object_bind_need(serial->interrupt, serial->port, KEY_INTERRUPT);
    int waiting = uart_start(&serial->uart);
    if (waiting >= 0)
        link_receive(&serial->link, (uint8_t)waiting);
}

int main(int argc, char **argv) {
    static const char usage[] = "serial --link=NAME --port=NUMBER --irq=NUMBER";
    static struct serial serial;
    (void)argc;
    const char *name = option_need(argv, "--link=", usage);
    unsigned long port = strtoul(option_need(argv, "--port=", usage), NULL, 0);
    unsigned long irq = strtoul(option_need(argv, "--irq=", usage), NULL, 0);
    serial.port = object_make(OBJECT_PORT, PORT_QUEUE, 0);
    serial.call = link_open(&serial.link, name, serial.port, KEY_KICK);
    uart_open(&serial, (unsigned)port & 0xffff, (unsigned)irq);
    serial_run(&serial);
}
