/*
 * The scheduler's promises on the running system, in place of the personality. With --exact (QEMU's -icount,
 * where time is instructions) each is checked; otherwise it is only reported, because the host decides when
 * a timer fires. With several processors QEMU runs them in turns of one host thread there, so that each has
 * at times nothing for some milliseconds: what needs all of a processor's time is asked of one alone.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "abi/trace.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"

enum { STACK = 4096, THREADS = 96, MS = 1000000, US = 1000, BOTTOM = 6 };
#define UTCB_AREA 0x0000600000000000ULL

static char stacks[THREADS][STACK] __attribute__((aligned(16)));
static _Atomic uint32_t gone[THREADS];
static handle_t handles[THREADS];
static _Atomic bool stop;
static unsigned failures, cpus;
static bool exact;
static const char *current;
static uint64_t loops_per_ms;

static void check(int line, const char *what, bool good) {
    if (good)
        return;
    failures += exact;
    log_line("%s %s: line %d: %s", exact ? "not ok" : "differs:", current, line, what);
}
#define CHECK(condition) check(__LINE__, #condition, condition)

/* ---- threads ---- */

static void thread_start(unsigned i, void (*entry)(uint64_t)) {
    gone[i] = 0;
    int64_t thread = keel_thread_create(0, keel_pointer((void *)entry), keel_pointer(stacks[i] + STACK - 8),
                                        i, UTCB_AREA + i * 0x10000);
    CHECK(thread > 0);
    handles[i] = (handle_t)thread;
}

static _Noreturn void thread_end(uint64_t i) {
    keel_thread_exit(keel_pointer(&gone[i]));
    for (;;)
        ;
}

static void thread_join(unsigned i) {
    while (!gone[i])
        keel_thread_wait(clock_now() + MS);
    CHECK(keel_handle_close(handles[i]) == 0);
}

static void sleep_ns(uint64_t ns) {
    keel_thread_wait(clock_now() + ns);
}

/* Until every processor has ticks: one that has none yet runs for up to 100 ms in QEMU, while the others
 * stand. */
static void settle(void) {
    for (unsigned i = 0; i < 4; i++)
        sleep_ns(5 * MS);
}

static void place(handle_t thread, uint64_t cpu, uint64_t level) {
    CHECK(keel_thread_set(thread, 1, 1ULL << cpu) == 0);
    CHECK(keel_thread_set(thread, 0, level) == 0);
}

static __attribute__((noinline)) void work(uint64_t loops) {
    while (loops--)
        __asm__ volatile("");
}

static void calibrate(void) {
    uint64_t start = clock_now(), loops = 1000000;
    work(loops);
    loops_per_ms = loops * MS / (clock_now() - start);
}

static void spinner(uint64_t i) {
    while (!stop)
        continue;
    thread_end(i);
}

static void yielder(uint64_t i) {
    while (!stop)
        keel_thread_yield();
    thread_end(i);
}

/* ---- the trace of a CPU ---- */

static const struct trace_block *block;
static uint64_t ticks_per_ms;
static struct trace_event events[TRACE_EVENTS];
static unsigned event_count;

static void trace_mask(uint64_t cpu, uint64_t mask) {
    int64_t vmo = keel_trace_open(handle_find("info"), cpu, mask);
    CHECK(vmo > 0);
    if (!block)
        block = memory_map((handle_t)vmo, 0, TRACE_BLOCK_BYTES, MAP_READ);
    CHECK(keel_handle_close((uint64_t)vmo) == 0);
}

static uint64_t trace_begin(uint64_t cpu) {
    uint64_t before = __builtin_ia32_rdtsc(), since = clock_now();
    trace_mask(cpu, 1 << TRACE_SWITCH | 1 << TRACE_LEVEL);
    sleep_ns(10 * MS);
    ticks_per_ms = (__builtin_ia32_rdtsc() - before) * MS / (clock_now() - since);
    return block->next;
}

/* Ends the trace and keeps its events since `first`. */
static void trace_end(uint64_t cpu, uint64_t first) {
    trace_mask(cpu, 0);
    uint64_t next = block->next;
    CHECK(next - first < TRACE_EVENTS);
    event_count = 0;
    for (uint64_t n = next - first < TRACE_EVENTS ? first : next - TRACE_EVENTS; n < next; n++)
        events[event_count++] = block->events[n % TRACE_EVENTS];
    memory_unmap((void *)(uintptr_t)block, TRACE_BLOCK_BYTES);
    block = NULL;
}

