/*
 * Linux system calls by number and the prototypes of their handlers, generated from linux/syscalls.def. A
 * handler gets the call's argument words as they are, narrows them itself, and returns the result or a
 * negative errno (-ERESTART…, linux/task/signal.h, when a signal interrupted it). It runs as the current task
 * with that task's space attached.
 */
#pragma once

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/errors.h"
#include "abi/utcb.h"

enum { POSIX_CALLS = 335, POSIX_CALLS_ALL = 450 }; /* the class 0 table; with Linux's later numbers */

enum posix_call_number {
#define POSIX_CALL(number, name, arguments, support, note) NR_##name = number,
#include "linux/syscalls.def"
#undef POSIX_CALL
};

#define POSIX_PARAMETERS_0 void
#define POSIX_PARAMETERS_1 uint64_t
#define POSIX_PARAMETERS_2 POSIX_PARAMETERS_1, uint64_t
#define POSIX_PARAMETERS_3 POSIX_PARAMETERS_2, uint64_t
#define POSIX_PARAMETERS_4 POSIX_PARAMETERS_3, uint64_t
#define POSIX_PARAMETERS_5 POSIX_PARAMETERS_4, uint64_t
#define POSIX_PARAMETERS_6 POSIX_PARAMETERS_5, uint64_t

#define POSIX_CALL(number, name, arguments, support, note) int64_t sys_##name(POSIX_PARAMETERS_##arguments);
#include "linux/syscalls.def"
#undef POSIX_CALL

/* Makes the call of this number that the registers of the calling task hold the arguments of: what the
 * handler returned; -ENOSYS for numbers outside the table and calls without support, which are counted and
 * logged once each. counts is the task's place for counting (task->call_counts). */
int64_t posix_call(const struct guest_registers *guest, uint64_t number, _Atomic uint64_t *counts);
/* Where a new task counts its calls (task->call_counts): in turn one of a few places. */
_Atomic uint64_t *posix_counts_next(void);

/* How often a call was served, and while posix_calls_timed is set how long it took, waiting included. Calls
 * with a ready answer (abi/utcb.h) never get here. */
struct posix_count {
    uint64_t calls, ns;
};
struct posix_count posix_call_count(uint64_t number);
extern _Atomic bool posix_calls_timed;

/* "openat"; NULL for numbers outside the table. */
const char *posix_call_name(uint64_t number);
/* How often a call without support was made, for /proc/keel; numbers from POSIX_CALLS_ALL up count
 * together there. */
uint64_t posix_call_missing(uint64_t number);
