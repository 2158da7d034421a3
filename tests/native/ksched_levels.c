/*
 * Quanta and moves between levels, to the microsecond by the trace; and the policy without moves.
 */
#include "tests/native/ksched.h"

enum { BOTTOM = 6 };

/* What a thread that computes shows in the trace: of each time on the CPU, that it had 1 << level ms or what
 * was left of that, that it went a level down exactly when it had used all, and that it was switched away
 * from earlier only by a better one, with the rest kept. Returns the levels on which it used a whole quantum.
 */
static unsigned descents_check(uint32_t thread, uint64_t slack_us) {
    uint64_t left_us = 0;
    unsigned seen = 0;
    for (unsigned n = 0; n < event_count; n++) {
        const struct trace_event *event = &events[n];
        if (event->kind != TRACE_SWITCH || event->thread != thread)
            continue;
        uint64_t quantum_us = (uint64_t)US << event->detail, had_us = event->a / US;
        CHECK(left_us ? had_us <= left_us + slack_us && had_us + slack_us >= left_us : had_us == quantum_us);
        unsigned end = n + 1;
        bool moved = end < event_count && events[end].kind == TRACE_LEVEL && events[end].thread == thread;
        if (end == event_count)
            break;
        uint64_t ran_us = event_us(end) - event_us(n); /* rounded */
        bool whole = moved || (event->detail == BOTTOM && ran_us + 2 >= had_us);
        if (moved)
            CHECK(events[end].a == event->detail && events[end].detail == event->detail + 1U);
        if (whole)
            CHECK(ran_us + 2 >= had_us && ran_us <= had_us + slack_us);
        left_us = whole ? 0 : had_us - ran_us;
        seen |= (unsigned)whole << event->detail;
    }
    return seen;
}

/* Begins on its CPU and level with a whole quantum. */
static void descender(uint64_t i) {
    keel_thread_wait(UINT64_MAX);
    spinner(i);
}

/* Two threads that only compute share a CPU: from level 2 each uses 4, 8, 16, 32 and 64 ms, one level lower
 * each time, and then 64 ms in turns. */
void test_quanta(void) {
    uint64_t cpu = cpus - 1;
    uint32_t found[4];
    stop = false;
    for (unsigned i = 0; i < 2; i++) {
        thread_start(i, descender);
        place(handles[i], cpu, 2);
    }
    sleep_ns(5 * MS);
    uint64_t first = trace_begin(cpu);
    for (unsigned i = 0; i < 2; i++)
        keel_thread_kick(handles[i]);
    sleep_ns(600 * MS);
    trace_end(cpu, first);
    stop = true;
    thread_join(0);
    thread_join(1);
    unsigned count = threads_traced(found, 4), both = 0;
    for (unsigned i = 0; i < count; i++)
        both += descents_check(found[i], 25) == 0x7c;
    CHECK(both == 2);
    log_line("%u of 2 threads used whole quanta of levels 2 to 6, exactly", both);
}

/* Drops to the bottom, beside another thread without which there is no end to a quantum, and waits five
 * times. */
static void climber(uint64_t i) {
    keel_thread_wait(UINT64_MAX);
    for (uint64_t end = clock_now() + 250 * MS; clock_now() < end;)
        continue;
    for (unsigned waits = 0; waits < 5; waits++)
        sleep_ns(MS);
    thread_end(i);
}

void test_climbs(void) {
    uint64_t cpu = cpus - 1;
    unsigned level = 2, turn = 0;
    stop = false;
    thread_start(0, climber);
    thread_start(1, descender);
    place(handles[0], cpu, 2);
    place(handles[1], cpu, BOTTOM);
    sleep_ns(5 * MS);
    uint64_t first = trace_begin(cpu);
    keel_thread_kick(handles[0]);
    keel_thread_kick(handles[1]);
    sleep_ns(400 * MS);
    trace_end(cpu, first);
    stop = true;
    thread_join(0);
    thread_join(1);
    for (unsigned n = 0; n < event_count; n++) {
        const struct trace_event *event = &events[n];
        if (event->kind != TRACE_LEVEL)
            continue;
        CHECK(event->a == level && event->detail == level + (turn < 4 ? 1U : -1U));
        level = event->detail;
        turn++;
        if (turn > 4) /* with a whole quantum of the level that it climbed to */
            for (unsigned next = n; next < event_count; next++)
                if (events[next].kind == TRACE_SWITCH && events[next].thread == event->thread) {
                    CHECK(events[next].a == (uint64_t)MS << level);
                    break;
                }
    }
    CHECK(turn == 8 && level == 2);
    log_line("a thread went down to the bottom and, waiting, up again: %u moves", turn);
}

/* With sched=rr: each its 10 ms in turn, whatever its level, and no moves; the lower level only out of turn.
 */
void test_round_robin(void) {
    uint64_t cpu = cpus - 1, ran[3] = {0};
    uint32_t found[4];
    unsigned moves = 0;
    stop = false;
    for (unsigned i = 0; i < 3; i++) {
        thread_start(i, descender);
        place(handles[i], cpu, i < 2 ? 3 : 5);
    }
    sleep_ns(5 * MS);
    uint64_t first = trace_begin(cpu);
    for (unsigned i = 0; i < 3; i++)
        keel_thread_kick(handles[i]);
    sleep_ns(500 * MS);
    trace_end(cpu, first);
    stop = true;
    for (unsigned i = 0; i < 3; i++)
        thread_join(i);
    unsigned count = threads_traced(found, 4);
    CHECK(count == 3);
    for (unsigned n = 0; n + 1 < event_count; n++) {
        moves += events[n].kind == TRACE_LEVEL;
        for (unsigned i = 0; i < count && n + 2 < event_count; i++) {
            uint64_t us = event_us(n + 1) - event_us(n);
            if (events[n].thread != found[i] || events[n].kind != TRACE_SWITCH)
                continue;
            CHECK(us + 2 >= 10 * US && us <= 10 * US + 25);
            ran[i] += us;
        }
    }
    CHECK(moves == 0);
    CHECK(ran[0] + 10 * US + 25 >= ran[1] && ran[1] + 10 * US + 25 >= ran[0]);
    CHECK(ran[2] >= 19 * US && ran[2] <= 51 * US);
    log_line("round robin: %u and %u ms on one level, %u ms below", (unsigned)(ran[0] / US),
             (unsigned)(ran[1] / US), (unsigned)(ran[2] / US));
}
