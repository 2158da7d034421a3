/* The scheduler, and the calls that hand the CPU from thread to thread. */
#include "tests/native/ktest.h"

static int64_t port;

/* Answers each call with its words, one more in the first and last, until the label is 99. */
static void echo_server(uint64_t i) {
    struct ipc_message message;
    uint64_t flags = 0;
    do {
        ipc_receive((handle_t)port, DEADLINE_NEVER, flags, &message);
        message.words[0]++;
        message.words[IPC_WORDS - 1]++;
        flags = IPC_REPLY;
    } while (message.label != 99);
    ipc_receive((handle_t)port, 0, flags, &message);
    thread_end(i);
}

static int64_t echo(int64_t handle, uint64_t label, uint64_t deadline) {
    struct ipc_message message = {.label = label, .words = {10, 11, 12, 13, 14, 15, 16, 17}};
    int64_t result = ipc_call((handle_t)handle, deadline, &message);
    if (result)
        return result;
    for (unsigned i = 0; i < IPC_WORDS; i++)
        EQ(message.words[i], 10 + i + (i == 0 || i == IPC_WORDS - 1));
    EQ(message.label, label);
    return 0;
}

/* A call that has often gone through still notices that its handle means something else or nothing. */
static void test_call_handle_changes(void) {
    port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    handle_t server = thread_start(0, echo_server);
    for (unsigned round = 0; round < 50; round++) {
        int64_t copy = keel_handle_duplicate(port, RIGHT_SEND), other;
        for (unsigned i = 0; i < 3; i++) {
            EQ(echo(copy, i, DEADLINE_NEVER), 0);
            EQ(echo(port, i, clock_now() + 1000 * MS), 0);
        }
        EQ(keel_handle_close(copy), 0);
        EQ(echo(copy, 1, DEADLINE_NEVER), -EBADF);
        other = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
        EQ(echo(other, 1, DEADLINE_NEVER), -EINVAL);
        EQ(keel_handle_close(other), 0);
    }
    int64_t copy = keel_handle_duplicate(port, RIGHT_SEND);
    int64_t reader = keel_handle_duplicate(port, RIGHT_RECV);
    for (unsigned i = 0; i < 3; i++)
        EQ(echo(copy, i, DEADLINE_NEVER), 0);
    EQ(keel_handle_revoke(port), 0);
    EQ(echo(copy, 1, DEADLINE_NEVER), -EBADF);
    EQ(echo(reader, 1, DEADLINE_NEVER), -EBADF);
    EQ(echo(port, 99, DEADLINE_NEVER), 0);
    thread_join(0, server);
    EQ(keel_handle_close(copy), 0);
    EQ(keel_handle_close(reader), 0);
    EQ(keel_handle_close(port), 0);
}

/* ---- priority travels with a call ---- */

enum { LOW = 6, MIDDLE = 4, RAISED = 2, HIGH = 1, UNTIL_TOLD = 98, END = 99 };

static _Atomic bool stop, busy; /* busy: the slow server, with a call until it is told */
static _Atomic uint64_t told;
static uint64_t work_steps; /* as many calls as this machine makes in a millisecond */

static void work_measure(void) {
    uint64_t end = clock_now() + MS;
    for (work_steps = 1; clock_now() < end; work_steps++)
        keel_null();
}

static void pin(unsigned level) {
    keel_thread_set(0, 1, 1);
    keel_thread_set(0, 0, level);
}

/* Works for each call, in so many steps that a thread of a better level would not let it finish, or until it
 * is told to stop. */
static void slow_server(uint64_t i) {
    struct ipc_message message;
    uint64_t flags = 0;
    pin(LOW);
    do {
        ipc_receive((handle_t)port, DEADLINE_NEVER, flags, &message);
        busy = message.label == UNTIL_TOLD;
        if (busy)
            while (told < message.words[0])
                keel_null();
        else if (message.label != END)
            for (uint64_t step = 0; step < message.label * work_steps; step++)
                keel_null();
        flags = IPC_REPLY;
    } while (message.label != END);
    ipc_receive((handle_t)port, 0, flags, &message);
    thread_end(i);
}

static void low_client(uint64_t i) {
    pin(LOW);
    while (!stop) {
        struct ipc_message message = {.label = 1};
        ipc_call((handle_t)port, DEADLINE_NEVER, &message);
    }
    thread_end(i);
}

/* Stays at its level, although it computes. */
static void middle_spinner(uint64_t i) {
    pin(MIDDLE);
    while (!stop)
        keel_thread_set(0, 0, MIDDLE);
    thread_end(i);
}

static uint64_t level_now(handle_t thread) {
    return thread_info_of(thread).level;
}

/* Calls of high priority, past a thread in the middle that wants the whole CPU: within far less than the
 * 100 ms after which the scheduler serves the lowest level out of turn. Not all of them need to be that fast,
 * for the host has its own pace. */
