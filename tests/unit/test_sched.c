/* sources: kernel/lock.c */
/* flags: -Ikernel/arch/host -Ikernel/arch/x86_64 -Ikernel/variant/release */
/*
 * The scheduler's queues and level moves, on the real code, included here to reach its inner functions. The
 * processor is played by the test: time is a variable, switching saves nothing.
 */
#include "kernel/realtime.c"
#include "kernel/sched.c"

#include <string.h>

#include "tests/unit/check.h"

unsigned char *host_memory;
_Thread_local struct cpu *host_cpu;
struct machine machine;
static struct cpu cpu_states[4];
static struct thread threads[8];
static unsigned interrupts_sent;
static uint64_t now_ns;

uint64_t tsc_read(void) {
    return now_ns;
}
void debug_lock_acquired(unsigned rank) {
    (void)rank;
}
void debug_lock_released(unsigned rank) {
    (void)rank;
}

void tlb_shootdown_poll(void) {}
void trace_add(enum trace_kind kind, unsigned detail, const struct thread *thread, uint64_t a, uint64_t b) {
    (void)kind, (void)detail, (void)thread, (void)a, (void)b;
}
void thread_save(struct cpu *cpu, struct thread *thread) {
    (void)cpu, (void)thread;
}
void thread_load(struct cpu *cpu, struct thread *thread) {
    (void)cpu, (void)thread;
}
void timer_program(uint64_t ns) {
    (void)ns;
}
void object_put(struct object *object) {
    (void)object;
}
void cpu_interrupt(struct cpu *cpu, unsigned vector) {
    (void)cpu, (void)vector, interrupts_sent++;
}
void alarms_run(struct cpu *cpu, uint64_t now) {
    (void)cpu, (void)now;
}

void port_loan_used(struct thread *server) {
    sched_lend(server, NULL);
}
void thread_hand_over_set(struct thread *thread) {
    (void)thread;
}
void thread_postpone(struct thread *thread, uint64_t until) {
    (void)until;
    thread->state = THREAD_BLOCKED;
    thread->parked = PARK_BUDGET;
}

void thread_hurry(struct thread *thread) {
    (void)thread;
}

static void level_give(unsigned i, unsigned level) {
    threads[i].level = threads[i].own_level = threads[i].base_level = (uint8_t)level;
}

static void setup(unsigned count) {
    machine = (struct machine){.clock.mult = 1ULL << 32, .burst_short = BURST_SHORT_NS, .cpu_count = count};
    for (unsigned level = 0; level < LEVELS; level++)
        machine.quanta[level] = level_quantum(0, level);
    now_ns = 1000;
    cpus_idle = 0;
    interrupts_sent = 0;
    memset(cpu_states, 0, sizeof(cpu_states));
    memset(threads, 0, sizeof(threads));
    for (unsigned i = 0; i < count; i++) {
        machine.cpus[i] = &cpu_states[i];
        machine.cpus[i]->index = i;
        machine.cpus[i]->bit = 1u << i;
        run_queue_init(&machine.cpus[i]->queue);
    }
    host_cpu = machine.cpus[0];
    for (unsigned i = 0; i < 8; i++) {
        list_init(&threads[i].queue_link);
        threads[i].lent_level = LEVELS;
        level_give(i, LEVEL_NEW);
        threads[i].affinity = (1u << count) - 1;
    }
}

static void ready(unsigned i) {
    sched_ready(&threads[i]);
}
static unsigned running(void) {
    return (unsigned)(host_cpu->thread - threads);
}

static void tick(uint64_t ns) {
    now_ns += ns;
    sched_timer(host_cpu);
    if (host_cpu->work & WORK_RESCHEDULE) {
        host_cpu->work = 0;
        sched_switch(host_cpu);
    }
}

/* What the way out of the kernel does on this CPU. */
static void wakes_send(void) {
    if (host_cpu->work & WORK_WAKE)
        cpu_send_wakes(host_cpu);
    host_cpu->work = 0;
}

TEST(levels_in_order_and_fifo_within) {
    setup(1);
    threads[0].level = threads[0].own_level = 4;
    threads[1].level = threads[1].own_level = 2;
    threads[2].level = threads[2].own_level = 2;
    threads[3].level = threads[3].own_level = 1;
    for (unsigned i = 0; i < 4; i++)
        ready(i);
    unsigned order[] = {3, 1, 2, 0};
    for (unsigned i = 0; i < 4; i++) {
        sched_switch(host_cpu);
        CHECK_EQ(running(), order[i]);
        host_cpu->thread->state = THREAD_BLOCKED;
    }
    sched_switch(host_cpu);
    CHECK(host_cpu->thread == NULL);
    CHECK(queue_empty(&host_cpu->queue));
}

