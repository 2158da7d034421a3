/*
 * The vDSO's code: it runs inside the programs, with no library and no memory of its own. Time comes from the
 * TSC by the scale in the data page (linux/vdso/data.h), which lies one page below this image; what it cannot
 * answer it asks by a system call.
 */
#include <stdint.h>

#include "linux/vdso/data.h"

enum {
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_REALTIME_COARSE = 5,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    CLOCK_TAI = 11,
    NR_clock_gettime = 228,
    NR_clock_getres = 229,
    NR_getcpu = 309,
    BILLION = 1000000000,
};

struct vdso_timespec {
    int64_t seconds, nanoseconds;
};
struct vdso_timeval {
    int64_t seconds, microseconds;
};

extern const struct vdso_data vdso_data_page __attribute__((visibility("hidden")));

int __vdso_clock_gettime(int clock, struct vdso_timespec *time);
int __vdso_gettimeofday(struct vdso_timeval *time, void *zone);
int64_t __vdso_time(int64_t *result);
int __vdso_clock_getres(int clock, struct vdso_timespec *resolution);
int64_t __vdso_getcpu(unsigned *cpu, unsigned *node, void *cache);

static inline int64_t call(int64_t number, int64_t a, int64_t b, int64_t c) {
    int64_t result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static inline uint64_t monotonic(void) {
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
    uint64_t ticks = ((uint64_t)high << 32 | low) - vdso_data_page.tsc_base;
    return (uint64_t)((unsigned __int128)ticks * vdso_data_page.mult >> 32);
}

static inline uint64_t realtime(void) {
    uint32_t sequence;
    uint64_t base;
    do {
        sequence = vdso_data_page.sequence;
        __asm__ volatile("" ::: "memory");
        base = vdso_data_page.wall_base;
        __asm__ volatile("" ::: "memory");
    } while (sequence & 1 || sequence != vdso_data_page.sequence);
    return monotonic() + base;
}

int __vdso_clock_gettime(int clock, struct vdso_timespec *time) {
    uint64_t ns;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        ns = realtime();
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        ns = monotonic();
        break;
    default:
        return (int)call(NR_clock_gettime, clock, (int64_t)(uintptr_t)time, 0);
    }
    time->seconds = (int64_t)(ns / BILLION);
    time->nanoseconds = (int64_t)(ns % BILLION);
    return 0;
}

int __vdso_gettimeofday(struct vdso_timeval *time, void *zone) {
    if (time) {
        uint64_t ns = realtime();
        time->seconds = (int64_t)(ns / BILLION);
        time->microseconds = (int64_t)(ns % BILLION / 1000);
    }
    if (zone)
        *(uint64_t *)zone = 0;
    return 0;
}

int64_t __vdso_time(int64_t *result) {
    int64_t seconds = (int64_t)(realtime() / BILLION);
    if (result)
        *result = seconds;
    return seconds;
}

int __vdso_clock_getres(int clock, struct vdso_timespec *resolution) {
    return (int)call(NR_clock_getres, clock, (int64_t)(uintptr_t)resolution, 0);
}

int64_t __vdso_getcpu(unsigned *cpu, unsigned *node, void *cache) {
    (void)cache;
    return call(NR_getcpu, (int64_t)(uintptr_t)cpu, (int64_t)(uintptr_t)node, 0);
}

int clock_gettime(int clock, struct vdso_timespec *time)
    __attribute__((weak, alias("__vdso_clock_gettime"), visibility("default")));
int gettimeofday(struct vdso_timeval *time, void *zone)
    __attribute__((weak, alias("__vdso_gettimeofday"), visibility("default")));
int64_t time(int64_t *result) __attribute__((weak, alias("__vdso_time"), visibility("default")));
int clock_getres(int clock, struct vdso_timespec *resolution)
    __attribute__((weak, alias("__vdso_clock_getres"), visibility("default")));
int64_t getcpu(unsigned *cpu, unsigned *node, void *cache)
    __attribute__((weak, alias("__vdso_getcpu"), visibility("default")));
