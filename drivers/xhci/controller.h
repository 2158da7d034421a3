/*
 * The controller itself (xHCI 1.1, sections 4 and 5): reset and start, its registers, the command ring and
 * the event ring. What devices do with it is in device.h. There is one per process.
 *
 * Everything that the controller reads or writes lies in the driver's DMA memory (struct controller_memory).
 */
#pragma once

#include "drivers/xhci/ring.h"
#include "lib/driver/driver.h"

enum { USB_DEVICES = 16, USB_PIPES = 3, ROOT_PORTS_MOST = 32, USB_BUFFER = 2048, USB_EXTRA = 4096 };

/* A device's. */
struct usb_memory {
    uint8_t context[2048];      /* the controller's view of it */
    uint8_t buffer[USB_BUFFER]; /* control transfers */
    uint8_t input[4096];
    struct trb rings[USB_PIPES][RING_TRBS];
    uint8_t extra[USB_EXTRA]; /* the class's */
};

/* Bits of a port's register (5.4.8). */
enum {
    PORT_CONNECTED = 1,
    PORT_ENABLED = 2, /* writing it disables */
    PORT_RESET = 1 << 4,
    PORT_POWER = 1 << 9,
    PORT_CONNECT_CHANGE = 1 << 17,
    PORT_RESET_CHANGE = 1 << 21,
    PORT_CHANGES = 0x7f << 17,                  /* writing one clears it */
    PORT_KEPT = 3 << 14 | PORT_POWER | 7 << 25, /* what a write has to repeat */
};
#define PORT_SPEED(status) ((status) >> 10 & 15)

struct usb_device;

/* Resets and starts the controller. 0, -ENODEV it is none, -ENOMEM its memory is too small for it,
 * -ETIMEDOUT. */
int64_t controller_open(struct driver_device *device);

/* Takes what is on the event ring: device_commanded, device_transferred and port_event are called. */
void controller_events(void);

/* Sends a command; its end is told to the device. Each device has one at most under way. */
void controller_command(struct usb_device *device, uint64_t parameter, uint32_t control);
/* When an answer to a command is overdue (ns); DEADLINE_NEVER: there is none. */
uint64_t controller_deadline(void);

/* Tells of new TRBs for a device's endpoint. */
void controller_doorbell(unsigned slot, unsigned endpoint);

/* Which contexts the controller uses for a slot; 0: none any more. */
void controller_slot(unsigned slot, uint64_t context);
unsigned controller_slots(void);
unsigned controller_context_size(void);

/* The root ports are numbered from 1. */
unsigned controller_ports(void);
uint32_t controller_port_read(unsigned port);
/* A root port's number among those of its kind, up to USB 2 or SuperSpeed, from 1; how many there are. */
uint8_t controller_port_place(unsigned port, bool *super);
unsigned controller_port_count(bool super);
/* Sets bits, clears changes; nothing else of the port is altered. */
void controller_port_write(unsigned port, uint32_t bits);

/* The n-th of USB_DEVICES, and its address. */
struct usb_memory *controller_memory(unsigned index, uint64_t *physical);
/* A page that outlives the driver: zero when the machine starts. */
void *controller_kept(void);
