/* test: libc=musl,glibc */
/* Time: clocks, sleeping, interval timers, POSIX timers, the vDSO's agreement with the calls. */
#include "tests/system/prog/check.h"

#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>

static int64_t value_ns(struct timespec time) {
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec time;
    CHECK(clock_gettime(clock, &time) == 0);
    CHECK(time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
    return value_ns(time);
}

static volatile int alarms;
static volatile siginfo_t alarm_info;

static void on_alarm(int signo, siginfo_t *info, void *context) {
    (void)signo;
    (void)context;
    alarms++;
    alarm_info = *info;
}

static void alarms_take(int signo) {
    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(signo, &action, NULL) == 0);
}

TEST(clocks_exist) {
    static const clockid_t clocks[] = {CLOCK_REALTIME,
                                       CLOCK_MONOTONIC,
                                       CLOCK_PROCESS_CPUTIME_ID,
                                       CLOCK_THREAD_CPUTIME_ID,
                                       CLOCK_MONOTONIC_RAW,
                                       CLOCK_REALTIME_COARSE,
                                       CLOCK_MONOTONIC_COARSE,
                                       CLOCK_BOOTTIME,
                                       CLOCK_REALTIME_ALARM,
                                       CLOCK_BOOTTIME_ALARM,
                                       CLOCK_TAI};
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct timespec time;
        if (clocks[i] != CLOCK_REALTIME_ALARM && clocks[i] != CLOCK_BOOTTIME_ALARM) {
            CHECK(clock_ns(clocks[i]) >= 0);
            CHECK(clock_getres(clocks[i], &time) == 0);
            CHECK(value_ns(time) >= 1 && value_ns(time) <= 10000000);
        }
    }
    struct timespec time;
    CHECK_ERRNO(clock_gettime(77, &time), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &time), EINVAL);
}

TEST(the_date_is_plausible) {
    struct timeval day;
    CHECK(gettimeofday(&day, NULL) == 0);
    CHECK(day.tv_sec > 1700000000 && day.tv_sec < 4000000000);
    time_t now = time(NULL);
    CHECK(now - day.tv_sec <= 1);
    int64_t difference = clock_ns(CLOCK_REALTIME) - ((int64_t)day.tv_sec * 1000000000 + day.tv_usec * 1000);
    CHECK(difference >= 0 && difference < 1000000000);
}

TEST(time_moves_forward) {
    int64_t before = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < 20000; i++) {
        int64_t now = clock_ns(CLOCK_MONOTONIC);
        CHECK(now >= before);
        before = now;
    }
    CHECK(clock_ns(CLOCK_BOOTTIME) >= before);
}

TEST(calls_and_vdso_agree) {
    CHECK(getauxval(33) != 0); /* AT_SYSINFO_EHDR */
    for (int i = 0; i < 200; i++) {
        struct timespec call;
        int64_t before = clock_ns(CLOCK_MONOTONIC);
        CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &call) == 0);
        int64_t after = clock_ns(CLOCK_MONOTONIC);
        CHECK(before <= value_ns(call) && value_ns(call) <= after);
        before = clock_ns(CLOCK_REALTIME);
        CHECK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &call) == 0);
        CHECK(before <= value_ns(call));
    }
}

TEST(sleeping) {
    static const long lengths[] = {0, 1, 1000, 100000, 5000000, 30000000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        int64_t before = clock_ns(CLOCK_MONOTONIC);
        CHECK(nanosleep(&(struct timespec){0, lengths[i]}, NULL) == 0);
        int64_t took = clock_ns(CLOCK_MONOTONIC) - before;
        CHECK(took >= lengths[i] && took < lengths[i] + 2000000000);
    }
    CHECK_ERRNO(nanosleep(&(struct timespec){0, 1000000000}, NULL), EINVAL);
    CHECK_ERRNO(nanosleep(&(struct timespec){-1, 0}, NULL), EINVAL);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    CHECK(clock_ns(CLOCK_MONOTONIC) >= value_ns(until));
    CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &until, NULL), EINVAL);
}

