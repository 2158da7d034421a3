/* Memory: mappings, snapshots, pages. */
#include "bench/kbench.h"

static handle_t vmo;

static void begin_page(void) {
    static const char page[PAGE];
    vmo = (handle_t)MUST(keel_vmo_create(PAGE, 0));
    MUST(keel_vmo_write(vmo, 0, keel_pointer(page), PAGE));
}

static void end_vmo(void) {
    MUST(keel_handle_close(vmo));
}

static void map_one(void) {
    keel_space_map(0, WINDOW_AT, vmo, 0, PAGE, MAP_READ | MAP_WRITE);
}

static uint64_t touch_one(void) {
    return *(volatile uint64_t *)WINDOW_AT;
}

/* One part of map, touch and unmap is measured at a time. */
static uint64_t run_window(unsigned count, bool map, bool touch, bool unmap) {
    uint64_t sum = 1;
    while (count--) {
        uint64_t start = ticks_now();
        map_one();
        uint64_t mapped = ticks_now();
        touch_one();
        uint64_t touched = ticks_now();
        keel_space_unmap(0, WINDOW_AT, PAGE);
        uint64_t end = ticks_now();
        sum += (map ? mapped - start : 0) + (touch ? touched - mapped : 0) + (unmap ? end - touched : 0);
    }
    return sum;
}

static uint64_t run_map(unsigned count) {
    return run_window(count, true, false, false);
}
static uint64_t run_touch(unsigned count) {
    return run_window(count, false, true, false);
}
static uint64_t run_unmap(unsigned count) {
    return run_window(count, false, false, true);
}

static uint64_t mapped; /* bytes at WINDOW_AT */

/* A memory object all of whose pages are there, mapped, and written through the mapping. */
static void vmo_full(uint64_t length) {
    vmo = (handle_t)MUST(keel_vmo_create(length, 0));
    MUST(keel_space_map(0, WINDOW_AT, vmo, 0, length, MAP_READ | MAP_WRITE));
    for (mapped = 0; mapped < length; mapped += PAGE)
        *(volatile char *)(WINDOW_AT + mapped) = 1;
}

static void end_full(void) {
    MUST(keel_space_unmap(0, WINDOW_AT, mapped));
    MUST(keel_handle_close(vmo));
}

static void begin_4m(void) {
    vmo_full(4 << 20);
}

static void begin_1g(void) {
    vmo_full(1 << 30);
}

static uint64_t run_snapshot(unsigned count) {
    uint64_t sum = 1;
    while (count--) {
        *(volatile char *)WINDOW_AT = 1; /* there is something to be write-protected again */
        uint64_t start = ticks_now();
        int64_t copy = keel_vmo_snapshot(vmo);
        sum += ticks_now() - start;
        MUST(keel_handle_close(MUST(copy)));
    }
    return sum;
}

/* The kernel measures this itself: user space sees no bare page. */
static uint64_t run_page_allocate(unsigned count) {
    return count ? MUST(keel_debug_measure(debug, count)) : 1;
}

const struct operation memory_operations[] = {
    {"page_map", 200, begin_page, run_map, end_vmo},
    {"page_touch", 200, begin_page, run_touch, end_vmo},
    {"page_unmap", 200, begin_page, run_unmap, end_vmo},
    {"snapshot_4m", 1, begin_4m, run_snapshot, end_full},
    {"snapshot_1g", 1, begin_1g, run_snapshot, end_full},
    {"page_allocate_free", 50, nothing, run_page_allocate, nothing},
    {0},
};
