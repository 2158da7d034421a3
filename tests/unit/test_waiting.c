/* sources: linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/net/*.c linux/ipc/*.c
 * linux/block/*.c linux/input/*.c linux/arch/host/*.c tests/host/*.c tests/host/guest/*.c lib/base/tree.c
 * lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/pci/accelerator.c lib/virtqueue/*.c
 * linux/device/functions.c linux/usb/*.c */
/* flags: -iquote tests/host -pthread */
/*
 * What programs wait for, on the whole personality in simulation: poll, select and epoll over pipes,
 * counters, timers, signals, sockets and pseudo-terminals; job control on a terminal. The programs are C
 * functions; the same behaviour is shown by tests/system/prog on Linux itself.
 */
#include <string.h>

#include "linux/abi/epoll.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/signal.h"
#include "linux/abi/socket.h"
#include "linux/abi/termios.h"
#include "linux/abi/time.h"
#include "linux/abi/wait.h"
#include "linux/io/stream.h"
#include "linux/syscalls.h"
#include "tests/unit/program.h"

/* ---- shorthands for programs ---- */

struct ends {
    int32_t read, write;
};

static struct ends make_pipe(uint32_t flags) {
    struct ends ends;
    uint64_t at = guest_alloc(sizeof ends);
    CHECK_EQ(guest(pipe2, at, flags), 0);
    guest_get(&ends, at, sizeof ends);
    return ends;
}

static struct ends make_sockets(uint32_t type) {
    struct ends ends;
    uint64_t at = guest_alloc(sizeof ends);
    CHECK_EQ(guest(socketpair, AF_UNIX, type, 0, at), 0);
    guest_get(&ends, at, sizeof ends);
    return ends;
}

static int64_t write_text(int fd, const char *text) {
    return guest(write, (uint64_t)fd, guest_text(text), strlen(text));
}

static char last_read[512];
static int64_t read_some(int fd, size_t length) {
    uint64_t at = guest_alloc(length);
    int64_t count = guest(read, (uint64_t)fd, at, length);
    last_read[0] = 0;
    if (count > 0) {
        guest_get(last_read, at, (size_t)count);
        last_read[count] = 0;
    }
    return count;
}

static void expect(int fd, const char *text) {
    CHECK_EQ(read_some(fd, 256), strlen(text));
    CHECK(strcmp(last_read, text) == 0);
}

static int64_t poll_one(int fd, int events, int timeout, int *revents) {
    struct pollfd64 request = {fd, (int16_t)events, 0};
    uint64_t at = guest_bytes(&request, sizeof request);
    int64_t result = guest(poll, at, 1, (uint64_t)timeout);
    guest_get(&request, at, sizeof request);
    *revents = request.revents;
    return result;
}

static int64_t spawn(guest_program program, void *argument) {
    guest_child(program, argument);
    int64_t pid = guest(fork, 0);
    CHECK(pid > 0);
    return pid;
}

static int32_t wait_for(int64_t pid, uint64_t options) {
    int32_t status = -1;
    uint64_t at = guest_alloc(sizeof status);
    CHECK_EQ(guest(wait4, (uint64_t)pid, at, options, 0), pid);
    guest_get(&status, at, sizeof status);
    return status;
}

static int write_x(void *argument) {
    return write_text((int)(intptr_t)argument, "x") == 1 ? 0 : 1;
}
static void *number(int value) {
    return (void *)(intptr_t)value;
}

static void sleep_ms(int64_t milliseconds) {
    struct timespec64 time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    CHECK_EQ(guest(nanosleep, guest_bytes(&time, sizeof time), 0), 0);
}

/* ---- poll and select ---- */

PROGRAM(poll_waits_for_a_pipe) {
    struct ends ends = make_pipe(0);
    int revents;
    CHECK_EQ(poll_one(ends.read, POLLIN, 0, &revents), 0);
    CHECK_EQ(poll_one(ends.write, POLLOUT, 0, &revents), 1);
    int64_t pid = spawn(write_x, number(ends.write));
    CHECK_EQ(poll_one(ends.read, POLLIN, -1, &revents), 1);
    CHECK_EQ(revents, POLLIN);
    CHECK_EQ(wait_for(pid, 0), 0);
    CHECK_EQ(poll_one(12345, POLLIN, -1, &revents), 1);
    CHECK_EQ(revents, POLLNVAL);
    CHECK_EQ(poll_one(-1, POLLIN, 1, &revents), 0);
    CHECK_EQ(guest(poll, 8, 1, 0), -EFAULT);
    CHECK_EQ(guest(poll, 8, 1u << 30, 0), -EINVAL);
    return 0;
}

