/* Time on the host: the machine's, or the simulation's, which moves a microsecond with each look at it. */
#include <time.h>

#include "linux/arch/host/thread.h"
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/vdso/vdso.h"

#define SECOND_NS 1000000000ULL

static uint64_t simulated_now = SECOND_NS, wall_base;

static uint64_t posix_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t host_now(void) {
    enum { LOOK_NS = 1000 };
    if (!host_simulated())
        return posix_clock(CLOCK_MONOTONIC);
    simulated_now += LOOK_NS;
    return simulated_now;
}

void host_clock_set(uint64_t now) {
    if (now > simulated_now)
        simulated_now = now;
}

static uint64_t base(void) {
    enum { START_YEARS = 56 };
    uint64_t found = __atomic_load_n(&wall_base, __ATOMIC_RELAXED);
    if (found)
        return found;
    found = host_simulated() ? START_YEARS * 31556952ULL * SECOND_NS
                             : posix_clock(CLOCK_REALTIME) - posix_clock(CLOCK_MONOTONIC);
    __atomic_store_n(&wall_base, found, __ATOMIC_RELAXED);
    return found;
}

void clock_start(const struct utcb_clock *clock) {
    __atomic_store_n(&wall_base, clock->wall_base_ns, __ATOMIC_RELAXED);
}
uint64_t clock_monotonic(void) {
    return host_now();
}
uint64_t clock_realtime(void) {
    return host_now() + base();
}

void clock_realtime_set(uint64_t unix_ns) {
    __atomic_store_n(&wall_base, unix_ns - host_now(), __ATOMIC_RELAXED);
}

/* No guest code reads the page here. */
void clock_describe(struct vdso_data *data) {
    (void)data;
}
