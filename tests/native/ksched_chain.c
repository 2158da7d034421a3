/*
 * A real-time task that has two servers work for it, one behind the other: priority, budget and deadline
 * travel with its calls. Threads of all other levels want the CPU meanwhile, and so does a second task, whose
 * deadlines are earlier.
 */
#include "lib/native/ipc.h"
#include "tests/native/ksched.h"

enum { SPINNING_LEVELS = 6, LABEL_WORK = 1, LABEL_END = 2 };

/* Slots of threads. */
enum {
    FRONT = 0,
    BACK = 1,
    SERVERS = 2,
    OTHERS = SERVERS,
    OTHERS_MOST = 8,
    TASK = OTHERS + OTHERS_MOST,
    SECOND,
    SPINNERS
};

static const struct round {
    unsigned others;  /* callers of level 1, so many that a queue in the order of arrival takes too long */
    uint64_t work_ms; /* for each call */
} rounds[] = {{OTHERS_MOST, 3}, {0, 10}};

static struct {
    uint64_t period;
    _Atomic uint64_t turns, missed;
} tasks[2];

static handle_t ports[SERVERS];
static const struct round *now;

/* Takes calls, and lets the next server do the work, if there is one. */
static void server(uint64_t i) {
    struct ipc_message message;
    uint64_t flags = 0;
    do {
        ipc_receive(ports[i], UINT64_MAX, flags, &message);
        flags = IPC_REPLY;
        if (message.label == LABEL_WORK && i == FRONT)
            ipc_call(ports[BACK], UINT64_MAX, &message);
        else if (message.label == LABEL_WORK)
            work(now->work_ms * loops_per_ms);
    } while (message.label != LABEL_END);
    ipc_receive(ports[i], 0, flags, &message);
    thread_end(i);
}

static void work_asked(void) {
    struct ipc_message message = {.label = LABEL_WORK};
    ipc_call(ports[FRONT], UINT64_MAX, &message);
}

static void other_caller(uint64_t i) {
    while (!stop)
        work_asked();
    thread_end(i);
}

/* The first task calls, the second works itself. */
static void task(uint64_t slot) {
    uint64_t i = slot - TASK;
    keel_thread_wait(UINT64_MAX);
    for (uint64_t next = clock_now() + MS; !stop; next += tasks[i].period) {
        keel_thread_wait(next);
        if (i)
            work(loops_per_ms * 7 / 10);
        else
            work_asked();
        tasks[i].turns++;
        tasks[i].missed += clock_now() > next + tasks[i].period;
    }
    thread_end(slot);
}

static void task_start(unsigned i, uint64_t budget, uint64_t period) {
    handle_t *handle = &handles[TASK + i];
    tasks[i].period = period * cpus;
    tasks[i].turns = tasks[i].missed = 0;
    thread_start(TASK + i, task);
    CHECK(keel_thread_set(*handle, 1, 1) == 0);
    CHECK(keel_thread_realtime(handle_find("realtime"), *handle, budget * cpus, tasks[i].period) == 0);
}

static void servers_start(void) {
    for (unsigned i = FRONT; i < SERVERS; i++) {
        ports[i] = (handle_t)keel_handle_create(OBJECT_PORT, 0, 0, 0);
        thread_start(i, server);
        place(handles[i], 0, SPINNING_LEVELS);
    }
    settle(); /* they wait */
}

static void servers_end(void) {
    for (unsigned i = FRONT; i < SERVERS; i++) {
        struct ipc_message message = {.label = LABEL_END};
        CHECK(ipc_call(ports[i], UINT64_MAX, &message) == 0);
        thread_join(i);
        CHECK(keel_handle_close(ports[i]) == 0);
    }
}

/* The servers finish the call that they are at on the budget of the task that waits, and then take its call
 * first. Its deadline goes along, so that the second task meets its earlier ones. */
static void chain_run(const struct round *round) {
    unsigned spinners = SPINNERS;

    now = round;
    stop = false;
    servers_start();
    for (unsigned i = OTHERS; i < OTHERS + round->others; i++) {
        thread_start(i, other_caller);
        place(handles[i], 0, 1);
    }
    task_start(0, 12 * MS, 20 * MS);
    task_start(1, MS, 5 * MS);
    for (unsigned level = 1; level <= SPINNING_LEVELS; level++) {
        thread_start(spinners, spinner);
        place(handles[spinners++], 0, level);
    }
    settle();
    for (unsigned i = 0; i < 2; i++)
        keel_thread_kick(handles[TASK + i]);
    sleep_ns(800 * MS);
    stop = true;
    for (unsigned i = OTHERS; i < spinners; i++)
        if (i < OTHERS + round->others || i >= TASK)
            thread_join(i);
    servers_end();
    for (unsigned i = 0; i < 2; i++) {
        CHECK(tasks[i].turns > 700 * MS / tasks[i].period);
        CHECK(tasks[i].missed == 0);
    }
    log_line("a real-time task whose servers have %u other callers: %llu periods, %llu missed; one beside "
             "it: %llu, %llu missed",
             round->others, (unsigned long long)tasks[0].turns, (unsigned long long)tasks[0].missed,
             (unsigned long long)tasks[1].turns, (unsigned long long)tasks[1].missed);
}

void test_chain(void) {
    for (unsigned i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++)
        chain_run(&rounds[i]);
}