PROGRAM(poll_of_many) {
    enum { COUNT = 60 };
    struct pollfd64 requests[COUNT];
    struct ends ends[COUNT];
    for (int i = 0; i < COUNT; i++) {
        ends[i] = make_pipe(0);
        requests[i] = (struct pollfd64){ends[i].read, POLLIN, -1};
    }
    uint64_t at = guest_bytes(requests, sizeof requests);
    CHECK_EQ(guest(poll, at, COUNT, 3), 0);
    int64_t pid = spawn(write_x, number(ends[47].write));
    CHECK_EQ(guest(poll, at, COUNT, (uint64_t)-1), 1);
    guest_get(requests, at, sizeof requests);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(requests[i].revents, i == 47 ? POLLIN : 0);
    CHECK_EQ(wait_for(pid, 0), 0);
    return 0;
}

PROGRAM(select_sets) {
    struct ends ends = make_pipe(0);
    uint64_t in[2] = {1ULL << ends.read, 0}, out[2] = {1ULL << ends.write | 1ULL << ends.read, 0};
    uint64_t in_at = guest_bytes(in, sizeof in), out_at = guest_bytes(out, sizeof out);
    struct timeval64 time = {0, 2000}, none = {0, 0};
    uint64_t time_at = guest_bytes(&time, sizeof time);
    CHECK_EQ(guest(select, 10, in_at, 0, 0, time_at), 0);
    guest_get(&time, time_at, sizeof time);
    CHECK_EQ(time.microseconds, 0);
    guest_get(in, in_at, sizeof in);
    CHECK_EQ(in[0], 0);
    CHECK_EQ(write_text(ends.write, "x"), 1);
    in[0] = 1ULL << ends.read;
    guest_put(in_at, in, sizeof in);
    CHECK_EQ(guest(select, 10, in_at, out_at, 0, guest_bytes(&none, sizeof none)), 2);
    guest_get(out, out_at, sizeof out);
    CHECK_EQ(out[0], 1ULL << ends.write);
    in[0] = 1ULL << 40;
    guest_put(in_at, in, sizeof in);
    CHECK_EQ(guest(select, 41, in_at, 0, 0, 0), -EBADF);
    CHECK_EQ(guest(select, (uint64_t)-1, 0, 0, 0, 0), -EINVAL);
    return 0;
}

static volatile int caught;
static void catch (int signo, uint64_t info, uint64_t context) {
    (void)info, (void)context;
    caught = signo;
}

static void handle(int signo) {
    struct sigaction64 action = {guest_handler_address(catch), SA_RESTORER, guest_restorer(), 0};
    CHECK_EQ(guest(rt_sigaction, (uint64_t)signo, guest_bytes(&action, sizeof action), 0, 8), 0);
    caught = 0;
}

static int kill_parent(void *argument) {
    sleep_ms(5);
    return guest(kill, (uint64_t)guest(getppid, 0), (uint64_t)(intptr_t)argument) == 0 ? 0 : 1;
}

PROGRAM(signals_end_waiting) {
    struct ends ends = make_pipe(0);
    int revents;
    handle(SIGUSR1);
    int64_t pid = spawn(kill_parent, number(SIGUSR1));
    CHECK_EQ(poll_one(ends.read, POLLIN, -1, &revents), -EINTR);
    CHECK_EQ(caught, SIGUSR1);
    wait_for(pid, 0);
    /* blocked, but let in while ppoll waits */
    uint64_t set = 1ULL << (SIGUSR1 - 1), empty = 0;
    CHECK_EQ(guest(rt_sigprocmask, SIG_BLOCK, guest_bytes(&set, 8), 0, 8), 0);
    caught = 0;
    CHECK_EQ(guest(kill, (uint64_t)guest(getpid, 0), SIGUSR1), 0);
    CHECK_EQ(caught, 0);
    CHECK_EQ(guest(ppoll, 0, 0, 0, guest_bytes(&empty, 8), 8), -EINTR);
    CHECK_EQ(caught, SIGUSR1);
    uint64_t now = guest_alloc(8);
    CHECK_EQ(guest(rt_sigprocmask, SIG_BLOCK, 0, now, 8), 0);
    guest_get(&set, now, 8);
    CHECK_EQ(set, 1ULL << (SIGUSR1 - 1));
    return 0;
}

