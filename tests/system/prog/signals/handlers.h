/* Handlers that note what came, for the tests of signals. */
#pragma once

#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int seen[64], seen_count;
static volatile siginfo_t last_info;

static inline void note(int signo) {
    if (seen_count < 64)
        seen[seen_count++] = signo;
}

static inline void note_info(int signo, siginfo_t *info, void *context) {
    (void)context;
    note(signo);
    last_info = *info;
}

static inline void handle(int signo, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(signo, &action, NULL) == 0);
}

static inline void handle_info(int signo, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    CHECK(sigaction(signo, &action, NULL) == 0);
}

static inline void block(int how, int signo) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    CHECK(sigprocmask(how, &set, NULL) == 0);
}
