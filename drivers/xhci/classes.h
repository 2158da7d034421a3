/* The classes of devices that this driver knows (main.c lists them), and their links' sessions and kicks. */
#pragma once

#include "drivers/xhci/device.h"
#include "lib/driver/driver.h"

extern const struct usb_class *const usb_classes[]; /* NULL behind the last */

/* storage.c: disks */
extern const struct usb_class storage_class;
void storage_session(struct driver_link *link);
void storage_kick(struct driver_link *link);

/* hid.c: keyboards and mice */
extern const struct usb_class keyboard_class, mouse_class;
void hid_session(struct driver_link *link);
void hid_kick(struct driver_link *link);