/* ---- epoll ---- */

static struct epoll_event64 event_out;
static int64_t epoll_wait_one(int set, int timeout) {
    uint64_t at = guest_alloc(4 * sizeof event_out);
    int64_t count = guest(epoll_wait, (uint64_t)set, at, 4, (uint64_t)timeout);
    if (count > 0)
        guest_get(&event_out, at, sizeof event_out);
    return count;
}

static int64_t epoll_change(int set, int operation, int fd, uint32_t events) {
    struct epoll_event64 event = {events, (uint64_t)fd};
    return guest(epoll_ctl, (uint64_t)set, (uint64_t)operation, (uint64_t)fd,
                 guest_bytes(&event, sizeof event));
}

PROGRAM(epoll_level_edge_once) {
    int set = (int)guest(epoll_create1, 0);
    struct ends ends = make_pipe(0);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_ADD, ends.read, POLLIN), 0);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_ADD, ends.read, POLLIN), -EEXIST);
    CHECK_EQ(epoll_wait_one(set, 0), 0);
    CHECK_EQ(write_text(ends.write, "ab"), 2);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(epoll_wait_one(set, 0), 1);
    CHECK_EQ(event_out.events, POLLIN);
    CHECK_EQ(event_out.data, ends.read);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_MOD, ends.read, POLLIN | EPOLLET), 0);
    CHECK_EQ(epoll_wait_one(set, 0), 1);
    CHECK_EQ(epoll_wait_one(set, 0), 0);
    CHECK_EQ(write_text(ends.write, "c"), 1);
    CHECK_EQ(epoll_wait_one(set, 0), 1);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_MOD, ends.read, POLLIN | EPOLLONESHOT), 0);
    CHECK_EQ(epoll_wait_one(set, 0), 1);
    CHECK_EQ(write_text(ends.write, "d"), 1);
    CHECK_EQ(epoll_wait_one(set, 0), 0);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_MOD, ends.read, POLLIN | EPOLLONESHOT), 0);
    CHECK_EQ(epoll_wait_one(set, 0), 1);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_DEL, ends.read, 0), 0);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_DEL, ends.read, 0), -ENOENT);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_MOD, ends.read, POLLIN), -ENOENT);
    CHECK_EQ(epoll_change(ends.read, EPOLL_CTL_ADD, ends.write, POLLIN), -EINVAL);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_ADD, 999, POLLIN), -EBADF);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_ADD, set, POLLIN), -EINVAL);
    CHECK_EQ(guest(epoll_wait, (uint64_t)set, 8, 0, 0), -EINVAL);
    return 0;
}

PROGRAM(epoll_wakes_and_forgets) {
    int set = (int)guest(epoll_create1, 0);
    struct ends ends = make_pipe(0);
    CHECK_EQ(epoll_change(set, EPOLL_CTL_ADD, ends.read, POLLIN), 0);
    int64_t pid = spawn(write_x, number(ends.write));
    CHECK_EQ(epoll_wait_one(set, -1), 1);
    wait_for(pid, 0);
    int copy = (int)guest(dup, (uint64_t)ends.read);
    CHECK_EQ(guest(close, (uint64_t)ends.read), 0);
    CHECK_EQ(epoll_wait_one(set, 0), 1); /* the file is still open */
    CHECK_EQ(guest(close, (uint64_t)copy), 0);
    CHECK_EQ(epoll_wait_one(set, 0), 0);
    CHECK_EQ(epoll_wait_one(set, 5), 0);
    return 0;
}

PROGRAM(epoll_in_epoll) {
    int outer = (int)guest(epoll_create1, 0), inner = (int)guest(epoll_create1, 0);
    struct ends ends = make_pipe(0);
    CHECK_EQ(epoll_change(outer, EPOLL_CTL_ADD, inner, POLLIN), 0);
    CHECK_EQ(epoll_change(inner, EPOLL_CTL_ADD, outer, POLLIN), -ELOOP);
    CHECK_EQ(epoll_change(inner, EPOLL_CTL_ADD, ends.read, POLLIN), 0);
    CHECK_EQ(epoll_wait_one(outer, 0), 0);
    int64_t pid = spawn(write_x, number(ends.write));
    CHECK_EQ(epoll_wait_one(outer, -1), 1);
    CHECK_EQ(event_out.data, inner);
    CHECK_EQ(epoll_wait_one(inner, 0), 1);
    wait_for(pid, 0);
    return 0;
}

