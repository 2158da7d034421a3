/* Threads that wake others, and what wakes a driver in another process than the one that is interrupted. */
#include "bench/kbench.h"

enum {
    CLOCK_INDEX = 0x70, /* the real-time clock's registers */
    CLOCK_DATA = 0x71,
    CLOCK_A = 10,
    CLOCK_B = 11,
    CLOCK_C = 12,
    CLOCK_PERIODIC = 0x40,
    CLOCK_1024_HZ = 6,
    CLOCK_RATE_MASK = 15,
};

static void yielder(uint64_t unused) {
    (void)unused;
    bench_yields_counted(&shared->turns, &shared->stop);
    partner_leave();
}

static void begin_yield(void) {
    partner_start(yielder, 0, LEVEL_MAIN);
}

/* Every second yield is the partner's. */
static uint64_t run_yield(unsigned count) {
    uint64_t before = shared->turns;
    if (count > 1)
        bench_yields(count / 2);
    check(shared->turns + 2 >= before + count / 2, "the partner has its turns");
    return 0;
}

static void end_stop(void) {
    shared->stop = true;
    partner_join();
}

static void woken(void) {
    shared->sum += ticks_now() - shared->sent;
    shared->turns++;
}

static void event_waiter(uint64_t unused) {
    (void)unused;
    for (;;) {
        keel_event_wait(HIS_EVENT, DEADLINE_NEVER);
        if (shared->stop)
            partner_leave();
        woken();
    }
}

static void begin_event(void) {
    partner_start(event_waiter, 0, LEVEL_SYSTEM);
    keel_thread_wait(clock_now() + MS);
}

static uint64_t run_event(unsigned count) {
    shared->sum = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t turns = shared->turns;
        shared->sent = ticks_now();
        keel_event_signal(event);
        while (shared->turns == turns)
            continue;
    }
    return shared->sum;
}

static void end_event(void) {
    shared->stop = true;
    keel_event_signal(event);
    partner_join();
}

/* ---- interrupts ---- */

static uint64_t clock_read(uint64_t index) {
    keel_io_write(HIS_CLOCK, CLOCK_INDEX, 1, index);
    return (uint64_t)keel_io_read(HIS_CLOCK, CLOCK_DATA, 1);
}

static void clock_write(uint64_t index, uint64_t value) {
    keel_io_write(HIS_CLOCK, CLOCK_INDEX, 1, index);
    keel_io_write(HIS_CLOCK, CLOCK_DATA, 1, value);
}

static void clock_driver(uint64_t unused) {
    struct ipc_message message;
    (void)unused;
    clock_write(CLOCK_A, (clock_read(CLOCK_A) & ~(uint64_t)CLOCK_RATE_MASK) | CLOCK_1024_HZ);
    clock_write(CLOCK_B, clock_read(CLOCK_B) | CLOCK_PERIODIC);
    clock_read(CLOCK_C);
    while (!shared->stop) {
        ipc_receive(HIS_IRQ_PORT, DEADLINE_NEVER, 0, &message);
        woken();
        keel_interrupt_ack(HIS_IRQ);
        clock_read(CLOCK_C);
    }
    clock_write(CLOCK_B, clock_read(CLOCK_B) & ~(uint64_t)CLOCK_PERIODIC);
    clock_read(CLOCK_C);
    partner_leave();
}

static void begin_interrupt(void) {
    partner_start(clock_driver, 0, LEVEL_SYSTEM);
    keel_thread_wait(clock_now() + MS);
}

static void timer_waiter(uint64_t unused) {
    struct ipc_message message;
    (void)unused;
    while (!shared->stop) {
        ipc_receive(HIS_IRQ_PORT, DEADLINE_NEVER, 0, &message);
        woken();
    }
    partner_leave();
}

static void begin_timer(void) {
    partner_start(timer_waiter, 0, LEVEL_SYSTEM);
    MUST(keel_timer_set(timer, clock_now() + MS, MS / 2));
    keel_thread_wait(clock_now() + MS);
}

/* Computes until it is interrupted: the last time it saw is when. */
static uint64_t run_interrupted(unsigned count) {
    if (!count)
        return 1;
    uint64_t turns = shared->turns;
    shared->sent = ticks_now();
    while (shared->turns == turns)
        shared->sent = ticks_now();
    shared->sum = 0;
    turns = shared->turns;
    while (shared->turns < turns + count)
        shared->sent = ticks_now();
    return shared->sum;
}

static void end_timer(void) {
    end_stop();
    MUST(keel_timer_set(timer, 0, 0));
}

const struct operation wakes_operations[] = {
    {"yield_switch", 500, begin_yield, run_yield, end_stop},
    {"event_wakes", 200, begin_event, run_event, end_event},
    {"interrupt_driver", 20, begin_interrupt, run_interrupted, end_stop},
    {"timer_packet", 20, begin_timer, run_interrupted, end_timer},
    {0},
};
