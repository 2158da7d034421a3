/*
 * What tests may ask of the host platform. A test links linux/arch/host/?*.c and tests/host/?*.c (every file
 * there) with -iquote tests/host -pthread. Guest programs on the whole personality: tests/host/guest/guest.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct task;

/* Makes task the calling thread's current one (NULL: none). */
void host_task_set(struct task *task);
/* No log lines. */
extern bool host_quiet;

/*
 * Guest memory of a thread that has no guest space attached: one region, readable and writable, whose
 * addresses serve as guest addresses and as pointers of the test alike. host_guest_memory maps it, zeroed, on
 * the first call.
 */
#define HOST_GUEST_BASE 0x200000000000ULL
#define HOST_GUEST_SIZE 0x4000000ULL
void *host_guest_memory(void);
