/*
 * What the files of the kernel's native tests share. A file tests/native/ktest_TOPIC.c offers
 * `const struct test TOPIC_tests[]`, ended by an empty entry, and has a line in TOPICS below; the Makefile
 * links every such file. Threads made here run without musl's thread state: they use class 1 calls only.
 */
#pragma once

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "abi/ipc.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"

/* What each test is called twice for: what it does, and that it leaves nothing behind. */
struct test {
    const char *name;
    void (*run)(void);
};

#define TOPICS                                                                                               \
    TOPIC(insight)                                                                                           \
    TOPIC(memory)                                                                                            \
    TOPIC(channel)                                                                                           \
    TOPIC(jobs)                                                                                              \
    TOPIC(futex)                                                                                             \
    TOPIC(sched)                                                                                             \
    TOPIC(batch) TOPIC(rights) TOPIC(entry) TOPIC(resource) TOPIC(handover) TOPIC(switch) TOPIC(signal)

#define TOPIC(name) extern const struct test name##_tests[];
TOPICS
#undef TOPIC

enum { STACK = 16384, THREADS = 4, MS = 1000000 };

/* The job that the tests may use. */
extern handle_t job;

void fail(int line, const char *what, int64_t got, int64_t want);

#define EQ(got, want)                                                                                        \
    do {                                                                                                     \
        int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);                                              \
        if (got_ != want_)                                                                                   \
            fail(__LINE__, #got, got_, want_);                                                               \
    } while (0)

/* Starts a thread on slot i below THREADS, with i as its argument; it must end through thread_end(i). */
handle_t thread_start(unsigned i, void (*entry)(uint64_t));
_Noreturn void thread_end(uint64_t i);
/* Waits until it has ended, and closes its handle. */
void thread_join(unsigned i, handle_t thread);
struct thread_info thread_info_of(handle_t thread);
