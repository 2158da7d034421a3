/*
 * What the driver of a USB controller says of its devices (abi/usb.h), checked: nothing of it is believed.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/usb.h"

enum { USB_DEVICE_BYTES = 18, USB_NAME = 32, USB_INTERFACES_MOST = 32 };

/* An interface as its descriptor says. */
struct usb_interface_facts {
    uint8_t number, setting, endpoints, class_code, subclass, protocol;
};

/* Makes a copied entry fit to be used: true when it is one. Texts end, with spaces for what is not printable.
 */
bool usb_entry_check(struct usb_list_entry *entry);

/* The n-th interface of the entry's configuration, in its first setting: false after the last, of at most
 * USB_INTERFACES_MOST (as on Linux: looking for all of them is quadratic). */
bool usb_interface_at(const struct usb_list_entry *entry, unsigned index, struct usb_interface_facts *facts);
unsigned usb_interface_count(const struct usb_list_entry *entry);

/* Linux's name on a bus: "1-2", behind hubs "1-2.4"; "usb1" of a root hub (depth 0). */
void usb_device_name(char name[USB_NAME], unsigned bus, const struct usb_list_entry *entry);

/* The root hub of one of a controller's two buses, as an entry with the depth 0. */
void usb_root_hub(struct usb_list_entry *entry, bool super, const char *address);
