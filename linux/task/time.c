/*
 * Clocks and sleeping. The monotonic clock starts at boot; CLOCK_BOOTTIME, RAW and COARSE are the same clock;
 * TAI is the realtime clock (no leap seconds are known). CPU clocks come from the kernel's accounting of
 * native threads.
 */
#include "linux/task/time.h"

#include "linux/abi/resource.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"

enum { NS_PER_MICROSECOND = 1000, MICROSECONDS_PER_SECOND = 1000000 };

/* ---- conversions ---- */

int timespec_to_ns(const struct timespec64 *time, uint64_t *ns) {
    if (time->seconds < 0 || time->nanoseconds < 0 || time->nanoseconds >= NS_PER_SECOND)
        return -EINVAL;
    if (time->seconds >= INT64_MAX / NS_PER_SECOND)
        *ns = INT64_MAX;
    else
        *ns = (uint64_t)(time->seconds * NS_PER_SECOND + time->nanoseconds);
    return 0;
}

struct timespec64 timespec_from_ns(uint64_t ns) {
    return (struct timespec64){(int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND)};
}

int timespec_in(uint64_t address, uint64_t *ns) {
    struct timespec64 time;
    if (guest_copy_in(&time, address, sizeof(time)))
        return -EFAULT;
    return timespec_to_ns(&time, ns);
}

int timespec_out(uint64_t address, uint64_t ns) {
    struct timespec64 time = timespec_from_ns(ns);
    return guest_copy_out(address, &time, sizeof(time));
}

struct timeval64 timeval_from_ns(uint64_t ns) {
    return (struct timeval64){(int64_t)(ns / NS_PER_SECOND),
                              (int64_t)(ns % NS_PER_SECOND / NS_PER_MICROSECOND)};
}

int timeval_to_ns(const struct timeval64 *time, uint64_t *ns) {
    if (time->microseconds < 0 || time->microseconds >= MICROSECONDS_PER_SECOND)
        return -EINVAL;
    struct timespec64 spec = {time->seconds, time->microseconds * NS_PER_MICROSECOND};
    return timespec_to_ns(&spec, ns);
}

uint64_t deadline_after(uint64_t ns) {
    uint64_t now = clock_monotonic();
    return ns >= INT64_MAX || now + ns < now ? DEADLINE_NEVER : now + ns;
}

static bool clock_is_wall(int32_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_TAI || clock == CLOCK_REALTIME_ALARM;
}

uint64_t deadline_at(int32_t clock, uint64_t ns) {
    if (ns >= INT64_MAX)
        return DEADLINE_NEVER;
    if (!clock_is_wall(clock))
        return ns;
    uint64_t offset = clock_realtime() - clock_monotonic();
    return ns > offset ? ns - offset : 0;
}

/* ---- reading and setting ---- */

/* A CPU clock of a process or thread by its encoded id: ~pid << 3, bit 2 a thread, bits 0-1 which (2: CPU
 * time). */
static int cpu_clock_encoded(int32_t clock, uint64_t *ns) {
    int32_t id = ~(clock >> 3);
    bool thread = clock & 4;
    int error = -EINVAL;
    if ((clock & 3) == 3)
        return -EINVAL;
    mutex_lock(&tasks_lock);
    struct task *task = id ? task_find(id) : task_current();
    if (task && thread && task->process == task_current()->process) {
        *ns = task_cpu_time(task);
        error = 0;
    } else if (task && !thread && (!id || task->process->pid == id)) {
        *ns = process_cpu_time(task->process);
        error = 0;
    }
    mutex_unlock(&tasks_lock);
    return error;
}

static int clock_read(int32_t clock, uint64_t *ns) {
    struct task *task = task_current();
    if (clock < 0)
        return cpu_clock_encoded(clock, ns);
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *ns = clock_realtime();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = clock_monotonic();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        mutex_lock(&tasks_lock);
        *ns = process_cpu_time(task->process);
        mutex_unlock(&tasks_lock);
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = task_cpu_time(task);
        return 0;
    default:
        return -EINVAL;
    }
}

int64_t sys_clock_gettime(uint64_t clock, uint64_t address) {
    uint64_t ns;
    int error = clock_read((int32_t)clock, &ns);
    return error ? error : timespec_out(address, ns);
}

int64_t sys_clock_getres(uint64_t clock, uint64_t address) {
    uint64_t ns;
    int error = clock_read((int32_t)clock, &ns);
    if (error || !address)
        return error;
    bool coarse = (int32_t)clock == CLOCK_REALTIME_COARSE || (int32_t)clock == CLOCK_MONOTONIC_COARSE;
    return timespec_out(address, coarse ? 4000000 : 1);
}

int64_t sys_clock_settime(uint64_t clock, uint64_t address) {
    uint64_t ns;
    if ((int32_t)clock != CLOCK_REALTIME)
        return -EINVAL;
    int error = timespec_in(address, &ns);
    if (error)
        return error;
    if (!task_is_root(task_current()))
        return -EPERM;
    clock_realtime_set(ns);
    return 0;
}

