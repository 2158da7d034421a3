/*
 * Ports of virtio consoles, which `devices` offers (lib/virtqueue/port_ring.h). One that is a console becomes
 * a terminal, /dev/hvc0; each has a node such as /dev/vport0p1, a stream of bytes to the host that one
 * program at a time has open, as Linux has them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/devices.h"
#include "lib/virtqueue/port_ring.h"

enum { PORT_DEVICES_MOST = 4, PORT_MAJOR_FIRST = 246, HVC_MOST = 8 };

/* What /sys shows of a port. */
struct port_info {
    char node[DEVICES_NAME]; /* "vport0p1" */
    char name[PORT_NAME_SIZE];
    uint64_t number;
};

/* The port at a place of the list; false after the last. */
bool port_at(unsigned index, struct port_info *info);

/* The terminal of a number, referenced; NULL: there is none. */
struct tty;
struct tty *hvc_find(uint32_t number);

/* Waits until all output of terminals has left, a few seconds at most. */
void ports_flush(void);

/* Registers the character devices; before fs_start. */
void ports_register(void);
/* Takes up what `devices` offers; before offers_start. */
void ports_use(void);
/* Waits until there is a terminal of a number, or for ten seconds. After offers_start. */
bool hvc_await(uint32_t number);
