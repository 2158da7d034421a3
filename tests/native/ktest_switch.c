/*
 * Switches that take the short way (kernel/arch/x86_64/switch.S), and each reason for not taking it: whatever
 * way a switch takes, registers, order, counters and what others do to the threads meanwhile are the same.
 * All threads here are on one processor, at a level where a used slice moves nobody.
 */
#include "abi/trace.h"
#include "tests/native/ktest.h"

enum { LEVEL = 1, CPU = 0, CALL_YIELD = 0x1020, YIELDS = 2000 };

/* uint64_t switch_yields(seed, count, how): yields so often, or with how 0 only spins so often; every
 * register holds a value made from the seed, and the result is how many came back wrong. */
uint64_t switch_yields(uint64_t seed, uint64_t count, uint64_t how);
__asm__(
    ".text\n"
    "switch_yields:\n"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "sub $32, %rsp; mov %rsi, (%rsp); mov %rdx, 8(%rsp); movq $0, 16(%rsp)\n"
    "lea 1(%rdi), %rsi; lea 2(%rdi), %rdx; lea 3(%rdi), %rcx; lea 4(%rdi), %r8; lea 5(%rdi), %r9\n"
    "lea 6(%rdi), %r10; lea 7(%rdi), %r11; lea 8(%rdi), %rbx; lea 9(%rdi), %rbp; lea 10(%rdi), %r12\n"
    "lea 11(%rdi), %r13; lea 12(%rdi), %r14; lea 13(%rdi), %r15; movq %rdi, %xmm7; movq %rsi, %xmm15\n"
    "1: cmpq $0, 8(%rsp); je 2f\n"
    "mov $0x1020, %eax; syscall\n"
    "test %rax, %rax; jnz 3f; lea 3(%rdi), %rcx; lea 7(%rdi), %r11\n"
    ".macro wrong register, by\n"
    "lea \\by(%rdi), %rax; cmp %rax, \\register; jne 3f\n"
    ".endm\n"
    "2: wrong %rsi, 1; wrong %rdx, 2; wrong %rcx, 3; wrong %r8, 4; wrong %r9, 5; wrong %r10, 6\n"
    "wrong %r11, 7; wrong %rbx, 8; wrong %rbp, 9; wrong %r12, 10; wrong %r13, 11; wrong %r14, 12\n"
    "wrong %r15, 13; movq %xmm7, %rax; cmp %rax, %rdi; jne 3f; movq %xmm15, %rax; cmp %rax, %rsi; jne 3f\n"
    "jmp 4f\n"
    "3: incq 16(%rsp)\n"
    "4: decq (%rsp); jnz 1b\n"
    "mov 16(%rsp), %rax; add $32, %rsp\n"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static _Atomic uint64_t wrong, turns[THREADS], out_of_turn, last;
static _Atomic bool stop;
static int64_t event;

static void pin(handle_t thread, uint64_t level) {
    EQ(keel_thread_set(thread, 1, 1 << CPU), 0);
    EQ(keel_thread_set(thread, 0, level), 0);
}

static handle_t threads[THREADS];

/* A thread that begins, with thread_begin, on the right processor, when all others do: at go(). */
static void start(unsigned i, void (*entry)(uint64_t), uint64_t level) {
    struct thread_info info = {0};
    threads[i] = thread_start(i, entry);
    while (info.state != THREAD_BLOCKED) {
        keel_thread_wait(clock_now() + MS / 10);
        keel_object_info(threads[i], keel_pointer(&info), sizeof(info));
    }
    pin(threads[i], level);
}

static void thread_begin(void) {
    keel_thread_wait(DEADLINE_NEVER);
}

static void go(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        EQ(keel_thread_kick(threads[i]), 0);
}

static void join(unsigned count) {
    stop = true;
    for (unsigned i = 0; i < count; i++)
        thread_join(i, threads[i]);
}

static void begin(void) {
    pin(0, LEVEL);
    stop = false;
    wrong = out_of_turn = 0;
    last = THREADS;
    for (unsigned i = 0; i < THREADS; i++)
        turns[i] = 0;
}

static void end(void) {
    keel_thread_set(0, 0, 3);
    keel_thread_set(0, 1, UINT64_MAX);
}

/* ---- registers, whoever comes after whom ---- */

static void registers_kept(uint64_t i) {
    thread_begin();
    wrong += switch_yields(i << 32 | 0x12345, i == 2 ? 40 * YIELDS : YIELDS, i != 2);
    thread_end(i);
}

static const struct trace_block *counters_map(uint64_t mask) {
    int64_t vmo = keel_trace_open(handle_find("info"), CPU, mask);
    EQ(vmo > 0, 1);
    const struct trace_block *block = memory_map((handle_t)vmo, 0, TRACE_BLOCK_BYTES, MAP_READ);
    EQ(keel_handle_close((uint64_t)vmo), 0);
    return block;
}

/* Two threads that yield and one that is interrupted; on the short way, and on the other while it is traced.
 */
static void registers_check(uint64_t mask) {
    begin();
    const struct trace_block *block = counters_map(mask);
    uint64_t calls = block->counters.calls[CALL_YIELD & 0xfff], switches = block->counters.context_switches;
    for (unsigned i = 0; i < 3; i++)
        start(i, registers_kept, LEVEL);
    go(3);
    join(3);
    memory_unmap((void *)(uintptr_t)block, TRACE_BLOCK_BYTES);
    block = counters_map(0);
    EQ(wrong, 0);
    EQ(block->counters.calls[CALL_YIELD & 0xfff] - calls, 2 * YIELDS);
    EQ(block->counters.context_switches - switches >= 2 * YIELDS, 1);
    unsigned traced = 0;
    for (unsigned n = 0; n < TRACE_EVENTS; n++)
        traced += block->events[n].kind == TRACE_CALL && block->events[n].detail == (CALL_YIELD & 0xfff);
    if (mask)
        EQ(traced > 10, 1);
    memory_unmap((void *)(uintptr_t)block, TRACE_BLOCK_BYTES);
    end();
}

static void test_yield_registers(void) {
    registers_check(0);
    registers_check(1 << TRACE_CALL | 1 << TRACE_SWITCH);
}

/* ---- order ---- */

/* Counts its turns, and those that came before another thread had its own. */
static void takes_turns(uint64_t i) {
    thread_begin();
    while (!stop) {
        out_of_turn += last == i;
        last = i;
        turns[i]++;
        keel_thread_yield();
    }
    thread_end(i);
}

/* Three threads of a level have their turns one after the other; a worse one none, and a better one at once.
 */
static void worse(uint64_t i) {
    thread_begin();
    turns[i]++;
    thread_end(i);
}

static void test_yield_order(void) {
    begin();
    EQ(keel_thread_yield(), 0); /* there is nobody else */
    for (unsigned i = 0; i < 3; i++)
        start(i, takes_turns, LEVEL);
    start(3, worse, 5);
    go(4);
    while (turns[0] < YIELDS)
        keel_thread_yield();
    /* Who is interrupted at the end of a slice misses a turn, and before all have begun there are few. */
    EQ(out_of_turn < YIELDS / 100, 1);
    for (unsigned i = 1; i < 3; i++)
        EQ(turns[i] > YIELDS - YIELDS / 10 && turns[i] < YIELDS + YIELDS / 10, 1);
    EQ(turns[3], 0);
    join(4);
    EQ(turns[3], 1);
    end();
}

/* ---- what happens to a thread that waits for its turn ---- */

/* Comes back from its wait in the queue, behind threads that yield: the event that it waited for is let go
 * of. */
static volatile bool about_to_wait;

static void waits(uint64_t i) {
    thread_begin();
    about_to_wait = true;
    EQ(keel_event_wait((uint64_t)event, DEADLINE_NEVER), 1);
    turns[i]++;
    thread_end(i);
}

static uint64_t objects(handle_t where) {
    struct job_info info = {0};
    EQ(keel_object_info(where, keel_pointer(&info), sizeof(info)) > 0, 1);
    return info.objects;
}

static void test_yield_to_woken(void) {
    uint64_t before = objects(job);
    for (unsigned round = 0; round < 20; round++) {
        begin();
        event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
        about_to_wait = false;
        start(0, waits, LEVEL);
        start(1, takes_turns, LEVEL);
        go(2);
        while (!about_to_wait)
            keel_thread_yield();
        for (unsigned n = 0; n < 3; n++) /* it waits when it has had another turn */
            keel_thread_yield();
        EQ(keel_event_signal((uint64_t)event), 0);
        EQ(keel_handle_close((uint64_t)event), 0);
        while (!turns[0])
            keel_thread_yield();
        join(2);
        end();
    }
    EQ(objects(job) <= before + 1, 1); /* a closed event may stay for the next one */
}

/* Calls a thread back that may be on any CPU, or on its way to one, and waits until it has its turns here. */
static void call_back(unsigned i) {
    do {
        EQ(keel_thread_set(threads[i], 1, 1 << CPU), 0);
        for (uint64_t had = turns[i]; turns[i] < had + 2;)
            keel_thread_yield();
    } while (thread_info_of(threads[i]).cpu != CPU);
}

/* Suspended, moved to another processor's and back, lifted and lowered while it is in the queue. */
static void test_yield_to_changed(void) {
    begin();
    for (unsigned i = 0; i < 2; i++)
        start(i, takes_turns, LEVEL);
    go(2);
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned n = 0; n < 3 + round % 5; n++)
            keel_thread_yield();
        EQ(keel_thread_suspend(threads[0], 1), 0);
        keel_thread_yield();
        uint64_t had = turns[0], others = turns[1];
        for (unsigned n = 0; n < 10; n++)
            keel_thread_yield();
        EQ(turns[0], had);
        EQ(turns[1] >= others + 5, 1);
        EQ(keel_thread_suspend(threads[0], 0), 0);
        EQ(keel_thread_set(threads[1], 0, 3), 0);
        others = turns[1];
        for (unsigned n = 0; n < 10; n++)
            keel_thread_yield();
        EQ(turns[0] >= had + 5, 1);
        EQ(turns[1], others);
        EQ(keel_thread_set(threads[1], 0, LEVEL), 0);
        EQ(keel_thread_set(threads[1], 1, UINT64_MAX), 0);
        keel_thread_yield();
        call_back(1);
    }
    join(2);
    end();
}

