/*
 * Alarms: things that happen at a time. Each CPU keeps its own in deadline order under its run queue's lock;
 * they fire on that CPU, from the timer interrupt. Deadlines are nanoseconds since boot.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/tree.h"

enum alarm_kind { ALARM_THREAD = 1, ALARM_TIMER = 2 };

struct cpu;

struct alarm {
    struct tree_node node;
    uint8_t kind;    /* what it is part of */
    bool armed;      /* the lock of cpu's queue */
    uint32_t cpu;    /* where it was armed */
    uint64_t cookie; /* for the owner, as of arming */
};

/* Arms on the current CPU; must not be armed. DEADLINE_NEVER arms nothing. */
void alarm_set(struct alarm *alarm, uint64_t deadline, uint64_t cookie);
/* True when it was armed and now is not; false when it never was or is firing. */
bool alarm_cancel(struct alarm *alarm);
/* Fires what is due on this CPU; from the timer interrupt, no lock held. */
void alarms_run(struct cpu *cpu, uint64_t now);
