/* All drivers of the machine and the devices they serve: which driver goes to which function, who is due, who
 * hangs, and the list that clients see. */
#pragma once

#include "servers/devices/driver.h"

extern struct pci_tree pci_tree;

/* Reads the manifests of the archive and finds a driver for every function. Nothing is started yet. */
void list_make(void);

/* Starts what is due; when the next start is (ns), DEADLINE_NEVER: none. */
uint64_t list_start_due(void);

/* Keys of packets from here on are drivers': one is alive, or has ended with a status. */
enum { LIST_KEY_FIRST = 0x10000 };
void list_packet(uint64_t key, int64_t status);

/* A function has appeared, its BARs are in place: finds a driver for it, which list_start_due starts. */
void list_add(const struct devices_pci *function);
/* A function is to be removed: its clients are asked to give it up. list_used: until all have. */
void list_depart(uint32_t address);
bool list_used(uint32_t address);
/* A client, with what it sent to show its right (authority.h), has given up a device. As list_link. */
int64_t list_left(uint32_t id, handle_t sent);
/* A function is going, or gone: its links leave the list, its driver is ended. list_holds: until that has
 * happened and everything was given back. */
void list_remove(uint32_t address);
bool list_holds(uint32_t address);

/* Asks every driver whether it lives; ends those that have not answered for a while, and those of which a
 * client has waited for the same request at so many calls in a row (at least 1). */
void list_ask(uint32_t stalls_most);
bool list_running(void);
/* Drivers there are devices for. */
unsigned list_count(void);

/* The device with the next larger id: false when there is none. */
bool list_next(uint32_t id, struct devices_device *device);
/* How often the list, or that of PCI functions, has changed; and that it has. */
uint64_t list_changes(void);
void list_changed(void);
/* The link of a device, for a client that sent this to show its right (authority.h). 0; -ENOENT: no such
 * device; -EACCES, -ENOMEM. */
int64_t list_link(uint32_t id, handle_t sent, struct device_link **link);
/* The page that clients of a device may read; 0: none. */
uint64_t list_shown(uint32_t id);
/* Ends and restarts the driver of a function; of DEVICES_NO_ADDRESS: the one of a name. For a client that
 * sent this to show its right to all that the driver offers. 0; -ENODEV: none runs; -EACCES, -ENOMEM. */
int64_t list_reset(uint32_t address, const char *name, handle_t sent);

/* The driver of an index, counted from 0: NULL after the last. */
const struct driver_run *list_run(uint64_t index);

/* Somebody who wants to know of changes: an event with SEND. 0 or -ENOSPC. */
int64_t list_watch(handle_t event);
