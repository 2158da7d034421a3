/*
 * Places where devices are plugged in: what is there is noticed, left to
 * settle, reset when its turn comes (only one device at a time has no address), and made a device. Driven by
 * events and by the clock; nothing here waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum port_state {
    PORT_EMPTY,
    PORT_SETTLING,
    PORT_WAITING, /* for its turn */
    PORT_RESETTING,
    PORT_USED,
    PORT_REFUSED, /* what is there cannot be used: wait until it is pulled */
};

struct usb_device;

struct usb_port {
    uint8_t number; /* from 1 */
    uint8_t state;  /* enum port_state */
    uint8_t tries;
    uint64_t deadline;         /* of the state, ns; DEADLINE_NEVER */
    struct usb_device *device; /* also one that is still leaving */
};

/* The controller's own; after controller_open. */
void ports_open(void);

/* A port's register has changed. */
void port_event(unsigned number);

/* Something was plugged in or out; called again when it happened again. */
void port_changed(struct usb_port *port, bool connected);
/* The reset has ended; speed is an enum usb_speed. */
void port_enabled(struct usb_port *port, bool enabled, uint8_t speed);
/* The port's device has its address: the next one's turn. */
void port_addressed(struct usb_port *port);
/* The port's device has given up, or cannot be served. */
void port_refuse(struct usb_port *port);
/* The port's device is no more. */
void port_freed(struct usb_port *port);

/* Does what is due; when the next is due. */
void ports_run(uint64_t now);
uint64_t ports_deadline(void);
/* True while something is on its way to become a device. */
bool ports_busy(void);
