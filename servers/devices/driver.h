/*
 * One driver while the system runs: the device it serves, its links, its process, and when it may start
 * again. Links, events and DMA memory are made once and outlive the process; interrupts, BARs and the job are
 * made for each start. A driver that ends is started again after a while that grows with how often it fails;
 * the device is reset before. When its device is gone, everything is given back as soon as the process has
 * ended.
 */
#pragma once

#include <errno.h>

#include "lib/native/spawn.h"
#include "servers/devices/machine.h"
#include "servers/devices/manifest.h"

enum { DRIVERS_MOST = 64 };

/* A kind of driver: its folder. */
struct driver_kind {
    struct manifest manifest;
    struct archive_file program;
};

/* A link that a driver offers. */
struct device_link {
    uint32_t id;             /* abi/devices.h; 0: not listed */
    uint32_t presence;       /* of the header, when it was looked at last; odd: there is nothing */
    uint32_t awaited, asked; /* the request its client waits for, and how often it was that one */
    uint32_t number;         /* in place of the % of its name */
    bool numbered;
    bool used; /* a client took it, and has not given it up */
    char name[DEVICES_NAME];
    uint64_t length;
    handle_t area, kick, call;
    struct link_header *header; /* the area's first page, mapped here */
};

struct driver_run {
    const struct driver_kind *kind; /* NULL: this place is free */
    uint32_t address;               /* of the function; DEVICES_NO_ADDRESS */
    uint64_t key;   /* of its packets, never used again: alive; one more: its process has ended */
    bool departing; /* its device is to go: clients are to give it up */
    bool leaving;   /* its device is gone; it does not start again */
    struct device_link links[MANIFEST_LINKS];
    handle_t ping, alive, dma;
    bool prepared; /* links, events and DMA memory are there */

    handle_t job, process;               /* HANDLE_NONE while it does not run */
    uint32_t generation;                 /* of the last start */
    struct spawn_memory memory;          /* of the process, while it runs */
    struct devices_ends ends;            /* how it ended so far */
    bool ready;                          /* its init has succeeded */
    unsigned missed;                     /* questions without an answer */
    uint64_t started, next_start, delay; /* ns */
};

/* Starts it with exactly what its manifest and its device say. On failure the next start is planned, a log
 * line says why, and the negated error is returned. */
int64_t driver_start(struct driver_run *run, struct devices_pci *function);

/* The page of physical memory that clients of its first link may read; 0: none. */
uint64_t driver_shown(const struct driver_run *run, const struct devices_pci *function);

/* Its process has ended: ends its job, stops the device, plans the next start. */
void driver_ended(struct driver_run *run, struct devices_pci *function, int64_t status);

/* Gives back everything that outlives the process, which has ended, and frees the place. */
void driver_release(struct driver_run *run);

/* Ends the process with a status that says why; driver_ended follows when its death is reported. */
enum driver_status { DRIVER_KILLED = -ECANCELED, DRIVER_HUNG = -ETIMEDOUT };
void driver_kill(struct driver_run *run, enum driver_status status);
