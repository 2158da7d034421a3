/*
 * Real-time tasks among threads of all levels.
 */
#include "tests/native/ksched.h"

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
void test_deadlines(void) {
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
