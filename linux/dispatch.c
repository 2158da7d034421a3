/* From a call's number to its handler: one switch made from linux/syscalls.def. */
#include <stdatomic.h>

#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"

enum { SHARDS = 16 };

/* By thread, so that CPUs seldom count in the same place. Calls of numbers outside the table are not here,
 * but the last of `missing`. */
static _Atomic uint64_t all_counts[SHARDS][POSIX_CALLS_ALL], spent_ns[POSIX_CALLS_ALL];
_Atomic bool posix_calls_timed;

static _Atomic uint64_t missing[POSIX_CALLS_ALL + 1];

const char *posix_call_name(uint64_t number) {
    switch (number) {
#define POSIX_CALL(index, name, arguments, support, note)                                                    \
    case index:                                                                                              \
        return #name;
#include "linux/syscalls.def"
#undef POSIX_CALL
    default:
        return NULL;
    }
}

uint64_t posix_call_missing(uint64_t number) {
    return missing[number < POSIX_CALLS_ALL ? number : POSIX_CALLS_ALL];
}

/* Apart, because it comes once for each number. */
static __attribute__((noinline, cold)) void missing_log(uint64_t number) {
    const char *name = posix_call_name(number);
    const struct task *task = task_current();
    log_line("%s[%d]: call %llu (%s) is not supported", task ? task->comm : "?", task ? task->tid : 0,
             (unsigned long long)number, name ? name : "unknown");
}

/* Counts a call that nobody serves; the first of its number is logged. */
static inline int64_t call_missing(uint64_t number, uint64_t counted) {
    if (!missing[counted]++)
        missing_log(number);
    return -ENOSYS;
}

#define ARGUMENTS_0
#define ARGUMENTS_1 guest->rdi
#define ARGUMENTS_2 ARGUMENTS_1, guest->rsi
#define ARGUMENTS_3 ARGUMENTS_2, guest->rdx
#define ARGUMENTS_4 ARGUMENTS_3, guest->r10
#define ARGUMENTS_5 ARGUMENTS_4, guest->r8
#define ARGUMENTS_6 ARGUMENTS_5, guest->r9

#define SERVE_full(number, name, arguments)    return sys_##name(ARGUMENTS_##arguments)
#define SERVE_partial(number, name, arguments) return sys_##name(ARGUMENTS_##arguments)
#define SERVE_none(number, name, arguments)    return call_missing(number, number)

static __attribute__((noinline)) int64_t call_serve(const struct guest_registers *guest, uint64_t number) {
    switch (number) {
#define POSIX_CALL(index, name, arguments, support, note)                                                    \
    case index:                                                                                              \
        SERVE_##support(index, name, arguments);
#include "linux/syscalls.def"
#undef POSIX_CALL
    default:
        return call_missing(number, number);
    }
}

/* ---- counting ---- */

/* Apart, so that a call that is not timed saves no registers for it. */
static __attribute__((noinline, cold)) int64_t call_timed(const struct guest_registers *guest,
                                                          uint64_t number) {
    uint64_t since = clock_monotonic();
    int64_t result = call_serve(guest, number);
    atomic_fetch_add_explicit(&spent_ns[number], clock_monotonic() - since, memory_order_relaxed);
    return result;
}

int64_t posix_call(const struct guest_registers *guest, uint64_t number, _Atomic uint64_t *counts) {
    if (number >= POSIX_CALLS_ALL)
        return call_missing(number, POSIX_CALLS_ALL);
    atomic_fetch_add_explicit(&counts[number], 1, memory_order_relaxed);
    return posix_calls_timed ? call_timed(guest, number) : call_serve(guest, number);
}

_Atomic uint64_t *posix_counts_next(void) {
    static _Atomic uint32_t next;
    return all_counts[next++ % SHARDS];
}

struct posix_count posix_call_count(uint64_t number) {
    struct posix_count sum = {0};
    if (number == POSIX_CALLS_ALL)
        sum.calls = missing[POSIX_CALLS_ALL];
    if (number >= POSIX_CALLS_ALL)
        return sum;
    for (unsigned shard = 0; shard < SHARDS; shard++)
        sum.calls += all_counts[shard][number];
    sum.ns = spent_ns[number];
    return sum;
}
