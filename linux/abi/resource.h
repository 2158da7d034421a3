/* Resource limits and usage. */
#pragma once

#include <stdint.h>

#include "linux/abi/time.h"

enum {
    RLIMIT_CPU = 0,
    RLIMIT_FSIZE = 1,
    RLIMIT_DATA = 2,
    RLIMIT_STACK = 3,
    RLIMIT_CORE = 4,
    RLIMIT_RSS = 5,
    RLIMIT_NPROC = 6,
    RLIMIT_NOFILE = 7,
    RLIMIT_MEMLOCK = 8,
    RLIMIT_AS = 9,
    RLIMIT_LOCKS = 10,
    RLIMIT_SIGPENDING = 11,
    RLIMIT_MSGQUEUE = 12,
    RLIMIT_NICE = 13,
    RLIMIT_RTPRIO = 14,
    RLIMIT_RTTIME = 15,
    RLIMIT_COUNT = 16,
};
#define RLIM_INFINITY UINT64_MAX

enum { RUSAGE_SELF = 0, RUSAGE_CHILDREN = -1, RUSAGE_THREAD = 1 };

struct rusage64 {
    struct timeval64 utime, stime;
    int64_t maxrss, ixrss, idrss, isrss; /* maxrss in KB */
    int64_t minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw, nivcsw;
};
_Static_assert(sizeof(struct rusage64) == 144, "struct rusage");

enum { PRIO_PROCESS = 0, PRIO_PGRP = 1, PRIO_USER = 2 };
