/*
 * Cards that come and go in the slots of PCI Express ports while the system runs: one struct slot (slot.h)
 * per port that has one, told of events by the port's own interrupt. A card that has arrived is looked at,
 * its BARs get places (place.h), drivers are started; when it is to go, its users are asked to give it up;
 * when it goes, its drivers end first, then the slot is switched off.
 *
 * Under QEMU before 8.2 it is dangerous to change what is decoded while other CPUs run (docs/caveats.md). The
 * order here changes it the least: BARs are measured and placed while the card decodes nothing, decoding is
 * switched on once, by the driver's start, and never off; the card goes with the slot's power.
 */
#pragma once

#include <stdint.h>

enum { HOTPLUG_SLOTS = 64, HOTPLUG_KEY_FIRST = 0x2000, HOTPLUG_KEY_END = HOTPLUG_KEY_FIRST + HOTPLUG_SLOTS };

/* Takes over the slots of all ports found; after list_make. Users of a card whose button was pressed have so
 * many ns to give it up. How many slots there are. */
unsigned hotplug_start(uint64_t patience);
/* The interrupt of a slot has come in. */
void hotplug_packet(uint64_t key);
/* Does what is due. When there will be something again (ns); DEADLINE_NEVER: when a packet comes. */
uint64_t hotplug_run(void);
