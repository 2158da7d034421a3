/*
 * Native threads of the personality and where their memory lies. Each has a slot of THREAD_STRIDE bytes:
 *
 *     +0       guard page (never mapped)
 *     +4 KB    stack, up to +32 KB; struct native_thread at its top
 *     +32 KB   UTCB, two pages
 *
 * so that the thread finds itself from its stack pointer: fs and gs belong to the guest. All of it is
 * committed when the thread is made, because a page fault in the personality that finds no memory would end
 * the container. A thread whose task has ended waits in the pool for the next one.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"
#include "abi/utcb.h"
#include "lib/base/list.h"

struct task;

enum { THREAD_STACK = 0x8000, THREAD_STRIDE = 0x10000, THREADS_MOST = 8192 };

/* The personality's half: the image (linux.ld) and the start stack and UTCB (abi/start.h) lie below. */
#define LAYOUT_HEAP_INFO 0x400200000000ULL
#define LAYOUT_HEAP      0x400300000000ULL
#define LAYOUT_MAPS      0x402000000000ULL
#define LAYOUT_MAPS_END  0x403000000000ULL
#define LAYOUT_THREADS   0x403000000000ULL

struct native_thread {
    struct task *task; /* what task_current() returns */
    struct utcb *utcb;
    handle_t handle;
    bool kick_kept; /* a kick arrived while the thread waited for a lock: its next park returns at once */

    /* Work handed over by task_thread_start or thread_spawn; published by the store to assigned. */
    struct task *next_task;
    void (*run)(void *argument);
    void *argument;
    _Atomic bool assigned;

    uint64_t fs_base, gs_base; /* what next_task's guest starts with */
    void *vector_image;        /* likewise; 64-byte aligned; NULL until needed */
    struct list pool_link;
    uint32_t pool;  /* index: where it parks */
    uint32_t level; /* of the kernel's scheduler, as the kernel was told last, … */
    uint64_t cpus;  /* … and the CPUs it may run on */
};

static inline struct native_thread *native_thread_self(void) {
    uint64_t rsp;
    __asm__("mov %%rsp, %0" : "=r"(rsp));
    return (struct native_thread *)((rsp | (THREAD_STACK - 1)) + 1) - 1;
}

/* linux/arch/x86_64/memory.S: write a byte to each page of own memory, or copy from or to memory that may not
 * be there. 0, or the kernel's negated error. fixup is the address of utcb->fixup_rip. */
int64_t memory_probe(void *address, uint64_t pages, uint64_t *fixup);
int64_t memory_copy(void *to, const void *from, uint64_t length, uint64_t *fixup);
/* Whether memory_copy may use wide registers; set by memory_start. */
extern bool memory_wide;
void memory_start(void);
int64_t memory_fill(void *to, uint64_t length, uint64_t *fixup);
/* Copies up to size bytes, ending with a 0: the length without it, size when no 0 was found, or a negated
 * error. */
int64_t memory_string(char *to, const char *from, uint64_t size, uint64_t *fixup);
int64_t memory_load32(uint32_t *found, const uint32_t *from, uint64_t *fixup);
int64_t memory_exchange32(uint32_t *found_and_expected, uint32_t *at, uint64_t desired, uint64_t *fixup);

/* First C code, on the start stack: makes the main thread. */
_Noreturn void thread_start_first(struct utcb *utcb, uint64_t *stack);
/* Where native threads begin. */
__attribute__((visibility("hidden"))) void thread_entry(void);
_Noreturn void thread_run(struct native_thread *thread);
