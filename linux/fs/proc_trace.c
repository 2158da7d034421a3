/*
 * What the kernel counts and traces per CPU (abi/trace.h), as text:
 *   /proc/interrupts, /proc/schedstat   in Linux's formats, and the lines per CPU of /proc/stat
 * (proc_system.c) /proc/keel_cpu        a line of counters per CPU /proc/keel_calls      the kernel's calls
 * and page faults: name, count, and while they are traced their time in all and how many took at least 2^N
 * ticks of the clock /proc/keel_trace      the last events in order of time; writing the names of kinds,
 * "all" or "off" chooses /proc/keel_syscalls   Linux calls that the personality served: name, count, and
 * their time, waiting included, while "on" was written here last
 */
#include "abi/trace.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/fs/proc_internal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"

enum {
    LINE_FIRST = 32, /* vector of interrupt line 0 */
    LINES = 48,
    VECTOR_TIMER = 0xf0 & (COUNTED_VECTORS - 1),
    VECTOR_RESCHEDULE,
    VECTOR_TLB,
    SCHEDSTAT_VERSION = 15,
    US = 1000,
};

typedef unsigned long long number;

/* What every CPU shows; cpu_blocks_read: all of them, or 0 when there is no memory or no right. */
struct cpu_blocks {
    uint32_t count;
    struct trace_block blocks[];
};

static struct cpu_blocks *cpu_blocks_read(size_t length) {
    uint32_t cpus = system_cpus();
    struct cpu_blocks *all = heap_alloc(sizeof(*all) + cpus * sizeof(all->blocks[0]));
    if (!all)
        return NULL;
    for (all->count = 0; all->count < cpus; all->count++)
        if (system_trace(all->count, TRACE_KEEP, &all->blocks[all->count], length)) {
            heap_free(all);
            return NULL;
        }
    return all;
}

static uint64_t interrupts_total(const struct cpu_counters *counters) {
    uint64_t total = 0;
    for (unsigned i = 0; i < COUNTED_VECTORS; i++)
        total += counters->vectors[i];
    return total;
}

/* ---- Linux's formats ---- */

static void add_vector(struct text *text, const struct cpu_blocks *all, unsigned vector, const char *what) {
    for (uint32_t i = 0; i < all->count; i++)
        text_add(text, " %10u", all->blocks[i].counters.vectors[vector]);
    text_add(text, "   %s\n", what);
}

static bool vector_used(const struct cpu_blocks *all, unsigned vector) {
    for (uint32_t i = 0; i < all->count; i++)
        if (all->blocks[i].counters.vectors[vector])
            return true;
    return false;
}

int proc_show_interrupts(const struct proc_ref *ref, struct text *text) {
    struct cpu_blocks *all = cpu_blocks_read(sizeof(struct cpu_counters));
    (void)ref;
    if (!all)
        return -ENOMEM;
    text_add(text, "    ");
    for (uint32_t i = 0; i < all->count; i++)
        text_add(text, "       CPU%-3u", i);
    text_add(text, "\n");
    for (unsigned line = 0; line < LINES; line++) {
        if (!vector_used(all, LINE_FIRST + line))
            continue;
        text_add(text, "%3u:", line);
        add_vector(text, all, LINE_FIRST + line, "IO-APIC");
    }
    text_add(text, "LOC:");
    add_vector(text, all, VECTOR_TIMER, "Local timer interrupts");
    text_add(text, "RES:");
    add_vector(text, all, VECTOR_RESCHEDULE, "Rescheduling interrupts");
    text_add(text, "TLB:");
    add_vector(text, all, VECTOR_TLB, "TLB shootdowns");
    heap_free(all);
    return 0;
}

