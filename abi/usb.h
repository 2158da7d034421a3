/*
 * A link of class DEVICES_USB: what a driver of a USB host controller tells its client of the devices behind
 * the controller, for lists like /sys/bus/usb. Nothing is asked and nothing moves: the driver writes the area
 * and signals call; sequence is odd meanwhile and changes with each version. What the client finds there it
 * copies, and then checks, for the driver is not trusted.
 *
 * The area outlives the driver. One that was started again writes it anew when it knows all devices; a device
 * that it finds as it was keeps its serial.
 */
#pragma once

#include "abi/devices.h"

enum {
    USB_LIST_DEVICES = 16,
    USB_LIST_DEPTH = 6, /* ports on the way to a device */
    USB_LIST_TEXT = 32,
    USB_LIST_DESCRIPTORS = 18 + 2048, /* the device's, then those of its configuration */
    USB_LIST_ENTRIES = 4096,          /* offset of the entries */
};

/* As in xHCI's registers. */
enum usb_list_speed { USB_FULL = 1, USB_LOW = 2, USB_HIGH = 3, USB_SUPER = 4, USB_SUPER_PLUS = 5 };

struct usb_list_entry {
    uint32_t serial;                  /* 0: nothing here. Never used again for another device */
    uint8_t super;                    /* 1: at the controller's SuperSpeed ports */
    uint8_t speed;                    /* enum usb_list_speed */
    uint8_t configuration;            /* value of the one that is set */
    uint8_t depth;                    /* 1 to USB_LIST_DEPTH */
    uint8_t ports[USB_LIST_DEPTH];    /* from the controller's on, each from 1 */
    uint16_t length;                  /* bytes of descriptors, 18 at least */
    char manufacturer[USB_LIST_TEXT]; /* ASCII, 0-terminated */
    char product[USB_LIST_TEXT], number[USB_LIST_TEXT];
    char name[USB_LIST_TEXT]; /* of the configuration */
    uint8_t descriptors[USB_LIST_DESCRIPTORS], reserved[2];
};

struct usb_list_header {
    struct link_header link;
    uint32_t sequence;
    uint32_t serials;  /* the last one used */
    uint32_t ports[2]; /* of the controller: up to USB 2, SuperSpeed */
};

enum { USB_LIST_AREA = USB_LIST_ENTRIES + USB_LIST_DEVICES * sizeof(struct usb_list_entry) };
_Static_assert(USB_LIST_AREA <= 64 * 1024 && sizeof(struct usb_list_header) <= USB_LIST_ENTRIES,
               "the drivers' manifests say 64K");
