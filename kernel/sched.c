/*
 * See sched.h. A thread whose registers still live in a CPU (on_cpu) is only ever queued there, so that no
 * other CPU can pick it up before they are saved. Every AGING_NS another level with a waiting thread is
 * served once out of turn, each in its turn, so that nothing starves.
 */
#include "kernel/sched.h"

#include "kernel/arch_cpu.h"
#include "kernel/port.h"
#include "kernel/realtime.h"
#include "kernel/share.h"
#include "kernel/space.h"
#include "kernel/trace.h"

enum {
    AGING_NS = 100000000,
    SPREAD_NS = 100000,
    COUNTED = 32, /* of the threads that wait on a CPU */
};

_Atomic uint64_t cpus_idle;

uint64_t clock_ns(uint64_t ticks) {
    return scale_32(ticks, machine.clock.mult);
}

/* What the clock showed at a TSC reading. */
static uint64_t clock_at(uint64_t ticks) {
    return clock_ns(ticks - machine.clock.tsc_base);
}

uint64_t clock_now(void) {
    return clock_at(tsc_read());
}

static uint8_t level_of(const struct thread *thread) {
    return thread->lent_level < thread->own_level ? thread->lent_level : thread->own_level;
}

static __attribute__((noinline)) void level_move(struct thread *thread, int by) {
    unsigned before = thread->own_level;
    if (machine.sched_policy & SCHED_ROUND_ROBIN)
        return;
    thread->own_level = (uint8_t)(before + (unsigned)by);
    thread->level = level_of(thread);
    TRACE(TRACE_LEVEL, thread->own_level, thread, before, 0);
}

/* ---- queues; the queue's lock is held ---- */

static void queue_push(struct run_queue *queue, struct thread *thread) {
    size_t number = thread->level;
    struct list *level = &queue->levels[number], *before = level;
    struct thread *other;
    if (number == LEVEL_REALTIME) { /* by deadline */
        list_for_each(other, level, queue_link) if (other->deadline > thread->deadline) break;
        before = &other->queue_link; /* at the end of the list: its head */
    } else if (thread->preempted) {
        before = level->next;
    }
    list_insert_before(before, &thread->queue_link);
    uint64_t *reach = &container_of(queue, struct cpu, queue)->reach;
    if (queue_empty(queue))
        *reach = 0;
    *reach |= thread->affinity;
    queue->bitmap |= 1u << number;
}

static void queue_remove(struct run_queue *queue, struct thread *thread) {
    list_remove(&thread->queue_link);
    if (list_empty(&queue->levels[thread->level]))
        queue->bitmap &= ~(1u << thread->level);
}

static struct thread *queue_pick(struct run_queue *queue, uint64_t now) {
    unsigned level = queue_best(queue);
    if (level == LEVELS)
        return NULL;
    if (level >= LEVEL_TOP && now > queue->ages_at) {
        queue->ages_at = now + AGING_NS;
        unsigned next = (unsigned)__builtin_ctz(queue->bitmap & ~1u << queue->aged_level);
        queue->aged_level = next == LEVELS ? level : next;
        level = queue->aged_level;
    }
    struct list *head = &queue->levels[level];
    struct thread *thread = list_entry(list_take_first(head), struct thread, queue_link);
    if (list_empty(head))
        queue->bitmap &= ~(1u << level);
    return thread;
}

static unsigned queue_count(struct run_queue *queue) {
    unsigned count = 0;
    struct thread *thread;
    spin_lock(&queue->lock);
    for (unsigned level = 0; level < LEVELS && count < COUNTED; level++)
        list_for_each(thread, &queue->levels[level], queue_link) if (++count == COUNTED) break;
    spin_unlock(&queue->lock);
    return count;
}

/* Whether another CPU should run what waits here. */
static bool queue_overflows(struct run_queue *queue) {
    return !queue_empty(queue) && (!(machine.sched_policy & SCHED_PACK) || queue_count(queue) > 1);
}

/* Takes a thread that may run on this CPU from another one's queue, best levels first. While the thread is in
 * a queue, nothing else changes its CPU. */
