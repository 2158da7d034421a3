/* See alarm.h. */
#include "kernel/alarm.h"

#include "kernel/sched.h"
#include "kernel/timer.h"

enum { ALARMS_STEP = 16 };

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
    if (deadline < cpu->alarm_next)
        cpu->alarm_next = deadline;
    cpu_work_add(cpu, WORK_TIMER);
}

bool alarm_cancel(struct alarm *alarm) {
    if (!alarm->armed)
        return false;
    struct run_queue *queue = &machine.cpus[alarm->cpu]->queue;
    spin_lock(&queue->lock);
    bool was_armed = alarm->armed;
    if (was_armed)
        tree_remove(&queue->alarms, &alarm->node);
    alarm->armed = false;
    spin_unlock(&queue->lock);
    return was_armed;
}

static struct object *alarm_owner(struct alarm *alarm) {
    return alarm->kind == ALARM_THREAD ? &container_of(alarm, struct thread, alarm)->object
                                       : &container_of(alarm, struct timer, alarm)->object;
}

/* Takes the first alarm that is due, with a reference to its owner and the cookie it was armed with; NULL
 * when none is. A timer that is being destroyed waits for the lock, or finds the alarm not armed. */
static struct alarm *alarm_take(struct cpu *cpu, uint64_t now, uint64_t *cookie) {
    struct alarm *alarm = NULL;
    struct tree_node *node;
    spin_lock(&cpu->queue.lock);
    while (!alarm && (node = tree_first(&cpu->queue.alarms)) && node->key <= now) {
        struct alarm *due = container_of(node, struct alarm, node);
        *cookie = due->cookie;
        tree_remove(&cpu->queue.alarms, node);
        if (object_get_live(alarm_owner(due)))
            alarm = due;
        due->armed = false;
    }
    cpu->alarm_next = node ? node->key : DEADLINE_NEVER;
    spin_unlock(&cpu->queue.lock);
    return alarm;
}

void alarms_run(struct cpu *cpu, uint64_t now) {
    struct alarm *alarm;
    uint64_t cookie;
    for (unsigned i = 1; (alarm = alarm_take(cpu, now, &cookie)); i++) {
        if (alarm->kind == ALARM_THREAD)
            wait_cancel(container_of(alarm, struct thread, alarm), cookie, -ETIMEDOUT);
        else
            timer_expired(container_of(alarm, struct timer, alarm), now);
        object_put(alarm_owner(alarm));
        if (i == ALARMS_STEP) { /* more than it can keep up with: as long for threads as for alarms */
            cpu->alarms_from = 2 * clock_now() - now;
            break;
        }
    }
}
