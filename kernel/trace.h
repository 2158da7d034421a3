/*
 * The trace of a CPU (abi/trace.h): a test of one word while it is off. Each CPU writes its own block alone,
 * with interrupts off; nothing is locked.
 */
#pragma once

#include "abi/trace.h"
#include "kernel/thread.h"

static inline __attribute__((always_inline)) bool trace_wanted(enum trace_kind kind) {
    return __builtin_expect(cpu_traces(1u << kind), 0);
}

/* How events name a thread. */
static inline uint32_t trace_thread(const struct thread *thread) {
    return thread ? object_id(&thread->object) : 0;
}

/* Adds an event to this CPU's block; only when trace_wanted. */
void trace_add(enum trace_kind kind, unsigned detail, const struct thread *thread, uint64_t a, uint64_t b);

#define TRACE(kind, ...)                                                                                     \
    do {                                                                                                     \
        if (trace_wanted(kind))                                                                              \
            trace_add(kind, __VA_ARGS__);                                                                    \
    } while (0)

/* A class 1 call (detail: its index) or a page fault of user mode begins; the way out calls trace_end
 * (WORK_TRACE). Only when trace_wanted. */
void trace_begin(enum trace_kind kind, unsigned detail, uint64_t a, uint64_t b);
void trace_end(struct cpu *cpu);
