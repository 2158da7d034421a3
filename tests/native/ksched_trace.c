/*
 * The trace of a CPU: who was on it, at which level, and when.
 */
#include "tests/native/ksched.h"

static const struct trace_block *block;
static uint64_t ticks_per_ms;
struct trace_event events[TRACE_EVENTS];
unsigned event_count;

static void trace_mask(uint64_t cpu, uint64_t mask) {
    int64_t vmo = keel_trace_open(handle_find("info"), cpu, mask);
    CHECK(vmo > 0);
    if (!block)
        block = memory_map((handle_t)vmo, 0, TRACE_BLOCK_BYTES, MAP_READ);
    CHECK(keel_handle_close((uint64_t)vmo) == 0);
}

uint64_t trace_begin(uint64_t cpu) {
    uint64_t before = __builtin_ia32_rdtsc(), since = clock_now();
    trace_mask(cpu, 1 << TRACE_SWITCH | 1 << TRACE_LEVEL);
    sleep_ns(10 * MS);
    ticks_per_ms = (__builtin_ia32_rdtsc() - before) * MS / (clock_now() - since);
    return block->next;
}

void trace_end(uint64_t cpu, uint64_t first) {
    trace_mask(cpu, 0);
    uint64_t next = block->next;
    CHECK(next - first < TRACE_EVENTS);
    event_count = 0;
    for (uint64_t n = next - first < TRACE_EVENTS ? first : next - TRACE_EVENTS; n < next; n++)
        events[event_count++] = block->events[n % TRACE_EVENTS];
    memory_unmap((void *)(uintptr_t)block, TRACE_BLOCK_BYTES);
    block = NULL;
}

uint64_t event_us(unsigned n) {
    return events[n].time * US / ticks_per_ms;
}

/* Who was on the CPU, but for the test itself. */
unsigned threads_traced(uint32_t *found, unsigned most) {
    unsigned count = 0;
    for (unsigned n = 0; n < event_count; n++) {
        bool is_new = events[n].kind == TRACE_SWITCH && events[n].thread && events[n].detail > 1;
        for (unsigned i = 0; i < count; i++)
            is_new &= found[i] != events[n].thread;
        if (is_new && count < most)
            found[count++] = events[n].thread;
    }
    return count;
}

uint64_t switches_of(uint64_t cpu) {
    trace_mask(cpu, TRACE_KEEP);
    uint64_t count = block->counters.context_switches;
    memory_unmap((void *)(uintptr_t)block, TRACE_BLOCK_BYTES);
    block = NULL;
    return count;
}