int64_t sys_gettimeofday(uint64_t time_address, uint64_t zone_address) {
    struct timeval64 now = timeval_from_ns(clock_realtime());
    struct timezone64 zone = {0, 0};
    if (time_address && guest_copy_out(time_address, &now, sizeof(now)))
        return -EFAULT;
    return zone_address ? guest_copy_out(zone_address, &zone, sizeof(zone)) : 0;
}

int64_t sys_settimeofday(uint64_t time_address, uint64_t zone_address) {
    struct timeval64 time;
    struct timezone64 zone;
    uint64_t ns = 0;
    if (time_address && (guest_copy_in(&time, time_address, sizeof(time))))
        return -EFAULT;
    if (zone_address && guest_copy_in(&zone, zone_address, sizeof(zone)))
        return -EFAULT;
    if (time_address && timeval_to_ns(&time, &ns))
        return -EINVAL;
    if (!task_is_root(task_current()))
        return -EPERM;
    if (time_address)
        clock_realtime_set(ns);
    return 0;
}

int64_t sys_time(uint64_t address) {
    int64_t seconds = (int64_t)(clock_realtime() / NS_PER_SECOND);
    if (address && guest_copy_out(address, &seconds, sizeof(seconds)))
        return -EFAULT;
    return seconds;
}

static int64_t ns_to_ticks(uint64_t ns) {
    return (int64_t)(ns / (NS_PER_SECOND / USER_HZ));
}

int64_t sys_times(uint64_t address) {
    struct process *process = task_current()->process;
    mutex_lock(&tasks_lock);
    struct tms64 times = {.utime = ns_to_ticks(process_cpu_time(process) - process->system_time),
                          .stime = ns_to_ticks(process->system_time),
                          .cutime = ns_to_ticks(process->children_user_time),
                          .cstime = ns_to_ticks(process->children_system_time)};
    mutex_unlock(&tasks_lock);
    if (address && guest_copy_out(address, &times, sizeof(times)))
        return -EFAULT;
    return ns_to_ticks(clock_monotonic());
}

/* ---- sleeping ---- */

static int sleep_until(uint64_t deadline) {
    int error = 0;
    while (!error && clock_monotonic() < deadline)
        error = task_wait(NULL, deadline);
    return error == -ETIMEDOUT ? 0 : error;
}

enum { SLEEP_DEADLINE, SLEEP_REMAINING };

/* Sleeps for a relative time; the restart goes on to the same deadline. */
static int64_t sleep_relative(struct task *task) {
    uint64_t deadline = task->restart_block.data[SLEEP_DEADLINE];
    uint64_t remaining_address = task->restart_block.data[SLEEP_REMAINING];
    if (!sleep_until(deadline))
        return 0;
    uint64_t now = clock_monotonic();
    if (now >= deadline)
        return 0;
    if (remaining_address && timespec_out(remaining_address, deadline - now))
        return -EFAULT;
    task->restart_block.function = sleep_relative;
    return -ERESTART_RESTARTBLOCK;
}

static int64_t sleep_start(uint64_t ns, uint64_t remaining_address) {
    struct task *task = task_current();
    task->restart_block.data[SLEEP_DEADLINE] = deadline_after(ns);
    task->restart_block.data[SLEEP_REMAINING] = remaining_address;
    return sleep_relative(task);
}

int64_t sys_nanosleep(uint64_t request_address, uint64_t remaining_address) {
    uint64_t ns;
    int error = timespec_in(request_address, &ns);
    return error ? error : sleep_start(ns, remaining_address);
}

/* Sleeps until the process has used CPU time up to an absolute value; looks again at the earliest possible
 * moment. */
static int64_t sleep_process_cpu(uint64_t target) {
    for (;;) {
        uint64_t used;
        clock_read(CLOCK_PROCESS_CPUTIME_ID, &used);
        if (used >= target)
            return 0;
        if (task_wait(NULL, deadline_after((target - used) / 4 + 1000000)) == -EINTR)
            return -EINTR;
    }
}

int64_t sys_clock_nanosleep(uint64_t clock_word, uint64_t flags, uint64_t request_address,
                            uint64_t remaining_address) {
    int32_t clock = (int32_t)clock_word;
    uint64_t ns, now;
    bool absolute = flags & TIMER_ABSTIME;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
    case CLOCK_PROCESS_CPUTIME_ID:
        break;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
        return -EOPNOTSUPP;
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
        return -EOPNOTSUPP;
    default:
        return -EINVAL;
    }
    int error = timespec_in(request_address, &ns);
    if (error)
        return error;
    if (clock == CLOCK_PROCESS_CPUTIME_ID) {
        clock_read(clock, &now);
        return sleep_process_cpu(absolute ? ns : now + ns);
    }
    if (!absolute)
        return sleep_start(ns, remaining_address);
    return sleep_until(deadline_at(clock, ns)) ? -ERESTARTNOHAND : 0;
}