TEST(interval_timer) {
    alarms_take(SIGALRM);
    struct itimerval timer = {{0, 10000}, {0, 10000}}, now;
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    for (int64_t end = clock_ns(CLOCK_MONOTONIC) + 5000000000; alarms < 5 && clock_ns(CLOCK_MONOTONIC) < end;)
        check_sleep_ms(5);
    CHECK(alarms >= 5);
    CHECK(getitimer(ITIMER_REAL, &now) == 0);
    CHECK(now.it_interval.tv_usec == 10000 && now.it_value.tv_usec <= 10000);
    timer = (struct itimerval){{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &timer, &now) == 0);
    int seen = alarms;
    check_sleep_ms(40);
    CHECK_EQ(alarms, seen);
    timer.it_value.tv_usec = 1000000;
    CHECK_ERRNO(syscall(SYS_setitimer, ITIMER_REAL, &timer, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_setitimer, 3, &timer, NULL), EINVAL);
}

TEST(alarm_call) {
    alarms_take(SIGALRM);
    CHECK_EQ(alarm(100), 0);
    CHECK_EQ(alarm(1), 100);
    int64_t before = clock_ns(CLOCK_MONOTONIC);
    pause();
    CHECK_EQ(alarms, 1);
    CHECK(clock_ns(CLOCK_MONOTONIC) - before >= 900000000);
    CHECK_EQ(alarm(0), 0);
}

TEST(timer_of_used_time) {
    alarms_take(SIGVTALRM);
    struct itimerval timer = {{0, 0}, {0, 20000}};
    CHECK(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0);
    int64_t end = clock_ns(CLOCK_MONOTONIC) + 10000000000;
    while (alarms == 0 && clock_ns(CLOCK_MONOTONIC) < end)
        for (volatile int i = 0; i < 10000; i++)
            continue;
    CHECK_EQ(alarms, 1);
}

TEST(posix_timers) {
    alarms_take(SIGRTMIN);
    timer_t timer;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value = {.sival_int = 88}};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec spec = {{0, 5000000}, {0, 5000000}}, now;
    CHECK(timer_settime(timer, 0, &spec, NULL) == 0);
    for (int64_t end = clock_ns(CLOCK_MONOTONIC) + 5000000000; alarms < 3 && clock_ns(CLOCK_MONOTONIC) < end;)
        check_sleep_ms(5);
    CHECK(alarms >= 3);
    CHECK_EQ(alarm_info.si_code, SI_TIMER);
    CHECK_EQ(alarm_info.si_value.sival_int, 88);
    CHECK(timer_gettime(timer, &now) == 0);
    CHECK_EQ(now.it_interval.tv_nsec, 5000000);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    check_sleep_ms(60);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    CHECK(timer_getoverrun(timer) >= 3);
    CHECK(timer_delete(timer) == 0);
    CHECK_ERRNO(syscall(SYS_timer_delete, 12345), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_create, 77, &event, &timer), EINVAL);
}

TEST(used_time_grows_by_work) {
    int64_t process = clock_ns(CLOCK_PROCESS_CPUTIME_ID), thread = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t wall = clock_ns(CLOCK_MONOTONIC);
    check_sleep_ms(100);
    int64_t slept = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process;
    CHECK(slept < 60000000);
    for (volatile int i = 0; i < 20000000; i++)
        continue;
    int64_t worked = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process;
    CHECK(worked > slept + 1000000);
    CHECK(clock_ns(CLOCK_THREAD_CPUTIME_ID) - thread > 1000000);
    CHECK(worked <= clock_ns(CLOCK_MONOTONIC) - wall);
    struct tms use;
    CHECK(times(&use) != -1);
}

TEST(realtime_can_be_set) {
    struct timespec before, set = {1600000000, 0}, now;
    CHECK(clock_gettime(CLOCK_REALTIME, &before) == 0);
    CHECK(clock_settime(CLOCK_REALTIME, &set) == 0);
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    CHECK(now.tv_sec >= 1600000000 && now.tv_sec < 1600000100);
    CHECK(time(NULL) < 1600000100);
    CHECK(clock_settime(CLOCK_REALTIME, &before) == 0);
}

TEST_MAIN()
