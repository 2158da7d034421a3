/* Events: a counter that threads wait for until it is not 0, or that a port hears of. */
#pragma once

#include "kernel/port.h"

struct event {
    struct object object;
    struct spinlock lock; /* rank OBJECT: guards all below */
    struct binding binding;
    uint64_t count;
    struct list waiters;
};
SOURCE_CHECK(event);

struct event *event_create(struct job *job, uint64_t initial);
void event_destroy(struct event *event);
void event_signal(struct event *event);
/* The count, which becomes 0; or blocks the current thread, or -ETIMEDOUT. */
int64_t event_wait(struct event *event, uint64_t deadline);
