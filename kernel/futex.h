/*
 * Futexes: threads of one process wait for a word of its memory to change. A waiter is known by its process's
 * space and the word's address, and sits in a bucket picked by a hash of both; a word in a shared Vmo is
 * another one in each process that maps it.
 */
#pragma once

#include "kernel/lock.h"

struct thread;

void futex_init(void);
/* The lock of the bucket that a thread blocked in futex_wait sits in. */
struct spinlock *futex_lock(const struct thread *thread);

/* The calls (abi/syscalls.def): of the current thread and its process. */
int64_t futex_wait(uint64_t address, uint64_t expected, uint64_t deadline);
int64_t futex_wake(uint64_t address, uint64_t count);
