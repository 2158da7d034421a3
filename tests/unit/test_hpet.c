/* sources: drivers/hpet/timer.c servers/devices/hpet.c */
/*
 * The event timer: `devices` connects comparators of registers in memory; the driver's comparator runs on a
 * model that interrupts, as the real ones do, only when the counter reaches exactly what it compares with.
 */
#include "drivers/hpet/timer.h"

#include <string.h>

#include "servers/devices/hpet.h"
#include "tests/unit/check.h"

enum { WORDS = HPET_SIZE / 4, PERIOD = 10000000, CHIP = 0x80860201, RATE = 100000000 };

/* ---- the model ---- */

static uint32_t words[WORDS];
static uint32_t step;    /* what the counter goes on by at each access */
static uint32_t first;   /* of the comparator: whether the next value is the first one */
static uint32_t repeats; /* its period */
static unsigned fired;
static const struct driver_bar bar = {.length = HPET_SIZE};

static uint32_t *at(uint32_t offset) {
    return &words[offset / 4];
}

static uint32_t *of(unsigned comparator, uint32_t offset) {
    return at(hpet_comparator_at(comparator) + offset);
}

static void advance(uint32_t ticks) {
    uint32_t *timer = of(2, HPET_TIMER), *compare = of(2, HPET_COMPARE), before = *at(HPET_COUNTER);
    *at(HPET_COUNTER) += ticks;
    while (ticks && *compare - before - 1 < ticks) {
        if (*timer & HPET_INTERRUPTS) {
            fired++;
            *at(HPET_STATUS) |= 1 << 2;
        }
        if (!(*timer & HPET_PERIODIC) || !repeats)
            return;
        ticks -= *compare - before;
        before = *compare;
        *compare += repeats;
    }
}

uint32_t bar_read(const struct driver_bar *from, uint64_t offset, unsigned width) {
    CHECK(from == &bar && offset % 4 == 0 && width == 4 && offset < HPET_SIZE);
    advance(step);
    return *at((uint32_t)offset);
}

void bar_write(const struct driver_bar *to, uint64_t offset, unsigned width, uint32_t value) {
    CHECK(to == &bar && offset % 4 == 0 && width == 4 && offset < HPET_SIZE);
    advance(step);
    if (offset == HPET_STATUS) {
        *at(HPET_STATUS) &= ~value;
    } else if (offset == hpet_comparator_at(2) + HPET_COMPARE && *of(2, HPET_TIMER) & HPET_PERIODIC) {
        if (first)
            *of(2, HPET_COMPARE) = value;
        else
            repeats = value;
        first = 0;
    } else {
        CHECK(offset != HPET_COUNTER);
        first |= offset == hpet_comparator_at(2) && value & HPET_SET_FIRST;
        *at((uint32_t)offset) = value;
    }
}

static void model(unsigned comparators) {
    memset(words, 0, sizeof words);
    *at(HPET_ID) = CHIP | (comparators - 1) << HPET_LAST_SHIFT;
    *at(HPET_PERIOD) = PERIOD;
    for (unsigned i = 0; i < comparators && i < 24; i++) {
        *of(i, HPET_TIMER) = HPET_CAN_PERIODIC;
        *of(i, HPET_ROUTES) = 0xff0104;
    }
    first = repeats = step = fired = 0;
}

/* ---- connecting ---- */

static uint32_t taken; /* inputs that others have */
static unsigned messages, lines, messages_most;

static bool message(void *context, uint32_t *address, uint32_t *data) {
    (void)context;
    if (messages == messages_most)
        return false;
    *address = 0xfee00000;
    *data = 80 + messages++;
    return true;
}

static bool line(void *context, uint32_t input) {
    (void)context;
    if (taken >> input & 1)
        return false;
    taken |= 1U << input;
    lines++;
    return true;
}

static unsigned connect(unsigned most) {
    static const struct hpet_interrupts interrupts = {message, line, NULL};
    messages = lines = 0;
    hpet_quiet(words);
    return hpet_connect(words, &interrupts, most);
}

static unsigned input_of(unsigned comparator) {
    return (*of(comparator, HPET_TIMER) & HPET_ROUTE) >> HPET_ROUTE_SHIFT;
}

TEST(connected_to_lines) {
    model(3);
    taken = 1 << 16;
    *of(1, HPET_TIMER) |= HPET_LEVEL | HPET_INTERRUPTS | 4 << HPET_ROUTE_SHIFT; /* as the firmware left it */
    CHECK_EQ(connect(1), 1);
    CHECK_EQ(input_of(2), 17);
    CHECK(*of(2, HPET_TIMER) & HPET_LEVEL && *of(1, HPET_TIMER) == HPET_CAN_PERIODIC);
    CHECK(lines == 1 && messages == 0);
    taken = 0;
    CHECK_EQ(connect(8), 3);
    CHECK(input_of(2) == 16 && input_of(0) == 17 && input_of(1) == 18);
    taken = 0xffff0000;
    CHECK_EQ(connect(8), 0);
    CHECK_EQ(*of(2, HPET_TIMER), HPET_CAN_PERIODIC);
    model(2);
    taken = 0;
    CHECK(connect(1) == 1 && input_of(0) == 16 && input_of(1) == 0);
    model(1);
    *of(0, HPET_ROUTES) = 0xffff; /* ISA's only */
    CHECK_EQ(connect(1), 0);
}

