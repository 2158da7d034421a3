/*
 * An event's signal that goes straight on as the thread that waits for it (kernel/arch/x86_64/switch.S), and
 * each reason for not doing so: registers, rights, order, and that no signal is lost or counted twice,
 * whatever becomes of the threads and handles meanwhile. Idle processors are a reason too: with several, all
 * but the first are kept busy at times.
 */
#include "tests/native/ktest.h"

enum { SIGNALS = 300, FIRST = 1, EVERYWHERE = -1, LEVEL_LOW = 3, LEVEL_HIGH = 1 };

/* uint64_t signal_checked(event, count): signals so often; every register holds something, and the result is
 * how often one came back wrong or the call failed. */
uint64_t signal_checked(uint64_t event, uint64_t count);
__asm__(".text\n"
        "signal_checked:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push $0; push %rsi\n"
        "1: mov $0x1024, %eax; mov $1, %esi; mov $2, %edx; mov $3, %r8d; mov $4, %r9d; mov $5, %r10d\n"
        "mov $6, %ebx; mov $7, %ebp; mov $8, %r12d; mov $9, %r13d; mov $10, %r14d; mov $11, %r15d\n"
        "movq %rdi, %xmm7; syscall\n"
        "neg %rax; xor $1, %rsi; or %rsi, %rax; xor $2, %rdx; or %rdx, %rax; xor $3, %r8; or %r8, %rax\n"
        "xor $4, %r9; or %r9, %rax; xor $5, %r10; or %r10, %rax; xor $6, %rbx; or %rbx, %rax\n"
        "xor $7, %rbp; or %rbp, %rax; xor $8, %r12; or %r12, %rax; xor $9, %r13; or %r13, %rax\n"
        "xor $10, %r14; or %r14, %rax; xor $11, %r15; or %r15, %rax\n"
        "movq %xmm7, %rcx; xor %rdi, %rcx; or %rcx, %rax; jz 2f; incq 8(%rsp)\n"
        "2: decq (%rsp); jnz 1b\n"
        "pop %rsi; pop %rax; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static int64_t event;
static _Atomic bool stop;
static _Atomic uint64_t turns[THREADS], taken;
static handle_t threads[THREADS];

static unsigned cpus_count(void) {
    struct system_info system = {0};
    EQ(keel_object_info(handle_find("info"), keel_pointer(&system), sizeof(system)) > 0, 1);
    return system.cpus;
}

static void place(handle_t thread, int64_t cpus, uint64_t level) {
    EQ(keel_thread_set(thread, 1, (uint64_t)cpus), 0);
    EQ(keel_thread_set(thread, 0, level), 0);
}

static void begin(void) {
    event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    EQ(event > 0, 1);
    stop = false;
    taken = 0;
    for (unsigned i = 0; i < THREADS; i++)
        turns[i] = 0;
    place(0, FIRST, LEVEL_LOW);
}

static void end(void) {
    EQ(keel_handle_close((uint64_t)event), 0);
    place(0, EVERYWHERE, LEVEL_LOW);
}

/* Waits until it is kicked, when it has been placed; then for the event, until it is told to stop. */
static void waiter(uint64_t i) {
    keel_thread_wait(DEADLINE_NEVER);
    do {
        int64_t count =
            keel_event_wait((uint64_t)event, i < 2 ? DEADLINE_NEVER : clock_now() + 3600 * 1000ULL * MS);
        __asm__ volatile("pcmpeqd %%xmm7, %%xmm7" ::: "xmm7");
        taken += count > 0 ? (uint64_t)count : 1000000000;
        turns[i]++;
    } while (!stop);
    thread_end(i);
}

static void blocked_expect(handle_t thread) {
    struct thread_info info = {0};
    while (info.state != THREAD_BLOCKED) {
        keel_thread_wait(clock_now() + MS / 10);
        keel_object_info(thread, keel_pointer(&info), sizeof(info));
    }
}

static void waiter_start(unsigned i, uint64_t level) {
    threads[i] = thread_start(i, waiter);
    blocked_expect(threads[i]);
    place(threads[i], FIRST, level);
    EQ(keel_thread_kick(threads[i]), 0);
    blocked_expect(threads[i]);
}

static void waiters_end(unsigned count) {
    stop = true;
    for (unsigned i = 0; i < count; i++)
        EQ(keel_event_signal((uint64_t)event), 0);
    for (unsigned i = 0; i < count; i++)
        thread_join(i, threads[i]);
}

/* Keeps a processor from being idle. */
static void busy(uint64_t i) {
    while (!stop)
        turns[i]++;
    thread_end(i);
}

static void busy_start(unsigned from, unsigned cpus) {
    for (unsigned i = from; i < THREADS && i - from + 1 < cpus; i++) {
        threads[i] = thread_start(i, busy);
        place(threads[i], 1 << (i - from + 1), LEVEL_LOW);
        while (!turns[i])
            keel_thread_wait(clock_now() + MS / 10);
    }
}

static void busy_end(unsigned from, unsigned cpus) {
    for (unsigned i = from; i < THREADS && i - from + 1 < cpus; i++)
        thread_join(i, threads[i]);
}

/* A better thread that waits runs before the call returns. */
static void check_at_once(unsigned cpus) {
    begin();
    waiter_start(0, LEVEL_HIGH);
    busy_start(1, cpus);
    for (uint64_t i = 1; i <= SIGNALS; i++) {
        EQ(signal_checked((uint64_t)event, 1), 0);
        EQ(turns[0], i);
    }
    EQ(signal_checked((uint64_t)event, SIGNALS), 0);
    EQ(turns[0], 2 * SIGNALS);
    EQ(taken, 2 * SIGNALS);
    waiters_end(1);
    busy_end(1, cpus);
    end();
}

static void test_signal_at_once(void) {
    check_at_once(1);
    check_at_once(cpus_count());
}

/* A handle that may not, or no longer, signal it, while somebody waits. */
static void test_signal_refused(void) {
    begin();
    int64_t port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    int64_t weak = keel_handle_duplicate((uint64_t)event, RIGHT_ALL & ~RIGHT_SEND);
    int64_t stale = keel_handle_duplicate((uint64_t)event, RIGHT_ALL);
    EQ(keel_handle_close((uint64_t)stale), 0);
    int64_t revoked = keel_handle_duplicate((uint64_t)event, RIGHT_ALL);
    EQ((uint64_t)revoked & 0xfffff, (uint64_t)stale & 0xfffff);
    waiter_start(0, LEVEL_HIGH);
    busy_start(1, cpus_count());
    EQ(signal_checked((uint64_t)event, 1), 0);
    uint64_t had = turns[0];
    EQ(keel_event_signal((uint64_t)weak), -EACCES);
    EQ(keel_event_signal((uint64_t)stale), -EBADF);
    EQ(keel_event_signal((uint64_t)port), -EINVAL);
    EQ(keel_event_signal((uint64_t)event + (1ULL << 32)), -EBADF);
    EQ(keel_event_signal((uint64_t)event + (1ULL << 63)), -EBADF);
    EQ(keel_event_signal((uint64_t)event + (1 << 20)), -EBADF);
    EQ(keel_event_signal(0xfffff), -EBADF);
    EQ(keel_event_signal(0), -EBADF);
    EQ(turns[0], had);
    EQ(keel_event_signal((uint64_t)revoked), 0);
    EQ(turns[0], 2);
    EQ(keel_handle_revoke((uint64_t)event), 0);
    EQ(keel_event_signal((uint64_t)revoked), -EBADF);
    EQ(keel_event_signal((uint64_t)weak), -EBADF);
    EQ(turns[0], 2);
    EQ(keel_event_signal((uint64_t)event), 0);
    EQ(turns[0], 3);
    waiters_end(1);
    busy_end(1, cpus_count());
    EQ(keel_handle_close((uint64_t)port), 0);
    EQ(keel_handle_close((uint64_t)weak), 0);
    EQ(keel_handle_close((uint64_t)revoked), 0);
    end();
}

/* Signals to a thread of a level that is no better: it has to wait for its turn, which may come meanwhile if
 * this processor's slice ends just then. */
static void waits_its_turn(unsigned i) {
    bool waited = false;
    for (unsigned tries = 0; tries < SIGNALS && !waited; tries++) {
        blocked_expect(threads[i]);
        uint64_t had = turns[i];
        EQ(signal_checked((uint64_t)event, 1), 0);
        waited = turns[i] == had;
        while (turns[i] == had)
            keel_thread_yield();
    }
    EQ(waited, 1);
}

/* Two that wait, one of them with a time-out, and one of a level that is no better: in their order. */
static void test_signal_to_several(void) {
    begin();
    EQ(signal_checked((uint64_t)event, 3), 0);
    EQ(keel_event_wait((uint64_t)event, 0), 3);
    waiter_start(0, LEVEL_HIGH);
    waiter_start(2, LEVEL_HIGH);
    waiter_start(1, LEVEL_LOW);
    for (uint64_t i = 1; i <= SIGNALS; i++) { /* in the order in which they wait: 0, 2, 1 */
        EQ(signal_checked((uint64_t)event, 1), 0);
        EQ(turns[0], (i + 2) / 3);
        EQ(turns[2], (i + 1) / 3);
        while (turns[1] < i / 3)
            keel_thread_yield();
        blocked_expect(threads[1]);
    }
    waiters_end(3);
    EQ(taken, SIGNALS + 3);
    end();
    begin();
    waiter_start(0, LEVEL_LOW);
    waits_its_turn(0);
    EQ(keel_thread_set(0, 0, LEVEL_HIGH), 0);
    EQ(keel_thread_set(threads[0], 0, LEVEL_HIGH), 0);
    waits_its_turn(0);
    EQ(keel_thread_set(0, 0, LEVEL_LOW), 0);
    waiters_end(1);
    end();
}

/* Nobody waits, or who waits is suspended; signals from a batch; to an event whose signals a port gets. */
static void test_signal_otherwise(void) {
    begin();
    EQ(signal_checked((uint64_t)event, 3), 0);
    EQ(keel_event_wait((uint64_t)event, 0), 3);
    waiter_start(0, LEVEL_HIGH);
    EQ(signal_checked((uint64_t)event, SIGNALS), 0);
    EQ(keel_thread_suspend(threads[0], 1), 0);
    EQ(signal_checked((uint64_t)event, 2), 0);
    EQ(turns[0], SIGNALS);
    EQ(keel_thread_suspend(threads[0], 0), 0);
    EQ(turns[0], SIGNALS + 2);
    struct batch_entry entries[2] = {{.rax = KEEL_CALL_event_signal, .rdi = (uint64_t)event},
                                     {.rax = KEEL_CALL_event_signal, .rdi = (uint64_t)event}};
    uint64_t made = 0;
    while (made < 2)
        made += (uint64_t)keel_batch(keel_pointer(entries + made), 2 - made);
    EQ(entries[0].rax, 0);
    EQ(entries[1].rax, 0);
    EQ(taken, SIGNALS + 4);

    struct ipc_message message;
    int64_t port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    uint64_t had = turns[0];
    EQ(keel_object_bind((uint64_t)event, (uint64_t)port, 7), 0);
    EQ(signal_checked((uint64_t)event, 5), 0);
    EQ(turns[0], had);
    EQ(ipc_receive((handle_t)port, 0, 0, &message), 0);
    EQ(message.words[0] == 7 && message.words[1] == 5, 1);
    EQ(keel_object_bind((uint64_t)event, 0, 0), 0);
    waiters_end(1);
    EQ(taken, SIGNALS + 5);
    EQ(keel_handle_close((uint64_t)port), 0);
    end();
}

/* Another thread changes, again and again, what a signal looks at without waiting for it. */
static void changes(uint64_t i) {
    uint64_t waits = (uint64_t)threads[0];
    for (uint64_t n = 0; !stop; n++) {
        EQ(keel_thread_suspend(waits, 1), 0);
        EQ(keel_thread_suspend(waits, 0), 0);
        EQ(keel_thread_set(waits, 0, n % 3 ? LEVEL_HIGH : LEVEL_LOW + 1), 0);
        EQ(keel_thread_set(waits, 1, n % 5 ? FIRST : UINT64_MAX), 0);
        int64_t copy = keel_handle_duplicate((uint64_t)event, RIGHT_ALL);
        EQ(copy > 0, 1);
        EQ(keel_event_signal((uint64_t)copy), 0);
        EQ(keel_handle_close((uint64_t)copy), 0);
        turns[i]++;
        if (n % 8 == 0)
            keel_thread_wait(clock_now() + MS / 20);
    }
    thread_end(i);
}

static void test_signal_amid_changes(void) {
    enum { ROUNDS = 20 };
    begin();
    waiter_start(0, LEVEL_HIGH);
    for (unsigned i = 1; i < 3; i++) {
        threads[i] = thread_start(i, changes);
        EQ(keel_thread_set(threads[i], 0, 2), 0);
    }
    uint64_t sent = 0;
    while (turns[1] < ROUNDS || turns[2] < ROUNDS || sent < ROUNDS * SIGNALS) {
        EQ(signal_checked((uint64_t)event, SIGNALS), 0);
        sent += SIGNALS;
    }
    stop = true;
    for (unsigned i = 1; i < 3; i++) {
        thread_join(i, threads[i]);
        sent += turns[i];
    }
    EQ(keel_event_signal((uint64_t)event), 0);
    thread_join(0, threads[0]);
    int64_t left = keel_event_wait((uint64_t)event, 0);
    EQ(taken + (left > 0 ? (uint64_t)left : 0), sent + 1);
    end();
}

const struct test signal_tests[] = {
    {"signal_at_once", test_signal_at_once},           {"signal_refused", test_signal_refused},
    {"signal_to_several", test_signal_to_several},     {"signal_otherwise", test_signal_otherwise},
    {"signal_amid_changes", test_signal_amid_changes}, {NULL, NULL},
};
