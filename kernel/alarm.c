/* See alarm.h. */
#include "kernel/alarm.h"

#include "kernel/sched.h"
#include "kernel/timer.h"

void alarm_set(struct alarm *alarm, uint64_t deadline, uint64_t cookie) {
    if (deadline == DEADLINE_NEVER)
        return;
    struct cpu *cpu = cpu_self();
    spin_lock(&cpu->queue.lock);
    alarm->armed = true;
    alarm->cpu = cpu->index;
    alarm->cookie = cookie;
    tree_insert(&cpu->queue.alarms, &alarm->node, deadline);
    spin_unlock(&cpu->queue.lock);
    cpu_work_add(cpu, WORK_TIMER);
}

bool alarm_cancel(struct alarm *alarm) {
    if (!alarm->armed)
        return false;
    struct run_queue *queue = &cpus[alarm->cpu]->queue;
    spin_lock(&queue->lock);
    bool was_armed = alarm->armed;
    if (was_armed)
        tree_remove(&queue->alarms, &alarm->node);
    alarm->armed = false;
    spin_unlock(&queue->lock);
    return was_armed;
}

uint64_t alarm_first(struct cpu *cpu) {
    struct tree_node *node = tree_first(&cpu->queue.alarms);
    return node ? node->key : DEADLINE_NEVER;
}

/* Takes the first alarm that is due, with a reference to its owner; NULL when none is. */
static struct alarm *alarm_take(struct cpu *cpu, uint64_t now) {
    struct alarm *alarm = NULL;
    spin_lock(&cpu->queue.lock);
    struct tree_node *node = tree_first(&cpu->queue.alarms);
    if (node && node->key <= now) {
        alarm = container_of(node, struct alarm, node);
        tree_remove(&cpu->queue.alarms, node);
        alarm->armed = false;
        if (alarm->kind == ALARM_THREAD)
            object_get(&container_of(alarm, struct thread, alarm)->object);
        else
            object_get(&container_of(alarm, struct timer, alarm)->object);
    }
    spin_unlock(&cpu->queue.lock);
    return alarm;
}

void alarms_run(struct cpu *cpu, uint64_t now) {
    struct alarm *alarm;
    while ((alarm = alarm_take(cpu, now))) {
        if (alarm->kind == ALARM_THREAD) {
            struct thread *thread = container_of(alarm, struct thread, alarm);
            wait_cancel(thread, alarm->cookie, -ETIMEDOUT);
            object_put(&thread->object);
        } else {
            struct timer *timer = container_of(alarm, struct timer, alarm);
            timer_expired(timer, now);
            object_put(&timer->object);
        }
    }
}
