/* Timers: tell the port they are bound to when a deadline has come, once or periodically. */
#pragma once

#include "kernel/alarm.h"
#include "kernel/port.h"

struct timer {
    struct object object;
    struct spinlock lock; /* rank OBJECT: guards all below */
    struct binding binding;
    struct alarm alarm;
    uint64_t sequence;         /* of settings: a late expiry of an earlier one is ignored */
    uint64_t deadline, period; /* ns */
};
SOURCE_CHECK(timer);

/* The shortest period, ns: a shorter one would do nothing but interrupt. */
enum { TIMER_PERIOD_MIN = 50000 };

struct timer *timer_create(struct job *job);
void timer_destroy(struct timer *timer);
/* deadline 0 disarms. */
void timer_set(struct timer *timer, uint64_t deadline, uint64_t period);
/* From alarms_run. */
void timer_expired(struct timer *timer, uint64_t now);