static uint64_t event_us(unsigned n) {
    return events[n].time * US / ticks_per_ms;
}

/* ---- quanta and levels ---- */

/* What a thread that computes shows in the trace: of each time on the CPU, that it had 1 << level ms or what
 * was left of that, that it went a level down exactly when it had used all, and that it was switched away
 * from earlier only by a better one, with the rest kept. Returns the levels on which it used a whole quantum.
 */
static unsigned descents_check(uint32_t thread, uint64_t slack_us) {
    uint64_t left_us = 0;
    unsigned seen = 0;
    for (unsigned n = 0; n < event_count; n++) {
        const struct trace_event *event = &events[n];
        if (event->kind != TRACE_SWITCH || event->thread != thread)
            continue;
        uint64_t quantum_us = (uint64_t)US << event->detail, had_us = event->a / US;
        CHECK(left_us ? had_us <= left_us + slack_us && had_us + slack_us >= left_us : had_us == quantum_us);
        unsigned end = n + 1;
        bool moved = end < event_count && events[end].kind == TRACE_LEVEL && events[end].thread == thread;
        if (end == event_count)
            break;
        uint64_t ran_us = event_us(end) - event_us(n); /* rounded */
        bool whole = moved || (event->detail == BOTTOM && ran_us + 2 >= had_us);
        if (moved)
            CHECK(events[end].a == event->detail && events[end].detail == event->detail + 1U);
        if (whole)
            CHECK(ran_us + 2 >= had_us && ran_us <= had_us + slack_us);
        left_us = whole ? 0 : had_us - ran_us;
        seen |= (unsigned)whole << event->detail;
    }
    return seen;
}

/* Who was on the CPU, but for the test itself. */
static unsigned threads_traced(uint32_t *found, unsigned most) {
    unsigned count = 0;
    for (unsigned n = 0; n < event_count; n++) {
        bool is_new = events[n].kind == TRACE_SWITCH && events[n].thread && events[n].detail > 1;
        for (unsigned i = 0; i < count; i++)
            is_new &= found[i] != events[n].thread;
        if (is_new && count < most)
            found[count++] = events[n].thread;
    }
    return count;
}

/* Begins on its CPU and level with a whole quantum. */
static void descender(uint64_t i) {
    keel_thread_wait(UINT64_MAX);
    spinner(i);
}

/* Two threads that only compute share a CPU: from level 2 each uses 4, 8, 16, 32 and 64 ms, one level lower
 * each time, and then 64 ms in turns. */
static void test_quanta(void) {
    uint64_t cpu = cpus - 1;
    uint32_t found[4];
    stop = false;
    for (unsigned i = 0; i < 2; i++) {
        thread_start(i, descender);
        place(handles[i], cpu, 2);
    }
    sleep_ns(5 * MS);
    uint64_t first = trace_begin(cpu);
    for (unsigned i = 0; i < 2; i++)
        keel_thread_kick(handles[i]);
    sleep_ns(600 * MS);
    trace_end(cpu, first);
    stop = true;
    thread_join(0);
    thread_join(1);
    unsigned count = threads_traced(found, 4), both = 0;
    for (unsigned i = 0; i < count; i++)
        both += descents_check(found[i], 25) == 0x7c;
    CHECK(both == 2);
    log_line("%u of 2 threads used whole quanta of levels 2 to 6, exactly", both);
}

/* Drops to the bottom, beside another thread without which there is no end to a quantum, and waits five
 * times. */
static void climber(uint64_t i) {
    keel_thread_wait(UINT64_MAX);
    for (uint64_t end = clock_now() + 250 * MS; clock_now() < end;)
        continue;
    for (unsigned waits = 0; waits < 5; waits++)
        sleep_ns(MS);
    thread_end(i);
}

