/* Character devices whose drivers are processes: /dev/hwrng and whatever else `devices` offers of that class.
 */
#pragma once

/* Takes up what `devices` offers; before offers_start. */
void char_devices_use(void);
