/*
 * The kernel's own operations, measured from a native process: started by init in place of the personality
 * (bench/kbench.manifest), by `./keel bench`. A line per operation goes to the log:
 *
 *   row NAME TICKS NS SWITCHES ENTRIES      each per operation, with a decimal point
 *
 * as in ops.c. What needs another address space has one: a partner process with a copy of this program's
 * memory, whose threads share one page with this one. Those threads, and everything while a guest space is
 * attached, use class 1 calls and this image only. The image is linked in the upper half, so that the lower
 * one is free for guests.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ipc.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"

enum {
    PAGE = 4096,
    BATCHES = 5,
    STACK = 16384,
    THREADS = 4, /* partners 0 and 1, a second client, and what keeps the process alive */
    SECOND_CLIENT = 2,
    KEEPER = 3,
    CALLS_PER_CLIENT = 2000,
    LABEL_LAST = 99, /* kbench_loops.S */
    LEVEL_SYSTEM = 1,
    LEVEL_MAIN = 3,
    IRQ_CLOCK = 8,
    CLOCK_INDEX = 0x70, /* the real-time clock's registers */
    CLOCK_DATA = 0x71,
    CLOCK_A = 10,
    CLOCK_B = 11,
    CLOCK_C = 12,
    CLOCK_PERIODIC = 0x40,
    CLOCK_1024_HZ = 6,
    CLOCK_RATE_MASK = 15,
    MS = 1000000,
};
#define SHARED_AT   0x400200000000ULL
#define WINDOW_AT   0x400300000000ULL
#define UTCB_AT     0x400400000000ULL
#define PARTNER_JOB 0

/* The handles of the partner process, in the order in which it is given them. */
enum { HIS_PORT = 1, HIS_EVENT, HIS_CLOCK, HIS_IRQ_PORT, HIS_IRQ, HIS_SECOND_PORT, HIS_END };

struct operation {
    const char *name;
    unsigned count; /* operations per batch */
    void (*begin)(void);
    uint64_t (*run)(unsigned count); /* the ticks it took, or 0: all that passed */
    void (*end)(void);
};

/* The page that both processes see. */
struct shared {
    volatile uint64_t sent;         /* TSC before what wakes the partner */
    volatile uint64_t sum;          /* ticks from there until it ran */
    volatile uint64_t turns;        /* how often it ran */
    volatile bool stop;             /* its thread is to end */
    _Atomic uint32_t gone[THREADS]; /* it has ended */
};

void bench_nulls(uint64_t count);
void bench_yields(uint64_t count);
void bench_yields_counted(volatile uint64_t *turns, const volatile bool *stop);
void bench_calls(uint64_t port, uint64_t label, uint64_t count);
void bench_serve(uint64_t port, uint64_t label);
void bench_packets(uint64_t port, uint64_t count);
void bench_fixups(uint64_t count);
uint64_t bench_guest(uint64_t count, uint64_t flags);
void bench_guest_call(void);
void bench_guest_fault(void);

extern const char __ehdr_start[], etext[], _end[];

static struct shared *const shared = (struct shared *)SHARED_AT;
static char stacks[THREADS][STACK] __attribute__((aligned(16)));
static handle_t partner, threads[THREADS], info, debug;
static handle_t port, second_port, event, vmo, irq_port, timer, guest_space;
static uint64_t guest_flags, cpus;

static void check(bool good, const char *what) {
    if (good)
        return;
    log_line("not ok %s", what);
    exit(1);
}

static uint64_t must(int64_t result, const char *what) {
    if (result < 0)
        log_line("%s: %s", what, strerror((int)-result));
    check(result >= 0, what);
    return (uint64_t)result;
}
#define MUST(call) must(call, #call)

static uint64_t ticks_now(void) {
    return __builtin_ia32_rdtsc();
}

/* ---- the partner ---- */

static uint64_t page_up(const char *address) {
    return (keel_pointer(address) + PAGE - 1) & -(uint64_t)PAGE;
}

