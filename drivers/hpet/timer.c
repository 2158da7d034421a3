/* See timer.h. */
#include "drivers/hpet/timer.h"

enum { LEAD_NS = 10000, TRIES = 8 };
#define FEMTOSECONDS 1000000000000000ULL

static uint32_t get(const struct timer *timer, uint32_t offset) {
    return bar_read(timer->registers, offset, 4);
}
static void put(const struct timer *timer, uint32_t offset, uint32_t value) {
    bar_write(timer->registers, offset, 4, value);
}

static uint32_t own(const struct timer *timer, uint32_t offset) {
    return hpet_comparator_at(timer->index) + offset;
}

static void bits_change(const struct timer *timer, uint32_t clear, uint32_t set) {
    put(timer, own(timer, HPET_TIMER), (get(timer, own(timer, HPET_TIMER)) & ~clear) | set);
}

/* One that is not connected still tells what it could do. */
static void comparator_choose(struct timer *timer, unsigned count) {
    for (unsigned i = 0; i < count && !timer->routed; i++) {
        timer->index = hpet_choice(i, count);
        timer->routed = hpet_is_routed(get(timer, own(timer, HPET_TIMER)));
    }
    if (!timer->routed)
        timer->index = hpet_choice(0, count);
    timer->by_level = get(timer, own(timer, HPET_TIMER)) & HPET_LEVEL;
}

bool timer_open(struct timer *timer, const struct driver_bar *registers) {
    *timer = (struct timer){.registers = registers};
    if (registers->length < HPET_SIZE)
        return false;
    uint32_t id = get(timer, HPET_ID), period = get(timer, HPET_PERIOD);
    if (!hpet_answers(id, period))
        return false;
    timer->hz = (FEMTOSECONDS + period / 2) / period;
    timer->lead = (uint32_t)(timer->hz * LEAD_NS / 1000000000) + 1;
    comparator_choose(timer, hpet_comparators(id));
    timer_stop(timer);
    put(timer, HPET_CONFIG, (get(timer, HPET_CONFIG) & ~(uint32_t)HPET_LEGACY) | HPET_RUNS);
    return true;
}

uint32_t timer_ticks(const struct timer *timer, uint64_t hz) {
    return hz > timer->hz ? 0 : (uint32_t)((timer->hz + hz / 2) / hz);
}

uint64_t timer_rate(const struct timer *timer, uint32_t ticks) {
    return (timer->hz + ticks / 2) / ticks;
}

bool timer_can_repeat(const struct timer *timer) {
    return get(timer, own(timer, HPET_TIMER)) & HPET_CAN_PERIODIC;
}

static uint32_t now(const struct timer *timer) {
    return get(timer, HPET_COUNTER);
}

/* A time that has passed when the comparator gets it would come a whole turn of the counter later. */
static void compare_set(struct timer *timer, uint32_t ticks) {
    uint32_t lead = timer->lead;
    for (unsigned i = 0; i < TRIES; i++, lead *= 2) {
        uint32_t late = now(timer) + lead - timer->next;
        if ((int32_t)late >= 0)
            timer->next += (late / ticks + 1) * ticks;
        put(timer, own(timer, HPET_COMPARE), timer->next);
        if ((int32_t)(timer->next - now(timer)) > 0)
            return;
    }
}

/* The same for one that repeats by itself. */
static void repeat_set(struct timer *timer, uint32_t ticks) {
    uint32_t lead = timer->lead;
    for (unsigned i = 0; i < TRIES; i++, lead *= 2) {
        timer->next = now(timer) + (ticks > lead ? ticks : lead);
        bits_change(timer, 0, HPET_32_BITS | HPET_PERIODIC | HPET_SET_FIRST);
        put(timer, own(timer, HPET_COMPARE), timer->next);
        put(timer, own(timer, HPET_COMPARE), ticks);
        if ((int32_t)(timer->next - now(timer)) > 0)
            return;
    }
}

void timer_start(struct timer *timer, uint32_t ticks, bool periodic) {
    timer->begun = false;
    timer->next = now(timer) + ticks;
    if (timer->by_level)
        put(timer, HPET_STATUS, 1U << timer->index);
    if (!periodic) {
        bits_change(timer, HPET_PERIODIC, HPET_32_BITS);
        bits_change(timer, 0, HPET_INTERRUPTS);
        compare_set(timer, ticks);
        return;
    }
    repeat_set(timer, ticks);
    bits_change(timer, 0, HPET_INTERRUPTS);
}

void timer_stop(struct timer *timer) {
    bits_change(timer, HPET_INTERRUPTS, 0);
    if (timer->by_level)
        put(timer, HPET_STATUS, 1U << timer->index);
    bits_change(timer, HPET_PERIODIC, 0);
}

bool timer_fired(struct timer *timer) {
    uint32_t bit = 1U << timer->index;
    if (!timer->by_level) { /* a message may have been on its way when the timer was stopped */
        timer->begun = timer->begun || (int32_t)(now(timer) - timer->next) >= 0;
        return timer->begun;
    }
    if (!(get(timer, HPET_STATUS) & bit))
        return false;
    put(timer, HPET_STATUS, bit);
    return true;
}

void timer_again(struct timer *timer, uint32_t ticks) {
    timer->next += ticks;
    compare_set(timer, ticks);
}
