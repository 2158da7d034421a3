/* sources: linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/net/*.c linux/ipc/*.c
 * linux/block/*.c linux/input/*.c linux/arch/host/*.c tests/host/*.c tests/host/guest/*.c lib/base/tree.c
 * lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/pci/accelerator.c lib/virtqueue/*.c
 * linux/device/functions.c linux/usb/*.c */
/* flags: -iquote tests/host -pthread */
/*
 * System V semaphores on the whole personality in simulation: what waits in which order, what is left
 * when tasks end, and allocations that fail. The same behaviour is shown by tests/system/prog on Linux
 * itself.
 */
#include <string.h>

#include "linux/abi/ipc.h"
#include "linux/abi/signal.h"
#include "linux/heap.h"
#include "linux/syscalls.h"
#include "tests/unit/program.h"
#include "tests/unit/random.h"

static void reap(int64_t pid, int32_t expected) {
    int32_t status = -1;
    uint64_t at = guest_alloc(sizeof status);
    CHECK_EQ(guest(wait4, (uint64_t)pid, at, 0, 0), pid);
    guest_get(&status, at, sizeof status);
    CHECK_EQ(status, expected);
}

/* ---- semaphores ---- */

enum { SEMAPHORES = 3, WORKERS = 12, OPERATIONS = 3, VALUE_MOST = 3, TURNS = 40 };

static int64_t set_id;

static int64_t operate(const struct sembuf16 *operations, unsigned count) {
    return guest(semop, (uint64_t)set_id, guest_bytes(operations, count * sizeof(*operations)), count);
}

static int64_t control(unsigned number, unsigned command, uint64_t argument) {
    return guest(semctl, (uint64_t)set_id, number, command, argument);
}

/* What a worker is about to do, and whether it has done it. */
struct work {
    struct sembuf16 operations[OPERATIONS];
    unsigned count;
    bool done, failed;
};
static struct work works[WORKERS];

static int worker_program(void *argument) {
    struct work *work = argument;
    int64_t result = operate(work->operations, work->count);
    work->done = true;
    work->failed = result != 0;
    return result == 0 ? 0 : result == -EIDRM ? 1 : 2;
}

static void work_draw(struct work *work, int16_t flags) {
    *work = (struct work){.count = 1 + random_below(OPERATIONS)};
    for (unsigned i = 0; i < work->count; i++)
        work->operations[i] =
            (struct sembuf16){(uint16_t)random_below(SEMAPHORES), (int16_t)((int)random_below(6) - 3), flags};
}

/* Whether all of it could be done with these values, which change if so; what a model of semop would do. */
static bool model_perform(const struct work *work, int *values) {
    int after[SEMAPHORES];
    memcpy(after, values, sizeof(after));
    for (unsigned i = 0; i < work->count; i++) {
        int *value = &after[work->operations[i].number], change = work->operations[i].change;
        if (change ? *value + change < 0 : *value != 0)
            return false;
        *value += change;
    }
    memcpy(values, after, sizeof(after));
    return true;
}

static void values_read(int *values) {
    for (unsigned i = 0; i < SEMAPHORES; i++)
        values[i] = (int)control(i, GETVAL, 0);
}

static unsigned waiting_count(void) {
    unsigned count = 0;
    for (unsigned i = 0; i < SEMAPHORES; i++)
        count += (unsigned)(control(i, GETNCNT, 0) + control(i, GETZCNT, 0));
    return count;
}

/* Until each worker has done its operations or waits for it. */
static void await_settled(void) {
    for (;;) {
        unsigned waiting = 0;
        guest(sched_yield, 0);
        for (unsigned i = 0; i < WORKERS; i++)
            waiting += works[i].count && !works[i].done;
        if (waiting_count() == waiting)
            return;
    }
}

/* Everybody who can go on has gone on: none of those that wait could do its operations now. A worker that
 * ends meanwhile may change values. */
static void check_settled(void) {
    int values[SEMAPHORES], before[SEMAPHORES];
    do {
        await_settled();
        values_read(before);
        await_settled();
        values_read(values);
    } while (memcmp(values, before, sizeof(values)));
    for (unsigned i = 0; i < WORKERS; i++) {
        memcpy(before, values, sizeof(values));
        CHECK(!works[i].count || works[i].done || !model_perform(&works[i], before));
    }
}

/* Workers do random operations, some with SEM_UNDO, some are killed; the main program does its own, and sets
 * values. What is possible never waits, and what was done is what the values show. */
PROGRAM(random_operations) {
    set_id = guest(semget, IPC_PRIVATE, SEMAPHORES, 0600);
    CHECK(set_id >= 0);
    for (unsigned round = 0; round < TURNS; round++) {
        int64_t pids[WORKERS];
        memset(works, 0, sizeof(works));
        for (unsigned i = 0; i < WORKERS; i++) {
            work_draw(&works[i], random_below(4) ? 0 : SEM_UNDO);
            guest_child(worker_program, &works[i]);
            CHECK((pids[i] = guest(fork, 0)) > 0);
            if (!random_below(3))
                check_settled();
        }
        for (unsigned turn = 0; turn < 6; turn++) {
            struct work own;
            int before[SEMAPHORES];
            check_settled();
            values_read(before);
            work_draw(&own, IPC_NOWAIT);
            bool possible = model_perform(&own, before);
            CHECK_EQ(operate(own.operations, own.count), possible ? 0 : -EAGAIN);
            check_settled();
            CHECK_EQ(control(random_below(SEMAPHORES), SETVAL, random_below(VALUE_MOST + 1)), 0);
        }
        check_settled();
        unsigned victim = random_below(WORKERS);
        guest(kill, (uint64_t)pids[victim], SIGKILL);
        bool last = round + 1 == TURNS;
        if (last)
            CHECK_EQ(control(0, IPC_RMID, 0), 0);
        for (unsigned i = 0; i < WORKERS; i++) {
            if (!last && i != victim)
                guest(kill, (uint64_t)pids[i], SIGKILL);
            guest(wait4, (uint64_t)pids[i], 0, 0, 0);
            CHECK(!works[i].failed || last);
        }
        if (!last)
            CHECK_EQ(waiting_count(), 0);
    }
    CHECK_EQ(control(0, GETVAL, 0), -EINVAL);
    return 0;
}

/* Each allocation of the calls fails once: the error is ENOMEM, and nothing is left. */
PROGRAM(semaphores_without_memory) {
    size_t used = 0;
    for (unsigned fail = 1; fail <= 8; fail++) {
        struct sembuf16 many[20];
        for (unsigned i = 0; i < 20; i++)
            many[i] = (struct sembuf16){0, 1, SEM_UNDO};
        host_fail_allocation(fail);
        int64_t id = guest(semget, IPC_PRIVATE, 4, 0600);
        set_id = id;
        if (id < 0) {
            CHECK_EQ(id, -ENOMEM);
        } else {
            int64_t result = operate(many, 20);
            CHECK(result == 0 || result == -ENOMEM);
            CHECK_EQ(control(0, GETVAL, 0), result ? 0 : 20);
            host_fail_allocation(0);
            CHECK_EQ(control(0, IPC_RMID, 0), 0);
        }
        host_fail_allocation(0);
        CHECK(fail < 8 || heap_used() == used);
        if (fail >= 6)
            used = heap_used();
    }
    return 0;
}

int main(void) {
    guest_boot();
    for (struct test *test = tests_first; test; test = test->next) {
        test->run();
        printf("ok %s\n", test->name);
    }
    return 0;
}
