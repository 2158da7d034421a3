/*
 * keelstat: what the kernel counts (abi/trace.h), once a second in the log: per CPU the part of the time that
 * it worked, and switches, faults, interrupts and entries a second; below, the calls made most with their
 * usual time. Started by init when the kernel's command line has the word keelstat, or keelstat=MS for
 * another interval:
 *
 *     ./keel run --append keelstat=200 --log FILE -- PROGRAM
 *
 * With the word rdpmc, and hardware counters, also the instructions and cycles of each CPU.
 */
#include <cpuid.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "abi/trace.h"
#include "lib/native/keel.h"

enum { CPUS_MAX = 64, INTERVAL_MS = 1000, INTERVAL_MIN = 10, TOP = 5, NS_PER_MS = 1000000 };

static const struct trace_block *blocks[CPUS_MAX];
static struct cpu_counters before[CPUS_MAX];
static struct time_histogram times_before[COUNTED_CALLS];
static uint64_t cpus, calls_before[COUNTED_CALLS];

enum { FIXED_COUNTER = 1 << 30, INSTRUCTIONS = 0, CYCLES = 1, HARDWARE = 2 };
static uint64_t hardware_before[CPUS_MAX][HARDWARE], hardware_mask; /* 0: there are none */

static const char *call_name(unsigned index) {
    static const char *const names[COUNTED_CALLS] = {
#define CALL(index, name, arguments, self, right, text) [index] = #name,
#include "abi/syscalls.def"
#undef CALL
        [TIME_FAULTS] = "page_fault",
    };
    return names[index] ? names[index] : "unknown";
}

/* Brings a CPU's counters up to date and maps them the first time; the times of calls and faults are switched
 * on. */
static bool block_update(uint64_t cpu) {
    int64_t vmo = keel_trace_open(handle_find("info"), cpu, 1 << TRACE_CALL | 1 << TRACE_FAULT);
    if (vmo < 0)
        return false;
    if (!blocks[cpu])
        blocks[cpu] = memory_map((handle_t)vmo, 0, TRACE_BLOCK_BYTES, MAP_READ);
    (void)keel_handle_close((uint64_t)vmo);
    return blocks[cpu] != NULL;
}

static uint64_t entries(const struct cpu_counters *counters) {
    uint64_t sum = counters->other_entries;
    for (unsigned i = 0; i < COUNTED_CALLS; i++)
        sum += counters->calls[i];
    return sum;
}

static uint64_t interrupts(const struct cpu_counters *counters) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < COUNTED_VECTORS; i++)
        sum += counters->vectors[i];
    return sum;
}

static unsigned long long rate(uint64_t now, uint64_t then, uint64_t ns) {
    return (unsigned long long)((now - then) * (1000ULL * NS_PER_MS) / (ns ? ns : 1));
}

static void cpu_show(uint64_t cpu, uint64_t ns) {
    const struct cpu_counters *now = &blocks[cpu]->counters, *then = &before[cpu];
    uint64_t idle = now->idle_time - then->idle_time;
    unsigned busy = idle < ns ? (unsigned)((ns - idle) * 100 / ns) : 0;

    log_line(
        "cpu%-2llu %3u %% busy, a second: %llu switches, %llu table switches, %llu faults, %llu interrupts, "
        "%llu entries, %llu reflections",
        (unsigned long long)cpu, busy, rate(now->context_switches, then->context_switches, ns),
        rate(now->page_table_switches, then->page_table_switches, ns),
        rate(now->page_faults, then->page_faults, ns), rate(interrupts(now), interrupts(then), ns),
        rate(entries(now), entries(then), ns), rate(now->reflections, then->reflections, ns));
}

/* The boot path lets counters of version 2 run when the command line asks for them (boot/cpu.c). */
static void hardware_find(void) {
    const char *line = getenv("KEEL_CMDLINE");
    unsigned eax = 0, ebx, ecx, edx = 0;

    if (!line || !strstr(line, "rdpmc"))
        return;
    if (__get_cpuid(10, &eax, &ebx, &ecx, &edx) && (eax & 0xff) >= 2 && (edx & 31) >= HARDWARE)
        hardware_mask = (1ULL << (edx >> 5 & 63)) - 1;
    else
        log_line("this machine has no hardware counters");
}

static uint64_t counter_read(uint32_t number) {
    uint32_t low, high;
    __asm__ volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(FIXED_COUNTER + number));
    return (uint64_t)high << 32 | low;
}

