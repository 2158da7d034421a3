/* What the kernel tells about itself: counters, trace, interrupts-off time (debug kernel). */
#include "abi/debug.h"
#include "abi/trace.h"
#include "tests/native/ktest.h"

static bool kernel_is_debug(void) {
    return keel_debug_control(handle_find("debug"), DEBUG_STRETCH_RESET, 0) == 0;
}

/* Reading 256 KB in one call takes longer with interrupts off than anything else here. */
static void test_stretch(void) {
    static char buffer[256 << 10];
    struct debug_stretch stretch = {0};
    uint64_t debug = handle_find("debug");

    if (!kernel_is_debug()) {
        EQ(keel_debug_control(debug, DEBUG_STRETCH, 0), -ENOSYS);
        return;
    }
    int64_t vmo = keel_vmo_create(sizeof(buffer), VMO_PINNED);
    memset(buffer, 1, sizeof(buffer));
    EQ(keel_debug_control(debug, DEBUG_STRETCH_RESET, 0), 0);
    EQ(keel_vmo_read((uint64_t)vmo, 0, keel_pointer(buffer), sizeof(buffer)), sizeof(buffer));
    EQ(keel_debug_control(debug, DEBUG_STRETCH, keel_pointer(&stretch)), 0);
    log_line("longest time with interrupts off: %llu ticks, vector %llu call %llx from %llx to %llx",
             (unsigned long long)stretch.ticks, (unsigned long long)stretch.vector,
             (unsigned long long)stretch.call, (unsigned long long)stretch.from,
             (unsigned long long)stretch.to);
    EQ(stretch.ticks > 1000, 1);
    EQ(stretch.vector == 256 || stretch.vector < 256, 1);
    EQ(keel_debug_control(debug, DEBUG_STRETCH, 0x1000), -EFAULT);
    EQ(keel_debug_control(debug, 1000, 0), -EINVAL);
    EQ(keel_debug_control((uint64_t)vmo, DEBUG_STRETCH, 0), -EINVAL);
    EQ(keel_handle_close((uint64_t)vmo), 0);
}

/* ---- counters and trace ---- */

/* Maps a CPU's block with a new mask; unmapped by block_close. */
static const struct trace_block *block_open(uint64_t cpu, uint64_t mask) {
    int64_t vmo = keel_trace_open(handle_find("info"), cpu, mask);
    EQ(vmo > 0, 1);
    const struct trace_block *block = memory_map((handle_t)vmo, 0, TRACE_BLOCK_BYTES, MAP_READ);
    EQ(block != NULL, 1);
    EQ(memory_map((handle_t)vmo, 0, TRACE_BLOCK_BYTES, MAP_READ | MAP_WRITE) == NULL, 1);
    EQ(keel_handle_close((uint64_t)vmo), 0);
    return block;
}

static void block_close(const struct trace_block *block) {
    memory_unmap((void *)(uintptr_t)block, TRACE_BLOCK_BYTES);
}

/* The mask of a CPU, and its counters in a mapped block brought up to date. */
static void block_refresh(uint64_t cpu, uint64_t mask) {
    int64_t vmo = keel_trace_open(handle_find("info"), cpu, mask);
    EQ(keel_handle_close((uint64_t)vmo), 0);
}