static struct thread *queue_steal(struct cpu *from, struct cpu *to) {
    struct thread *thread, *stolen = NULL;
    if (!queue_overflows(&from->queue) || !spin_try_lock(&from->queue.lock))
        return NULL;
    for (unsigned level = 0; level < LEVELS && !stolen; level++) {
        list_for_each(thread, &from->queue.levels[level], queue_link) {
            if (!thread->on_cpu && thread->affinity >> to->index & 1) {
                stolen = thread;
                queue_remove(&from->queue, thread);
                atomic_store_explicit(&thread->cpu, to->index, memory_order_relaxed);
                break;
            }
        }
    }
    spin_unlock(&from->queue.lock);
    return stolen;
}

/* ---- waking ---- */

/* Whether what the current thread wakes can as well wait for it: it usually blocks soon, and nobody else is
 * queued here. Then the two run in turn on one CPU, without an interrupt to another; sched_timer spreads the
 * work when it does not block. */
static bool sched_waker_blocks_soon(const struct cpu *cpu, const struct thread *thread) {
    return cpu->thread && cpu->thread->burst < machine.burst_short && queue_empty(&cpu->queue) &&
           !cpu->next && thread->affinity & cpu->bit;
}

/* Where a woken thread should run: where its registers still are, beside a waker that is about to block, else
 * where it was if that CPU is idle, else on any idle one; packed: on the first CPU where nobody waits. */
static struct cpu *sched_place(struct cpu *self, const struct thread *thread) {
    struct cpu *last = machine.cpus[thread->cpu];
    if (thread->on_cpu)
        return last;
    if (sched_waker_blocks_soon(self, thread))
        return self;
    if (machine.sched_policy & SCHED_PACK)
        for (unsigned i = 0; i < machine.cpu_count; i++)
            if (thread->affinity & machine.cpus[i]->bit && queue_empty(&machine.cpus[i]->queue))
                return machine.cpus[i];
    uint64_t idle = atomic_load_explicit(&cpus_idle, memory_order_relaxed) & thread->affinity;
    if (idle & last->bit)
        return last;
    if (idle)
        return machine.cpus[__builtin_ctzll(idle)];
    if (!(thread->affinity & last->bit))
        return machine.cpus[__builtin_ctzll(thread->affinity)];
    return last;
}

void cpu_wake(struct cpu *cpu, uint32_t work) {
    struct cpu *self = cpu_self();
    cpu_work_add(cpu, work);
    if (cpu == self)
        return;
    self->wakes |= cpu->bit;
    cpu_work_add(self, WORK_WAKE);
}

void cpu_send_wakes(struct cpu *self) {
    do {
        unsigned index = (unsigned)__builtin_ctzll(self->wakes);
        self->wakes &= self->wakes - 1;
        cpu_interrupt(machine.cpus[index], VECTOR_RESCHEDULE);
    } while (self->wakes);
}

/* Tells a CPU that its queue has a thread it may prefer to its current one. */
static void sched_notify(struct cpu *cpu, struct thread *thread) {
    struct thread *running = cpu->thread;
    bool better = !running || thread->level < running->level || running->state != THREAD_RUNNING ||
                  (thread->level + running->level == LEVEL_REALTIME && thread->deadline < running->deadline);
    bool own = cpu == cpu_self();

    /* A timer that is due before the slice ends will see the competitor, unless an idle CPU could take it
     * sooner. */
    if (own && !better && !(cpus_idle & thread->affinity) && cpu->timer_deadline <= cpu->slice_end)
        return;
    cpu_wake(cpu, better ? WORK_RESCHEDULE | WORK_TIMER : WORK_TIMER);
}

/* Whether a thread that the current one, or an interrupt, wakes goes on here at once: it is of a level that
 * does not age, and better than any other here. Then it need not be queued. Between now and the way out of
 * the kernel it is READY and in no queue; whoever changes its level or affinity or kills it meanwhile does to
 * it what he would do had it been picked already, and sched_pick looks at its level again. */
