/*
 * What the `devices` server offers the personality (abi/devices.h): one helper thread keeps the list of
 * devices, takes the link of each that a part of the personality knows how to use, and gives that part the
 * driver's calls. All functions of a kind run on that thread, without locks held.
 */
#pragma once

#include <stdint.h>

#include "abi/devices.h"
#include "abi/rights.h"

/* A link as its user gets it. The area is mapped for good; the handles are the user's. */
struct device_offer {
    struct devices_device device;
    uint8_t *area;
    uint64_t length; /* bytes of the area */
    handle_t memory; /* the area as a Vmo, READ and WRITE; borrowed until `gone` returns */
    handle_t kick;   /* event, SEND */
    handle_t page;   /* a page of the device's registers, READ; HANDLE_NONE */
};

/* A part that uses the devices of one class. */
struct device_kind {
    uint32_t device_class; /* enum devices_class */
    /* A device appeared: what stands for it from now on, or NULL when it cannot be used. */
    void *(*appear)(const struct device_offer *offer);
    /* The driver signalled: it completed something, or was started again. */
    void (*event)(void *state);
    /* The device is to be removed, and will be as soon as offers_left says so. NULL: it may go at once. */
    void (*depart)(void *state);
    /* The device was taken away, for good. Its area must not be used after the return. */
    void (*gone)(void *state);
};

/* Makes a kind known; before offers_start. */
void offers_use(const struct device_kind *kind);

/* The user of a device that is to be removed has finished with it; by a thread of any kind, without locks. */
void offers_left(uint32_t id);

/* Waits until as many devices of a class are counted as the number behind a word ("disks=") on the kernel's
 * command line says, those that the server refused included, or for ten seconds; without the word nobody
 * waits. After offers_start. */
void offers_await(uint32_t device_class, const char *word, unsigned (*count)(void));

/* A call of the server by a thread of any kind, with up to three words: word 0 of the reply (0 or a negated
 * error; -EACCES: the system has no right to that) or why there is none; -ENODEV without a server. Bytes are
 * at thread_message(). Blocks until the server answers, at most a few seconds. */
struct ipc_message;
int64_t offers_call(uint32_t call, const uint64_t words[3], struct ipc_message *message);

/* Follows the list of a "devices" port from now on, if there is one: all of it on the thread, so that
 * nobody waits while the server looks for devices. right: what shows that network cards and disks may be used
 * (abi/devices.h), HANDLE_NONE: none may. What the server refuses is logged and not there. 0 or an error. */
int offers_start(handle_t devices, handle_t right);
