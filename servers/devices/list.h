/* All drivers of the machine and the devices they serve: which driver goes to which function, who is due, who
 * hangs, and the list that clients see. */
#pragma once

#include "servers/devices/driver.h"

extern struct pci_tree pci_tree;

/* Reads the manifests of the archive and finds a driver for every function. Nothing is started yet. */
void list_make(void);

/* Starts what is due; when the next start is (ns), DEADLINE_NEVER: none. */
uint64_t list_start_due(void);

/* A packet with key below DRIVERS_MOST: the driver is alive; else: key - DRIVERS_MOST has ended. */
void list_packet(uint64_t key, int64_t status);

/* Asks every driver whether it lives; ends those that have not answered for a while. */
void list_ask(void);
bool list_running(void);
/* Drivers there are devices for. */
unsigned list_count(void);

/* The device with the next larger id: false when there is none. */
bool list_next(uint32_t id, struct devices_device *device);
/* The link of a device; NULL: no such one. */
const struct device_link *list_link(uint32_t id);
/* Ends and restarts the driver of a function. -ENODEV: none runs. */
int64_t list_reset(uint32_t address);

/* Somebody who wants to know of changes: an event with SEND. 0 or -ENOSPC. */
int64_t list_watch(handle_t event);
