/*
 * What the files of kbench share. A file bench/kbench_TOPIC.c offers `const struct operation
 * TOPIC_operations[]`, ended by an empty entry, and has a line in TOPICS below.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "abi/ipc.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"

struct operation {
    const char *name;
    unsigned count; /* operations per batch */
    void (*begin)(void);
    uint64_t (*run)(unsigned count); /* the ticks it took, or 0: all that passed */
    void (*end)(void);
};

#define TOPICS TOPIC(calls) TOPIC(wakes) TOPIC(guests) TOPIC(memory)

#define TOPIC(name) extern const struct operation name##_operations[];
TOPICS
#undef TOPIC

enum {
    PAGE = 4096,
    THREADS = 4, /* partners 0 and 1, a second client, and what keeps the process alive */
    SECOND_CLIENT = 2,
    KEEPER = 3,
    LEVEL_SYSTEM = 1,
    LEVEL_MAIN = 3,
    MS = 1000000,
};
#define WINDOW_AT 0x400300000000ULL /* for operations on memory */

/* The handles of the partner process, in the order in which it is given them. */
enum { HIS_PORT = 1, HIS_EVENT, HIS_CLOCK, HIS_IRQ_PORT, HIS_IRQ, HIS_SECOND_PORT, HIS_END };
/* And those of this one. */
extern handle_t port, second_port, event, irq_port, timer, debug;
extern uint64_t cpus; /* of the machine */

/* Ends the program when something is not so, or a call failed. */
void check(bool good, const char *what);
uint64_t must(int64_t result, const char *what);
#define MUST(call) must(call, #call)

/* An operation without preparation. */
void nothing(void);

static inline uint64_t ticks_now(void) {
    return __builtin_ia32_rdtsc();
}

/* ---- the partner: kbench_partner.c ---- */

/* The page that both processes see. */
struct shared {
    volatile uint64_t sent;         /* TSC before what wakes the partner */
    volatile uint64_t sum;          /* ticks from there until it ran */
    volatile uint64_t turns;        /* how often it ran */
    volatile bool stop;             /* its thread is to end */
    _Atomic uint32_t gone[THREADS]; /* it has ended */
};

#define SHARED_AT 0x400200000000ULL
static struct shared *const shared = (struct shared *)SHARED_AT;

extern handle_t partner, threads[THREADS];

/* A process with a copy of this one's memory, and the shared page; a thread keeps it alive. */
void partner_create(void);
/* Runs a function in the partner, or with process 0 in this one, on a slot of its own. */
void thread_start(unsigned slot, handle_t process, void (*entry)(uint64_t), uint64_t argument,
                  uint64_t level);
_Noreturn void thread_leave(unsigned slot);
void thread_join(unsigned slot);
/* Most operations need just one: the caller tells it when to end. */
void partner_start(void (*entry)(uint64_t), uint64_t argument, uint64_t level);
_Noreturn void partner_leave(void);
void partner_join(void);

/* ---- kbench_loops.S ---- */

enum { LABEL_LAST = 99 };
void bench_nulls(uint64_t count);
void bench_yields(uint64_t count);
void bench_yields_counted(volatile uint64_t *turns, const volatile bool *stop);
void bench_calls(uint64_t port, uint64_t label, uint64_t count);
void bench_serve(uint64_t port, uint64_t label);
void bench_packets(uint64_t port, uint64_t count);
void bench_fixups(uint64_t count);
uint64_t bench_guest(uint64_t count, uint64_t flags);
void bench_guest_call(void);
void bench_guest_fault(void);
