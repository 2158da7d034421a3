/*
 * The kernel's own operations, measured from a native process: started by init in place of the personality
 * (bench/kbench.manifest), by `./keel bench`. A line per operation goes to the log:
 *
 *   row NAME TICKS NS SWITCHES ENTRIES      each per operation, with a decimal point
 *
 * as in ops.c. What needs another address space has one: a partner process with a copy of this program's
 * memory, whose threads share one page with this one. Those threads, and everything while a guest space is
 * attached, use class 1 calls and this image only. The image is linked in the upper half, so that the lower
 * one is free for guests.
 */
#include "bench/kbench.h"

#include <stdlib.h>
#include <string.h>

enum { BATCHES = 5 };

#define TOPIC(name) name##_operations,
static const struct operation *const topics[] = {TOPICS};
#undef TOPIC

static handle_t info;
handle_t port, second_port, event, irq_port, timer, debug;
uint64_t cpus;

void check(bool good, const char *what) {
    if (good)
        return;
    log_line("not ok %s", what);
    exit(1);
}

uint64_t must(int64_t result, const char *what) {
    if (result < 0)
        log_line("%s: %s", what, strerror((int)-result));
    check(result >= 0, what);
    return (uint64_t)result;
}

void nothing(void) {}

struct sample {
    uint64_t ticks, ns, switches, entries;
};

static struct system_info counters_now(void) {
    struct system_info now = {0};
    keel_object_info(info, keel_pointer(&now), sizeof now);
    return now;
}

/* What a batch took. count 0 measures the measuring. */
static struct sample batch_run(const struct operation *operation, unsigned count) {
    MUST(keel_thread_set(0, 0, LEVEL_MAIN)); /* below its partner's, it would run by aging alone */
    struct system_info before = counters_now();
    uint64_t ns = clock_now(), start = ticks_now();
    uint64_t own = operation->run(count);
    uint64_t end = ticks_now(), end_ns = clock_now();
    struct system_info after = counters_now();
    uint64_t mult = utcb_own()->clock.mult;
    if (own)
        end_ns = ns + (uint64_t)((unsigned __int128)own * mult >> 32);
    return (struct sample){own ? own : end - start, end_ns - ns,
                           after.page_table_switches - before.page_table_switches,
                           after.kernel_entries - before.kernel_entries};
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static struct sample sample_least(struct sample a, struct sample b) {
    return (struct sample){least(a.ticks, b.ticks), least(a.ns, b.ns), least(a.switches, b.switches),
                           least(a.entries, b.entries)};
}

static double each(uint64_t value, uint64_t base, unsigned count) {
    return value > base ? (double)(value - base) / count : 0;
}

static void operation_measure(const struct operation *operation) {
    struct sample best = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}, empty = best;
    operation->begin();
    for (unsigned i = 0; i < BATCHES; i++) {
        empty = sample_least(empty, batch_run(operation, 0));
        best = sample_least(best, batch_run(operation, operation->count));
    }
    operation->end();
    unsigned count = operation->count;
    log_line("row %s %.1f %.1f %.2f %.2f", operation->name, each(best.ticks, empty.ticks, count),
             each(best.ns, empty.ns, count), each(best.switches, empty.switches, count),
             each(best.entries, empty.entries, count));
}

/* Whether the command line's bench=NAME,NAME… asks for a row; without it, all are. */
static bool wanted(const char *name) {
    const char *line = getenv("KEEL_CMDLINE"), *list = line ? strstr(line, "bench=") : NULL;
    size_t length = strlen(name);
    if (!list)
        return true;
    for (list += strlen("bench="); *list && *list != ' '; list += strcspn(list, ", "), list += *list == ',')
        if (strncmp(list, name, length) == 0 && (!list[length] || strchr(", ", list[length])))
            return true;
    return false;
}

int main(void) {
    info = handle_find("info");
    debug = handle_find("debug");
    port = (handle_t)MUST(keel_handle_create(OBJECT_PORT, 0, 0, 0));
    second_port = (handle_t)MUST(keel_handle_create(OBJECT_PORT, 0, 0, 0));
    irq_port = (handle_t)MUST(keel_handle_create(OBJECT_PORT, 4, 0, 0));
    event = (handle_t)MUST(keel_handle_create(OBJECT_EVENT, 0, 0, 0));
    timer = (handle_t)MUST(keel_handle_create(OBJECT_TIMER, 0, 0, 0));
    MUST(keel_object_bind(timer, irq_port, 1));
    MUST(keel_thread_set(0, 0, LEVEL_MAIN));
    cpus = counters_now().cpus;
    partner_create();
    for (size_t topic = 0; topic < sizeof topics / sizeof *topics; topic++)
        for (const struct operation *operation = topics[topic]; operation->name; operation++)
            if (wanted(operation->name))
                operation_measure(operation);
    return 0;
}