/* A process with a copy of this one's memory, and the shared page. */
static void partner_create(void) {
    uint64_t base = keel_pointer(__ehdr_start), length = page_up(_end) - base;
    uint64_t image = MUST(keel_vmo_create(length, 0)), page = MUST(keel_vmo_create(PAGE, 0));
    for (uint64_t at = 0, got; at < length; at += got)
        got = MUST(keel_vmo_write(image, at, base + at, length - at));
    uint64_t given[HIS_END];
    handle_t handles[HIS_END];
    given[HIS_PORT] = port;
    given[HIS_EVENT] = event;
    given[HIS_CLOCK] = handle_find("ioport.70");
    given[HIS_IRQ_PORT] = irq_port;
    uint64_t irq = MUST(keel_handle_create(OBJECT_INTERRUPT, handle_find("irq.8"), IRQ_CLOCK, 0));
    MUST(keel_object_bind(irq, irq_port, 0));
    given[HIS_IRQ] = irq;
    given[HIS_SECOND_PORT] = second_port;
    for (unsigned i = 1; i < HIS_END; i++)
        handles[i] = (handle_t)MUST(keel_handle_duplicate(given[i], RIGHT_ALL));
    partner = (handle_t)MUST(keel_process_create(PARTNER_JOB, keel_pointer(handles + 1), HIS_END - 1));
    MUST(keel_space_map(partner, base, image, 0, length, MAP_READ | MAP_WRITE));
    MUST(keel_space_map(partner, base, image, 0, page_up(etext) - base, MAP_READ | MAP_EXEC));
    MUST(keel_space_map(partner, SHARED_AT, page, 0, PAGE, MAP_READ | MAP_WRITE));
    MUST(keel_space_map(0, SHARED_AT, page, 0, PAGE, MAP_READ | MAP_WRITE));
}

/* Runs a function in the partner, or with process 0 in this one, on a slot of its own. */
static void thread_start(unsigned slot, handle_t process, void (*entry)(uint64_t), uint64_t argument,
                         uint64_t level) {
    shared->gone[slot] = 0;
    threads[slot] = (handle_t)MUST(keel_thread_create(process, keel_pointer((void *)entry),
                                                      keel_pointer(stacks[slot] + STACK - 8), argument,
                                                      UTCB_AT + slot * 0x10000));
    MUST(keel_thread_set(threads[slot], 0, level));
}

static _Noreturn void thread_leave(unsigned slot) {
    keel_thread_exit(keel_pointer(&shared->gone[slot]));
    for (;;)
        continue;
}

static void thread_join(unsigned slot) {
    while (!shared->gone[slot])
        keel_thread_wait(clock_now() + MS);
    keel_handle_close(threads[slot]);
}

/* Most operations need just one: the caller tells it when to end. */
static void partner_start(void (*entry)(uint64_t), uint64_t argument, uint64_t level) {
    shared->stop = false;
    shared->turns = shared->sum = 0;
    thread_start(0, partner, entry, argument, level);
    keel_thread_yield();
}

static _Noreturn void partner_leave(void) {
    thread_leave(0);
}

static void partner_join(void) {
    thread_join(0);
}

/* The process must not end with the thread of one operation. */
static void keeper(uint64_t unused) {
    (void)unused;
    for (;;)
        keel_thread_wait(DEADLINE_NEVER);
}

/* ---- calls ---- */

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

/* Two clients with a server each, on a CPU each where there are two: called by both at once. */
static void serve_pair(uint64_t i) {
    bench_serve(i ? HIS_SECOND_PORT : HIS_PORT, IPC_LABEL(0, 0, 0));
    thread_leave((unsigned)i);
}

static void second_client(uint64_t unused) {
    (void)unused;
    while (!shared->turns)
        continue;
    bench_calls(second_port, IPC_LABEL(0, 0, 0), CALLS_PER_CLIENT);
    thread_leave(SECOND_CLIENT);
}

static void thread_pin(handle_t thread, uint64_t i) {
    MUST(keel_thread_set(thread, 1, 1ULL << i % cpus));
}

static void begin_pairs(void) {
    shared->turns = 0;
    thread_pin(0, 0);
    for (uint64_t i = 0; i < 2; i++) {
        thread_start((unsigned)i, partner, serve_pair, i, LEVEL_MAIN);
        thread_pin(threads[i], i);
    }
}

