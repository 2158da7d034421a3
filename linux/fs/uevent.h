/*
 * What the kernel tells of devices that come and go, as Linux's kobject_uevent: a text of lines that end in a
 * 0, "add@PATH", "ACTION=add", "DEVPATH=PATH", …, to whoever listens (netlink sockets of the family
 * KOBJECT_UEVENT). Told are the nodes of /dev, the network interfaces, and PCI functions; the path is the
 * device's in /sys, where it is there.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/list.h"

struct uevent_listener {
    struct list link;
    /* Under the lock of all listeners: no other may be taken that is held around the calls below. */
    void (*hear)(struct uevent_listener *listener, const char *text, size_t length);
};

void uevent_listen(struct uevent_listener *listener);
void uevent_leave(struct uevent_listener *listener);

/* A node of /dev, by its name there ("input/event0"), has come or gone (action "add" or "remove"); its mode
 * with the type. No locks held. */
void uevent_node(const char *action, const char *name, uint32_t mode, uint64_t number);
/* Likewise a network interface. */
void uevent_interface(const char *action, const char *name, int32_t index);

/* Likewise a device that has a file `uevent`, with that file's lines; its path below /sys in two parts. */
void uevent_device(const char *action, const char *folder, const char *path, const char *subsystem,
                   const char *lines, size_t length);

/* The number of the last event; 0: there was none. */
uint64_t uevent_sequence(void);
