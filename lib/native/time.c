/* Clocks from the UTCB's conversion factors and the time stamp counter; sleeping in thread_wait. */
#include "lib/native/posix.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "lib/native/keel.h"

enum { NS_PER_SECOND = 1000000000 };

uint64_t clock_now(void) {
    const struct utcb_clock *clock = &utcb_own()->clock;
    uint64_t ticks = __builtin_ia32_rdtsc() - clock->tsc_base;
    return (uint64_t)((unsigned __int128)ticks * clock->mult >> 32);
}

static bool clock_is_wall(uint64_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

static uint64_t clock_base(uint64_t clock) {
    return clock_is_wall(clock) ? utcb_own()->clock.wall_base_ns : 0;
}

int64_t posix_clock_gettime(uint64_t clock, uint64_t result) {
    if (clock > CLOCK_TAI)
        return -EINVAL;
    uint64_t now = clock_base(clock) + clock_now();
    struct timespec *time = (struct timespec *)result;
    time->tv_sec = (time_t)(now / NS_PER_SECOND);
    time->tv_nsec = (long)(now % NS_PER_SECOND);
    return 0;
}

int64_t posix_clock_nanosleep(uint64_t clock, uint64_t flags, uint64_t request) {
    const struct timespec *time = (const struct timespec *)request;
    if (clock > CLOCK_TAI || time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= NS_PER_SECOND)
        return -EINVAL;
    uint64_t deadline = DEADLINE_NEVER;
    if ((uint64_t)time->tv_sec < UINT64_MAX / NS_PER_SECOND / 4) {
        deadline = (uint64_t)time->tv_sec * NS_PER_SECOND + (uint64_t)time->tv_nsec;
        uint64_t base = clock_base(clock);
        if (!(flags & TIMER_ABSTIME))
            deadline += clock_now();
        else
            deadline = deadline > base ? deadline - base : 0;
    }
    /* A kick ends thread_wait early; native threads have no use for one. */
    while (clock_now() < deadline)
        (void)keel_thread_wait(deadline);
    return 0;
}
