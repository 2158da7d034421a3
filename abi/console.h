/*
 * The console link between a terminal driver (device side, for instance drivers/serial) and its client
 * (driver side in virtio's terms: the personality): the two queues of a virtio console, receiveq 0 and
 * transmitq 1, in one shared Vmo that init creates zeroed. Descriptor addresses are byte offsets into this
 * area. The client owns all buffers and lays the rings; the device believes nothing it reads here. An event
 * at each end replaces the notification register and the interrupt: `kick` client -> device, `call` device ->
 * client.
 *
 * The device may tell its size as a virtio console does in its configuration: it writes columns and rows and
 * signals `call`.
 *
 * Handles, for a link named N: "N" (the Vmo), "N.kick", "N.call".
 *
 * Start and restart: the client writes session 0, lays empty rings, then a session number other than 0 and
 * other than the last. A device that sees a new session begins at ring index 0; a device that was itself
 * restarted continues at the used index, because it completes buffers in order: what was not completed is
 * done again.
 */
#pragma once

#include <stdint.h>

enum {
    CONSOLE_QUEUE_SIZE = 64,
    CONSOLE_RX = 0x1000, /* receiveq: descriptors, available ring, used ring */
    CONSOLE_TX = 0x2000, /* transmitq, likewise */
    CONSOLE_RING_AVAIL = 0x400,
    CONSOLE_RING_USED = 0x800,
    CONSOLE_RX_BUFFERS = 0x3000,
    CONSOLE_RX_BUFFER_SIZE = 64,
    CONSOLE_TX_BUFFERS = 0x4000,
    CONSOLE_TX_BUFFER_SIZE = 1024,
    CONSOLE_AREA_SIZE = CONSOLE_TX_BUFFERS + CONSOLE_QUEUE_SIZE * CONSOLE_TX_BUFFER_SIZE,
};

struct console_header {     /* at offset 0 */
    uint32_t session;       /* written by the client; 0: rings not laid */
    uint16_t columns, rows; /* written by the device; 0: not known */
    uint32_t keyboard;      /* enum keyboard_mode, written by the device */
    uint32_t bells;         /* how often the bell was to ring, written by the device, which signals `call` */
};

_Static_assert(CONSOLE_RX_BUFFERS + CONSOLE_QUEUE_SIZE * CONSOLE_RX_BUFFER_SIZE == CONSOLE_TX_BUFFERS,
               "no overlap");
_Static_assert(CONSOLE_AREA_SIZE % 4096 == 0, "whole pages");

/* How the terminal's cursor keys and keypad are to send: of the client that has the keyboard. */
enum keyboard_mode {
    KEYBOARD_CURSOR_KEYS = 1, /* cursor keys send ESC O in place of ESC [ */
    KEYBOARD_KEYPAD = 2,      /* the keypad sends ESC O */
};
