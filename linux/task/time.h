/*
 * Time: conversions, and one-shot timers that run a function at a deadline on the personality's timer thread.
 * timerfd, alarm, setitimer and POSIX timers stand on it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/tree.h"
#include "linux/abi/time.h"

struct timer_event {
    struct tree_node node;
    uint64_t deadline; /* ns since boot */
    bool armed;
    /* Runs on the timer thread with no locks held; may re-arm. */
    void (*fire)(struct timer_event *event);
};

/* Starts (or moves) the event. A deadline of the past fires at once. */
void timer_event_arm(struct timer_event *event, uint64_t deadline);
/* True: it was armed and will not fire. Does not wait for a running fire; timer_event_drain does. */
bool timer_event_cancel(struct timer_event *event);
/* Cancels, and waits until fire is not running: afterwards the memory may be freed. Not from within fire. */
void timer_event_drain(struct timer_event *event);

/* timespec → ns; negative, or nanoseconds out of range: -EINVAL; too large saturates. */
int timespec_to_ns(const struct timespec64 *time, uint64_t *ns);
struct timespec64 timespec_from_ns(uint64_t ns);
int timespec_in(uint64_t address, uint64_t *ns); /* -EFAULT, -EINVAL */
int timespec_out(uint64_t address, uint64_t ns);

struct timeval64 timeval_from_ns(uint64_t ns);
int timeval_to_ns(const struct timeval64 *time, uint64_t *ns); /* -EINVAL */

/* Monotonic deadline of a relative timeout; saturates to DEADLINE_NEVER. */
uint64_t deadline_after(uint64_t ns);
/* Monotonic deadline of an absolute time of a clock (CLOCK_REALTIME, MONOTONIC, BOOTTIME, TAI). */
uint64_t deadline_at(int32_t clock, uint64_t ns);
