/*
 * How long interrupts stay off: from each way into the kernel, or the end of a window that lets interrupts
 * in, to the next window or the way out. Each CPU keeps the longest stretch and where it was.
 */
#include "abi/debug.h"
#include "kernel/cpu.h"
#include "kernel/thread.h"
#include "lib/base/string.h"
#include "stretch.h"
#include "variant.h"

void debug_stretch_begin(uint64_t from);
void debug_stretch_end(uint64_t to);

static struct {
    uint64_t began; /* TSC; 0: not measured */
    struct debug_stretch now, longest;
} stretches[MAX_CPUS];

void debug_stretch_begin(uint64_t from) {
    unsigned cpu = cpu_self()->index;
    stretches[cpu].now.from = from;
    stretches[cpu].began = tsc_read();
}

void debug_stretch_enter(const struct frame *frame) {
    struct debug_stretch *now = &stretches[cpu_self()->index].now;
    now->vector = frame->vector;
    now->call = frame->rax;
    debug_stretch_begin(frame->rip);
}

void debug_stretch_end(uint64_t to) {
    unsigned cpu = cpu_self()->index;
    uint64_t began = stretches[cpu].began, ticks = tsc_read() - began;
    struct debug_stretch *longest = &stretches[cpu].longest;

    stretches[cpu].began = 0;
    if (!began || ticks <= longest->ticks)
        return;
    *longest = stretches[cpu].now;
    longest->cpu = cpu;
    longest->ticks = ticks;
    longest->to = to;
}

void debug_stretch_nested_begin(const struct frame *frame) {
    if (frame->rflags & FLAG_IF)
        debug_stretch_enter(frame);
}

void debug_stretch_nested_end(const struct frame *frame) {
    if (frame->rflags & FLAG_IF)
        debug_stretch_end(frame->rip);
}

struct debug_stretch debug_stretch_longest(void) {
    struct debug_stretch longest = {0};
    for (unsigned i = 0; i < cpu_count; i++)
        if (stretches[i].longest.ticks > longest.ticks)
            longest = stretches[i].longest;
    return longest;
}

void debug_stretch_reset(void) {
    for (unsigned i = 0; i < cpu_count; i++)
        memset(&stretches[i].longest, 0, sizeof(stretches[i].longest));
    stretches[cpu_self()->index].began = 0;
}
