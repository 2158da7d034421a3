/*
 * USB devices: each gets a slot of the controller and an address, says what it is, and is given to the class
 * driver that knows its first known interface. Transfers and commands end by events; nothing here waits.
 *
 * A device that stalls or fails a transfer has its endpoint recovered before the class driver hears of it.
 * One that is pulled is taken from the controller first (Disable Slot), so that nothing is written to its
 * clients' memory any more when the class driver hears that it is gone.
 */
#pragma once

#include <stdbool.h>

#include "drivers/xhci/context.h"
#include "drivers/xhci/controller.h"
#include "drivers/xhci/port.h"

enum usb_result { USB_DONE, USB_STALLED, USB_FAILED };
enum { USB_CONTROL_PIPE = 0, USB_TRANSFER_MOST = 128 * 1024 };

struct usb_device;

/* A class of devices. Calls of one device never overlap: after each call of usb_… that takes its time one
 * answer follows, unless the device goes. */
struct usb_class {
    const char *name;
    /* The endpoints that it wants of an interface, in the order of the pipes 1 and 2; their number, 0: the
     * interface is none of its. */
    unsigned (*fits)(const struct usb_interface *interface, const struct usb_endpoint *wanted[USB_PIPES - 1]);
    /* Everything is configured. False: the class has no room for it. It calls usb_ready, then or later. */
    bool (*enter)(struct usb_device *device);
    /* A transfer of a pipe has ended; moved: bytes, also of a part. */
    void (*ended)(struct usb_device *device, unsigned pipe, enum usb_result result, uint32_t moved);
    /* usb_renew has ended. */
    void (*renewed)(struct usb_device *device);
    /* usb_later's time has come. */
    void (*timer)(struct usb_device *device);
    /* It is gone. Only when enter was called and returned true. */
    void (*gone)(struct usb_device *device);
};

enum pipe_state { PIPE_CLOSED, PIPE_IDLE, PIPE_BUSY, PIPE_HALTED };

struct usb_pipe {
    struct ring ring;
    struct usb_endpoint endpoint;
    uint8_t state, index;        /* enum pipe_state; endpoint_index */
    unsigned first, count;       /* TRBs of the transfer under way */
    uint32_t lengths[RING_MOST]; /* theirs */
    bool is_short;               /* moved is known already */
    uint32_t moved;
    enum usb_result result;
    uint64_t deadline; /* ns */
};

struct usb_device {
    struct usb_port *port; /* NULL: this one is free */
    struct usb_place place;
    uint8_t slot;    /* 0: none yet */
    uint8_t step;    /* of its enumeration */
    uint8_t command; /* under way */
    bool leaving, entered;
    struct usb_memory *memory;
    uint64_t physical; /* of memory */
    struct usb_pipe pipes[USB_PIPES];
    struct usb_pipe *recovering;
    struct usb_identity identity;
    char manufacturer[USB_TEXT], product[USB_TEXT], serial[USB_TEXT];
    char name[USB_TEXT]; /* of the configuration */
    struct usb_interface interface;
    uint8_t configuration;
    uint16_t configuration_length, language;
    uint8_t descriptors[USB_DEVICE_SIZE + USB_BUFFER]; /* its own, then those of the configuration */
    uint32_t listed;                                   /* its serial in the list (listing.c); 0: none yet */
    const struct usb_class *class;
    uint64_t later; /* ns */
    void *state;    /* the class's */
};

/* ---- for class drivers ---- */

/* Control transfers (USB 2.0, 9.3). The data are in memory->buffer. */
struct usb_request {
    uint8_t type, request;
    uint16_t value, index, length;
};

enum {
    REQUEST_IN = 0x80,
    REQUEST_CLASS = 0x20,
    TO_INTERFACE = 1,
    TO_ENDPOINT = 2,
    CLEAR_FEATURE = 1,
    GET_DESCRIPTOR = 6,
    SET_CONFIGURATION = 9,
    FEATURE_HALT = 0,
};

void usb_control(struct usb_device *device, const struct usb_request *request);
/* Up to USB_TRANSFER_MOST bytes at an address for the device, in the endpoint's direction; given up after
 * `patience` ns, with the device; 0: never. */
void usb_transfer(struct usb_device *device, unsigned pipe, uint64_t physical, uint32_t length,
                  uint64_t patience);
/* Makes idle pipes 1 and 2 as new, after the device's endpoints were. */
void usb_renew(struct usb_device *device);
/* Calls `timer` at a time, ns. */
void usb_later(struct usb_device *device, uint64_t time);
/* The class knows what it wanted to know of the device. */
void usb_ready(struct usb_device *device);
/* The device is not served any more; it may be pulled and plugged in again. */
void usb_give_up(struct usb_device *device, const char *why);
/* The address of a place in the device's memory. */
uint64_t usb_address(const struct usb_device *device, const void *at);

/* ---- for the controller, ports and the loop ---- */

void devices_open(void);
/* A device is at the port, reset. False: there is no room for it. */
bool device_enter(struct usb_port *port, uint8_t speed);
/* It is no more there, or shall not be: port_freed follows when it is gone. */
void device_leave(struct usb_device *device);
void device_commanded(struct usb_device *device, unsigned code, unsigned slot);
void device_transferred(const struct trb *event);
/* Does what is due; when the next is due. */
void devices_run(uint64_t now);
uint64_t devices_deadline(void);
/* True while a device is not yet ready. */
bool devices_busy(void);
/* The n-th of USB_DEVICES when it is ready and stays, else NULL. */
struct usb_device *device_ready(unsigned index);
/* Whether that has changed for any since the last call. */
bool devices_changed(void);
