/*
 * All CPUs, and few: balancing, and packing on few CPUs.
 */
#include "tests/native/ksched.h"

#include <string.h>

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
void test_balance(void) {
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
void test_pack(void) {
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