static void test_climbs(void) {
    uint64_t cpu = cpus - 1;
    unsigned level = 2, turn = 0;
    stop = false;
    thread_start(0, climber);
    thread_start(1, descender);
    place(handles[0], cpu, 2);
    place(handles[1], cpu, BOTTOM);
    sleep_ns(5 * MS);
    uint64_t first = trace_begin(cpu);
    keel_thread_kick(handles[0]);
    keel_thread_kick(handles[1]);
    sleep_ns(400 * MS);
    trace_end(cpu, first);
    stop = true;
    thread_join(0);
    thread_join(1);
    for (unsigned n = 0; n < event_count; n++) {
        const struct trace_event *event = &events[n];
        if (event->kind != TRACE_LEVEL)
            continue;
        CHECK(event->a == level && event->detail == level + (turn < 4 ? 1U : -1U));
        level = event->detail;
        turn++;
        if (turn > 4) /* with a whole quantum of the level that it climbed to */
            for (unsigned next = n; next < event_count; next++)
                if (events[next].kind == TRACE_SWITCH && events[next].thread == event->thread) {
                    CHECK(events[next].a == (uint64_t)MS << level);
                    break;
                }
    }
    CHECK(turn == 8 && level == 2);
    log_line("a thread went down to the bottom and, waiting, up again: %u moves", turn);
}

/* With sched=rr: each its 10 ms in turn, whatever its level, and no moves; the lower level only out of turn.
 */
static void test_round_robin(void) {
    uint64_t cpu = cpus - 1, ran[3] = {0};
    uint32_t found[4];
    unsigned moves = 0;
    stop = false;
    for (unsigned i = 0; i < 3; i++) {
        thread_start(i, descender);
        place(handles[i], cpu, i < 2 ? 3 : 5);
    }
    sleep_ns(5 * MS);
    uint64_t first = trace_begin(cpu);
    for (unsigned i = 0; i < 3; i++)
        keel_thread_kick(handles[i]);
    sleep_ns(500 * MS);
    trace_end(cpu, first);
    stop = true;
    for (unsigned i = 0; i < 3; i++)
        thread_join(i);
    unsigned count = threads_traced(found, 4);
    CHECK(count == 3);
    for (unsigned n = 0; n + 1 < event_count; n++) {
        moves += events[n].kind == TRACE_LEVEL;
        for (unsigned i = 0; i < count && n + 2 < event_count; i++) {
            uint64_t us = event_us(n + 1) - event_us(n);
            if (events[n].thread != found[i] || events[n].kind != TRACE_SWITCH)
                continue;
            CHECK(us + 2 >= 10 * US && us <= 10 * US + 25);
            ran[i] += us;
        }
    }
    CHECK(moves == 0);
    CHECK(ran[0] + 10 * US + 25 >= ran[1] && ran[1] + 10 * US + 25 >= ran[0]);
    CHECK(ran[2] >= 19 * US && ran[2] <= 51 * US);
    log_line("round robin: %u and %u ms on one level, %u ms below", (unsigned)(ran[0] / US),
             (unsigned)(ran[1] / US), (unsigned)(ran[2] / US));
}

/* ---- deadlines ---- */

enum { TASKS = 2, LOAD = 3, LEVELS_BUSY = 6 };

static struct {
    uint64_t budget, period, loops;
    _Atomic uint64_t turns, missed, latest;
} tasks[64 * TASKS];

static void periodic(uint64_t i) {
    keel_thread_wait(UINT64_MAX);
    for (uint64_t next = clock_now() + MS; !stop;) {
        keel_thread_wait(next);
        work(tasks[i].loops);
        uint64_t took = clock_now() - next;
        tasks[i].turns++;
        tasks[i].missed += took > tasks[i].period;
        if (took > tasks[i].latest)
            tasks[i].latest = took;
        next += tasks[i].period;
    }
    thread_end(i);
}

/* Two tasks with nine tenths of each CPU between them, and on each other level two threads that compute and
 * one that yields. One CPU: the tasks need nearly all they were promised. */
