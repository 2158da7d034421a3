/* Linux's <linux/input.h>: what programs read and ask of /dev/input/event*. Types and codes: abi/input.h. */
#pragma once

#include <stdint.h>

#include "linux/abi/time.h"

struct linux_input_event {
    struct timeval64 time;
    uint16_t type, code;
    int32_t value;
};

struct linux_input_id {
    uint16_t bus, vendor, product, version;
};

struct linux_input_absinfo {
    int32_t value, minimum, maximum, fuzz, flat, resolution;
};

enum { EVDEV_VERSION = 0x010001, EVDEV_TYPE = 'E' };

/* The fields of an ioctl number. */
enum {
    IOC_TYPE_SHIFT = 8,
    IOC_SIZE_SHIFT = 16,
    IOC_SIZE_MASK = 0x3fff,
    IOC_WRITE = 1,
    IOC_READ = 2,
    IOC_DIRECTION_SHIFT = 30
};

/* By direction and number; the size is the caller's for those that give texts and bitmaps. */
enum {
    EVIOCGVERSION = 0x80044501,
    EVIOCGID = 0x80084502,
    EVIOCGREP = 0x80084503,
    EVIOCSREP = 0x40084503,
    EVIOCGRAB = 0x40044590,
    EVIOCREVOKE = 0x40044591,
    EVIOCSCLOCKID = 0x400445a0,
};
enum {
    EVIOCGNAME_NUMBER = 0x06,
    EVIOCGPHYS_NUMBER = 0x07,
    EVIOCGUNIQ_NUMBER = 0x08,
    EVIOCGPROP_NUMBER = 0x09,
    EVIOCGMTSLOTS_NUMBER = 0x0a,
    EVIOCGKEY_NUMBER = 0x18,
    EVIOCGLED_NUMBER = 0x19,
    EVIOCGSND_NUMBER = 0x1a,
    EVIOCGSW_NUMBER = 0x1b,
    EVIOCGBIT_NUMBER = 0x20, /* and the type */
    EVIOCGABS_NUMBER = 0x40, /* and the axis */
    EVIOCSABS_NUMBER = 0xc0,
};