/* ---- counters, timers, signals ---- */

PROGRAM(event_counters) {
    uint64_t value = 5, at = guest_bytes(&value, 8);
    int fd = (int)guest(eventfd2, 3, EFD_NONBLOCK), revents;
    CHECK_EQ(guest(write, (uint64_t)fd, at, 8), 8);
    CHECK_EQ(guest(read, (uint64_t)fd, at, 4), -EINVAL);
    CHECK_EQ(guest(read, (uint64_t)fd, at, 8), 8);
    guest_get(&value, at, 8);
    CHECK_EQ(value, 8);
    CHECK_EQ(guest(read, (uint64_t)fd, at, 8), -EAGAIN);
    CHECK_EQ(poll_one(fd, POLLIN | POLLOUT, 0, &revents), 1);
    CHECK_EQ(revents, POLLOUT);
    value = UINT64_MAX;
    guest_put(at, &value, 8);
    CHECK_EQ(guest(write, (uint64_t)fd, at, 8), -EINVAL);
    value = UINT64_MAX - 1;
    guest_put(at, &value, 8);
    CHECK_EQ(guest(write, (uint64_t)fd, at, 8), 8);
    CHECK_EQ(guest(write, (uint64_t)fd, at, 8), -EAGAIN);
    fd = (int)guest(eventfd2, 2, EFD_SEMAPHORE);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(guest(read, (uint64_t)fd, at, 8), 8);
        guest_get(&value, at, 8);
        CHECK_EQ(value, 1);
    }
    return 0;
}

PROGRAM(timer_descriptors) {
    int fd = (int)guest(timerfd_create, CLOCK_MONOTONIC, 0), revents;
    struct itimerspec64 setting = {{0, 1000000}, {0, 2000000}};
    uint64_t at = guest_bytes(&setting, sizeof setting), ticks;
    CHECK_EQ(guest(timerfd_settime, (uint64_t)fd, 0, at, 0), 0);
    CHECK_EQ(poll_one(fd, POLLIN, -1, &revents), 1);
    sleep_ms(10);
    CHECK_EQ(guest(read, (uint64_t)fd, at, 8), 8);
    guest_get(&ticks, at, 8);
    CHECK(ticks >= 8 && ticks < 100000);
    setting = (struct itimerspec64){{0, 0}, {0, 0}};
    guest_put(at, &setting, sizeof setting);
    CHECK_EQ(guest(timerfd_settime, (uint64_t)fd, 0, at, at), 0);
    guest_get(&setting, at, sizeof setting);
    CHECK_EQ(setting.interval.nanoseconds, 1000000);
    CHECK_EQ(poll_one(fd, POLLIN, 5, &revents), 0);
    CHECK_EQ(guest(timerfd_create, 99, 0), -EINVAL);
    CHECK_EQ(guest(timerfd_gettime, (uint64_t)make_pipe(0).read, at), -EINVAL);
    return 0;
}

PROGRAM(signal_descriptors) {
    struct signalfd_siginfo64 record;
    uint64_t set = 1ULL << (SIGUSR1 - 1) | 1ULL << (SIGUSR2 - 1);
    uint64_t set_at = guest_bytes(&set, 8), at = guest_alloc(sizeof record);
    int revents;
    CHECK_EQ(guest(rt_sigprocmask, SIG_BLOCK, set_at, 0, 8), 0);
    int fd = (int)guest(signalfd4, (uint64_t)-1, set_at, 8, 0);
    CHECK_EQ(poll_one(fd, POLLIN, 0, &revents), 0);
    int64_t pid = spawn(kill_parent, number(SIGUSR2));
    CHECK_EQ(poll_one(fd, POLLIN, -1, &revents), 1);
    CHECK_EQ(guest(read, (uint64_t)fd, at, sizeof record), sizeof record);
    guest_get(&record, at, sizeof record);
    CHECK_EQ(record.signo, SIGUSR2);
    CHECK_EQ(record.pid, pid);
    wait_for(pid, 0);
    return 0;
}

