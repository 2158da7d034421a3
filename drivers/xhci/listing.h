/* What the client is told of the devices (abi/usb.h). */
#pragma once

#include "lib/driver/driver.h"

/* Writes the list when a device has come, gone, or become ready. Not before the start is over: what was there
 * before it keeps its place. */
void listing_follow(struct driver_device *device);
