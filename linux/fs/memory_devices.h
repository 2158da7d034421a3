/* /dev/null, zero, full, random, urandom and kmsg. */
#pragma once

/* Before fs_start makes the nodes of /dev. */
void memory_devices_register(void);
