/*
 * How long interrupts stay off: from each way into the kernel, or the end of a window that lets interrupts
 * in, to the next window or the way out. Each CPU keeps the longest stretch and where it was.
 */
#include "abi/debug.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/thread.h"
#include "lib/base/string.h"
#include "stretch.h"
#include "variant.h"

void debug_stretch_begin(uint64_t from);
void debug_stretch_end(uint64_t to);

static struct {
    uint64_t began; /* TSC; 0: not measured */
    bool prepared;  /* the stack has its canary */
    struct debug_stretch now, longest;
} stretches[MAX_CPUS];

/* The last words of a kernel stack are never used, unless it overflows. */
enum { CANARY_WORDS = 8 };
#define CANARY 0x7374616b63616e79ULL

static void stack_check(const struct cpu *cpu) {
    const uint64_t *words = (const uint64_t *)(uintptr_t)(cpu->stack - KERNEL_STACK_BYTES);
    for (unsigned i = 0; i < CANARY_WORDS; i++)
        if (words[i] != CANARY)
            panic("kernel stack of CPU %u overflowed: %lx at its end", cpu->index, words[i]);
}

static void stack_prepare(const struct cpu *cpu) {
    uint64_t *words = (uint64_t *)(uintptr_t)(cpu->stack - KERNEL_STACK_BYTES);
    for (unsigned i = 0; i < CANARY_WORDS; i++)
        words[i] = CANARY;
}

void debug_stretch_skip(uint64_t since) {
    uint64_t *began = &stretches[cpu_self()->index].began;
    if (*began)
        *began += tsc_read() - since;
}

void debug_stretch_begin(uint64_t from) {
    unsigned cpu = cpu_self()->index;
    if (!stretches[cpu].prepared)
        stack_prepare(cpu_self());
    stretches[cpu].prepared = true;
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

    if (stretches[cpu].prepared)
        stack_check(cpu_self());
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
    for (unsigned i = 0; i < machine.cpu_count; i++)
        if (stretches[i].longest.ticks > longest.ticks)
            longest = stretches[i].longest;
    return longest;
}

void debug_stretch_reset(void) {
    for (unsigned i = 0; i < machine.cpu_count; i++)
        memset(&stretches[i].longest, 0, sizeof(stretches[i].longest));
    stretches[cpu_self()->index].began = 0;
}
