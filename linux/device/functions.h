/*
 * PCI functions as `devices` knows them, for /sys and for those who are told when one comes or goes. Nothing
 * is kept but what was told last; everything else is asked of `devices` when it is needed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/devices.h"

struct text;

enum { FUNCTION_PATH = 128 };

/* The first function at an address or behind it: 0, -ENOENT, or why the server does not answer. Without
 * `measured` its BARs may be missing, and it is not cut off for a moment to learn their sizes. May block as
 * long as the server looks for devices, at most some seconds. */
int function_from(uint64_t address, bool measured, struct devices_pci *function);

/* "0000:00:1f.2" */
void function_name(char name[16], uint32_t address);
/* Its place below /sys/devices, as on Linux behind its bridges: "pci0000:00/0000:00:01.0/0000:01:00.0".
 * 0, or -ENODEV: a bridge is gone. Blocks as function_from. */
int function_path(const struct devices_pci *function, char path[FUNCTION_PATH]);
/* The lines of its modalias and uevent files. */
void function_modalias(struct text *text, const struct devices_pci *function);
void function_describe(struct text *text, const struct devices_pci *function);

/* The functions there are now: 0 with how often the list of devices had changed by then, or an error. For the
 * thread of offers.c, as what follows. */
int functions_read(uint64_t *changes);
/* Tells (uevent.h) of those that have gone between the last two functions_read, and of those that came. */
void functions_tell_gone(void);
void functions_tell_new(void);