static void calls_come_past(void) {
    unsigned fast = 0;
    handle_t middle = thread_start(2, middle_spinner);
    for (unsigned round = 0; round < 10; round++) {
        struct ipc_message message = {.label = 2};
        keel_thread_wait(clock_now() + 3 * MS);
        uint64_t start = clock_now();
        EQ(ipc_call((handle_t)port, DEADLINE_NEVER, &message), 0);
        fast += clock_now() - start < 60 * MS;
    }
    log_line("%u of 10 calls came past a thread of a better level than the server's", fast);
    EQ(fast >= 4, 1);
    stop = true;
    keel_thread_wait(clock_now() + 5 * MS);
    thread_join(2, middle);
}

/* Ends a server that nobody else calls any more; what it was lent is over. */
static void server_end(unsigned i, handle_t server, int64_t called) {
    struct ipc_message message = {.label = END};
    EQ(level_now(server), LOW);
    EQ(ipc_call((handle_t)called, DEADLINE_NEVER, &message), 0);
    thread_join(i, server);
    EQ(keel_handle_close((uint64_t)called), 0);
}

static void levels_begin(void) {
    work_measure();
    stop = false;
    port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    told = 0;
    busy = false;
    pin(HIGH);
}

static void levels_end(void) {
    EQ(keel_thread_set(0, 0, 3), 0);
    EQ(keel_thread_set(0, 1, UINT64_MAX), 0);
}

/* Two low-priority clients keep a low-priority server busy. */
static void test_priority_travels(void) {
    levels_begin();
    handle_t server = thread_start(0, slow_server), low = thread_start(1, low_client),
             other = thread_start(3, low_client);
    keel_thread_wait(clock_now() + 20 * MS);
    calls_come_past();
    thread_join(1, low);
    thread_join(3, other);
    server_end(0, server, port);
    levels_end();
}

/* A loan ends when its caller gives up. */
static void test_loan_ends(void) {
    struct ipc_message message = {.label = 2};
    levels_begin();
    handle_t server = thread_start(0, slow_server);
    EQ(ipc_call((handle_t)port, DEADLINE_NEVER, &message), 0);
    handle_t middle = thread_start(2, middle_spinner);
    for (unsigned round = 1; round <= 5; round++) {
        message.label = UNTIL_TOLD;
        message.words[0] = round;
        EQ(ipc_call((handle_t)port, clock_now() + 200000, &message), -ETIMEDOUT);
        EQ(level_now(server), LOW);
        told = round;
    }
    stop = true;
    keel_thread_wait(clock_now() + 5 * MS);
    thread_join(2, middle);
    server_end(0, server, port);
    levels_end();
}

/* ---- and on, along a chain of servers ---- */

static int64_t front; /* the port of one that has each call's work done by the slow server */
static handle_t slow;
static _Atomic uint64_t level_seen;

static void front_server(uint64_t i) {
    struct ipc_message message;
    uint64_t flags = 0;
    pin(LOW);
    do {
        ipc_receive((handle_t)front, DEADLINE_NEVER, flags, &message);
        struct ipc_message inner = message;
        if (message.label != END)
            ipc_call((handle_t)port, DEADLINE_NEVER, &inner);
        flags = IPC_REPLY;
    } while (message.label != END);
    ipc_receive((handle_t)front, 0, flags, &message);
    thread_end(i);
}

static void low_caller(uint64_t i) {
    struct ipc_message message = {.label = UNTIL_TOLD, .words = {1}};
    pin(LOW);
    ipc_call((handle_t)front, DEADLINE_NEVER, &message);
    thread_end(i);
}

/* Waits a while for the slow server to be lifted, to a level below the watcher's, and tells it to go on. The
 * pauses are for those below: on a busy host short ones are over before they have begun, and the caller may
 * have used up its time at its level, so that it lends the next. */
static void watcher(uint64_t i) {
    pin(HIGH);
    for (unsigned tries = 0; tries < 1000 && level_seen >= LOW; tries++) {
        keel_thread_wait(clock_now() + 5 * MS);
        level_seen = level_now(slow);
    }
    told = 1;
    thread_end(i);
}

/* A caller that waits for a server that waits for another one lifts both, until it gives up. */
static void test_priority_chain(void) {
    struct ipc_message message = {.label = 1};
    levels_begin();
    pin(RAISED);
    level_seen = LOW;
    front = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    slow = thread_start(0, slow_server);
    handle_t server = thread_start(1, front_server), low = thread_start(3, low_caller);
    while (!busy)
        keel_thread_wait(clock_now() + MS / 10);
    EQ(ipc_call((handle_t)front, clock_now() + MS, &message), -ETIMEDOUT);
    EQ(level_now(server), LOW);
    EQ(level_now(slow), LOW);
    handle_t watching = thread_start(2, watcher);
    EQ(ipc_call((handle_t)front, DEADLINE_NEVER, &message), 0);
    EQ(level_seen >= RAISED && level_seen < LOW, 1);
    thread_join(2, watching);
    thread_join(3, low);
    server_end(1, server, front);
    server_end(0, slow, port);
    levels_end();
}