static void test_deadlines(void) {
    static const uint64_t budgets[TASKS] = {4 * MS, 20 * MS}, periods[TASKS] = {10 * MS, 40 * MS};
    unsigned count = cpus * TASKS, threads = count;
    uint64_t turns = 0, missed = 0, latest = 0, scale = cpus > 1 ? 4 : 1;

    stop = false;
    for (unsigned i = 0; i < count; i++) {
        tasks[i].budget = budgets[i % TASKS];
        tasks[i].period = periods[i % TASKS];
        tasks[i].loops = loops_per_ms * tasks[i].budget / MS * 9 / 10;
        if (cpus > 1)
            tasks[i].loops /= 4 * cpus;
        tasks[i].period *= scale;
        tasks[i].budget *= scale;
        tasks[i].turns = tasks[i].missed = tasks[i].latest = 0;
        thread_start(i, periodic);
        CHECK(keel_thread_set(handles[i], 1, 1ULL << i / TASKS) == 0);
        CHECK(keel_thread_realtime(handle_find("realtime"), handles[i], tasks[i].budget, tasks[i].period) ==
              0);
    }
    for (unsigned level = 1; level <= LEVELS_BUSY; level++)
        for (unsigned i = 0; i < cpus * LOAD; i++) {
            thread_start(threads, i % LOAD ? spinner : yielder);
            place(handles[threads++], i / LOAD, level);
        }
    settle();
    for (unsigned i = 0; i < count; i++)
        keel_thread_kick(handles[i]);
    sleep_ns(400 * MS);
    stop = true;
    for (unsigned i = 0; i < threads; i++)
        thread_join(i);
    for (unsigned i = 0; i < count; i++) {
        CHECK(tasks[i].turns > 350 * MS / tasks[i].period);
        turns += tasks[i].turns;
        missed += tasks[i].missed;
        uint64_t share = 100 * tasks[i].latest / tasks[i].period;
        latest = share > latest ? share : latest;
    }
    CHECK(missed == 0);
    log_line("%u real-time tasks among %u threads: %llu periods, %llu missed, the latest done after %llu %% "
             "of its period",
             count, threads - count, (unsigned long long)turns, (unsigned long long)missed,
             (unsigned long long)latest);
}

/* ---- CPU shares of jobs ---- */

enum { CREATURES = 16, CREATURE_BYTES = 64, PAGE = 4096 };
enum creature { SPINNER, SERVER, CLIENT, BUSY_SERVER };
#define CODE  0x10000000ULL
#define UTCBS 0x20000000ULL

extern const char creature_code[], creature_code_end[];

__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        ".globl creature_code, creature_code_end\n"
        "creature_code:\n"
        "1: jmp 1b\n"
        /* serves port 1 */
        ".balign 64\n"
        "1: mov $1, %edi; mov $-1, %rsi; mov $0x4000000000000000, %rbx; mov $0x1023, %eax; syscall; jmp 1b\n"
        /* calls port 1 */
        ".balign 64\n"
        "1: mov $1, %edi; xor %esi, %esi; xor %ebx, %ebx; mov $0x1022, %eax; syscall; jmp 1b\n"
        /* serves port 1, and has 0.3 ms of its own to do after each call */
        ".balign 64\n"
        "1: mov $1, %edi; mov $-1, %rsi; xor %ebx, %ebx; mov $0x1023, %eax; syscall\n"
        "mov $1, %edi; xor %esi, %esi; mov $0x4000000000000000, %rbx; mov $0x1023, %eax; syscall\n"
        "mov $150000, %ecx; 2: dec %ecx; jnz 2b; jmp 1b\n"
        ".balign 64\n"
        "creature_code_end:\n"
        ".popsection\n");

static handle_t creatures[CREATURES];
static unsigned creature_count;
static int64_t creature_port;

static handle_t job_make(handle_t in, uint64_t share) {
    int64_t made = keel_handle_create(OBJECT_JOB, in, 0, 0);
    CHECK(made > 0 && keel_job_limit((uint64_t)made, 0, 0, 0, share) == 0);
    return (handle_t)made;
}

/* A thread in a process of its own, in a job. */
static void creature_add(handle_t in, enum creature kind) {
    static int64_t code;
    handle_t list[1] = {HANDLE_NONE};
    if (!code) {
        code = keel_vmo_create(PAGE, 0);
        CHECK(keel_vmo_write((uint64_t)code, 0, keel_pointer(creature_code),
                             (uint64_t)(creature_code_end - creature_code)) > 0);
    }
    if (kind != SPINNER)
        list[0] = (handle_t)keel_handle_duplicate((uint64_t)creature_port, RIGHT_ALL);
    int64_t process = keel_process_create(in, keel_pointer(list), kind != SPINNER);
    CHECK(process > 0);
    CHECK(keel_space_map((uint64_t)process, CODE, (uint64_t)code, 0, PAGE, MAP_READ | MAP_EXEC) == 0);
    int64_t thread = keel_thread_create((uint64_t)process, CODE + kind * CREATURE_BYTES, 0, 0, UTCBS);
    CHECK(thread > 0);
    creatures[creature_count++] = (handle_t)thread;
    keel_handle_close((uint64_t)process);
}

