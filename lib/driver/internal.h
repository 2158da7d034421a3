/* Between the parts of lib/driver. */
#pragma once

#include "lib/driver/driver.h"

/* start.c: maps and finds everything that driver.h says the process was given. Ends it when that is
 * inconsistent. */
void device_open(struct driver_device *device, int argc, char **argv);

/* char_link.c: the device side of lib/virtqueue/char_ring.h. */
void char_session(struct driver_device *device, struct driver_link *link);
void char_kick(struct driver_device *device, struct driver_link *link);