/* ---- real-time tasks ---- */

static _Atomic uint64_t task_turns, task_missed;

/* Each period wants half of its budget, and misses its deadline if it has not had that by the period's end.
 */
static void periodic_task(uint64_t i) {
    uint64_t period = 40 * MS, next = clock_now() + period;
    keel_thread_wait(next);
    while (!stop) {
        for (uint64_t step = 0; step < work_steps; step++)
            keel_null();
        next += period;
        task_turns++;
        task_missed += clock_now() > next;
        keel_thread_wait(next);
    }
    thread_end(i);
}

static void greedy(uint64_t i) {
    keel_thread_set(0, 0, 1);
    while (!stop)
        continue;
    thread_end(i);
}

/* The admission, to the last share; and a task among threads of the best other level. */
static void test_realtime(void) {
    uint64_t realtime = handle_find("realtime");
    struct system_info info;
    handle_t spinners[2];
    uint64_t period = 40 * MS;

    stop = false;
    task_turns = task_missed = 0;
    EQ(keel_object_info(handle_find("info"), keel_pointer(&info), sizeof(info)), sizeof(info));
    EQ(keel_thread_realtime(handle_find("info"), 0, period / 2, period), -EACCES);
    EQ(keel_thread_realtime(realtime, 0, 2 * period, period), -EINVAL);
    EQ(keel_thread_realtime(realtime, 0, 1, period), -EINVAL);
    EQ(keel_thread_realtime(realtime, 0, period, period), -EBUSY);
    handle_t task = thread_start(0, periodic_task);
    EQ(keel_thread_realtime(realtime, task, period / 2, period), 0);
    EQ(keel_thread_set(task, 0, 3), -EBUSY);
    EQ(keel_thread_realtime(realtime, 0, period / 2, period), info.cpus > 1 ? 0 : -EBUSY);
    EQ(keel_thread_realtime(realtime, 0, period * 2 / 5, period), 0);
    EQ(keel_thread_realtime(realtime, 0, 0, 0), 0);
    EQ(level_now(task), 0);
    EQ(keel_thread_set(0, 0, 1), 0);
    for (unsigned i = 0; i < 2; i++)
        spinners[i] = thread_start(1 + i, greedy);
    /* What a busy host takes away counts as used, so that a turn can take several periods there. */
    for (unsigned tries = 0; tries < 500 && task_turns < 5; tries++)
        keel_thread_wait(clock_now() + period);
    stop = true;
    for (unsigned i = 0; i < 2; i++)
        thread_join(1 + i, spinners[i]);
    int64_t ended = keel_handle_duplicate(task, RIGHT_ALL);
    thread_join(0, task);
    EQ(keel_thread_realtime(realtime, (uint64_t)ended, period / 2, period), -ESRCH);
    EQ(keel_handle_close((uint64_t)ended), 0);
    EQ(keel_thread_set(0, 0, 3), 0);
    log_line("a real-time task: %llu periods, %llu missed", (unsigned long long)task_turns,
             (unsigned long long)task_missed);
    EQ(task_turns >= 5, 1);
    EQ(keel_thread_realtime(realtime, 0, period * 9 / 10, period), 0); /* what ended holds nothing any more */
    EQ(keel_thread_realtime(realtime, 0, 0, 0), 0);
}

/* A task that wants more than its budget gets just that, and others the rest. */
static void overrun(uint64_t i) {
    while (!stop)
        task_turns++;
    thread_end(i);
}

/* Least and most of several rounds: on a machine that is not alone, the timer that ends the budget may be
 * late, and after that the task waits for longer. */
static void test_realtime_budget(void) {
    struct thread_info before = {0}, after = {0};
    uint64_t period = 10 * MS, least = 100, most = 0, realtime = handle_find("realtime");

    stop = false;
    handle_t task = thread_start(0, overrun);
    EQ(keel_thread_realtime(realtime, task, period / 4, period), 0);
    keel_thread_wait(clock_now() + 2 * period);
    for (unsigned round = 0; round < 20 && (least > 30 || most < 10); round++) {
        keel_object_info(task, keel_pointer(&before), sizeof(before));
        uint64_t start = clock_now();
        keel_thread_wait(start + 8 * period);
        keel_object_info(task, keel_pointer(&after), sizeof(after));
        uint64_t share = 100 * (after.cpu_time - before.cpu_time) / (clock_now() - start);
        least = share < least ? share : least;
        most = share > most ? share : most;
    }
    log_line("a task with 25 %% of a CPU got %llu to %llu %%", (unsigned long long)least,
             (unsigned long long)most);
    EQ(least < 90, 1);
    EQ(most >= 10, 1);
    stop = true;
    thread_join(0, task);
}

