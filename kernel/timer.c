/* See timer.h. An armed timer does not hold a reference to itself: its destruction cancels the alarm. */
#include "kernel/timer.h"

#include "kernel/sched.h"

struct timer *timer_create(struct job *job) {
    struct timer *timer = object_create(OBJECT_TIMER, sizeof(*timer), job);
    if (!timer)
        return NULL;
    source_init(&timer->object);
    timer->alarm.kind = ALARM_TIMER;
    return timer;
}

void timer_destroy(struct timer *timer) {
    alarm_cancel(&timer->alarm);
    binding_clear(&timer->binding);
    object_free(&timer->object, sizeof(*timer));
}

void timer_set(struct timer *timer, uint64_t deadline, uint64_t period) {
    spin_lock(&timer->lock);
    alarm_cancel(&timer->alarm);
    timer->sequence++;
    timer->deadline = deadline;
    timer->period = period && period < TIMER_PERIOD_MIN ? TIMER_PERIOD_MIN : period;
    if (deadline)
        alarm_set(&timer->alarm, deadline, timer->sequence);
    spin_unlock(&timer->lock);
}

void timer_expired(struct timer *timer, uint64_t now) {
    spin_lock(&timer->lock);
    if (timer->alarm.cookie == timer->sequence && !timer->alarm.armed) {
        uint64_t count = 1;
        if (timer->period) {
            count += (now - timer->deadline) / timer->period;
            timer->deadline += count * timer->period;
            alarm_set(&timer->alarm, timer->deadline, timer->sequence);
        }
        binding_signal(&timer->binding, count);
    }
    spin_unlock(&timer->lock);
}