/* Goes to the CPU to ask it. */
static void hardware_show(uint64_t cpu, uint64_t ns, bool print) {
    uint64_t fresh[HARDWARE];

    if (!hardware_mask || keel_thread_set(0, 1, 1ULL << cpu))
        return;
    for (uint32_t i = 0; i < HARDWARE; i++) {
        uint64_t now = counter_read(i);
        fresh[i] = (now - hardware_before[cpu][i]) & hardware_mask;
        hardware_before[cpu][i] = now;
    }
    (void)keel_thread_set(0, 1, UINT64_MAX);
    if (print)
        log_line("cpu%-2llu a second: %llu instructions, %llu cycles", (unsigned long long)cpu,
                 rate(fresh[INSTRUCTIONS], 0, ns), rate(fresh[CYCLES], 0, ns));
}

/* Calls of an index on all CPUs since the start, and their times. */
static uint64_t calls_sum(unsigned index, struct time_histogram *times) {
    uint64_t count = 0;
    memset(times, 0, sizeof(*times));
    for (uint64_t cpu = 0; cpu < cpus; cpu++) {
        const struct trace_block *block = blocks[cpu];
        count += index == TIME_FAULTS ? block->counters.page_faults : block->counters.calls[index];
        times->total += block->times[index].total;
        for (unsigned i = 0; i < TIME_BUCKETS; i++)
            times->buckets[i] += block->times[index].buckets[i];
    }
    return count;
}

static bool timed(const struct time_histogram *now, const struct time_histogram *then) {
    return now->total != then->total;
}

/* The bucket that half of what is new lies in or below. */
static unsigned bucket_median(const struct time_histogram *now, const struct time_histogram *then) {
    uint32_t total = 0, seen = 0;
    for (unsigned i = 0; i < TIME_BUCKETS; i++)
        total += now->buckets[i] - then->buckets[i];
    unsigned bucket = 0;
    for (; bucket < TIME_BUCKETS - 1; bucket++) {
        seen += now->buckets[bucket] - then->buckets[bucket];
        if (2 * seen >= total)
            break;
    }
    return bucket;
}

static void calls_show(uint64_t ns, bool print) {
    uint64_t count[COUNTED_CALLS], fresh[COUNTED_CALLS];
    struct time_histogram times[COUNTED_CALLS];

    for (unsigned i = 0; i < COUNTED_CALLS; i++) {
        count[i] = calls_sum(i, &times[i]);
        fresh[i] = count[i] - calls_before[i];
    }
    for (unsigned shown = 0; print && shown < TOP; shown++) {
        unsigned most = 0;
        for (unsigned i = 1; i < COUNTED_CALLS; i++)
            if (fresh[i] > fresh[most])
                most = i;
        if (!fresh[most])
            break;
        if (timed(&times[most], &times_before[most]))
            log_line("  %-16s %8llu a second, half of those timed below 2^%u ticks", call_name(most),
                     rate(fresh[most], 0, ns), bucket_median(&times[most], &times_before[most]) + 1);
        else
            log_line("  %-16s %8llu a second", call_name(most), rate(fresh[most], 0, ns));
        fresh[most] = 0;
    }
    memcpy(calls_before, count, sizeof(count));
    memcpy(times_before, times, sizeof(times));
}

/* Milliseconds from keelstat=MS on the command line. */
static uint64_t interval_ms(void) {
    const char *line = getenv("KEEL_CMDLINE"), *at = line ? strstr(line, "keelstat=") : NULL;
    uint64_t ms = at ? strtoul(at + strlen("keelstat="), NULL, 10) : INTERVAL_MS;
    return ms < INTERVAL_MIN ? INTERVAL_MIN : ms;
}

int main(void) {
    struct system_info info = {0};
    uint64_t interval = interval_ms() * NS_PER_MS, last = 0;

    (void)keel_object_info(handle_find("info"), keel_pointer(&info), sizeof(info));
    cpus = info.cpus < CPUS_MAX ? info.cpus : CPUS_MAX;
    hardware_find();
    for (;;) {
        for (uint64_t cpu = 0; cpu < cpus; cpu++)
            if (!block_update(cpu))
                return 1;
        uint64_t now = clock_now();
        for (uint64_t cpu = 0; cpu < cpus && last; cpu++)
            cpu_show(cpu, now - last);
        for (uint64_t cpu = 0; cpu < cpus; cpu++)
            hardware_show(cpu, now - last, last != 0);
        calls_show(now - last, last != 0);
        for (uint64_t cpu = 0; cpu < cpus; cpu++)
            before[cpu] = blocks[cpu]->counters;
        last = now;
        (void)keel_thread_wait(now + interval);
    }
}
