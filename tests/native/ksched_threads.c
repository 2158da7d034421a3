/*
 * Threads that the tests start, and what they do.
 */
#include "tests/native/ksched.h"

#include "lib/native/ipc.h"

#define UTCB_AREA 0x0000600000000000ULL
enum { STACK = 4096 };

static char stacks[THREADS][STACK] __attribute__((aligned(16)));
static _Atomic uint32_t gone[THREADS];
handle_t handles[THREADS];
_Atomic bool stop;
uint64_t loops_per_ms;

void thread_start(unsigned i, void (*entry)(uint64_t)) {
    gone[i] = 0;
    int64_t thread = keel_thread_create(0, keel_pointer((void *)entry), keel_pointer(stacks[i] + STACK - 8),
                                        i, UTCB_AREA + i * 0x10000);
    CHECK(thread > 0);
    handles[i] = (handle_t)thread;
}

_Noreturn void thread_end(uint64_t i) {
    keel_thread_exit(keel_pointer(&gone[i]));
    for (;;)
        ;
}

void thread_join(unsigned i) {
    while (!gone[i])
        keel_thread_wait(clock_now() + MS);
    CHECK(keel_handle_close(handles[i]) == 0);
}

void sleep_ns(uint64_t ns) {
    keel_thread_wait(clock_now() + ns);
}

void settle(void) {
    for (unsigned i = 0; i < 4; i++)
        sleep_ns(5 * MS);
}

void place(handle_t thread, uint64_t cpu, uint64_t level) {
    CHECK(keel_thread_set(thread, 1, 1ULL << cpu) == 0);
    CHECK(keel_thread_set(thread, 0, level) == 0);
}

__attribute__((noinline)) void work(uint64_t loops) {
    while (loops--)
        __asm__ volatile("");
}

void calibrate(void) {
    uint64_t start = clock_now(), loops = 1000000;
    work(loops);
    loops_per_ms = loops * MS / (clock_now() - start);
}

void spinner(uint64_t i) {
    while (!stop)
        continue;
    thread_end(i);
}

void yielder(uint64_t i) {
    while (!stop)
        keel_thread_yield();
    thread_end(i);
}