/* ---- suspended threads ---- */

static void counting(uint64_t i) {
    while (!stop)
        task_turns++;
    thread_end(i);
}

/* Whether the counter stands still, soon. */
static bool turns_stop(void) {
    for (unsigned tries = 0; tries < 1000; tries++) {
        uint64_t before = task_turns;
        keel_thread_wait(clock_now() + 2 * MS);
        if (task_turns == before)
            return true;
    }
    return false;
}

static bool turns_go_on(void) {
    uint64_t before = task_turns;
    for (unsigned tries = 0; tries < 1000 && task_turns == before; tries++)
        keel_thread_wait(clock_now() + MS);
    return task_turns != before;
}

static void echo_caller(uint64_t i) {
    for (; !stop; task_turns++)
        EQ(echo(port, 1, DEADLINE_NEVER), 0);
    thread_end(i);
}

/* A thread that runs, and a server that calls are handed to. */
static void test_suspend(void) {
    stop = false;
    handle_t thread = thread_start(0, counting);
    EQ(keel_thread_suspend(thread, 2), -EINVAL);
    for (unsigned round = 0; round < 20; round++) {
        EQ(turns_go_on(), true);
        EQ(keel_thread_suspend(thread, 1), 0);
        EQ(keel_thread_kick(thread), 0);
        EQ(turns_stop(), true);
        EQ(keel_thread_suspend(thread, 0), 0);
    }
    stop = true;
    thread_join(0, thread);

    port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    stop = false;
    handle_t server = thread_start(0, echo_server), caller = thread_start(1, echo_caller);
    for (unsigned round = 0; round < 20; round++) {
        EQ(turns_go_on(), true);
        EQ(keel_thread_suspend(server, 1), 0);
        EQ(turns_stop(), true);
        EQ(echo(port, 1, clock_now() + MS), -ETIMEDOUT);
        EQ(keel_thread_suspend(server, 0), 0);
    }
    stop = true;
    thread_join(1, caller);
    EQ(echo(port, 99, DEADLINE_NEVER), 0);
    thread_join(0, server);
    EQ(keel_handle_close((uint64_t)port), 0);
}

/* ---- threads that change their CPU ---- */

/* A thread that waits behind a better one, which does not stop, goes on at once on the CPU that it may use
 * from then on, though all but one of the idle ones are of no use to it. */
static void test_moved_while_queued(void) {
    struct system_info system = {0};
    EQ(keel_object_info(handle_find("info"), keel_pointer(&system), sizeof(system)), sizeof(system));
    stop = false;
    pin(HIGH);
    handle_t thread = thread_start(0, counting);
    for (uint64_t cpu = system.cpus - 1; cpu > 0; cpu--) {
        EQ(keel_thread_set(thread, 1, 1), 0);
        uint64_t until = clock_now() + 5000 * (uint64_t)MS;
        while (thread_info_of(thread).cpu && clock_now() < until)
            continue;
        EQ(thread_info_of(thread).cpu, 0);
        uint64_t had = task_turns;
        until = clock_now() + 5000 * (uint64_t)MS;
        EQ(keel_thread_set(thread, 1, 1ULL << cpu), 0);
        while (task_turns == had && clock_now() < until)
            continue;
        EQ(task_turns != had, 1);
        EQ(thread_info_of(thread).cpu, cpu);
    }
    stop = true;
    EQ(keel_thread_set(0, 0, 3), 0);
    thread_join(0, thread);
    EQ(keel_thread_set(0, 1, UINT64_MAX), 0);
}

/* Before a thread has used any port, handle 0 is not that port. */
static void no_port(uint64_t i) {
    struct ipc_message message = {0};
    EQ(ipc_call(HANDLE_NONE, 0, &message), -EBADF);
    EQ(ipc_receive(HANDLE_NONE, DEADLINE_NEVER, IPC_REPLY, &message), -EBADF);
    EQ(ipc_call((handle_t)-1, 0, &message), -EBADF);
    thread_end(i);
}

static void test_no_port(void) {
    thread_join(0, thread_start(0, no_port));
}

const struct test sched_tests[] = {
    {"no_port", test_no_port},
    {"call_handle_changes", test_call_handle_changes},
    {"priority_travels", test_priority_travels},
    {"priority_chain", test_priority_chain},
    {"loan_ends", test_loan_ends},
    {"realtime", test_realtime},
    {"realtime_budget", test_realtime_budget},
    {"suspend", test_suspend},
    {"moved_while_queued", test_moved_while_queued},
    {NULL, NULL},
};