int proc_show_schedstat(const struct proc_ref *ref, struct text *text) {
    struct cpu_blocks *all = cpu_blocks_read(sizeof(struct cpu_counters));
    uint64_t now = clock_monotonic();
    (void)ref;
    if (!all)
        return -ENOMEM;
    text_add(text, "version %d\ntimestamp %llu\n", SCHEDSTAT_VERSION, (number)now / 1000000);
    for (uint32_t i = 0; i < all->count; i++) {
        const struct cpu_counters *counters = &all->blocks[i].counters;
        uint64_t idle = counters->idle_time < now ? counters->idle_time : now;
        text_add(text, "cpu%u 0 0 %llu 0 0 0 %llu 0 %llu\n", i, (number)counters->context_switches,
                 (number)(now - idle), (number)counters->context_switches);
    }
    heap_free(all);
    return 0;
}

int proc_cpu_counters(uint32_t cpu, struct cpu_counters *counters) {
    return system_trace(cpu, TRACE_KEEP, counters, sizeof(*counters));
}

/* ---- counters ---- */

int proc_show_keel_cpu(const struct proc_ref *ref, struct text *text) {
    struct cpu_blocks *all = cpu_blocks_read(sizeof(struct cpu_counters));
    (void)ref;
    if (!all)
        return -ENOMEM;
    text_add(text, "cpu switches table_switches faults interrupts reflections calls idle_ns\n");
    for (uint32_t i = 0; i < all->count; i++) {
        const struct cpu_counters *counters = &all->blocks[i].counters;
        uint64_t calls = 0;
        for (unsigned call = 0; call < COUNTED_CALLS; call++)
            calls += counters->calls[call];
        text_add(text, "%u %llu %llu %llu %llu %llu %llu %llu\n", i, (number)counters->context_switches,
                 (number)counters->page_table_switches, (number)counters->page_faults,
                 (number)interrupts_total(counters), (number)counters->reflections, (number)calls,
                 (number)counters->idle_time);
    }
    heap_free(all);
    return 0;
}

static const char *call_name(unsigned index) {
    switch (index) {
#define CALL(index, name, arguments, self, right, text)                                                      \
    case index:                                                                                              \
        return #name;
#include "abi/syscalls.def"
#undef CALL
    case TIME_FAULTS:
        return "page_fault";
    default:
        return "unknown";
    }
}

static void add_times(struct text *text, const struct cpu_blocks *all, unsigned index) {
    struct time_histogram sum = {0};
    uint64_t count = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        const struct trace_block *block = &all->blocks[i];
        count += index == TIME_FAULTS ? block->counters.page_faults : block->counters.calls[index];
        sum.total += block->times[index].total;
        for (unsigned n = 0; n < TIME_BUCKETS; n++)
            sum.buckets[n] += block->times[index].buckets[n];
    }
    if (!count)
        return;
    text_add(text, "%s %llu ticks %llu", call_name(index), (number)count, (number)sum.total);
    for (unsigned n = 0; n < TIME_BUCKETS; n++)
        if (sum.buckets[n])
            text_add(text, " 2^%u:%u", n, sum.buckets[n]);
    text_add(text, "\n");
}

int proc_show_keel_calls(const struct proc_ref *ref, struct text *text) {
    struct cpu_blocks *all = cpu_blocks_read(sizeof(struct trace_block));
    (void)ref;
    if (!all)
        return -ENOMEM;
    for (unsigned index = 0; index < COUNTED_CALLS; index++)
        add_times(text, all, index);
    heap_free(all);
    return 0;
}

int proc_show_keel_syscalls(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    for (unsigned index = 0; index < POSIX_CALLS_ALL; index++) {
        struct posix_count count = posix_call_count(index);
        const char *name = posix_call_name(index);
        if (count.calls)
            text_add(text, "%s %llu ns %llu\n", name ? name : "unknown", (number)count.calls,
                     (number)count.ns);
    }
    return 0;
}

/* ---- the trace ---- */

static const char *const kind_names[TRACE_KINDS] = {"switch", "level", "wake",     "call",
                                                    "return", "fault", "interrupt"};

