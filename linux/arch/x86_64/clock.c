/* Time from the TSC, by the scale that the kernel publishes; the wall clock's offset, shared with the vDSO.
 */
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/vdso/data.h"
#include "linux/vdso/vdso.h"
#include "linux/lock.h"

static struct utcb_clock scale;
static struct spin wall_lock; /* writers of wall_base */
static _Atomic uint64_t wall_base;

static uint64_t tsc_read(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

void clock_start(const struct utcb_clock *clock) {
    scale = *clock;
    wall_base = clock->wall_base_ns;
}

uint64_t clock_monotonic(void) {
    return (uint64_t)((unsigned __int128)(tsc_read() - scale.tsc_base) * scale.mult >> 32);
}

uint64_t clock_realtime(void) {
    return clock_monotonic() + wall_base;
}

void clock_realtime_set(uint64_t unix_ns) {
    spin_acquire(&wall_lock);
    wall_base = unix_ns - clock_monotonic();
    struct vdso_data *data = vdso_data();
    if (data) {
        data->sequence++;
        atomic_thread_fence(memory_order_seq_cst);
        data->wall_base = wall_base;
        atomic_thread_fence(memory_order_seq_cst);
        data->sequence++;
    }
    spin_release(&wall_lock);
}

void clock_describe(struct vdso_data *data) {
    data->tsc_base = scale.tsc_base;
    data->mult = scale.mult;
    data->wall_base = wall_base;
}
