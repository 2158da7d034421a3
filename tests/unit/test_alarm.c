/* sources: kernel/lock.c lib/base/tree.c */
/* flags: -Ikernel/arch/host -Ikernel/arch/x86_64 -Ikernel/variant/release */
/* Alarms on the real code: what is due fires in order, and more than a CPU can keep up with leaves it time.
 */
#include "kernel/alarm.c"

#include <string.h>

#include "tests/unit/check.h"

enum { TIMERS = 100, COST_NS = 1000 };

unsigned char *host_memory;
_Thread_local struct cpu *host_cpu;
struct machine machine = {.cpu_count = 1};
static struct cpu cpu_state;
static struct timer timers[TIMERS];
static unsigned order[TIMERS], fired;
static uint64_t now_ns;

void debug_lock_acquired(unsigned rank) {
    (void)rank;
}
void debug_lock_released(unsigned rank) {
    (void)rank;
}
void tlb_shootdown_poll(void) {}
void object_put(struct object *object) {
    object->references--;
}
void wait_cancel(struct thread *thread, uint64_t sequence, int64_t result) {
    (void)thread, (void)sequence, (void)result;
}
uint64_t clock_now(void) {
    return now_ns;
}
void timer_expired(struct timer *timer, uint64_t now) {
    CHECK(timer->alarm.cookie <= now);
    now_ns += COST_NS;
    order[fired++] = (unsigned)(timer - timers);
}

static void setup(void) {
    memset(&cpu_state, 0, sizeof(cpu_state));
    memset(timers, 0, sizeof(timers));
    machine.cpus[0] = host_cpu = &cpu_state;
    cpu_state.alarm_next = DEADLINE_NEVER;
    fired = 0;
    now_ns = 1000000;
    for (unsigned i = 0; i < TIMERS; i++) {
        timers[i].alarm.kind = ALARM_TIMER;
        timers[i].object.references = 1;
    }
}

static void arm(unsigned i, uint64_t deadline) {
    alarm_set(&timers[i].alarm, deadline, deadline);
}

TEST(due_alarms_fire_in_order) {
    setup();
    arm(0, 300);
    arm(1, 100);
    arm(2, 2000000);
    arm(3, 200);
    CHECK_EQ(cpu_state.alarm_next, 100);
    CHECK(alarm_cancel(&timers[3].alarm));
    alarms_run(&cpu_state, now_ns);
    CHECK_EQ(fired, 2);
    CHECK_EQ(order[0], 1);
    CHECK_EQ(order[1], 0);
    CHECK_EQ(cpu_state.alarm_next, 2000000);
    CHECK(!alarm_cancel(&timers[0].alarm));
    CHECK(alarm_cancel(&timers[2].alarm));
    CHECK_EQ(cpu_state.alarms_from, 0);
}

TEST(an_owner_that_ends_is_left_alone) {
    setup();
    arm(0, 100);
    arm(1, 200);
    timers[0].object.references = 0;
    alarms_run(&cpu_state, now_ns);
    CHECK_EQ(fired, 1);
    CHECK_EQ(order[0], 1);
    CHECK_EQ(timers[1].object.references, 1);
}

/* All of them are due: each step is followed by a pause as long as it took. */
TEST(many_leave_time_for_threads) {
    unsigned steps = 0;
    setup();
    for (unsigned i = 0; i < TIMERS; i++)
        arm(i, 100 + i);
    for (; fired < TIMERS && steps < TIMERS; steps++) {
        uint64_t start = now_ns;
        unsigned before = fired;
        alarms_run(&cpu_state, now_ns);
        if (fired < TIMERS) {
            CHECK_EQ(fired - before, ALARMS_STEP);
            CHECK_EQ(cpu_state.alarms_from, now_ns + (now_ns - start));
        }
        now_ns = cpu_state.alarms_from > now_ns ? cpu_state.alarms_from : now_ns;
    }
    CHECK_EQ(fired, TIMERS);
    CHECK_EQ(cpu_state.alarm_next, DEADLINE_NEVER);
}

TEST_MAIN();
