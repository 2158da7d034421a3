/* The classes of devices that this driver knows (main.c lists them), and how the loop finds their links. */
#pragma once

#include "drivers/xhci/device.h"
#include "lib/driver/driver.h"

extern const struct usb_class *const usb_classes[]; /* NULL behind the last */

/* storage.c: disks, at the links of class block, the first `count` ones. */
extern const struct usb_class storage_class;
enum { STORAGE_FIRST = 0, STORAGE_LINKS = 2 };
void storage_open(struct driver_device *device);
/* All that was there at the start has been found: links that an earlier driver served and nobody took are
 * given up. */
void storage_settle(void);
void storage_session(struct driver_link *link);
void storage_kick(struct driver_link *link);
