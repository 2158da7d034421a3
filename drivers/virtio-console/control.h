/*
 * The messages of a virtio console's control queues (virtio 1.2, section 5.3.6.2), as bytes that a device
 * wrote. Pure: nothing is believed, nothing is remembered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/virtqueue/port_ring.h"

enum control_event {
    CONTROL_DEVICE_READY = 0, /* to the device: value 1 */
    CONTROL_PORT_ADD = 1,
    CONTROL_PORT_REMOVE = 2,
    CONTROL_PORT_READY = 3, /* to the device: value 1, or 0 when the port cannot be used */
    CONTROL_CONSOLE = 4,    /* the port is a console */
    CONTROL_RESIZE = 5,     /* columns and rows */
    CONTROL_OPEN = 6,       /* value: the other side has the port open */
    CONTROL_NAME = 7,
};

struct control_header { /* as it goes over the queue */
    uint32_t port;
    uint16_t event, value;
};

struct control_message {
    uint32_t port;
    enum control_event event;
    uint16_t value;
    uint16_t columns, rows;    /* of CONTROL_RESIZE */
    char name[PORT_NAME_SIZE]; /* of CONTROL_NAME: cut, printable, with a 0 at its end */
};

/* Reads what a device sent; false: too short for its event, or an event that no device sends. */
bool control_parse(const uint8_t *bytes, uint32_t length, struct control_message *message);
