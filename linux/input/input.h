/*
 * Input devices, as Linux's input core has them: what a device can do, what state it is in, and who hears its
 * events. A device comes from a driver's link (link.c) or is made by nobody else. Events that tell nothing
 * new (a key pressed that is pressed, an axis where it was) are dropped, and whole packets go to those who
 * listen: open files (evdev.c), /dev/input/mice and the console's keyboard (keyboard.c).
 *
 * input_lock guards all of it. Order: input_lock, then the tty's lock. input_lock may be held across class 1
 * calls, never across a copy from or to a program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/input.h"
#include "lib/virtqueue/input_ring.h"
#include "linux/abi/input.h"
#include "linux/lock.h"
#include "linux/task/time.h"

enum {
    INPUT_TEXT = 80,
    INPUT_PACKET = 64,
    INPUT_MAJOR = 13,
    INPUT_EVENT_MINOR = 64,
    INPUT_DEVICES_MOST = 32
};

/* Bitmaps in words, as Linux prints them. */
enum { INPUT_KEY_WORDS = INPUT_KEYS / 64, INPUT_BITS_WORDS = 1 };

struct input_value {
    uint16_t type, code;
    int32_t value;
};

struct input_device {
    struct list link; /* of devices that are there */
    _Atomic uint32_t references;
    uint32_t number; /* event%u, input%u */
    bool gone;

    char name[INPUT_TEXT], place[INPUT_TEXT], serial[INPUT_TEXT]; /* "": not told */
    struct input_ids ids;
    uint64_t props, types;
    uint64_t keys[INPUT_KEY_WORDS];
    uint64_t codes[EV_COUNT]; /* of all types but EV_KEY, which are below 64 */
    struct linux_input_absinfo axes[INPUT_ABSES];
    uint32_t repeat[INPUT_REPS]; /* ms: delay, period */
    bool repeats_itself;

    uint64_t pressed[INPUT_KEY_WORDS];
    uint64_t leds, sounds, switches;
    struct input_value packet[INPUT_PACKET];
    unsigned packet_length;
    struct timer_event repeater;
    uint16_t repeated; /* the key that repeats; 0: none */

    struct list files;          /* struct evdev_file */
    struct evdev_file *grabbed; /* the only one that hears events */
    /* To the device; NULL: it takes none. */
    void (*send)(struct input_device *device, const struct input_event *event);
    void *source; /* the link */
};

extern struct mutex input_lock;
/* Unlocks after events: what they typed goes to the terminal, without the lock. */
void input_unlock(void);
/* For each device that is there; input_lock held. */
void input_each(void (*visit)(struct input_device *device));

/* A device by its description: NULL, no memory. One reference, to be dropped by input_unregister. */
struct input_device *input_create(const struct input_description *description);
/* Adds it to those that are there, with its node and, if it is free, the wanted number; input_unregister
 * takes it away: files that are open get ENODEV, held keys are released. No locks held. */
void input_register(struct input_device *device, uint32_t wanted);
void input_unregister(struct input_device *device);
void input_put(struct input_device *device);

/* An event of the device, or injected by a program; input_lock held. */
void input_take(struct input_device *device, unsigned type, unsigned code, int32_t value);
/* Releases all keys: their releases were lost. input_lock held. */
void input_release_keys(struct input_device *device);

/* The devices in the order of their numbers; referenced, NULL after the last. No locks held. */
struct input_device *input_at(unsigned index);
struct input_device *input_by_number(uint32_t number);

bool input_has(const struct input_device *device, unsigned type, unsigned code);
/* The bitmap of a type's codes (type 0: of types) and how many bits it has; 0: no such type. */
unsigned input_bits(const struct input_device *device, unsigned type, const uint64_t **words);

/* evdev.c; input_lock held. A packet for all files that hear it. */
void evdev_packet(struct input_device *device, const struct input_value *values, unsigned count);
void evdev_gone(struct input_device *device);
/* evdev_ioctl.c */
struct file;
int64_t evdev_ioctl(struct file *file, uint64_t command, uint64_t argument);

/* mice.c; input_lock held. A packet for /dev/input/mice. */
void mice_packet(const struct input_device *device, const struct input_value *values, unsigned count);

/* keyboard.c: the console's keyboard, of all devices that have keys to type with. input_lock held.
 * keyboard_typed takes out what was typed for the terminal: how many bytes. */
enum { KEYBOARD_TYPED = 256 };
size_t keyboard_typed(uint8_t bytes[KEYBOARD_TYPED]);
bool keyboard_is(const struct input_device *device);
void keyboard_appear(struct input_device *device);
void keyboard_packet(struct input_device *device, const struct input_value *values, unsigned count);

/* Takes up what `devices` offers, registers the character devices; before offers_start. */
void input_start(void);
