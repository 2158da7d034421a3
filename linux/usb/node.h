/* Nodes of USB devices, /dev/bus/usb/BBB/DDD. */
#pragma once

/* Makes their numbers known; once. */
void usb_nodes_register(void);
