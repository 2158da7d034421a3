/*
 * Which device has which link of the driver. A link that an earlier driver offered is kept for the device at
 * the same port until the start is over: its client's requests go on there.
 */
#pragma once

#include "drivers/xhci/device.h"
#include "lib/driver/driver.h"

/* As in the manifest. */
enum { LINKS_STORAGE = 0, LINKS_STORAGE_END = 2, LINKS_INPUT = 2, LINKS_INPUT_END = 6, LINKS_LIST = 6 };

void links_open(struct driver_device *device);

/* A link out of [first, end) for the device: the one that it had, if `same` says so (or is NULL), else one
 * that nobody has; NULL: there is none. `what` goes to same. */
struct driver_link *link_take(const struct usb_device *device, unsigned first, unsigned end,
                              bool (*same)(const struct driver_link *link, const void *what),
                              const void *what);
/* What is at the link has been described. */
void link_offer(struct driver_link *link);
/* It is gone. */
void link_return(struct driver_link *link);

/* The start is over: whatever of an earlier driver has not been found is gone. */
void links_settle(void);

struct driver_device *links_host(void);
