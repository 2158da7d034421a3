/*
 * One comparator of the event timer as a source of interrupts at a rate, by the registers of a BAR. The
 * counter runs on whatever happens here, and is never set. Comparators compare 32 bits.
 */
#pragma once

#include "lib/driver/driver.h"
#include "lib/hpet/registers.h"

struct timer {
    const struct driver_bar *registers;
    unsigned index; /* of the comparator */
    bool routed;    /* its interrupt goes somewhere */
    bool by_level;  /* the interrupt is a level, until it is cleared */
    uint64_t hz;    /* of the counter */
    uint32_t lead;  /* ticks within which a comparator can be set */
    uint32_t next;  /* what it compares with; when it is periodic, at first */
    bool begun;     /* an interrupt came since the start */
};

/* Chooses the comparator, the first one that is connected; starts the counter. False: no timer answers. */
bool timer_open(struct timer *timer, const struct driver_bar *registers);

/* Ticks between interrupts at a rate of hz, rounded; 0: it is too fast for the counter. */
uint32_t timer_ticks(const struct timer *timer, uint64_t hz);
uint64_t timer_rate(const struct timer *timer, uint32_t ticks);

bool timer_can_repeat(const struct timer *timer);

/* Interrupts every so many ticks (1 to 2^31 - 1) from now on: by itself, or by timer_again at each of them.
 */
void timer_start(struct timer *timer, uint32_t ticks, bool periodic);
void timer_stop(struct timer *timer);

/* Whether an interrupt that came was its own since the start, and clears it. */
bool timer_fired(struct timer *timer);
/* The next interrupt of one that is not periodic; those whose time is over already do not come. */
void timer_again(struct timer *timer, uint32_t ticks);
