/*
 * Programs that make Linux calls on the whole personality (tests/host/guest/guest.h), in simulated time: how
 * tests run them, and what several of them do. A test that includes this names the same sources as
 * test_linux_calls.c.
 */
#pragma once

#include "linux/syscalls.h"

#include "linux/abi/fcntl.h"
#include "linux/abi/mman.h"
#include "linux/abi/poll.h"
#include "linux/abi/signal.h"
#include "linux/abi/stat.h"
#include "linux/abi/wait.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "tests/host/guest/guest.h"

#include <string.h>

#include "linux/arch/host/host.h"
#include "tests/unit/check.h"

enum { SWITCHES = 100000, SIGSET_SIZE = 8, HANDLER_FLAGS = 0x04000000 /* SA_RESTORER */ };

#define FAILS(error, ...) CHECK_EQ(guest(__VA_ARGS__), -(error))

/* Runs a program to its end with status 0. */
static inline void run(guest_program program) {
    static bool booted;
    int32_t status;
    if (!booted) {
        host_quiet = true;
        guest_boot();
        booted = true;
    }
    CHECK(guest_execute(program, NULL, SWITCHES, &status));
    CHECK_EQ(status, 0);
    CHECK_EQ(guest_processes(), 1);
}

/* ---- what programs of these tests need ---- */

static inline uint64_t open_file(const char *path, uint64_t flags) {
    int64_t fd = guest(open, guest_text(path), flags, 0644);
    CHECK(fd >= 0);
    return (uint64_t)fd;
}

static inline void check_bytes(uint64_t address, const char *expected) {
    char found[256];
    guest_get(found, address, strlen(expected));
    CHECK(!memcmp(found, expected, strlen(expected)));
}

static inline void check_read(uint64_t fd, const char *expected) {
    uint64_t buffer = guest_alloc(256);
    CHECK_EQ(guest(read, fd, buffer, 256), strlen(expected));
    check_bytes(buffer, expected);
}

static inline void write_text(uint64_t fd, const char *text) {
    CHECK_EQ(guest(write, fd, guest_text(text), strlen(text)), strlen(text));
}

static inline void pipe_open(uint64_t ends[2], uint64_t flags) {
    uint64_t at = guest_alloc(8);
    int32_t fds[2];
    CHECK_EQ(guest(pipe2, at, flags), 0);
    guest_get(fds, at, sizeof(fds));
    ends[0] = (uint64_t)fds[0];
    ends[1] = (uint64_t)fds[1];
}

static inline int32_t wait_for(uint64_t pid, uint64_t options) {
    uint64_t at = guest_alloc(4);
    int32_t status;
    CHECK_EQ(guest(wait4, pid, at, options, 0), pid);
    guest_get(&status, at, sizeof(status));
    return status;
}

static inline uint64_t fork_program(guest_program program, void *argument) {
    guest_child(program, argument);
    int64_t pid = guest(fork, 0);
    CHECK(pid > 1);
    return (uint64_t)pid;
}

static inline void handle(int signo, guest_handler handler, uint64_t flags) {
    uint64_t action[4] = {guest_handler_address(handler), HANDLER_FLAGS | flags, guest_restorer(), 0};
    CHECK_EQ(guest(rt_sigaction, (uint64_t)signo, guest_bytes(action, sizeof(action)), 0, SIGSET_SIZE), 0);
}

static inline void sleep_ms(uint64_t ms) {
    uint64_t time[2] = {ms / 1000, ms % 1000 * 1000000};
    guest(nanosleep, guest_bytes(time, sizeof(time)), 0);
}

static inline uint32_t word_at(uint64_t address) {
    uint32_t word;
    guest_get(&word, address, sizeof(word));
    return word;
}