static bool sched_goes_next(const struct cpu *cpu, const struct thread *thread) {
    return thread->level < LEVEL_TOP && cpu->thread && thread->level < cpu->thread->level &&
           thread->level < queue_best(&cpu->queue) && !cpu->next;
}

void sched_ready(struct thread *thread) {
    if (thread->state == THREAD_BLOCKED && thread->own_level > thread->base_level &&
        thread->own_level > LEVEL_TOP) {
        level_move(thread, -1);
        thread->quantum_left = 0;
    }
    thread->level = level_of(thread); /* a reply on another CPU may have stored an older one: ipc.S */
    if (thread->period)
        realtime_wake(thread, clock_now());
    atomic_store_explicit(&thread->state, THREAD_READY, memory_order_relaxed);
    thread->preempted = false;
    struct cpu *self = cpu_self(), *cpu = sched_place(self, thread);
    TRACE(TRACE_WAKE, thread->level, thread, cpu->index, 0);
    atomic_store_explicit(&thread->cpu, cpu->index, memory_order_relaxed);
    if (cpu == self && sched_goes_next(cpu, thread)) {
        cpu->next = thread;
        cpu_work_add(cpu, WORK_RESCHEDULE);
        return;
    }
    spin_lock_inline(&cpu->queue.lock);
    queue_push(&cpu->queue, thread);
    spin_unlock(&cpu->queue.lock);
    sched_notify(cpu, thread);
}

void sched_start(struct thread *thread) {
    spin_lock(&thread->lock);
    sched_ready(thread);
    spin_unlock(&thread->lock);
}

/* Takes a thread, which is locked, out of the queue that it waits in, and sets its level; false when it waits
 * in none. The lock of its CPU's queue, once that is the right one, keeps it from being picked, stolen or
 * queued. */
static bool queue_leave(struct thread *thread, unsigned level) {
    struct cpu *cpu = machine.cpus[thread->cpu];

    spin_lock(&cpu->queue.lock);
    while (thread->cpu != cpu->index) {
        spin_unlock(&cpu->queue.lock);
        cpu = machine.cpus[thread->cpu];
        spin_lock(&cpu->queue.lock);
    }
    bool queued = !list_empty(&thread->queue_link);
    if (queued)
        queue_remove(&cpu->queue, thread);
    thread->level = (uint8_t)level;
    spin_unlock(&cpu->queue.lock);
    return queued;
}

/* After a change of own_level or lent_level: the thread, which is locked, changes queues, or its CPU looks
 * whether it still runs the right one. */
static void level_update(struct thread *thread) {
    uint8_t level = level_of(thread);

    if (level == thread->level)
        return;
    if (queue_leave(thread, level)) {
        sched_ready(thread);
        return;
    }
    struct cpu *cpu = machine.cpus[thread->cpu];
    if (cpu->thread == thread)
        cpu_wake(cpu, WORK_RESCHEDULE);
}

/* A thread that waits is queued anew. Any other may just be on its way to a CPU: that one looks again. */
static void affinity_set(struct thread *thread, uint64_t affinity) {
    spin_lock(&thread->lock);
    thread->affinity = affinity;
    if (queue_leave(thread, thread->level))
        sched_ready(thread);
    else
        cpu_wake(machine.cpus[thread->cpu], WORK_RESCHEDULE);
    spin_unlock(&thread->lock);
}

void sched_lend(struct thread *thread, const struct thread *lender) {
    spin_lock(&thread->lock);
    thread->lent_level = lender ? lender->level : LEVELS;
    if (thread->lent_level == LEVEL_REALTIME && thread->level != LEVEL_REALTIME) {
        thread->deadline = lender->deadline;
        thread->quantum_left = lender->quantum_left;
        if (!thread->quantum_left)
            thread->lent_level = LEVELS;
    }
    level_update(thread);
    if (lender)
        thread_hurry(thread);
    spin_unlock(&thread->lock);
}

void sched_own_level(struct thread *thread, unsigned level) {
    spin_lock(&thread->lock);
    thread->base_level = thread->own_level = (uint8_t)level;
    thread->quantum_left = 0; /* of its new level it gets a whole one */
    level_update(thread);
    spin_unlock(&thread->lock);
}

