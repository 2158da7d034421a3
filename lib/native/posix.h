/*
 * The class 0 calls musl makes, served inside the process from class 1. posix_enter (start.S) builds the
 * frame on the thread's handler stack; posix_call picks the server. Results are Linux's: negated error
 * numbers. Nothing here may make a class 0 call or use thread-local storage.
 */
#pragma once

#include <stdint.h>

/* The caller's registers, in the order start.S pushes them. */
struct posix_frame {
    uint64_t number;
    uint64_t arguments[6]; /* rdi rsi rdx r10 r8 r9 */
    uint64_t rip, rsp;     /* where the caller goes on */
    uint64_t rbx, stack;   /* start.S's own */
};

int64_t posix_call(struct posix_frame *frame);

/* A lock inside this process; a thread that finds it taken waits for it in the kernel. */
struct posix_lock {
    uint32_t state;
};
void posix_lock_take(struct posix_lock *lock);
void posix_lock_release(struct posix_lock *lock);

/* memory.c: address space. */
int64_t posix_brk(uint64_t end);
int64_t posix_mmap(const uint64_t *arguments);
int64_t posix_munmap(uint64_t address, uint64_t length);
int64_t posix_mprotect(uint64_t address, uint64_t length, uint64_t protection);
/* A free, page-aligned range of addresses with nothing mapped; 0 when there is none. */
uint64_t addresses_take(uint64_t length);
void addresses_give(uint64_t address, uint64_t length);

/* thread.c: threads. */
int64_t posix_clone(const struct posix_frame *frame);
int64_t posix_gettid(void);
int64_t posix_set_tid_address(uint64_t address);
_Noreturn void posix_thread_exit(void);

/* futex.c: waiting on addresses, and struct posix_lock. */
int64_t posix_futex(const uint64_t *arguments);
/* Wakes at most count waiters; returns how many. */
int64_t posix_futex_wake(uint64_t address, uint64_t count);

/* time.c: clocks and sleeping. */
int64_t posix_clock_gettime(uint64_t clock, uint64_t result);
int64_t posix_clock_nanosleep(uint64_t clock, uint64_t flags, uint64_t request);