static void add_event(struct text *text, uint32_t cpu, const struct trace_event *event) {
    const struct utcb_clock *clock = &task_current()->utcb->clock;
    uint64_t ns = (uint64_t)((unsigned __int128)(event->time - clock->tsc_base) * clock->mult >> 32);
    unsigned kind = event->kind < TRACE_KINDS ? event->kind : TRACE_INTERRUPT;

    text_add(text, "%llu.%03u us cpu%u %s thread %u", (number)(ns / US), (unsigned)(ns % US), cpu,
             kind_names[kind], event->thread);
    switch (kind) {
    case TRACE_SWITCH:
        text_add(text, " level %u quantum %llu us\n", event->detail, (number)event->a / US);
        break;
    case TRACE_LEVEL:
        text_add(text, " level %u from %llu\n", event->detail, (number)event->a);
        break;
    case TRACE_WAKE:
        text_add(text, " level %u to cpu%llu\n", event->detail, (number)event->a);
        break;
    case TRACE_CALL:
        text_add(text, " %s 0x%llx 0x%llx\n", call_name(event->detail), (number)event->a, (number)event->b);
        break;
    case TRACE_RETURN:
        text_add(text, " %s 0x%llx after %llu ticks\n", call_name(event->detail), (number)event->a,
                 (number)event->b);
        break;
    case TRACE_FAULT:
        text_add(text, " code %u address 0x%llx rip 0x%llx\n", event->detail, (number)event->a,
                 (number)event->b);
        break;
    default:
        text_add(text, " vector %u\n", event->detail);
    }
}

/* The events of a CPU from which on they are still there. */
static uint64_t first_event(const struct trace_block *block) {
    return block->next > TRACE_EVENTS ? block->next - TRACE_EVENTS : 0;
}

int proc_show_keel_trace(const struct proc_ref *ref, struct text *text) {
    struct cpu_blocks *all = cpu_blocks_read(sizeof(struct trace_block));
    (void)ref;
    uint64_t *at = all ? heap_alloc(all->count * sizeof(*at)) : NULL;
    if (!at) {
        heap_free(all);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < all->count; i++)
        at[i] = first_event(&all->blocks[i]);
    for (;;) {
        const struct trace_event *next = NULL;
        uint32_t cpu = 0;
        for (uint32_t i = 0; i < all->count; i++) {
            const struct trace_event *event = &all->blocks[i].events[at[i] % TRACE_EVENTS];
            if (at[i] < all->blocks[i].next && (!next || event->time < next->time)) {
                next = event;
                cpu = i;
            }
        }
        if (!next)
            break;
        add_event(text, cpu, next);
        at[cpu]++;
    }
    heap_free(at);
    heap_free(all);
    return 0;
}

static bool word_is(const char *word, size_t length, const char *name) {
    return strlen(name) == length && !memcmp(word, name, length);
}

static size_t without_newline(const char *bytes, size_t length) {
    return length && bytes[length - 1] == '\n' ? length - 1 : length;
}

int proc_store_keel_syscalls(const struct proc_ref *ref, const char *bytes, size_t length) {
    (void)ref;
    length = without_newline(bytes, length);
    if (!word_is(bytes, length, "on") && !word_is(bytes, length, "off"))
        return -EINVAL;
    posix_calls_timed = word_is(bytes, length, "on");
    return 0;
}

/* The bits that a word asks for; -EINVAL for none of the names. */
static int64_t kind_bits(const char *word, size_t length) {
    if (word_is(word, length, "all"))
        return TRACE_ALL;
    if (word_is(word, length, "off"))
        return 0;
    for (unsigned kind = 0; kind < TRACE_KINDS; kind++)
        if (word_is(word, length, kind_names[kind]))
            return 1 << kind;
    return -EINVAL;
}

int proc_store_keel_trace(const struct proc_ref *ref, const char *bytes, size_t length) {
    uint64_t mask = 0;
    (void)ref;
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && bytes[end] != ' ' && bytes[end] != '\n')
            end++;
        int64_t bits = end > at ? kind_bits(bytes + at, end - at) : 0;
        if (bits < 0)
            return (int)bits;
        mask |= (uint64_t)bits;
        at = end + 1;
    }
    for (uint32_t cpu = 0; cpu < system_cpus(); cpu++) {
        int error = system_trace(cpu, mask, NULL, 0);
        if (error)
            return error;
    }
    return 0;
}