void thread_yield(void) {
    struct cpu *cpu = cpu_self();
    if (queue_empty(&cpu->queue))
        return;
    cpu->thread->quantum_left = 0;
    cpu_work_add(cpu, WORK_RESCHEDULE);
}

/* ---- switching ---- */

static uint64_t slice_left(const struct cpu *cpu, uint64_t now) {
    return cpu->slice_end > now ? cpu->slice_end - now : 0;
}

uint64_t sched_slice_left(void) {
    return slice_left(cpu_self(), clock_now());
}

/* Puts the current thread, still running, back into this CPU's queue, which is locked. Its own lock is not
 * needed: nobody else changes the state of a running thread, nor looks for anything but BLOCKED; its level
 * belongs to the queue's lock; and until on_cpu is cleared, no other CPU takes it from the queue. */
static void sched_requeue(struct cpu *cpu, struct thread *thread, uint64_t now) {
    if (thread->quantum_left)
        thread->quantum_left = slice_left(cpu, now);
    thread->preempted = thread->quantum_left != 0;
    atomic_store_explicit(&thread->state, THREAD_READY, memory_order_relaxed);
    queue_push(&cpu->queue, thread);
}

/* The thread to run next, with its queue left: the best of this CPU, to which the current one returns if it
 * may go on here, else one of another CPU's, else NULL. */
static struct thread *sched_pick(struct cpu *cpu, struct thread *requeued, uint64_t now) {
    spin_lock_inline(&cpu->queue.lock);
    if (requeued)
        sched_requeue(cpu, requeued, now);
    struct thread *thread = cpu->next;
    cpu->next = NULL;
    if (thread && queue_best(&cpu->queue) < thread->level) {
        thread->preempted = true;
        queue_push(&cpu->queue, thread);
        thread = NULL;
    }
    if (!thread)
        thread = queue_pick(&cpu->queue, now);
    spin_unlock(&cpu->queue.lock);
    for (unsigned i = 1; i < machine.cpu_count && !thread; i++)
        thread = queue_steal(machine.cpus[(cpu->index + i) % machine.cpu_count], cpu);
    return thread;
}

static void sched_account(struct cpu *cpu, uint64_t ticks) {
    struct thread *thread = cpu->thread;
    uint64_t spent = ticks - cpu->switched_at;
    if (thread) {
        thread->run_time += spent;
        thread->burst = (thread->burst * 3 + spent) / 4;
    } else {
        cpu->counters.idle_time += clock_ns(spent);
    }
    cpu->switched_at = ticks;
}

static void sched_start_slice(struct cpu *cpu, struct thread *thread, uint64_t now) {
    if (!thread->quantum_left)
        thread->quantum_left = machine.quanta[thread->level];
    cpu->slice_end = now + thread->quantum_left;
}

void sched_switch(struct cpu *cpu) {
    struct thread *before = cpu->thread;
    uint64_t ticks = tsc_read(), now = clock_at(ticks);

    sched_account(cpu, ticks);
    if (before && before->period) {
        before->quantum_left = slice_left(cpu, now);
        if (before->state == THREAD_RUNNING && !before->quantum_left)
            thread_postpone(before, before->deadline);
    }
    bool running = before && before->state == THREAD_RUNNING;
    bool moving = running && !(before->affinity & cpu->bit);
    struct thread *next = sched_pick(cpu, running && !moving ? before : NULL, now);
    if (next) {
        /* Ordered before what a kill looks at by the store of on_cpu below. */
        atomic_store_explicit(&next->state, THREAD_RUNNING, memory_order_relaxed);
        if (!(next->affinity & cpu->bit)) /* changed since it was placed here */
            cpu_work_add(cpu, WORK_RESCHEDULE);
        sched_start_slice(cpu, next, now);
    }
    if (next == before)
        return;
    TRACE(TRACE_SWITCH, next ? next->level : 0, next, next ? next->quantum_left : 0, 0);
    if (before)
        thread_save(cpu, before);
    cpu->thread = next;
    if (next) {
        cpu->counters.context_switches++;
        next->on_cpu = true;
        thread_load(cpu, next);
    }
    if (before) {
        bool ended = before->state == THREAD_DEAD;
        atomic_store_explicit(&before->on_cpu, false, memory_order_release);
        if (ended)
            object_put(&before->object);
        else if (moving)
            sched_start(before); /* where its affinity lets it run */
    }
}

