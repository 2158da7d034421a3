/* Futexes: expected values, deadlines, counts, no lost wake-up, killing. */
#include "tests/native/ktest.h"

static uint32_t word;
static _Atomic uint32_t turn;
static _Atomic int64_t results[THREADS];

static uint64_t address_of(const void *place) {
    return keel_pointer(place);
}

static void test_refusals(void) {
    word = 5;
    EQ(keel_futex_wait(address_of(&word), 4, DEADLINE_NEVER), -EAGAIN);
    EQ(keel_futex_wait(address_of(&word), 5, 0), -ETIMEDOUT);
    uint64_t soon = clock_now() + 2 * MS;
    EQ(keel_futex_wait(address_of(&word), 5, soon), -ETIMEDOUT);
    EQ(clock_now() >= soon, 1);
    EQ(keel_futex_wait(address_of(&word) + 2, 5, DEADLINE_NEVER), -EINVAL);
    EQ(keel_futex_wait(0x1000, 5, DEADLINE_NEVER), -EFAULT);
    EQ(keel_futex_wait(0xffff800000000000ULL, 5, DEADLINE_NEVER), -EFAULT);
    EQ(keel_futex_wake(address_of(&word), 10), 0);
    EQ(keel_futex_wake(UINT64_MAX, UINT64_MAX), 0);
}

static void sleeper(uint64_t i) {
    results[i] = keel_futex_wait(address_of(&word), 5, DEADLINE_NEVER);
    thread_end(i);
}

static void wait_blocked(handle_t thread) {
    struct thread_info info = {.state = THREAD_READY};
    while (info.state != THREAD_BLOCKED) {
        keel_thread_yield();
        EQ(keel_object_info(thread, keel_pointer(&info), sizeof(info)), sizeof(info));
    }
}

static void test_counts(void) {
    handle_t threads[THREADS];
    word = 5;
    for (unsigned i = 0; i < THREADS; i++) {
        results[i] = 1;
        threads[i] = thread_start(i, sleeper);
        wait_blocked(threads[i]);
    }
    EQ(keel_futex_wake(address_of(&word) + 4, 10), 0);
    EQ(keel_futex_wake(address_of(&word), 0), 0);
    EQ(keel_futex_wake(address_of(&word), 1), 1); /* the oldest first */
    thread_join(0, threads[0]);
    EQ(results[0], 0);
    EQ(results[1], 1);
    EQ(keel_futex_wake(address_of(&word), UINT64_MAX), THREADS - 1);
    for (unsigned i = 1; i < THREADS; i++)
        thread_join(i, threads[i]);
    EQ(keel_futex_wake(address_of(&word), 1), 0);
}

enum { ROUNDS = 2000 };

/* Each waits for its turn and hands it on; a lost wake-up stops them all. */
static void relay(uint64_t i) {
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t mine = round * THREADS + (uint32_t)i, seen;
        while ((seen = turn) != mine) {
            int64_t result = keel_futex_wait(address_of((void *)&turn), seen, DEADLINE_NEVER);
            if (result && result != -EAGAIN)
                fail(__LINE__, "futex_wait", result, 0);
        }
        turn = mine + 1;
        keel_futex_wake(address_of((void *)&turn), 64);
    }
    thread_end(i);
}

static void test_relay(void) {
    handle_t threads[THREADS];
    turn = 0;
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = thread_start(i, relay);
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(i, threads[i]);
    EQ(turn, ROUNDS * THREADS);
}

/* Short deadlines against wake-ups: every wait ends, once, with one of the three results. */
static void timed(uint64_t i) {
    for (unsigned round = 0; round < 300; round++) {
        int64_t result = keel_futex_wait(address_of((void *)&turn), turn, clock_now() + 20000 * (i + 1));
        if (result && result != -EAGAIN && result != -ETIMEDOUT)
            fail(__LINE__, "futex_wait", result, 0);
        turn++;
        keel_futex_wake(address_of((void *)&turn), 1);
    }
    thread_end(i);
}

static void test_timed(void) {
    handle_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = thread_start(i, timed);
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(i, threads[i]);
}

/* futex_wait(address in rdi, 0, DEADLINE_NEVER), then an invalid instruction. */
static const unsigned char sleeper_code[] = {
    0x31, 0xf6,                               /* xor %esi, %esi */
    0x48, 0xc7, 0xc2, 0xff, 0xff, 0xff, 0xff, /* mov $-1, %rdx */
    0xb8, 0x2f, 0x10, 0x00, 0x00,             /* mov $0x102f, %eax */
    0x0f, 0x05, 0x0f, 0x0b,
};

/* A process is killed while it waits; the word in memory shared with it is not this process's. */
static void test_killed(void) {
    int64_t port = keel_handle_create(OBJECT_PORT, 0, 0, 0), code = keel_vmo_create(4096, 0);
    struct port_packet packet;
    EQ(keel_vmo_write(code, 0, keel_pointer(sleeper_code), sizeof(sleeper_code)), sizeof(sleeper_code));
    void *shared = memory_map((handle_t)code, 0, 4096, MAP_READ | MAP_WRITE);
    for (unsigned round = 0; round < 20; round++) {
        int64_t process = keel_process_create(job, 0, 0);
        EQ(keel_space_map(process, 0x10000000, code, 0, 4096, MAP_READ | MAP_EXEC), 0);
        EQ(keel_object_bind(process, port, round), 0);
        int64_t thread = keel_thread_create(process, 0x10000000, 0, 0x10000800, 0x20000000);
        if (round % 4)
            wait_blocked((handle_t)thread);
        EQ(keel_futex_wake(0x10000800, 1), 0);
        EQ(keel_futex_wake(keel_pointer(shared) + 0x800, 1), 0);
        EQ(keel_task_kill(process, 3), 0);
        EQ(packet_receive((handle_t)port, DEADLINE_NEVER, &packet), 0);
        EQ(packet.key, round);
        EQ(packet.count, 3);
        EQ(keel_handle_close(thread), 0);
        EQ(keel_handle_close(process), 0);
    }
    memory_unmap(shared, 4096);
    EQ(keel_handle_close(code), 0);
    EQ(keel_handle_close(port), 0);
}

const struct test futex_tests[] = {
    {"futex_refusals", test_refusals}, {"futex_counts", test_counts}, {"futex_relay", test_relay},
    {"futex_timed", test_timed},       {"futex_killed", test_killed}, {NULL, NULL},
};