TEST(whole_quantum_drops_a_level) {
    setup(1);
    level_give(0, LEVEL_TOP);
    ready(0);
    sched_switch(host_cpu);
    for (unsigned level = LEVEL_TOP; level < LEVEL_BOTTOM; level++) {
        uint64_t quantum = 1000000ULL << level;
        CHECK_EQ(threads[0].level, level);
        CHECK_EQ(host_cpu->slice_end - now_ns, quantum);
        tick(quantum - 1);
        CHECK_EQ(threads[0].level, level);
        tick(1);
        CHECK_EQ(threads[0].level, level + 1);
    }
    tick(64000000);
    CHECK_EQ(threads[0].level, LEVEL_BOTTOM);
}

TEST(waiting_climbs_a_level) {
    setup(1);
    threads[0].level = threads[0].own_level = LEVEL_BOTTOM;
    for (unsigned level = LEVEL_BOTTOM; level > LEVEL_NEW; level--) {
        CHECK_EQ(threads[0].level, level);
        threads[0].state = THREAD_BLOCKED;
        ready(0);
        sched_switch(host_cpu);
    }
    threads[0].state = THREAD_BLOCKED;
    ready(0);
    CHECK_EQ(threads[0].level, LEVEL_NEW);
}

TEST(preempted_keeps_its_place_and_rest) {
    setup(1);
    ready(0);
    ready(1);
    sched_switch(host_cpu);
    CHECK_EQ(running(), 0);
    now_ns += 3000000;
    threads[2].level = threads[2].own_level = LEVEL_SYSTEM;
    ready(2);
    CHECK(host_cpu->work & WORK_RESCHEDULE);
    sched_switch(host_cpu);
    CHECK_EQ(running(), 2);
    threads[2].state = THREAD_BLOCKED;
    sched_switch(host_cpu);
    CHECK_EQ(running(), 0);
    CHECK_EQ(host_cpu->slice_end - now_ns, 5000000);
}

TEST(round_robin_within_a_level) {
    setup(1);
    for (unsigned i = 0; i < 3; i++) {
        threads[i].level = threads[i].own_level = LEVEL_BOTTOM;
        ready(i);
    }
    sched_switch(host_cpu);
    for (unsigned i = 0; i < 9; i++) {
        CHECK_EQ(running(), i % 3);
        tick(64000000);
    }
}

TEST(round_robin_by_choice) {
    setup(1);
    machine.sched_policy = SCHED_ROUND_ROBIN;
    for (unsigned level = 0; level < LEVELS; level++)
        machine.quanta[level] = level_quantum(SCHED_ROUND_ROBIN, level);
    for (unsigned i = 0; i < 3; i++) {
        level_give(i, 2 + i / 2);
        ready(i);
    }
    sched_switch(host_cpu);
    for (unsigned i = 0; i < 6; i++) {
        CHECK_EQ(running(), i % 2);
        tick(9999999);
        CHECK_EQ(running(), i % 2);
        tick(1);
        CHECK_EQ(threads[i % 2].level, 2);
    }
}

/* Two threads of a good level share the CPU for ever, and others are ready in several lower ones: all are
 * served, and not often. */
TEST(every_level_is_served_under_load) {
    unsigned turns[5] = {0};
    setup(1);
    unsigned levels[5] = {LEVEL_SYSTEM + 1, LEVEL_SYSTEM + 1, 4, 5, LEVEL_BOTTOM};
    for (unsigned i = 0; i < 5; i++) {
        level_give(i, levels[i]);
        ready(i);
    }
    sched_switch(host_cpu);
    for (unsigned i = 0; i < 2000; i++) {
        turns[running()]++;
        level_give(running(), levels[running()]); /* as if it had waited */
        now_ns += 1000000;
        thread_yield();
        host_cpu->work = 0;
        sched_switch(host_cpu);
    }
    for (unsigned i = 2; i < 5; i++) {
        CHECK(turns[i] >= 4);
        CHECK(turns[i] < 100);
    }
}

TEST(idle_cpu_steals_but_not_live_registers) {
    setup(2);
    cpus_idle = 0;
    threads[0].on_cpu = true;
    ready(0);
    ready(1);
    host_cpu = machine.cpus[1];
    sched_switch(host_cpu);
    CHECK_EQ(running(), 1);
    threads[1].state = THREAD_BLOCKED;
    sched_switch(host_cpu);
    CHECK(host_cpu->thread == NULL);
}