/* The current thread has used its whole quantum: one level down. */
static void sched_slice_used(struct cpu *cpu, struct thread *thread, uint64_t now) {
    if (thread->own_level >= LEVEL_TOP && thread->own_level < LEVEL_BOTTOM)
        level_move(thread, 1);
    if (thread->level == LEVEL_REALTIME && !thread->period)
        port_loan_used(thread);
    thread->quantum_left = 0;
    if (!queue_empty(&cpu->queue) || thread->period)
        cpu_work_add(cpu, WORK_RESCHEDULE);
    else
        sched_start_slice(cpu, thread, now);
}

/* At least two more threads wait here than on another CPU, each time the next one: it gets one. */
static void sched_balance(struct cpu *cpu) {
    struct cpu *other = machine.cpus[cpu->balanced++ % machine.cpu_count];
    if (queue_count(&cpu->queue) < queue_count(&other->queue) + 2)
        return;
    struct thread *thread = queue_steal(cpu, other);
    if (!thread)
        return;
    sched_start(thread); /* no CPU is idle: there */
}

/* Work waits here while another CPU has none: one of those comes and takes it. */
static void sched_spread(struct cpu *cpu) {
    uint64_t idle = atomic_load_explicit(&cpus_idle, memory_order_relaxed) & ~cpu->bit;
    if (!queue_overflows(&cpu->queue))
        return;
    if (idle)
        cpu_wake(machine.cpus[__builtin_ctzll(idle)], WORK_RESCHEDULE);
    else
        sched_balance(cpu);
}

__attribute__((noinline)) void sched_timer(struct cpu *cpu) {
    uint64_t now = clock_now();
    cpu->timer_deadline = DEADLINE_NEVER;
    alarms_run(cpu, now);
    if (cpu->thread && cpu->thread->state == THREAD_RUNNING && now >= cpu->slice_end)
        sched_slice_used(cpu, cpu->thread, now);
    sched_spread(cpu);
    cpu_work_add(cpu, WORK_TIMER);
}

void sched_program_timer(struct cpu *cpu) {
    uint64_t deadline = cpu->alarm_next;
    if (deadline < cpu->alarms_from)
        deadline = cpu->alarms_from;
    /* Without a competitor the current thread needs no tick; with one and an idle CPU somewhere, a soon one.
     * One that is queued just now comes with an interrupt. */
    if (cpu->thread && (!queue_empty(&cpu->queue) || cpu->thread->period)) {
        uint64_t tick = cpu->slice_end;
        if (cpus_idle & cpu->reach && !(machine.sched_policy & SCHED_PACK)) {
            uint64_t soon = clock_now() + SPREAD_NS;
            tick = soon < tick ? soon : tick;
        }
        deadline = tick < deadline ? tick : deadline;
    }
    if (cpu->thread && cpu->thread->limited) {
        uint64_t soon = clock_now() + SHARE_TICK_NS;
        deadline = soon < deadline ? soon : deadline;
    }
    if (deadline >= cpu->timer_deadline)
        return;
    cpu->timer_deadline = deadline;
    uint64_t now = clock_now();
    timer_program(deadline > now ? deadline - now : 0);
}

int64_t sched_set(struct thread *thread, uint64_t what, uint64_t value) {
    uint64_t all = machine.cpu_count == 64 ? UINT64_MAX : (1ULL << machine.cpu_count) - 1;

    if (thread->period)
        return -EBUSY;
    if (what == 0 && value >= LEVEL_SYSTEM && value < LEVELS) {
        sched_own_level(thread, (unsigned)value);
        return 0;
    }
    if (what == 1 && (value & all)) {
        affinity_set(thread, value & all);
        thread_hand_over_set(thread);
        return 0;
    }
    return -EINVAL;
}
