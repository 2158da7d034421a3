/* Character devices whose drivers are processes: /dev/hwrng and whatever else `devices` offers of that class.
 */
#pragma once

#include <stdint.h>

/* A control of a device by the personality itself: its result, or an error. Blocks. */
int64_t char_control(const char *name, uint32_t command, void *bytes, uint32_t length);
/* The number of a device's node; 0: there is no such device. */
uint64_t char_number(const char *name);

/* Takes up what `devices` offers; before offers_start. */
void char_devices_use(void);
