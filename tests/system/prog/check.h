/*
 * Checks for programs that run inside the system (and on Linux, which they must pass on too). A program is
 * TEST functions; each runs in a process of its own, so that a crash or a hang fails that test only, and
 * prints one line: "ok NAME" or "not ok NAME why". The last line says how many. An argument runs that one
 * test in the program's own process.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct check_test {
    const char *name;
    void (*run)(void);
    struct check_test *next;
};

/* Weak: a program of several files has them once. */
__attribute__((weak)) struct check_test *check_first;
__attribute__((weak)) struct check_test **check_last = &check_first;
__attribute__((weak)) const char *check_name = "";

enum { CHECK_SECONDS = 40, CHECK_FAILED = 99 };

#define TEST(test_name)                                                                                      \
    static void test_##test_name(void);                                                                      \
    __attribute__((constructor)) static void register_##test_name(void) {                                    \
        static struct check_test test = {.name = #test_name, .run = test_##test_name};                       \
        *check_last = &test;                                                                                 \
        check_last = &test.next;                                                                             \
    }                                                                                                        \
    static void test_##test_name(void)

/* Ends this process (of a test, or a child of one: the parent sees CHECK_FAILED) after saying what is wrong.
 */
static inline __attribute__((noreturn, format(printf, 1, 2))) void check_fail(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = snprintf(text, sizeof text, "not ok %s ", check_name);
    length += vsnprintf(text + length, sizeof text - 2 - (size_t)length, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof text - 2)
        length = (int)sizeof text - 2;
    text[length++] = '\n';
    (void)!write(1, text, (size_t)length);
    _exit(CHECK_FAILED);
}

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        if (!(condition))                                                                                    \
            check_fail("line %d: not true: %s (errno %d %s)", __LINE__, #condition, errno, strerror(errno)); \
    } while (0)

/* Compares two integers. */
#define CHECK_EQ(left, right)                                                                                \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        long long left_ = (long long)(left);                                                                 \
        int errno_ = errno;                                                                                  \
        long long right_ = (long long)(right);                                                               \
        if (left_ != right_)                                                                                 \
            check_fail("line %d: %s is %lld, not %lld (errno %d %s)", __LINE__, #left, left_, right_,        \
                       errno_, strerror(errno_));                                                            \
    } while (0)

/* The call must return -1 with this errno. */
#define CHECK_ERRNO(call, number)                                                                            \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        long long result_ = (long long)(call);                                                               \
        if (result_ != -1 || errno != (number))                                                              \
            check_fail("line %d: %s gave %lld, errno %d %s, not %s", __LINE__, #call, result_, errno,        \
                       strerror(errno), #number);                                                            \
    } while (0)

static inline bool check_is(const char *left, const char *right) {
    return strcmp(left, right) == 0;
}

/* Waits for a child that must exit with a status. */
static inline void check_exits(pid_t pid, int status, int line) {
    int got = 0;
    pid_t result;
    while ((result = waitpid(pid, &got, 0)) < 0 && errno == EINTR)
        continue;
    if (result != pid)
        check_fail("line %d: waitpid gave %d, errno %d", line, (int)result, errno);
    if (WIFEXITED(got) && WEXITSTATUS(got) == CHECK_FAILED && status != CHECK_FAILED)
        _exit(CHECK_FAILED); /* the child said why */
    if (!WIFEXITED(got) || WEXITSTATUS(got) != status)
        check_fail("line %d: wait status %#x, not exit %d", line, got, status);
}
#define CHECK_EXITS(pid, status) check_exits(pid, status, __LINE__)

static inline void check_killed(pid_t pid, int signo, int line) {
    int got = 0;
    pid_t result = waitpid(pid, &got, 0);
    if (result != pid)
        check_fail("line %d: waitpid gave %d, errno %d", line, (int)result, errno);
    if (WIFEXITED(got) && WEXITSTATUS(got) == CHECK_FAILED)
        _exit(CHECK_FAILED);
    if (!WIFSIGNALED(got) || WTERMSIG(got) != signo)
        check_fail("line %d: wait status %#x, not signal %d", line, got, signo);
}
#define CHECK_KILLED(pid, signo) check_killed(pid, signo, __LINE__)

/* Sleeps on the monotonic clock, through interruptions. */
static inline void check_sleep_ms(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        continue;
}

static inline uint64_t check_now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Waits until /proc shows a thread in a state: 'S' once it waits for what it is to be given. */
static inline void check_state(pid_t tid, char state, int line) {
    char path[64], text[256] = {0};
    const char *now = NULL;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)tid);
    for (int tries = 0; tries < 20000; tries++) {
        FILE *file = fopen(path, "r");
        size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
        if (file)
            fclose(file);
        text[length] = 0;
        now = strrchr(text, ')'); /* "PID (NAME) STATE ..." */
        if (now && now[1] == ' ' && now[2] == state)
            return;
        check_sleep_ms(1);
    }
    check_fail("line %d: thread %d does not come to state %c: %s", line, (int)tid, state, text);
}
#define CHECK_STATE(tid, state) check_state(tid, state, __LINE__)

static inline int check_run_one(const struct check_test *test) {
    check_name = test->name;
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setpgid(0, 0);
        test->run();
        _exit(0);
    }
    if (pid < 0) {
        printf("not ok %s fork: %s\n", test->name, strerror(errno));
        return 1;
    }
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    int status = 0;
    bool late = false;
    uint64_t end = check_now_ns() + CHECK_SECONDS * 1000000000ULL;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (check_now_ns() > end && !late) {
            late = true;
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
        }
        struct timespec wait = {0, 200000000};
        sigtimedwait(&child, NULL, &wait);
    }
    kill(-pid, SIGKILL); /* whatever the test left running */
    if (late)
        printf("not ok %s no end after %d s\n", test->name, CHECK_SECONDS);
    else if (WIFSIGNALED(status))
        printf("not ok %s killed by signal %d\n", test->name, WTERMSIG(status));
    else if (WEXITSTATUS(status) == 0)
        printf("ok %s\n", test->name);
    else if (WEXITSTATUS(status) != CHECK_FAILED)
        printf("not ok %s exit status %d\n", test->name, WEXITSTATUS(status));
    fflush(stdout);
    return status != 0;
}

static inline int check_main(const char *only) {
    int total = 0, failed = 0;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (only) {
        for (struct check_test *test = check_first; test; test = test->next)
            if (check_is(test->name, only)) {
                check_name = test->name;
                test->run();
                printf("ok %s\n", only);
                return 0;
            }
        return 2;
    }
    for (struct check_test *test = check_first; test; test = test->next, total++) {
        sigprocmask(SIG_BLOCK, &child, NULL);
        failed += check_run_one(test);
    }
    printf("%d passed, %d failed\n", total - failed, failed);
    return failed != 0;
}

#define TEST_MAIN()                                                                                          \
    int main(int argc, char **argv) {                                                                        \
        return check_main(argc > 1 ? argv[1] : NULL);                                                        \
    }