/* ---- sockets ---- */

PROGRAM(socket_streams) {
    struct ends ends = make_sockets(SOCK_STREAM);
    int revents;
    CHECK_EQ(write_text(ends.read, "abc"), 3);
    CHECK_EQ(write_text(ends.read, "def"), 3);
    expect(ends.write, "abcdef");
    CHECK_EQ(write_text(ends.write, "back"), 4);
    expect(ends.read, "back");
    CHECK_EQ(guest(shutdown, (uint64_t)ends.read, SHUT_WR), 0);
    CHECK_EQ(read_some(ends.write, 5), 0);
    CHECK_EQ(write_text(ends.write, "on"), 2);
    expect(ends.read, "on");
    CHECK_EQ(guest(sendto, (uint64_t)ends.read, guest_text("x"), 1, MSG_NOSIGNAL, 0, 0), -EPIPE);
    CHECK_EQ(guest(close, (uint64_t)ends.read), 0);
    CHECK_EQ(poll_one(ends.write, POLLIN | POLLOUT, 0, &revents), 1);
    CHECK_EQ(revents, POLLIN | POLLOUT | POLLHUP);
    CHECK_EQ(guest(socket, AF_INET, SOCK_STREAM, 0), -EAFNOSUPPORT);
    CHECK_EQ(guest(shutdown, 999, 0), -EBADF);
    CHECK_EQ(guest(shutdown, (uint64_t)make_pipe(0).read, 0), -ENOTSOCK);
    return 0;
}

PROGRAM(socket_packets) {
    struct ends ends = make_sockets(SOCK_SEQPACKET);
    CHECK_EQ(write_text(ends.read, "first"), 5);
    CHECK_EQ(write_text(ends.read, "second"), 6);
    uint64_t at = guest_alloc(16);
    CHECK_EQ(guest(recvfrom, (uint64_t)ends.write, at, 16, MSG_PEEK, 0, 0), 5);
    CHECK_EQ(guest(recvfrom, (uint64_t)ends.write, at, 2, MSG_TRUNC, 0, 0), 5);
    expect(ends.write, "second");
    CHECK_EQ(guest(recvfrom, (uint64_t)ends.write, at, 2, MSG_DONTWAIT, 0, 0), -EAGAIN);
    return 0;
}

/* ---- terminals ---- */

static int master, slave;

static void open_terminal(void) {
    char name[32];
    uint32_t number_of, at = 0;
    uint64_t value = guest_bytes(&at, 4);
    master = (int)guest(openat, (uint64_t)AT_FDCWD, guest_text("/dev/ptmx"), O_RDWR | O_NOCTTY, 0);
    CHECK(master >= 0);
    CHECK_EQ(guest(ioctl, (uint64_t)master, TIOCSPTLCK, value), 0);
    CHECK_EQ(guest(ioctl, (uint64_t)master, TIOCGPTN, value), 0);
    guest_get(&number_of, value, 4);
    snprintf(name, sizeof name, "/dev/pts/%u", number_of);
    slave = (int)guest(openat, (uint64_t)AT_FDCWD, guest_text(name), O_RDWR | O_NOCTTY, 0);
    CHECK(slave >= 0);
}

PROGRAM(terminal_lines) {
    int revents;
    open_terminal();
    CHECK_EQ(write_text(master, "ab\177c"), 4);
    CHECK_EQ(poll_one(slave, POLLIN, 0, &revents), 0);
    CHECK_EQ(write_text(master, "\r"), 1);
    expect(slave, "ac\n");
    expect(master, "ab\b \bc\r\n");
    CHECK_EQ(write_text(slave, "out\n"), 4);
    expect(master, "out\r\n");
    CHECK_EQ(guest(close, (uint64_t)slave), 0);
    CHECK_EQ(poll_one(master, POLLIN, 0, &revents), 1);
    CHECK_EQ(revents, POLLHUP);
    CHECK_EQ(read_some(master, 4), -EIO);
    return 0;
}

static int type_later(void *argument) {
    (void)argument;
    sleep_ms(5);
    return write_text(master, "\n") == 1 ? 0 : 1;
}

PROGRAM(a_terminal_read_waits) {
    open_terminal();
    int64_t pid = spawn(type_later, NULL);
    expect(slave, "\n");
    wait_for(pid, 0);
    return 0;
}