TEST(better_woken_thread_goes_next_without_a_queue) {
    setup(2);
    ready(0);
    sched_switch(host_cpu);
    level_give(1, LEVEL_SYSTEM);
    threads[1].affinity = threads[2].affinity = threads[3].affinity = 1;
    ready(1);
    CHECK(queue_empty(&host_cpu->queue));
    CHECK(host_cpu->next == &threads[1]);
    level_give(2, LEVEL_SYSTEM); /* as good: it comes after */
    ready(2);
    level_give(3, LEVEL_REALTIME); /* better still, and woken too late to be taken unqueued */
    ready(3);
    CHECK(host_cpu->next == &threads[1]);
    unsigned order[] = {3, 1, 2, 0};
    for (unsigned i = 0; i < 4; i++) {
        sched_switch(host_cpu);
        CHECK_EQ(running(), order[i]);
        CHECK(host_cpu->next == NULL);
        host_cpu->thread->state = THREAD_BLOCKED;
    }
    sched_switch(host_cpu);
    CHECK(queue_empty(&host_cpu->queue));
    /* Levels that age always queue, and so does what another CPU wakes. */
    ready(0);
    sched_switch(host_cpu);
    threads[1].state = THREAD_BLOCKED;
    level_give(1, LEVEL_TOP);
    ready(1);
    CHECK(host_cpu->next == NULL);
    CHECK(!queue_empty(&host_cpu->queue));
}

static unsigned waiting(unsigned cpu) {
    return queue_count(&machine.cpus[cpu]->queue);
}

TEST(waiting_threads_are_balanced) {
    setup(2);
    for (unsigned i = 0; i < 6; i++)
        ready(i);
    threads[1].affinity = threads[2].affinity = threads[3].affinity = 1;
    sched_switch(host_cpu);
    CHECK_EQ(waiting(0), 5);
    for (unsigned i = 0; i < 8; i++)
        sched_spread(host_cpu);
    CHECK_EQ(waiting(0), 3);
    CHECK_EQ(waiting(1), 2);
    CHECK_EQ(threads[4].cpu, 1);
    threads[1].affinity = 3;
    sched_spread(host_cpu);
    sched_spread(host_cpu);
    CHECK_EQ(waiting(0), 3);
}

TEST(work_is_packed_on_few_cpus) {
    setup(4);
    machine.sched_policy = SCHED_PACK;
    cpus_idle = 0xe;
    ready(0);
    sched_switch(host_cpu);
    ready(1);
    CHECK_EQ(waiting(0), 1);
    host_cpu = machine.cpus[1];
    sched_switch(host_cpu);
    CHECK(host_cpu->thread == NULL);
    ready(2);
    CHECK_EQ(waiting(1), 1);
    host_cpu = machine.cpus[0];
    threads[3].on_cpu = true;
    ready(3);
    CHECK_EQ(waiting(0), 2);
    interrupts_sent = 0;
    sched_spread(host_cpu);
    wakes_send();
    CHECK_EQ(interrupts_sent, 1);
    host_cpu = machine.cpus[3];
    sched_switch(host_cpu);
    CHECK_EQ(running(), 1);
}

TEST(woken_thread_goes_to_an_idle_cpu) {
    setup(4);
    cpus_idle = 1u << 2;
    ready(0);
    CHECK(!queue_empty(&machine.cpus[2]->queue));
    CHECK_EQ(interrupts_sent, 0); /* the way out of the kernel does, when no lock is held */
    wakes_send();
    CHECK_EQ(interrupts_sent, 1);
    threads[1].affinity = 1u << 3;
    ready(1);
    CHECK(!queue_empty(&machine.cpus[3]->queue));
}

TEST(timer_is_not_hurried_for_what_no_idle_cpu_may_run) {
    setup(2);
    threads[0].affinity = threads[1].affinity = 1;
    ready(0);
    sched_switch(host_cpu);
    ready(1);
    cpus_idle = 2;
    host_cpu->work = 0;
    host_cpu->alarm_next = host_cpu->timer_deadline = DEADLINE_NEVER;
    sched_program_timer(host_cpu);
    CHECK_EQ(host_cpu->timer_deadline, host_cpu->slice_end); /* and not sooner, for the idle one to take it */
    cpus_idle = 0;
    ready(2);
    cpus_idle = 2;
    sched_program_timer(host_cpu);
    CHECK(host_cpu->timer_deadline < host_cpu->slice_end);
    sched_spread(host_cpu);
    wakes_send();
    CHECK_EQ(interrupts_sent, 1);
    host_cpu = machine.cpus[1];
    sched_switch(host_cpu);
    CHECK_EQ(running(), 2);
}

TEST(affinity_moves_the_running_thread) {
    setup(2);
    ready(0);
    sched_switch(host_cpu);
    CHECK_EQ(sched_set(&threads[0], 1, 2), 0);
    CHECK_EQ(sched_set(&threads[0], 1, 4), -EINVAL);
    CHECK_EQ(sched_set(&threads[0], 0, 7), -EINVAL);
    sched_switch(host_cpu);
    CHECK(host_cpu->thread == NULL);
    CHECK(!queue_empty(&machine.cpus[1]->queue));
}