static uint64_t run_pairs(unsigned count) {
    if (!count)
        return 1;
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

/* ---- threads that wake others ---- */

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

/* ---- interrupts: a driver in another process than the one that is interrupted ---- */

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

/* ---- memory ---- */

static void begin_page(void) {
    vmo = (handle_t)MUST(keel_vmo_create(PAGE, 0));
    MUST(keel_vmo_write(vmo, 0, keel_pointer(stacks), PAGE));
}

static void end_vmo(void) {
    MUST(keel_handle_close(vmo));
}

static void map_one(void) {
    keel_space_map(0, WINDOW_AT, vmo, 0, PAGE, MAP_READ | MAP_WRITE);
}

static uint64_t touch_one(void) {
    return *(volatile uint64_t *)WINDOW_AT;
}

/* One part of map, touch and unmap is measured at a time. */
static uint64_t run_window(unsigned count, bool map, bool touch, bool unmap) {
    uint64_t sum = 1;
    while (count--) {
        uint64_t start = ticks_now();
        map_one();
        uint64_t mapped = ticks_now();
        touch_one();
        uint64_t touched = ticks_now();
        keel_space_unmap(0, WINDOW_AT, PAGE);
        uint64_t end = ticks_now();
        sum += (map ? mapped - start : 0) + (touch ? touched - mapped : 0) + (unmap ? end - touched : 0);
    }
    return sum;
}

static uint64_t run_map(unsigned count) {
    return run_window(count, true, false, false);
}
static uint64_t run_touch(unsigned count) {
    return run_window(count, false, true, false);
}
static uint64_t run_unmap(unsigned count) {
    return run_window(count, false, false, true);
}

static uint64_t mapped; /* bytes at WINDOW_AT */

/* A memory object all of whose pages are there, mapped, and written through the mapping. */
static void vmo_full(uint64_t length) {
    vmo = (handle_t)MUST(keel_vmo_create(length, 0));
    MUST(keel_space_map(0, WINDOW_AT, vmo, 0, length, MAP_READ | MAP_WRITE));
    for (mapped = 0; mapped < length; mapped += PAGE)
        *(volatile char *)(WINDOW_AT + mapped) = 1;
}

static void end_full(void) {
    MUST(keel_space_unmap(0, WINDOW_AT, mapped));
    MUST(keel_handle_close(vmo));
}

static void begin_4m(void) {
    vmo_full(4 << 20);
}

static void begin_1g(void) {
    vmo_full(1 << 30);
}

static uint64_t run_snapshot(unsigned count) {
    uint64_t sum = 1;
    while (count--) {
        *(volatile char *)WINDOW_AT = 1; /* there is something to be write-protected again */
        uint64_t start = ticks_now();
        int64_t copy = keel_vmo_snapshot(vmo);
        sum += ticks_now() - start;
        MUST(keel_handle_close(MUST(copy)));
    }
    return sum;
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

/* The kernel measures this itself: user space sees no bare page. */
static uint64_t run_page_allocate(unsigned count) {
    return count ? MUST(keel_debug_measure(debug, count)) : 1;
}

/* ---- faults and guests ---- */

static uint64_t run_fixup(unsigned count) {
    if (count)
        bench_fixups(count);
    return 0;
}

static void guest_begin(void (*entry)(void), uint64_t flags) {
    uint64_t code = keel_pointer((void *)entry), page = code & -(uint64_t)PAGE, at = 0x400000;
    uint64_t copy = MUST(keel_vmo_create(2 * PAGE, 0));
    MUST(keel_vmo_write(copy, 0, page, 2 * PAGE));
    guest_space = (handle_t)MUST(keel_space_create(0));
    MUST(keel_space_map(guest_space, at, copy, 0, 2 * PAGE, MAP_READ | MAP_EXEC));
    MUST(keel_handle_close(copy));
    MUST(keel_guest_attach(guest_space));
    for (unsigned i = 0; i < UTCB_ANSWERS; i++)
        utcb_own()->answers[i] = ANSWER_NONE;
    utcb_own()->guest = (struct guest_registers){.rip = at + code - page};
    guest_flags = flags;
}

static void begin_guest_call(void) {
    guest_begin(bench_guest_call, 0);
}

static void begin_guest_call_unified(void) {
    guest_begin(bench_guest_call, GUEST_UNIFIED);
}

static void begin_guest_fault(void) {
    guest_begin(bench_guest_fault, GUEST_FULL);
}

static void begin_guest_fault_unified(void) {
    guest_begin(bench_guest_fault, GUEST_FULL | GUEST_UNIFIED);
}

static uint64_t run_guest(unsigned count) {
    if (count)
        check(bench_guest(count, guest_flags) == (guest_flags & GUEST_FULL ? GUEST_FAULT : GUEST_SYSCALL),
              "the guest's exit");
    return 0;
}

static void end_guest(void) {
    MUST(keel_guest_attach(0));
    MUST(keel_handle_close(guest_space));
}

static void nothing(void) {}

static const struct operation operations[] = {
    {"null_call", 2000, nothing, run_null, nothing},
    {"call_8_words", 500, begin_serve, run_calls, end_serve},
    {"call_4_handles", 200, begin_handles, run_handles, end_handles},
    {"call_4_kb", 200, begin_serve, run_bytes, end_serve},
    {"call_pairs", 2 * CALLS_PER_CLIENT, begin_pairs, run_pairs, end_pairs},
    {"send_receive", 500, nothing, run_packets, nothing},
    {"yield_switch", 500, begin_yield, run_yield, end_stop},
    {"event_wakes", 200, begin_event, run_event, end_event},
    {"interrupt_driver", 20, begin_interrupt, run_interrupted, end_stop},
    {"timer_packet", 20, begin_timer, run_interrupted, end_timer},
    {"guest_call", 500, begin_guest_call, run_guest, end_guest},
    {"guest_call_unified", 500, begin_guest_call_unified, run_guest, end_guest},
    {"guest_fault", 500, begin_guest_fault, run_guest, end_guest},
    {"guest_fault_unified", 500, begin_guest_fault_unified, run_guest, end_guest},
    {"native_fixup", 500, nothing, run_fixup, nothing},
    {"page_map", 200, begin_page, run_map, end_vmo},
    {"page_touch", 200, begin_page, run_touch, end_vmo},
    {"page_unmap", 200, begin_page, run_unmap, end_vmo},
    {"snapshot_4m", 1, begin_4m, run_snapshot, end_full},
    {"snapshot_1g", 1, begin_1g, run_snapshot, end_full},
    {"null_batch", 500, nothing, run_batch, nothing},
    {"channel_write_read", 500, nothing, run_channel, nothing},
    {"event_create_close", 500, nothing, run_create_close, nothing},
    {"page_allocate_free", 50, nothing, run_page_allocate, nothing},
};

/* ---- measuring ---- */

struct sample {
    uint64_t ticks, ns, switches, entries;
};

static struct system_info counters_now(void) {
    struct system_info now = {0};
    keel_object_info(info, keel_pointer(&now), sizeof now);
    return now;
}

/* What a batch took. count 0 measures the measuring. */
static struct sample batch_run(const struct operation *operation, unsigned count) {
    struct system_info before = counters_now();
    uint64_t ns = clock_now(), start = ticks_now();
    uint64_t own = operation->run(count);
    uint64_t end = ticks_now(), end_ns = clock_now();
    struct system_info after = counters_now();
    uint64_t mult = utcb_own()->clock.mult;
    if (own)
        end_ns = ns + (uint64_t)((unsigned __int128)own * mult >> 32);
    return (struct sample){own ? own : end - start, end_ns - ns,
                           after.page_table_switches - before.page_table_switches,
                           after.kernel_entries - before.kernel_entries};
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static struct sample sample_least(struct sample a, struct sample b) {
    return (struct sample){least(a.ticks, b.ticks), least(a.ns, b.ns), least(a.switches, b.switches),
                           least(a.entries, b.entries)};
}

static double each(uint64_t value, uint64_t base, unsigned count) {
    return value > base ? (double)(value - base) / count : 0;
}

static void operation_measure(const struct operation *operation) {
    struct sample best = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}, empty = best;
    operation->begin();
    for (unsigned i = 0; i < BATCHES; i++) {
        empty = sample_least(empty, batch_run(operation, 0));
        best = sample_least(best, batch_run(operation, operation->count));
    }
    operation->end();
    unsigned count = operation->count;
    log_line("row %s %.1f %.1f %.2f %.2f", operation->name, each(best.ticks, empty.ticks, count),
             each(best.ns, empty.ns, count), each(best.switches, empty.switches, count),
             each(best.entries, empty.entries, count));
}

/* Whether the command line's bench=NAME,NAME… asks for a row; without it, all are. */
static bool wanted(const char *name) {
    const char *line = getenv("KEEL_CMDLINE"), *list = line ? strstr(line, "bench=") : NULL;
    size_t length = strlen(name);
    if (!list)
        return true;
    for (list += strlen("bench="); *list && *list != ' '; list += strcspn(list, ", "), list += *list == ',')
        if (strncmp(list, name, length) == 0 && (!list[length] || strchr(", ", list[length])))
            return true;
    return false;
}

int main(void) {
    info = handle_find("info");
    debug = handle_find("debug");
    port = (handle_t)MUST(keel_handle_create(OBJECT_PORT, 0, 0, 0));
    second_port = (handle_t)MUST(keel_handle_create(OBJECT_PORT, 0, 0, 0));
    irq_port = (handle_t)MUST(keel_handle_create(OBJECT_PORT, 4, 0, 0));
    event = (handle_t)MUST(keel_handle_create(OBJECT_EVENT, 0, 0, 0));
    timer = (handle_t)MUST(keel_handle_create(OBJECT_TIMER, 0, 0, 0));
    MUST(keel_object_bind(timer, irq_port, 1));
    MUST(keel_thread_set(0, 0, LEVEL_MAIN));
    cpus = counters_now().cpus;
    partner_create();
    thread_start(KEEPER, partner, keeper, 0, LEVEL_MAIN);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (wanted(operations[i].name))
            operation_measure(&operations[i]);
    return 0;
}
