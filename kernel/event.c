/* See event.h. */
#include "kernel/event.h"

#include "kernel/sched.h"

struct event *event_create(struct job *job, uint64_t initial) {
    struct event *event = object_create(OBJECT_EVENT, sizeof(*event), job);
    if (!event)
        return NULL;
    source_init(&event->object);
    event->count = initial;
    list_init(&event->waiters);
    return event;
}

void event_destroy(struct event *event) {
    binding_clear(&event->binding);
    object_free(&event->object, sizeof(*event));
}

void event_signal(struct event *event) {
    spin_lock(&event->lock);
    if (event->binding.port)
        binding_signal(&event->binding, 1);
    else if (!list_empty(&event->waiters))
        wait_end(list_entry(event->waiters.next, struct thread, wait_link), 1);
    else if (event->count < INT64_MAX)
        event->count++;
    spin_unlock(&event->lock);
}

int64_t event_wait(struct event *event, uint64_t deadline) {
    int64_t result = 0;

    spin_lock(&event->lock);
    if (event->count) {
        result = (int64_t)event->count;
        event->count = 0;
    } else if (deadline != DEADLINE_NEVER && deadline <= clock_now()) {
        result = -ETIMEDOUT;
    } else {
        result = wait_begin(&event->object, &event->waiters, deadline);
    }
    spin_unlock(&event->lock);
    return result;
}