TEST(loan_moves_a_queued_thread) {
    setup(1);
    level_give(0, LEVEL_BOTTOM);
    level_give(1, 4);
    ready(0);
    ready(1);
    level_give(2, 3);
    sched_lend(&threads[0], &threads[2]);
    sched_switch(host_cpu);
    CHECK_EQ(running(), 0);
    CHECK_EQ(threads[0].own_level, LEVEL_BOTTOM);
    host_cpu->work = 0;
    sched_lend(&threads[0], NULL);
    CHECK(host_cpu->work & WORK_RESCHEDULE);
    sched_switch(host_cpu);
    CHECK_EQ(running(), 1);
}

/* Of a real-time task, deadline and budget go along, once; and when the budget is used up, the loan is over.
 */
TEST(loan_of_a_budget) {
    setup(1);
    level_give(0, LEVEL_BOTTOM);
    CHECK_EQ(realtime_set(&threads[1], 3000000, 10000000), 0);
    CHECK_EQ(realtime_set(&threads[2], 1000000, 20000000), 0);
    ready(0);
    sched_lend(&threads[0], &threads[1]);
    CHECK_EQ(threads[0].deadline, threads[1].deadline);
    ready(2);
    sched_switch(host_cpu);
    CHECK_EQ(running(), 0);
    tick(1000000);
    sched_lend(&threads[0], &threads[1]); /* somebody else queues meanwhile */
    sched_switch(host_cpu);
    CHECK_EQ(running(), 0);
    CHECK_EQ(sched_slice_left(), 2000000);
    tick(2000000);
    CHECK_EQ(threads[0].level, LEVEL_BOTTOM);
    CHECK_EQ(running(), 2);
    threads[1].quantum_left = 0; /* port_loan_used */
    sched_lend(&threads[0], &threads[1]);
    CHECK_EQ(threads[0].level, LEVEL_BOTTOM);
}

TEST(earliest_deadline_first) {
    setup(1);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(realtime_set(&threads[i], 1000000, 10000000 - i * 1000000), 0);
    ready(0);
    ready(1);
    ready(2);
    ready(3);
    for (unsigned i = 3; i-- > 0;) {
        sched_switch(host_cpu);
        CHECK_EQ(running(), i);
        CHECK_EQ(host_cpu->slice_end - now_ns, 1000000);
        threads[i].state = THREAD_BLOCKED;
    }
    sched_switch(host_cpu);
    CHECK_EQ(running(), 3);
    CHECK_EQ(realtime_set(&threads[3], 7000000, 10000000), -EBUSY);
    CHECK_EQ(realtime_set(&threads[0], 0, 0), 0);
    CHECK_EQ(realtime_set(&threads[3], 6000000, 10000000), 0);
}

TEST(affinity_comes_back_after_real_time) {
    setup(4);
    threads[0].affinity = 6;
    CHECK_EQ(realtime_set(&threads[0], 1000000, 10000000), 0);
    CHECK_EQ(threads[0].affinity, 2);
    CHECK_EQ(realtime_set(&threads[0], 2000000, 10000000), 0);
    CHECK_EQ(threads[0].affinity, 2);
    CHECK_EQ(realtime_set(&threads[0], 0, 0), 0);
    CHECK_EQ(threads[0].affinity, 6);
}

TEST(budget_is_a_budget) {
    setup(1);
    CHECK_EQ(realtime_set(&threads[0], 2000000, 10000000), 0);
    ready(0);
    ready(1);
    sched_switch(host_cpu);
    uint64_t deadline = threads[0].deadline;
    tick(2000000);
    CHECK_EQ(running(), 1);
    CHECK_EQ(threads[0].parked, PARK_BUDGET);
    now_ns = deadline;
    ready(0);
    sched_switch(host_cpu);
    CHECK_EQ(running(), 0);
    CHECK_EQ(threads[0].deadline, deadline + 10000000);
    CHECK_EQ(host_cpu->slice_end - now_ns, 2000000);
    /* A short wait in between: what is left is kept while it fits, else a new period begins. */
    now_ns += 500000;
    threads[0].state = THREAD_BLOCKED;
    sched_switch(host_cpu);
    now_ns += 1000000;
    ready(0);
    CHECK_EQ(threads[0].quantum_left, 1500000);
    CHECK_EQ(threads[0].deadline, deadline + 10000000);
    sched_switch(host_cpu);
    threads[0].state = THREAD_BLOCKED;
    sched_switch(host_cpu);
    now_ns += 8000000;
    ready(0);
    CHECK_EQ(threads[0].quantum_left, 2000000);
    CHECK_EQ(threads[0].deadline, now_ns + 10000000);
}

TEST_MAIN();
