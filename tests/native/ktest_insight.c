/* What the kernel tells about itself: interrupts-off time (debug kernel). */
#include "abi/debug.h"
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

const struct test insight_tests[] = {
    {"stretch", test_stretch},
    {NULL, NULL},
};
