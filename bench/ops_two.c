/*
 * An operation by two processes at once, in turns both on the first CPU and on a CPU each: the time from when
 * the first of both begins until the last has ended, divided by the operations of both, in ns. The quickest
 * turns of each kind count. Both processes begin when both are there, so that how long it takes to wake them
 * is not in the figure.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ops.h"

enum { TURNS = 300, TURN_NS = 10000000 }; /* a turn on one CPU takes at least so long */

struct worker {
    pid_t process;
    int orders, reports; /* pipes */
};

/* What a worker is told: to move to a CPU (no batches), to work there, or that it is over (no CPU). It
 * reports when it has. */
struct order {
    int cpu;
    unsigned batches;
};

/* Shared by the workers. */
static struct meeting {
    _Atomic unsigned arrived;
    struct {
        uint64_t began, ended;
    } workers[2];
} * meeting;

static void cpu_move(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    check(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

static void batches_run(const struct operation *operation, unsigned batches, int index) {
    meeting->arrived++;
    while (meeting->arrived < 2)
        sched_yield();
    meeting->workers[index].began = now_ns();
    for (; batches; batches--) {
        operation->begin();
        operation->run(operation->count);
        operation->end();
    }
    meeting->workers[index].ended = now_ns();
}

static _Noreturn void worker_run(const struct operation *operation, int index, int orders, int reports) {
    struct order order;
    char done = 0;
    while (read(orders, &order, sizeof order) == sizeof order && order.cpu >= 0) {
        if (order.batches)
            batches_run(operation, order.batches, index);
        else
            cpu_move(order.cpu);
        check(write(reports, &done, 1) == 1, "write");
    }
    _exit(0);
}

static struct worker worker_start(const struct operation *operation, int index) {
    int orders[2], reports[2];
    check(pipe(orders) == 0 && pipe(reports) == 0, "pipe");
    struct worker worker = {fork(), orders[1], reports[0]};
    if (worker.process == 0)
        worker_run(operation, index, orders[0], reports[1]);
    close(orders[0]);
    close(reports[1]);
    return worker;
}

static void worker_order(const struct worker *worker, int cpu, unsigned batches) {
    struct order order = {cpu, batches};
    check(write(worker->orders, &order, sizeof order) == sizeof order, "write");
}

/* Both at once; returns when both have reported. */
static void workers_order(const struct worker *workers, int cpus, unsigned batches) {
    char done;
    for (int i = 0; i < 2; i++)
        worker_order(&workers[i], i % cpus, batches);
    for (int i = 0; i < 2; i++)
        check(read(workers[i].reports, &done, 1) == 1, "read");
}

/* A worker that had yet to move would wait for the other one on the CPU that it comes from. */
static uint64_t turn_ns(const struct worker *workers, int cpus, unsigned batches) {
    workers_order(workers, cpus, 0);
    meeting->arrived = 0;
    workers_order(workers, cpus, batches);
    uint64_t began = least(meeting->workers[0].began, meeting->workers[1].began);
    uint64_t ended = meeting->workers[0].ended;
    return (ended > meeting->workers[1].ended ? ended : meeting->workers[1].ended) - began;
}

void operation_measure_two(const struct operation *operation) {
    meeting = mmap(NULL, sizeof *meeting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(meeting != MAP_FAILED, "mmap");
    struct worker workers[2] = {worker_start(operation, 0), worker_start(operation, 1)};
    uint64_t one = UINT64_MAX, two = UINT64_MAX;
    unsigned batches = 1;
    while (turn_ns(workers, 1, batches) < TURN_NS)
        batches *= 2;
    for (int i = 0; i < TURNS; i++) {
        one = least(one, turn_ns(workers, 1, batches));
        two = least(two, turn_ns(workers, 2, batches));
    }
    for (int i = 0; i < 2; i++) {
        worker_order(&workers[i], -1, 0);
        child_reap(workers[i].process);
        close(workers[i].orders);
        close(workers[i].reports);
    }
    munmap(meeting, sizeof *meeting);
    double count = 2.0 * batches * operation->count;
    printf("%s %.1f %.1f\n", operation->name, (double)one / count, (double)two / count);
}
