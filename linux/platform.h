/*
 * What the personality needs from below: its native thread, guest memory, waiting. linux/arch/x86_64
 * implements it on Keel; linux/arch/host on a POSIX host, for unit tests and fuzzing. The class 1 calls
 * themselves are lib/keel/call.h on both sides (the host has its own copy of that header, first on the
 * include path, over host memory).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/errors.h"
#include "abi/objects.h"
#include "abi/rights.h"

struct task;

/* Guest addresses are below this (64 TB); a range check against it is all that keeps a bad guest pointer from
 * the personality's own half. */
#define GUEST_END 0x0000400000000000ULL
#define PAGE_SIZE 4096ULL

/* The Linux task that the calling native thread serves; NULL on a helper thread (console, reaper). */
struct task *task_current(void);

/* Guest memory of the attached space. 0 or -EFAULT; a range that is not wholly below GUEST_END is refused
 * before anything is touched. Pages the kernel can supply are, also of memory that it was not told of yet
 * (linux/task/lazy.c), and pages of a disk (linux/task/paged.c), which are waited for; nothing else is ever
 * dereferenced. May be called with personality locks held: of them, only the innermost ones are taken. */
int guest_copy_in(void *to, uint64_t from, size_t length);
int guest_copy_out(uint64_t to, const void *from, size_t length);
int guest_clear(uint64_t to, size_t length);
/* Copies a 0-terminated string of at most size bytes with the 0: length without it, -EFAULT, or
 * -ENAMETOOLONG. */
int64_t guest_string_in(char *to, uint64_t from, size_t size);
/* 32-bit atomics on guest memory (4-aligned, else -EINVAL): 0 or -EFAULT; the value found goes to *found. */
int guest_load32(uint64_t address, uint32_t *found);
int guest_exchange32(uint64_t address, uint32_t expected, uint32_t desired, uint32_t *found);

/* Whether the attached space shows a page at the address that can be read. Any locks may be held. */
bool guest_present(uint64_t address);

/* Nanoseconds since boot, and Unix time in ns. */
uint64_t clock_monotonic(void);
uint64_t clock_realtime(void);
/* Adds to the wall clock (settimeofday). */
void clock_realtime_set(uint64_t unix_ns);

/* Blocks the calling native thread until thread_unpark on it or the deadline (absolute ns, DEADLINE_NEVER): 0
 * or -ETIMEDOUT. Wake-ups may be spurious: callers loop on their condition. */
int thread_park(uint64_t deadline);
void thread_unpark(handle_t thread);
handle_t thread_self(void);

/* A helper thread of the personality (task_current() is NULL on it): runs run(argument); when that returns,
 * the thread goes back to the pool. 0 or -EAGAIN. *thread (may be NULL) gets its handle, borrowed. */
int thread_spawn(void (*run)(void *argument), void *argument, handle_t *thread);

/* Maps a Vmo into the personality (MAP_READ, MAP_WRITE); pages that are not there yet are committed, so that
 * using the memory cannot fail. NULL: no memory. Offset and length in bytes, whole pages. */
void *memory_map(handle_t vmo, uint64_t offset, uint64_t length, unsigned flags);
void memory_unmap(void *address, uint64_t length);

/* Random bytes fit for keys. */
void random_bytes(void *to, size_t length);

/* A line for the system log ("linux: …" is put before it). */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* An inconsistency in the personality itself: logs and ends the container. */
_Noreturn void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
