/*
 * Blocking and waking. A waiting thread is in its object's list, under the object's lock; its own lock guards
 * the state. The order is object, thread, run queue. Time-outs and kills come from the thread's side and
 * therefore first find out what it waits for, then take the locks in order and look again: wait_sequence
 * tells whether it is still the same wait.
 */
#include "kernel/arch_cpu.h"
#include "kernel/channel.h"
#include "kernel/futex.h"
#include "kernel/object_use.h"
#include "kernel/port.h"
#include "kernel/sched.h"

/* The lock that guards the list of waiters that a thread blocked on an object is in. */
static struct spinlock *wait_lock(struct object *object, const struct thread *thread) {
    if (object->type == OBJECT_SPACE)
        return futex_lock(thread);
    if (object->type == OBJECT_CHANNEL)
        return channel_lock(container_of(object, struct channel, object));
    return &container_of(object, struct source, object)->lock; /* events, and ports are alike */
}

void thread_hand_over_set(struct thread *thread) {
    spin_lock(&thread->lock); /* of two that change different fields the later one sees both */
    bool slow = thread->guest_space || thread->period || thread->suspended || thread->limited;
    thread->hand_over = slow ? 0 : thread->affinity;
    thread->calls.changes = thread->serves.changes = HANDLE_CHANGED;
    spin_unlock(&thread->lock);
}

int64_t wait_begin(struct object *object, struct list *waiters, uint64_t deadline) {
    struct thread *thread = thread_current();

    if (object->type != OBJECT_PORT)
        object_get(object); /* a port is held by the thread's struct port_use */
    spin_lock(&thread->lock);
    thread->wait_sequence++; /* before the state: wait_cancel looks at both with the object's lock alone */
    thread->wait_object = object;
    thread->releases = object->type != OBJECT_PORT;
    thread->state = THREAD_BLOCKED;
    list_push_back(waiters, &thread->wait_link);
    spin_unlock(&thread->lock);
    alarm_set(&thread->alarm, deadline, thread->wait_sequence);
    cpu_work_add(cpu_self(), WORK_RESCHEDULE);
    return WAITING;
}

void wait_end(struct thread *thread, int64_t result) {
    spin_lock_inline(&thread->lock);
    list_remove(&thread->wait_link);
    /* Whoever wakes it uses the object: mostly its reference is not the last, and it need not come back for
     * that. */
    struct object *object = thread->wait_object;
    if (!thread->releases || (object->type != OBJECT_CHANNEL && object_drop_shared(object))) {
        thread->wait_object = NULL;
        thread->releases = false;
    }
    thread->native.rax = (uint64_t)result;
    if (thread->alarm.armed)
        alarm_cancel(&thread->alarm);
    sched_ready(thread);
    spin_unlock(&thread->lock);
}

/* A parked thread waits for no object: its own lock is enough. */
static void park_end(struct thread *thread, int64_t result) {
    if (thread->parked == PARK_KICK)
        thread->native.rax = (uint64_t)result;
    thread->parked = PARK_NONE;
    alarm_cancel(&thread->alarm);
    sched_ready(thread);
}

void wait_cancel(struct thread *thread, uint64_t sequence, int64_t result) {
    struct object *object = NULL;

    spin_lock(&thread->lock);
    bool waiting = thread->state == THREAD_BLOCKED && (!sequence || sequence == thread->wait_sequence);
    if (waiting && thread->parked)
        park_end(thread, result);
    else if (waiting && (object = thread->wait_object))
        object_get(object);
    sequence = thread->wait_sequence;
    spin_unlock(&thread->lock);
    if (!object)
        return;

    struct spinlock *lock = wait_lock(object, thread);
    struct thread *server = NULL;
    spin_lock(lock);
    if (thread->state == THREAD_BLOCKED && thread->wait_sequence == sequence) {
        if (object->type == OBJECT_PORT)
            server = port_wait_cancelled(thread);
        wait_end(thread, result);
    }
    spin_unlock(lock);
    port_loan_pass_on(server);
    object_put(object);
}

/* The thread is current and locked. */
static void park_begin(struct thread *thread, enum park what, uint64_t deadline) {
    thread->wait_sequence++; /* as in wait_begin */
    thread->parked = what;
    thread->state = THREAD_BLOCKED;
    alarm_set(&thread->alarm, deadline, thread->wait_sequence);
    cpu_work_add(cpu_self(), WORK_RESCHEDULE);
}

void thread_postpone(struct thread *thread, uint64_t until) {
    spin_lock(&thread->lock);
    park_begin(thread, PARK_BUDGET, until);
    spin_unlock(&thread->lock);
}

void thread_hurry(struct thread *thread) {
    if (thread->state == THREAD_BLOCKED && thread->parked == PARK_BUDGET && !thread->period)
        park_end(thread, 0);
}

int64_t thread_park(uint64_t deadline) {
    struct thread *thread = thread_current();
    int64_t result = 0;

    spin_lock(&thread->lock);
    if (thread->kick) {
        thread->kick = 0;
    } else if (deadline != DEADLINE_NEVER && deadline <= clock_now()) {
        result = -ETIMEDOUT;
    } else {
        park_begin(thread, PARK_KICK, deadline);
        result = WAITING;
    }
    spin_unlock(&thread->lock);
    return result;
}

void thread_park_suspended(void) {
    struct thread *thread = thread_current();

    spin_lock(&thread->lock);
    if (thread->suspended)
        park_begin(thread, PARK_SUSPENDED, DEADLINE_NEVER);
    spin_unlock(&thread->lock);
}

void thread_suspend(struct thread *thread, bool suspended) {
    thread->suspended = suspended;
    thread_hand_over_set(thread);
    spin_lock(&thread->lock);
    if (!suspended && thread->state == THREAD_BLOCKED && thread->parked == PARK_SUSPENDED)
        park_end(thread, 0);
    spin_unlock(&thread->lock);
    /* A hand-over that began before it was forbidden has made it run there. */
    cpu_wake(machine.cpus[thread->cpu], WORK_RESCHEDULE);
}

void thread_kick(struct thread *thread) {
    atomic_exchange(&thread->kick, true);
    spin_lock(&thread->lock);
    if (thread->state == THREAD_BLOCKED && thread->parked == PARK_KICK) {
        thread->kick = 0;
        park_end(thread, 0);
    }
    spin_unlock(&thread->lock);
    /* guest_enter sets cpu->guest before it looks at kick: one of the two sees the other. */
    struct cpu *cpu = machine.cpus[thread->cpu];
    if (thread->kick && cpu->guest)
        cpu_wake(cpu, 0);
}
