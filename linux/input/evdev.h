/* An open file of /dev/input/event*: what evdev.c and evdev_ioctl.c share. input_lock guards it. */
#pragma once

#include "linux/input/input.h"

enum evdev_clock { EVDEV_REALTIME, EVDEV_MONOTONIC, EVDEV_BOOTTIME };

/* A ring of events; those up to `ready` belong to whole packets and can be read. Positions are below size. */
struct evdev_file {
    struct list link;
    struct input_device *device; /* referenced */
    struct waitq readers;
    struct linux_input_event *events;
    uint32_t size; /* power of two */
    uint32_t head, ready, tail;
    int32_t clock; /* a clock's number */
    bool revoked;
};

/* Forgets the events of a type that were not read: the caller has just seen the state they lead to. */
void evdev_forget(struct evdev_file *own, unsigned type);
