/*
 * The registers of a high precision event timer (IA-PC HPET specification 1.0a, section 2.3): offsets in its
 * block and bits. All are used 32 bits at a time; of 64-bit registers, HIGH is the upper half.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum hpet_register {
    HPET_ID = 0x00,
    HPET_PERIOD = 0x04, /* of the counter, in femtoseconds */
    HPET_CONFIG = 0x10,
    HPET_STATUS = 0x20, /* a bit for each comparator whose level-triggered interrupt is active; 1 clears */
    HPET_COUNTER = 0xf0,
    HPET_COMPARATORS = 0x100, /* HPET_STRIDE bytes each */
    HPET_STRIDE = 0x20,
    HPET_SIZE = 0x400,
};

/* Of a comparator. */
enum hpet_comparator {
    HPET_TIMER = 0x00,      /* enum hpet_timer */
    HPET_ROUTES = 0x04,     /* a bit for each input of the IO-APIC that it can be connected to */
    HPET_COMPARE = 0x08,    /* when it interrupts; then, of a periodic one, the period */
    HPET_MESSAGE = 0x10,    /* what it writes, */
    HPET_MESSAGE_TO = 0x14, /* and where, with HPET_BY_MESSAGE */
};

enum hpet_id { HPET_LAST_SHIFT = 8, HPET_LAST_MASK = 0x1f, HPET_VENDOR_SHIFT = 16 };
enum hpet_config { HPET_RUNS = 1, HPET_LEGACY = 2 };

enum hpet_timer {
    HPET_LEVEL = 1 << 1,
    HPET_INTERRUPTS = 1 << 2,
    HPET_PERIODIC = 1 << 3,
    HPET_CAN_PERIODIC = 1 << 4,
    HPET_SET_FIRST = 1 << 6, /* the next value of HPET_COMPARE is the first time, and no period */
    HPET_32_BITS = 1 << 8,
    HPET_ROUTE_SHIFT = 9,
    HPET_ROUTE = 0x1f << HPET_ROUTE_SHIFT,
    HPET_BY_MESSAGE = 1 << 14,
    HPET_CAN_MESSAGE = 1 << 15,
};

/* Inputs of the IO-APIC below this belong to ISA's interrupts. */
enum { HPET_ROUTE_FIRST = 16 };

/* The specification's longest period, and the shortest with which 32 bits count a second. */
#define HPET_PERIOD_MOST  100000000U
#define HPET_PERIOD_LEAST 500000U

static inline uint32_t hpet_comparator_at(unsigned index) {
    return HPET_COMPARATORS + HPET_STRIDE * index;
}

/* Comparators that an identification register tells of, as far as the block reaches. */
static inline unsigned hpet_comparators(uint32_t id) {
    unsigned most = (HPET_SIZE - HPET_COMPARATORS) / HPET_STRIDE;
    unsigned count = (id >> HPET_LAST_SHIFT & HPET_LAST_MASK) + 1;
    return count < most ? count : most;
}

/* Whether an event timer answers there. */
static inline bool hpet_answers(uint32_t id, uint32_t period) {
    uint32_t vendor = id >> HPET_VENDOR_SHIFT;
    return vendor != 0 && vendor != UINT16_MAX && period >= HPET_PERIOD_LEAST && period <= HPET_PERIOD_MOST;
}

/* The order in which comparators are taken: the first two, which may stand in for the PIT and the clock,
 * last.
 */
static inline unsigned hpet_choice(unsigned step, unsigned count) {
    return count > 2 ? (step + 2) % count : step;
}

/* Whether a comparator's interrupt goes anywhere. */
static inline bool hpet_is_routed(uint32_t timer) {
    return timer & HPET_BY_MESSAGE || (timer & HPET_ROUTE) >> HPET_ROUTE_SHIFT >= HPET_ROUTE_FIRST;
}