static void test_counters(void) {
    struct system_info info;
    EQ(keel_thread_set(0, 1, 1), 0);
    keel_thread_yield();
    const struct trace_block *block = block_open(0, TRACE_KEEP);
    uint64_t calls = block->counters.calls[0], switches = block->counters.context_switches;
    uint64_t timer = block->counters.vectors[0xf0 & 127], faults = block->counters.page_faults;
    for (unsigned i = 0; i < 1000; i++)
        EQ(keel_null(), 0);
    volatile char *memory = memory_map(0, 0, 16 * 4096, MAP_READ | MAP_WRITE | MAP_COPY);
    for (unsigned i = 0; i < 16; i++)
        memory[i * 4096] = 1;
    memory_unmap((void *)(uintptr_t)memory, 16 * 4096);
    /* On a busy host a short wait is over before it begins. */
    for (unsigned ms = 1; ms < 1000 && block->counters.context_switches == switches; ms *= 2) {
        keel_thread_wait(clock_now() + ms * (uint64_t)MS);
        block_refresh(0, TRACE_KEEP);
    }
    EQ(block->counters.calls[0] - calls, 1000);
    EQ(block->counters.context_switches > switches, 1);
    EQ(block->counters.vectors[0xf0 & 127] > timer, 1);
    EQ(block->counters.page_faults >= faults + 4, 1);
    keel_object_info(handle_find("info"), keel_pointer(&info), sizeof(info));
    EQ(info.kernel_entries > 1000, 1);
    EQ(info.interrupts >= block->counters.vectors[0xf0 & 127], 1);
    block_close(block);
    EQ(keel_trace_open(handle_find("info"), info.cpus, 0), -EINVAL);
    EQ(keel_trace_open(handle_find("log"), 0, 0), -EACCES);
    EQ(keel_thread_set(0, 1, UINT64_MAX), 0);
}

static _Atomic bool spun;

static void short_spinner(uint64_t i) {
    keel_thread_set(0, 1, 1);
    for (uint64_t end = clock_now() + 50 * MS; clock_now() < end;) {
    }
    spun = true;
    thread_end(i);
}

/* A thread that only computes, beside another: its moves down and the switches show in the trace. */
static void test_trace(void) {
    unsigned seen[TRACE_KINDS] = {0}, descents = 0;
    uint64_t last = 0;
    EQ(keel_thread_set(0, 1, 1), 0);
    keel_thread_yield();
    const struct trace_block *block = block_open(0, 0);
    uint64_t first = block->next;
    block_refresh(0, 1 << TRACE_INTERRUPT);
    keel_thread_wait(clock_now() + 2 * MS);
    /* A tick every 100 us while another CPU is idle would soon fill the block. */
    block_refresh(0, TRACE_ALL & ~(1 << TRACE_INTERRUPT));
    spun = false;
    handle_t thread = thread_start(0, short_spinner);
    /* On a busy host the CPU that it starts on may be late to send it here. */
    for (uint64_t end = clock_now() + 60 * MS; clock_now() < end || !spun;) {
    }
    for (unsigned i = 0; i < 5; i++)
        EQ(keel_null(), 0);
    block_refresh(0, 0);
    uint64_t next = block->next;
    EQ(next - first > 5, 1);
    for (uint64_t n = next - first > TRACE_EVENTS ? next - TRACE_EVENTS : first; n < next; n++) {
        const struct trace_event *event = &block->events[n % TRACE_EVENTS];
        EQ(event->kind < TRACE_KINDS, 1);
        EQ(event->time >= last, 1);
        last = event->time;
        seen[event->kind % TRACE_KINDS]++;
        descents += event->kind == TRACE_LEVEL && event->detail == event->a + 1;
    }
    EQ(seen[TRACE_CALL] >= 5, 1);
    EQ(seen[TRACE_RETURN] >= 5, 1);
    EQ(seen[TRACE_SWITCH] > 0, 1);
    EQ(seen[TRACE_INTERRUPT] > 0, 1);
    EQ(seen[TRACE_WAKE] > 0, 1);
    EQ(descents > 0, 1);
    uint64_t sum = 0;
    for (unsigned i = 0; i < TIME_BUCKETS; i++)
        sum += block->times[0].buckets[i];
    EQ(sum >= 5, 1);
    EQ(keel_null(), 0);
    EQ(block->next, next);
    block_close(block);
    thread_join(0, thread);
    EQ(keel_thread_set(0, 1, UINT64_MAX), 0);
}

const struct test insight_tests[] = {
    {"counters", test_counters},
    {"trace", test_trace},
    {"stretch", test_stretch},
    {NULL, NULL},
};