static uint64_t creatures_time(void) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < creature_count; i++) {
        struct thread_info info = {0};
        CHECK(keel_object_info(creatures[i], keel_pointer(&info), sizeof(info)) == sizeof(info));
        sum += info.cpu_time;
    }
    return sum;
}

/* What the creatures get of all CPUs in so many ms, in 1/1000; then the job ends. */
static unsigned creatures_measure(handle_t job, unsigned ms) {
    sleep_ns(100 * MS);
    uint64_t before = creatures_time(), since = clock_now();
    sleep_ns((uint64_t)ms * MS);
    uint64_t ran = creatures_time() - before, passed = clock_now() - since;
    CHECK(keel_task_kill(job, 0) == 0);
    for (unsigned i = 0; i < creature_count; i++)
        keel_handle_close(creatures[i]);
    creature_count = 0;
    keel_handle_close(job);
    sleep_ns(5 * MS);
    return (unsigned)(1000 * ran / passed / cpus);
}

static void share_check(const char *what, unsigned share, unsigned want) {
    log_line("%s: %u of 1000", what, share);
    CHECK(share + 35 >= want && share <= want + 35);
}

static void competitors_start(void) {
    stop = false;
    for (unsigned i = 0; i < 2 * cpus; i++)
        thread_start(i, spinner);
}

static void competitors_end(void) {
    stop = true;
    for (unsigned i = 0; i < 2 * cpus; i++)
        thread_join(i);
}

/* A job with 25 % gets that, no less and no more: alone, beside others, in several threads, while they call
 * each other on the fast path, and in jobs within it, which are bound by it and by their own share. */
static void test_shares(void) {
    handle_t root = handle_find("job"), top = job_make(root, 256);
    CHECK(keel_job_limit(top, 0, 0, 0, 1025) == -EINVAL);
    creature_port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    for (unsigned i = 0; i < cpus; i++)
        creature_add(top, SPINNER);
    share_check("a share of 250, alone", creatures_measure(top, 800), 250);

    top = job_make(root, 256);
    for (unsigned i = 0; i < 2 * cpus; i++)
        creature_add(top, SPINNER);
    competitors_start();
    share_check("a share of 250, beside others", creatures_measure(top, 1400), 250);
    competitors_end();

    top = job_make(root, 256 / cpus);
    creature_add(top, SERVER);
    creature_add(top, CLIENT);
    share_check("calls within a share of 250", creatures_measure(top, 800) * cpus, 250);

    top = job_make(root, 256);
    handle_t within = job_make(top, 768), small = job_make(top, 102);
    for (unsigned i = 0; i < 2 * cpus; i++)
        creature_add(within, SPINNER);
    share_check("750 within 250", creatures_measure(top, 800), 250);
    CHECK(keel_handle_close(within) == 0 && keel_handle_close(small) == 0);

    top = job_make(root, 512);
    small = job_make(top, 102);
    for (unsigned i = 0; i < 2 * cpus; i++)
        creature_add(small, SPINNER);
    share_check("100 within 500", creatures_measure(top, 800), 100);
    CHECK(keel_handle_close(small) == 0);
    CHECK(keel_handle_close((uint64_t)creature_port) == 0);
}

/* Somebody else's call to a server whose job has long used its share is answered all the same. */
static void test_share_lends(void) {
    handle_t top = job_make(handle_find("job"), 26);
    uint64_t worst = 0;
    creature_port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    creature_add(top, BUSY_SERVER);
    for (unsigned i = 0; i < cpus; i++)
        creature_add(top, SPINNER);
    sleep_ns(50 * MS);
    for (unsigned i = 0; i < 40; i++) {
        struct ipc_message message = {.label = 1};
        uint64_t since = clock_now();
        CHECK(ipc_call((handle_t)creature_port, UINT64_MAX, &message) == 0);
        uint64_t took = clock_now() - since;
        worst = took > worst ? took : worst;
        sleep_ns(10 * MS);
    }
    unsigned share = creatures_measure(top, 400);
    log_line("calls to a server without time left: at most %u us; its job gets %u of 1000",
             (unsigned)(worst / US), share);
    CHECK(worst < (cpus > 1 ? 30 : 4) * MS);
    CHECK(share < 50);
    CHECK(keel_handle_close((uint64_t)creature_port) == 0);
}

/* ---- all CPUs, and few ---- */

