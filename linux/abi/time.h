/* Clocks, intervals and timers of the Linux ABI. */
#pragma once

#include <stdint.h>

struct timespec64 {
    int64_t seconds, nanoseconds;
};

struct timeval64 {
    int64_t seconds, microseconds;
};

struct itimerspec64 {
    struct timespec64 interval, value;
};

struct itimerval64 {
    struct timeval64 interval, value;
};

struct timezone64 {
    int32_t minutes_west, dst;
};

struct tms64 {
    int64_t utime, stime, cutime, cstime; /* 1/100 s */
};

enum {
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_PROCESS_CPUTIME_ID = 2,
    CLOCK_THREAD_CPUTIME_ID = 3,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_REALTIME_COARSE = 5,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    CLOCK_REALTIME_ALARM = 8,
    CLOCK_BOOTTIME_ALARM = 9,
    CLOCK_TAI = 11,
    TIMER_ABSTIME = 1,
    ITIMER_REAL = 0,
    ITIMER_VIRTUAL = 1,
    ITIMER_PROF = 2,
    USER_HZ = 100,
};

#define NS_PER_SECOND 1000000000LL