static void take_terminal(void) {
    CHECK(guest(setsid, 0) > 0);
    CHECK_EQ(guest(ioctl, (uint64_t)slave, TIOCSCTTY, 0), 0);
}

static int typed_at(void *argument) {
    (void)argument;
    handle(SIGINT);
    take_terminal();
    CHECK_EQ(write_text(slave, "go"), 2);
    CHECK_EQ(read_some(slave, 1), -EINTR);
    return caught == SIGINT ? 0 : 1;
}

PROGRAM(typed_signals) {
    open_terminal();
    int64_t pid = spawn(typed_at, NULL);
    expect(master, "go");
    sleep_ms(5);
    CHECK_EQ(write_text(master, "\3"), 1);
    CHECK_EQ(wait_for(pid, 0), 0);
    expect(master, "^C");
    return 0;
}

static int background_read(void *argument) {
    (void)argument;
    CHECK_EQ(guest(setpgid, 0, 0), 0);
    return read_some(slave, 1) == 1 ? 0 : 1;
}

static int shell(void *argument) {
    (void)argument;
    take_terminal();
    int64_t pid = spawn(background_read, NULL);
    CHECK_EQ(wait_for(pid, WUNTRACED), WAIT_STOPPED(SIGTTIN));
    int32_t group = (int32_t)pid;
    CHECK_EQ(guest(ioctl, (uint64_t)slave, TIOCSPGRP, guest_bytes(&group, 4)), 0);
    CHECK_EQ(guest(kill, (uint64_t)-pid, SIGCONT), 0);
    CHECK_EQ(write_text(master, "y\n"), 2);
    CHECK_EQ(wait_for(pid, 0), 0);
    return 0;
}

PROGRAM(background_and_foreground) {
    open_terminal();
    CHECK_EQ(wait_for(spawn(shell, NULL), 0), 0);
    return 0;
}

static int sit_at_terminal(void *argument) {
    (void)argument;
    CHECK_EQ(guest(close, (uint64_t)master), 0);
    take_terminal();
    CHECK_EQ(write_text(slave, "go"), 2);
    read_some(slave, 1);
    return 1;
}

PROGRAM(hang_up) {
    open_terminal();
    int64_t pid = spawn(sit_at_terminal, NULL);
    expect(master, "go");
    sleep_ms(5);
    CHECK_EQ(guest(close, (uint64_t)slave), 0);
    CHECK_EQ(guest(close, (uint64_t)master), 0);
    CHECK_EQ(wait_for(pid, 0), SIGHUP);
    return 0;
}

/* ---- the standard streams ---- */

TEST(stream_escapes) {
    static const uint8_t sent[] = {'a', 0x10, 0x10, 'b', 4, 0x10, 0x04, 'z'};
    struct stream_decoder decoder = {0};
    uint8_t got[sizeof sent];
    size_t length = 0;
    for (size_t i = 0; i < sizeof sent; i++) /* a piece may end anywhere */
        length += stream_decode(&decoder, &sent[i], 1, got + length);
    CHECK_EQ(length, 4);
    CHECK(memcmp(got, "a\20b\4", 4) == 0);
    CHECK(decoder.ended);
}

/* ---- bad addresses ---- */

PROGRAM(bad_addresses) {
    struct ends ends = make_pipe(0);
    static const uint64_t bad[] = {GUEST_UNMAPPED, 8, 1ULL << 46, 0xffff800000000000ULL, ~0ULL - 3};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(guest(pipe2, bad[i], 0), -EFAULT);
        CHECK_EQ(guest(poll, bad[i], 2, 0), -EFAULT);
        CHECK_EQ(guest(write, (uint64_t)ends.write, bad[i], 5), -EFAULT);
        CHECK_EQ(guest(select, 3, bad[i], 0, 0, 0), -EFAULT);
        CHECK_EQ(guest(socketpair, AF_UNIX, SOCK_STREAM, 0, bad[i]), -EFAULT);
        CHECK_EQ(guest(ioctl, (uint64_t)ends.read, FIONREAD, bad[i]), -EFAULT);
    }
    CHECK_EQ(guest(pipe2, GUEST_READ_ONLY, 0), -EFAULT);
    return 0;
}

int main(void) {
    guest_boot();
    for (struct test *test = tests_first; test; test = test->next) {
        test->run();
        printf("ok %s\n", test->name);
    }
    return 0;
}
