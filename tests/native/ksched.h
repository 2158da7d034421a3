/*
 * What the files of ksched share. A file tests/native/ksched_TOPIC.c has tests of one idea, which the table
 * in ksched.c names. Threads made here run without musl's thread state: they use class 1 calls only.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/trace.h"
#include "tests/native/check.h"

enum { THREADS = 96, MS = 1000000, US = 1000 };

extern unsigned cpus;         /* of the machine */
extern _Atomic bool stop;     /* what threads do until then */
extern uint64_t loops_per_ms; /* of work() */

/* ---- threads: ksched_threads.c ---- */

extern handle_t handles[THREADS];

/* Starts a thread on slot i, with i as its argument; it must end through thread_end(i). */
void thread_start(unsigned i, void (*entry)(uint64_t));
_Noreturn void thread_end(uint64_t i);
/* Waits until it has ended, and closes its handle. */
void thread_join(unsigned i);
/* Puts a thread on one CPU, at a level. */
void place(handle_t thread, uint64_t cpu, uint64_t level);

void sleep_ns(uint64_t ns);
/* Until every processor has ticks: one that has none yet runs for up to 100 ms in QEMU, while the others
 * stand. */
void settle(void);
void work(uint64_t loops);
/* Sets loops_per_ms. */
void calibrate(void);

/* Threads that compute, or yield, until stop. */
void spinner(uint64_t i);
void yielder(uint64_t i);

/* ---- the trace of a CPU: ksched_trace.c ---- */

extern struct trace_event events[TRACE_EVENTS]; /* kept by trace_end */
extern unsigned event_count;

/* Traces switches and levels; the number of the first event. */
uint64_t trace_begin(uint64_t cpu);
/* Ends the trace and keeps its events since `first`. */
void trace_end(uint64_t cpu, uint64_t first);
uint64_t event_us(unsigned n);
/* Threads of levels below the test's own that were on the CPU: how many, and the first `most` of them. */
unsigned threads_traced(uint32_t *found, unsigned most);
/* Counter of a CPU. */
uint64_t switches_of(uint64_t cpu);

/* ---- tests ---- */

void test_quanta(void);
void test_climbs(void);
void test_round_robin(void);
void test_deadlines(void);
void test_chain(void);
void test_shares(void);
void test_share_lends(void);
void test_balance(void);
void test_pack(void);
