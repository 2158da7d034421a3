/* Calls of the kernel and, through ports and channels, of others. */
#include "bench/kbench.h"

enum { CALLS_PER_CLIENT = 500, PAIR_TURNS = 20 };

static uint64_t run_null(unsigned count) {
    if (count)
        bench_nulls(count);
    return 0;
}

static void serve(uint64_t label) {
    bench_serve(HIS_PORT, label);
    partner_leave();
}

static void begin_serve(void) {
    partner_start(serve, IPC_LABEL(0, 0, 0), LEVEL_MAIN);
}

/* The server sends four handles back. */
static void begin_handles(void) {
    for (unsigned i = 0; i < 4; i++)
        utcb_own()->handles[i] = (handle_t)MUST(keel_handle_create(OBJECT_EVENT, 0, 0, 0));
    partner_start(serve, IPC_LABEL(0, 0, 4), LEVEL_MAIN);
}

static uint64_t run_calls(unsigned count) {
    if (count)
        bench_calls(port, IPC_LABEL(0, 0, 0), count);
    return 0;
}

static uint64_t run_handles(unsigned count) {
    if (count)
        bench_calls(port, IPC_LABEL(0, 0, 4), count);
    return 0;
}

static uint64_t run_bytes(unsigned count) {
    if (count)
        bench_calls(port, IPC_LABEL(0, IPC_BYTES, 0), count);
    return 0;
}

static void end_serve(void) {
    bench_calls(port, IPC_LABEL(LABEL_LAST, 0, 0), 1);
    partner_join();
}

static void end_handles(void) {
    for (unsigned i = 0; i < 4; i++)
        MUST(keel_handle_close(utcb_own()->handles[i]));
    bench_calls(port, IPC_LABEL(LABEL_LAST, 0, 0), 1);
    partner_join();
}

/* Two clients with a server each, called by both at once: on one CPU, or a pair on each. */
static unsigned pairs_cpus;

static void serve_pair(uint64_t i) {
    bench_serve(i ? HIS_SECOND_PORT : HIS_PORT, IPC_LABEL(0, 0, 0));
    thread_leave((unsigned)i);
}

static void second_client(uint64_t unused) {
    (void)unused;
    while (!shared->turns)
        keel_thread_yield();
    bench_calls(second_port, IPC_LABEL(0, 0, 0), CALLS_PER_CLIENT);
    thread_leave(SECOND_CLIENT);
}

static void thread_pin(handle_t thread, uint64_t i) {
    MUST(keel_thread_set(thread, 1, 1ULL << i % pairs_cpus));
}

static void begin_pairs(unsigned on) {
    pairs_cpus = on;
    shared->turns = 0;
    thread_pin(0, 0);
    for (uint64_t i = 0; i < 2; i++) {
        thread_start((unsigned)i, partner, serve_pair, i, LEVEL_MAIN);
        thread_pin(threads[i], i);
    }
}

static void begin_pairs_one(void) {
    begin_pairs(1);
}

static void begin_pairs_two(void) {
    begin_pairs(2);
}

static uint64_t turn_ticks(void) {
    shared->turns = 0;
    thread_start(SECOND_CLIENT, 0, second_client, 0, LEVEL_MAIN);
    thread_pin(threads[SECOND_CLIENT], 1);
    keel_thread_wait(clock_now() + MS);
    uint64_t start = ticks_now();
    shared->turns = 1;
    bench_calls(port, IPC_LABEL(0, 0, 0), CALLS_PER_CLIENT);
    while (!shared->gone[SECOND_CLIENT])
        keel_thread_yield();
    uint64_t end = ticks_now();
    thread_join(SECOND_CLIENT);
    return end - start;
}

/* The shortest of many short turns: of a longer one, the host takes its part. */
static uint64_t run_pairs(unsigned count) {
    uint64_t least = count ? UINT64_MAX : 1;
    for (unsigned i = 0; count && i < PAIR_TURNS; i++) {
        uint64_t ticks = turn_ticks();
        least = ticks < least ? ticks : least;
    }
    return least;
}

static void end_pairs(void) {
    bench_calls(port, IPC_LABEL(LABEL_LAST, 0, 0), 1);
    bench_calls(second_port, IPC_LABEL(LABEL_LAST, 0, 0), 1);
    thread_join(0);
    thread_join(1);
    MUST(keel_thread_set(0, 1, UINT64_MAX));
}

static uint64_t run_packets(unsigned count) {
    if (count)
        bench_packets(irq_port, count);
    return 0;
}

/* 50 calls an entry, written anew each time; fewer are made when the kernel is left in between. */
static uint64_t run_batch(unsigned count) {
    enum { EACH = 50 };
    static struct batch_entry entries[EACH];
    for (unsigned made = 0; made < count;) {
        for (unsigned i = 0; i < EACH; i++)
            entries[i].rax = KEEL_CALL_null;
        made += (unsigned)keel_batch(keel_pointer(entries), EACH);
    }
    return 0;
}

/* 64 bytes through a channel, both ends in this thread. */
static uint64_t run_channel(unsigned count) {
    handle_t ends[2];
    char bytes[64] = {0};
    keel_channel_create(keel_pointer(ends));
    for (unsigned i = 0; i < count; i++) {
        struct channel_sizes sizes = {sizeof bytes, 0};
        keel_channel_write(ends[0], keel_pointer(bytes), sizeof bytes, 0, 0);
        keel_channel_read(ends[1], keel_pointer(bytes), 0, keel_pointer(&sizes), 0);
    }
    keel_handle_close(ends[0]);
    keel_handle_close(ends[1]);
    return 0;
}

static uint64_t run_create_close(unsigned count) {
    while (count--)
        keel_handle_close((uint64_t)keel_handle_create(OBJECT_EVENT, 0, 0, 0));
    return 0;
}

const struct operation calls_operations[] = {
    {"null_call", 2000, nothing, run_null, nothing},
    {"null_batch", 500, nothing, run_batch, nothing},
    {"call_8_words", 500, begin_serve, run_calls, end_serve},
    {"call_4_handles", 200, begin_handles, run_handles, end_handles},
    {"call_4_kb", 200, begin_serve, run_bytes, end_serve},
    {"call_pairs_one", 2 * CALLS_PER_CLIENT, begin_pairs_one, run_pairs, end_pairs},
    {"call_pairs_two", 2 * CALLS_PER_CLIENT, begin_pairs_two, run_pairs, end_pairs},
    {"send_receive", 500, nothing, run_packets, nothing},
    {"channel_write_read", 500, nothing, run_channel, nothing},
    {"event_create_close", 500, nothing, run_create_close, nothing},
    {0},
};