TEST(connected_by_message) {
    model(3);
    taken = 0;
    messages_most = 1;
    *of(2, HPET_TIMER) |= HPET_CAN_MESSAGE;
    *of(0, HPET_TIMER) |= HPET_CAN_MESSAGE;
    CHECK_EQ(connect(2), 2);
    CHECK(messages == 1 && lines == 1);
    CHECK(*of(2, HPET_MESSAGE) == 80 && *of(2, HPET_MESSAGE_TO) == 0xfee00000);
    CHECK(*of(2, HPET_TIMER) & HPET_BY_MESSAGE && !(*of(2, HPET_TIMER) & HPET_LEVEL));
    CHECK(input_of(0) == 16 && !(*of(0, HPET_TIMER) & HPET_BY_MESSAGE));
    hpet_quiet(words);
    CHECK_EQ(*of(2, HPET_TIMER), HPET_CAN_PERIODIC | HPET_CAN_MESSAGE);
}

TEST(no_timer) {
    struct timer timer;
    memset(words, 0xff, sizeof words);
    CHECK(connect(8) == 0 && words[HPET_COMPARATORS / 4] == UINT32_MAX);
    CHECK(!timer_open(&timer, &bar));
    memset(words, 0, sizeof words);
    CHECK(!timer_open(&timer, &bar));
    model(3);
    *at(HPET_PERIOD) = HPET_PERIOD_MOST + 1;
    CHECK(!timer_open(&timer, &bar));
    *at(HPET_PERIOD) = HPET_PERIOD_LEAST - 1;
    CHECK(!timer_open(&timer, &bar));
    model(32); /* more than the block has room for */
    taken = 0;
    for (unsigned i = 0; i < 24; i++)
        *of(i, HPET_ROUTES) = 0;
    CHECK(connect(8) == 0);
    CHECK(timer_open(&timer, &bar) && !timer.routed && timer.index == 2);
    const struct driver_bar small = {.length = HPET_SIZE - 1};
    CHECK(!timer_open(&timer, &small));
}

/* ---- the comparator ---- */

static struct timer timer;

static void open(bool by_message) {
    model(3);
    messages_most = by_message;
    taken = 0;
    if (by_message)
        *of(2, HPET_TIMER) |= HPET_CAN_MESSAGE;
    CHECK_EQ(connect(1), 1);
    *at(HPET_CONFIG) = HPET_LEGACY;
    CHECK(timer_open(&timer, &bar) && timer.routed && timer.index == 2 && timer.by_level == !by_message);
    CHECK_EQ(*at(HPET_CONFIG), HPET_RUNS);
}

TEST(rates) {
    open(false);
    CHECK_EQ(timer.hz, RATE);
    CHECK_EQ(timer_ticks(&timer, 64), 1562500);
    CHECK_EQ(timer_rate(&timer, 1562500), 64);
    CHECK_EQ(timer_ticks(&timer, RATE), 1);
    CHECK_EQ(timer_ticks(&timer, RATE + 1), 0);
    CHECK_EQ(timer_ticks(&timer, UINT64_MAX), 0);
    CHECK(timer_can_repeat(&timer));
}

/* However slow the processor is, the comparator is never left behind the counter. */
static void run_single(uint32_t ticks, uint32_t pace, uint32_t latency) {
    open(false);
    *at(HPET_COUNTER) = UINT32_MAX - 3 * ticks;
    step = pace;
    timer_start(&timer, ticks, false);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t waited = 0;
        while (!(*at(HPET_STATUS) & 4)) {
            advance(1000);
            waited += 1000;
            CHECK(waited <= 2ULL * ticks + 300ULL * pace + 300ULL * timer.lead + latency);
        }
        advance(latency);
        CHECK(timer_fired(&timer));
        timer_again(&timer, ticks);
    }
    timer_stop(&timer);
    CHECK(!(*of(2, HPET_TIMER) & (HPET_INTERRUPTS | HPET_PERIODIC)) && !(*at(HPET_STATUS) & 4));
}

TEST(single) {
    run_single(1562500, 10, 0);
    run_single(1562500, 10, 5000000);
    run_single(1526, 5, 100);
    run_single(1526, 400, 5000);
    run_single(10, 100, 100);
    run_single(1, 1500, 0);
}

TEST(steady) {
    open(false);
    timer_start(&timer, 10000, false);
    uint32_t from = *at(HPET_COUNTER);
    for (unsigned i = 1; i <= 100; i++) {
        while (!(*at(HPET_STATUS) & 4))
            advance(1);
        CHECK_EQ(*at(HPET_COUNTER) - from, 10000 * i);
        advance(700 * (i % 7)); /* late, but in time for the next */
        CHECK(timer_fired(&timer) && !timer_fired(&timer));
        timer_again(&timer, 10000);
    }
}

TEST(periodic) {
    open(true);
    step = 3;
    timer_start(&timer, 10000, true);
    step = 0;
    CHECK(*of(2, HPET_TIMER) & HPET_PERIODIC && repeats == 10000);
    while (!fired)
        advance(1);
    advance(50000);
    CHECK_EQ(fired, 6);
    CHECK(timer_fired(&timer));
    timer_stop(&timer);
    advance(50000);
    CHECK_EQ(fired, 6);
}

/* The first time has passed when the comparator gets it: it would repeat from the counter's next turn on. */
TEST(periodic_on_a_slow_processor) {
    open(true);
    step = 2000;
    timer_start(&timer, 10, true);
    step = 0;
    advance(2000 * 100);
    CHECK(fired > 0);
}

/* A message that was on its way when the timer was stopped is none of the next start's. */
TEST(a_message_of_before) {
    for (unsigned periodic = 0; periodic < 2; periodic++) {
        open(true);
        timer_start(&timer, 100000, periodic);
        CHECK(!timer_fired(&timer));
        while (!fired)
            advance(1);
        for (unsigned i = 0; i < 3; i++)
            CHECK(timer_fired(&timer));
    }
}

TEST_MAIN();