static uint64_t switches_of(uint64_t cpu) {
    trace_mask(cpu, TRACE_KEEP);
    uint64_t count = block->counters.context_switches;
    memory_unmap((void *)(uintptr_t)block, TRACE_BLOCK_BYTES);
    block = NULL;
    return count;
}

/* How many of the first threads are on each CPU. */
static void threads_count(unsigned threads, unsigned *on) {
    memset(on, 0, 64 * sizeof(*on));
    for (unsigned i = 0; i < threads; i++) {
        struct thread_info info = {0};
        CHECK(keel_object_info(handles[i], keel_pointer(&info), sizeof(info)) == sizeof(info));
        on[info.cpu % 64]++;
    }
}

/* No CPU is idle, and one has all the others' work: that does not stay so. */
static void test_balance(void) {
    unsigned threads = 4 * cpus, on[64], least = threads, most = 0;
    stop = false;
    for (unsigned i = 0; i < threads; i++) {
        thread_start(i, spinner);
        place(handles[i], i < cpus ? i : cpus - 1, 3);
    }
    settle();
    for (unsigned i = 0; i < threads; i++)
        CHECK(keel_thread_set(handles[i], 1, UINT64_MAX) == 0);
    sleep_ns(1500 * MS);
    threads_count(threads, on);
    for (unsigned i = 0; i < cpus; i++) {
        least = on[i] < least ? on[i] : least;
        most = on[i] > most ? on[i] : most;
    }
    CHECK(most <= least + 2);
    log_line("%u busy threads that began on one CPU: %u to %u on each", threads, least, most);
    stop = true;
    for (unsigned i = 0; i < threads; i++)
        thread_join(i);
}

/* Computes a fifth of the time. */
static void light(uint64_t i) {
    while (!stop) {
        work(loops_per_ms / 2);
        sleep_ns(2 * MS);
    }
    thread_end(i);
}

/* With sched=pack: what fits on few CPUs leaves the others alone, what does not uses them. */
static void test_pack(void) {
    unsigned on[64], used = 0;
    uint64_t before[64], disturbed = 0;
    stop = false;
    for (unsigned i = 0; i < 3; i++)
        thread_start(i, light);
    sleep_ns(50 * MS);
    for (unsigned i = 0; i < cpus; i++)
        before[i] = switches_of(i);
    sleep_ns(300 * MS);
    for (unsigned i = 2; i < cpus; i++)
        disturbed += switches_of(i) - before[i];
    CHECK(disturbed == 0);
    for (unsigned i = 3; i < 3 + 4 * cpus; i++)
        thread_start(i, spinner);
    sleep_ns(300 * MS);
    threads_count(3 + 4 * cpus, on);
    for (unsigned i = 0; i < cpus; i++)
        used += on[i] > 0;
    CHECK(used == cpus);
    log_line("packed: %u switches on all but two CPUs; %u used when there is work for all",
             (unsigned)disturbed, used);
    stop = true;
    for (unsigned i = 0; i < 3 + 4 * cpus; i++)
        thread_join(i);
}

static const struct {
    const char *policy; /* the argument that asks for it; NULL: none must be there */
    const char *name;
    void (*run)(void);
} tests[] = {
    {NULL, "quanta", test_quanta},           {NULL, "climbs", test_climbs},
    {NULL, "deadlines", test_deadlines},     {NULL, "shares", test_shares},
    {NULL, "share_lends", test_share_lends}, {NULL, "balance", test_balance},
    {"rr", "round_robin", test_round_robin}, {"pack", "pack", test_pack},
};

static bool wanted(const char *policy, const char *asked) {
    return policy ? asked && !strcmp(policy, asked) : !asked;
}

int main(int argc, char **argv) {
    struct system_info info;
    const char *policy = NULL;
    for (int i = 1; i < argc; i++) {
        exact |= !strcmp(argv[i], "--exact");
        policy = argv[i][0] == '-' ? policy : argv[i];
    }
    CHECK(keel_object_info(handle_find("info"), keel_pointer(&info), sizeof(info)) == sizeof(info));
    cpus = (unsigned)info.cpus;
    place(0, 0, 1);
    calibrate();
    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        unsigned before = failures;
        if (!wanted(tests[i].policy, policy))
            continue;
        current = tests[i].name;
        tests[i].run();
        if (failures == before)
            log_line("ok %s", current);
    }
    log_line("%u failures", failures);
    return failures ? 1 : 0;
}