/* ---- a level that is given during a reply ---- */

static int64_t port;

static void answers(uint64_t i) {
    struct ipc_message message;
    uint64_t flags = 0;
    thread_begin();
    do {
        ipc_receive((handle_t)port, DEADLINE_NEVER, flags, &message);
        flags = IPC_REPLY;
    } while (!message.words[0]);
    ipc_receive((handle_t)port, 0, flags, &message);
    thread_end(i);
}

static void calls(uint64_t i) {
    bool last_one;
    thread_begin();
    do {
        struct ipc_message message = {.words = {last_one = stop}};
        EQ(ipc_call((handle_t)port, DEADLINE_NEVER, &message), 0);
        turns[i]++;
    } while (!last_one);
    thread_end(i);
}

/* A server that replies stores its level without a lock (ipc.S). One that another processor gives it at that
 * moment may be overwritten, but not for longer than until the next call: after a few more calls it is there.
 */
static void test_level_given_in_reply(void) {
    struct system_info system = {0};
    EQ(keel_object_info(handle_find("info"), keel_pointer(&system), sizeof(system)) > 0, 1);
    begin();
    port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    start(0, calls, 6);
    start(1, answers, 2);
    for (unsigned i = 0; i < 2; i++)
        EQ(keel_thread_set(threads[i], 1, system.cpus > 1 ? 2 : 1), 0);
    go(2);
    for (unsigned round = 0; round < YIELDS; round++) {
        struct thread_info info = {0};
        EQ(keel_thread_set(threads[1], 0, 1 + round % 2), 0);
        for (uint64_t had = turns[0]; turns[0] < had + 3;)
            if (system.cpus == 1)
                keel_thread_wait(clock_now() + MS / 10);
        keel_object_info(threads[1], keel_pointer(&info), sizeof(info));
        EQ(round % 2 ? info.level >= 2 : info.level == 1, 1);
    }
    join(2);
    EQ(keel_handle_close((uint64_t)port), 0);
    end();
}

const struct test switch_tests[] = {
    {"yield_registers", test_yield_registers},
    {"yield_order", test_yield_order},
    {"yield_to_woken", test_yield_to_woken},
    {"yield_to_changed", test_yield_to_changed},
    {"level_given_in_reply", test_level_given_in_reply},
    {NULL, NULL},
};
