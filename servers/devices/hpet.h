/*
 * The event timer's interrupts: which comparators get one, and where to. A comparator sends a message where
 * it can; otherwise it is connected to an input of the IO-APIC that it can reach, none of ISA's. The driver
 * finds its interrupts in the order of the comparators that are connected, by hpet_choice
 * (lib/hpet/registers.h).
 *
 * Pure but for the functions of struct hpet_interrupts: registers are words of memory.
 */
#pragma once

#include "lib/hpet/registers.h"

struct hpet_interrupts {
    /* Takes a message or an input for the driver: false when that is not possible. */
    bool (*message)(void *context, uint32_t *address, uint32_t *data);
    bool (*line)(void *context, uint32_t input);
    void *context;
};

/* Stops all comparators and disconnects them. */
void hpet_quiet(volatile uint32_t *registers);

/* Connects up to so many comparators, which hpet_quiet has stopped; how many. */
unsigned hpet_connect(volatile uint32_t *registers, const struct hpet_interrupts *interrupts, unsigned most);
