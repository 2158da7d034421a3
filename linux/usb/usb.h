/*
 * USB devices as programs see them: buses with numbers (two for each controller, as on Linux), devices with
 * numbers on them, nodes /dev/bus/usb/BBB/DDD from which their descriptors can be read, events when they come
 * and go. What there is, drivers of host controllers tell (abi/usb.h). fs/sys_usb.c shows it in /sys.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "linux/device/functions.h"
#include "linux/usb/descriptors.h"

struct text;

enum { USB_MAJOR = 189, USB_BUSES = 16, USB_BUS_NODES = 128 };
enum { USB_PATH = 96 }; /* "/usb16/16-99/16-99.15 …", six ports deep: 87 bytes */

/* A device, also a root hub. */
struct usb_node {
    struct list link;     /* of the bus, in the order of their coming; the root hub first */
    uint32_t bus, number; /* both from 1 */
    uint32_t address;     /* of the controller's PCI function */
    uint32_t ports;       /* of a hub */
    char name[USB_NAME];
    char path[FUNCTION_PATH + USB_PATH]; /* below /sys/devices */
    bool found;                          /* in the list that is being read */
    struct usb_list_entry entry;
};

/* Makes buses of what `devices` offers; before offers_start. */
void usb_use(void);

/* Guard what the calls below return; a leaf but for the heap. */
void usb_lock(void);
void usb_unlock(void);
/* The device of a number on a bus; NULL: none. */
const struct usb_node *usb_find(uint32_t bus, uint32_t number);
/* The first device with that number or a higher one on that bus or a higher one; NULL: none. */
const struct usb_node *usb_from(uint32_t bus, uint32_t number);
/* The hub that it is plugged into; NULL: it is a root hub. */
const struct usb_node *usb_hub_of(const struct usb_node *node);

/* The lines of uevent files: of the device, and of its n-th interface; bound: with the driver's name, which
 * comes after the event. */
void usb_describe(struct text *text, const struct usb_node *node, bool bound);
void usb_interface_describe(struct text *text, const struct usb_node *node, unsigned index, bool bound);
void usb_interface_modalias(struct text *text, const struct usb_node *node, unsigned index);
/* "1-2:1.0" */
void usb_interface_name(char name[USB_NAME], const struct usb_node *node, unsigned index);
