/* sources: linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/net/*.c linux/ipc/*.c
 * linux/block/*.c linux/input/*.c linux/arch/host/*.c tests/host/*.c tests/host/guest/*.c lib/base/tree.c
 * lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/pci/accelerator.c lib/virtqueue/*.c */
/* flags: -iquote tests/host -pthread */
/*
 * Linux system calls end to end on the whole personality: programs are C functions (tests/host/guest/guest.h)
 * that call, fork, get signals and run executables, in simulated time. Each family of calls is tried with
 * what it is for, and every call that takes a pointer with pointers of every bad kind.
 */
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
static void run(guest_program program) {
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

static uint64_t open_file(const char *path, uint64_t flags) {
    int64_t fd = guest(open, guest_text(path), flags, 0644);
    CHECK(fd >= 0);
    return (uint64_t)fd;
}

static void check_bytes(uint64_t address, const char *expected) {
    char found[256];
    guest_get(found, address, strlen(expected));
    CHECK(!memcmp(found, expected, strlen(expected)));
}

static void check_read(uint64_t fd, const char *expected) {
    uint64_t buffer = guest_alloc(256);
    CHECK_EQ(guest(read, fd, buffer, 256), strlen(expected));
    check_bytes(buffer, expected);
}

static void write_text(uint64_t fd, const char *text) {
    CHECK_EQ(guest(write, fd, guest_text(text), strlen(text)), strlen(text));
}

static void pipe_open(uint64_t ends[2], uint64_t flags) {
    uint64_t at = guest_alloc(8);
    int32_t fds[2];
    CHECK_EQ(guest(pipe2, at, flags), 0);
    guest_get(fds, at, sizeof(fds));
    ends[0] = (uint64_t)fds[0];
    ends[1] = (uint64_t)fds[1];
}

static int32_t wait_for(uint64_t pid, uint64_t options) {
    uint64_t at = guest_alloc(4);
    int32_t status;
    CHECK_EQ(guest(wait4, pid, at, options, 0), pid);
    guest_get(&status, at, sizeof(status));
    return status;
}

static uint64_t fork_program(guest_program program, void *argument) {
    guest_child(program, argument);
    int64_t pid = guest(fork, 0);
    CHECK(pid > 1);
    return (uint64_t)pid;
}

static void handle(int signo, guest_handler handler, uint64_t flags) {
    uint64_t action[4] = {guest_handler_address(handler), HANDLER_FLAGS | flags, guest_restorer(), 0};
    CHECK_EQ(guest(rt_sigaction, (uint64_t)signo, guest_bytes(action, sizeof(action)), 0, SIGSET_SIZE), 0);
}

static void sleep_ms(uint64_t ms) {
    uint64_t time[2] = {ms / 1000, ms % 1000 * 1000000};
    guest(nanosleep, guest_bytes(time, sizeof(time)), 0);
}

static uint32_t word_at(uint64_t address) {
    uint32_t word;
    guest_get(&word, address, sizeof(word));
    return word;
}

/* ---- files ---- */

static int files(void *unused) {
    (void)unused;
    uint64_t fd = open_file("/tmp/f", O_RDWR | O_CREAT | O_EXCL), buffer = guest_alloc(256);
    CHECK_EQ(fd, 0);
    FAILS(EEXIST, open, guest_text("/tmp/f"), O_RDWR | O_CREAT | O_EXCL, 0644);
    write_text(fd, "hello world");
    CHECK_EQ(guest(lseek, fd, 6, SEEK_SET), 6);
    check_read(fd, "world");
    CHECK_EQ(guest(read, fd, buffer, 10), 0);
    CHECK_EQ(guest(pread64, fd, buffer, 5, 0), 5);
    check_bytes(buffer, "hello");
    CHECK_EQ(guest(pwrite64, fd, guest_text("J"), 1, 0), 1);
    CHECK_EQ(guest(lseek, fd, 0, SEEK_CUR), 11);
    CHECK_EQ(guest(lseek, fd, (uint64_t)-4, SEEK_END), 7);
    FAILS(EINVAL, lseek, fd, (uint64_t)-1, SEEK_SET);
    FAILS(EINVAL, lseek, fd, 0, 77);
    CHECK_EQ(guest(ftruncate, fd, 4), 0);
    CHECK_EQ(guest(pread64, fd, buffer, 100, 0), 4);
    check_bytes(buffer, "Jell");
    FAILS(EINVAL, ftruncate, fd, (uint64_t)-1);
    uint64_t reader = open_file("/tmp/f", O_RDONLY);
    FAILS(EBADF, write, reader, buffer, 1);
    CHECK_EQ(guest(unlink, guest_text("/tmp/f")), 0);
    FAILS(ENOENT, unlink, guest_text("/tmp/f"));
    check_read(reader, "Jell");
    CHECK_EQ(guest(close, fd), 0);
    FAILS(EBADF, close, fd);
    FAILS(EISDIR, open, guest_text("/tmp"), O_RDWR, 0);
    FAILS(ENOTDIR, open, guest_text("/dev/null/x"), O_RDONLY, 0);
    FAILS(ENOENT, open, guest_text(""), O_RDONLY, 0);
    return 0;
}

TEST(files) {
    run(files);
}

static int descriptors(void *unused) {
    (void)unused;
    uint64_t fd = open_file("/tmp/d", O_RDWR | O_CREAT);
    CHECK_EQ(guest(dup, fd), 1);
    CHECK_EQ(guest(dup2, fd, 50), 50);
    CHECK_EQ(guest(dup2, fd, fd), fd);
    FAILS(EINVAL, dup3, fd, fd, 0);
    FAILS(EBADF, dup2, fd, 1 << 30);
    CHECK_EQ(guest(fcntl, fd, F_DUPFD_CLOEXEC, 20), 20);
    CHECK_EQ(guest(fcntl, 20, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(guest(fcntl, 50, F_GETFD), 0);
    write_text(50, "shared offset");
    CHECK_EQ(guest(lseek, fd, 0, SEEK_CUR), 13);
    CHECK_EQ(guest(fcntl, fd, F_GETFL) & O_ACCMODE, O_RDWR);
    CHECK_EQ(guest(close_range, 1, 100, 0), 0);
    FAILS(EBADF, fcntl, 50, F_GETFD);
    CHECK_EQ(guest(fcntl, fd, F_GETFD), 0);
    return 0;
}

TEST(descriptors) {
    run(descriptors);
}

static int vectors(void *unused) {
    (void)unused;
    uint64_t fd = open_file("/tmp/v", O_RDWR | O_CREAT | O_TRUNC), a = guest_alloc(64), b = guest_alloc(64);
    uint64_t out[4] = {guest_text("abc"), 3, guest_text("defg"), 4};
    CHECK_EQ(guest(writev, fd, guest_bytes(out, sizeof(out)), 2), 7);
    guest(lseek, fd, 0, SEEK_SET);
    uint64_t in[6] = {a, 2, b, 0, b, 64};
    CHECK_EQ(guest(readv, fd, guest_bytes(in, sizeof(in)), 3), 7);
    check_bytes(a, "ab");
    check_bytes(b, "cdefg");
    uint64_t half[4] = {guest_text("xyz"), 3, GUEST_UNMAPPED, 4};
    CHECK_EQ(guest(pwritev, fd, guest_bytes(half, sizeof(half)), 2, 0, 0), 3);
    FAILS(EFAULT, pwritev, fd, guest_bytes(half + 2, 16), 1, 0, 0);
    uint64_t large[4] = {a, 1, b, INT64_MAX}, negative[4] = {a, 1, b, UINT64_MAX};
    FAILS(EFAULT, readv, fd, guest_bytes(large, sizeof(large)), 2);
    FAILS(EINVAL, readv, fd, guest_bytes(negative, sizeof(negative)), 2);
    FAILS(EINVAL, readv, fd, a, 1025);
    FAILS(EINVAL, readv, fd, a, (uint64_t)-1);
    return 0;
}

TEST(vectors) {
    run(vectors);
}

static int directories(void *unused) {
    (void)unused;
    uint64_t buffer = guest_alloc(1024);
    CHECK_EQ(guest(mkdir, guest_text("/tmp/dir"), 0755), 0);
    CHECK_EQ(guest(chdir, guest_text("/tmp/dir")), 0);
    CHECK_EQ(guest(getcwd, buffer, 100), 9);
    check_bytes(buffer, "/tmp/dir");
    FAILS(ERANGE, getcwd, buffer, 8);
    open_file("x", O_RDWR | O_CREAT);
    CHECK_EQ(guest(link, guest_text("x"), guest_text("y")), 0);
    CHECK_EQ(guest(symlink, guest_text("y"), guest_text("s")), 0);
    CHECK_EQ(guest(readlink, guest_text("s"), buffer, 100), 1);
    uint64_t directory = open_file(".", O_RDONLY | O_DIRECTORY);
    CHECK(guest(getdents64, directory, buffer, 1024) > 0);
    CHECK_EQ(guest(getdents64, directory, buffer, 1024), 0);
    FAILS(EINVAL, getdents64, open_file(".", O_RDONLY), buffer, 4);
    FAILS(ENOTEMPTY, rmdir, guest_text("/tmp/dir"));
    CHECK_EQ(guest(rename, guest_text("x"), guest_text("z")), 0);
    CHECK_EQ(guest(unlink, guest_text("y")), 0);
    FAILS(ENOENT, stat, guest_text("s"), buffer);
    CHECK_EQ(guest(lstat, guest_text("s"), buffer), 0);
    CHECK_EQ(guest(unlink, guest_text("s")), 0);
    CHECK_EQ(guest(unlink, guest_text("z")), 0);
    CHECK_EQ(guest(rmdir, guest_text("../dir")), 0);
    FAILS(ENOENT, getcwd, buffer, 100);
    return 0;
}

TEST(directories) {
    run(directories);
}

/* Everything in /proc that a program sees can be read to its end in small pieces. */
static int proc(void *unused) {
    static const char *const files[] = {"/proc/self/stat",
                                        "/proc/self/status",
                                        "/proc/self/statm",
                                        "/proc/self/cmdline",
                                        "/proc/self/maps",
                                        "/proc/self/limits",
                                        "/proc/self/mounts",
                                        "/proc/self/mountinfo",
                                        "/proc/self/comm",
                                        "/proc/uptime",
                                        "/proc/loadavg",
                                        "/proc/meminfo",
                                        "/proc/stat",
                                        "/proc/version",
                                        "/proc/cpuinfo",
                                        "/proc/filesystems",
                                        "/proc/keel",
                                        "/proc/sys/kernel/hostname",
                                        "/proc/sys/kernel/random/uuid"};
    uint64_t buffer = guest_alloc(16);
    (void)unused;
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        uint64_t fd = open_file(files[i], O_RDONLY);
        int64_t total = 0, got;
        while ((got = guest(read, fd, buffer, 13)) > 0)
            total += got;
        CHECK_EQ(got, 0);
        CHECK(total > 0 || !strcmp(files[i], "/proc/self/cmdline"));
        guest(close, fd);
    }
    return 0;
}

TEST(proc) {
    run(proc);
}

/* ---- pipes and waiting for files ---- */

static int late_writer(void *fd) {
    sleep_ms(20);
    write_text(*(uint64_t *)fd, "late");
    return 0;
}

static int pipes(void *unused) {
    (void)unused;
    uint64_t ends[2], zero = guest_alloc(16);
    pipe_open(ends, 0);
    write_text(ends[1], "one");
    write_text(ends[1], "two");
    check_read(ends[0], "onetwo");
    FAILS(ESPIPE, lseek, ends[0], 0, SEEK_SET);
    FAILS(EBADF, read, ends[1], zero, 1);
    uint64_t pid = fork_program(late_writer, &ends[1]);
    check_read(ends[0], "late");
    CHECK_EQ(wait_for(pid, 0), 0);
    guest(fcntl, ends[0], F_SETFL, O_NONBLOCK);
    FAILS(EAGAIN, read, ends[0], zero, 1);
    guest(close, ends[1]);
    CHECK_EQ(guest(read, ends[0], zero, 1), 0);
    pipe_open(ends, 0);
    guest(close, ends[0]);
    uint64_t ignore[4] = {1};
    guest(rt_sigaction, SIGPIPE, guest_bytes(ignore, sizeof(ignore)), 0, SIGSET_SIZE);
    FAILS(EPIPE, write, ends[1], zero, 1);
    return 0;
}

TEST(pipes) {
    run(pipes);
}

static int polls(void *unused) {
    (void)unused;
    uint64_t ends[2];
    pipe_open(ends, 0);
    struct pollfd64 fds[3] = {{(int32_t)ends[0], POLLIN, 0}, {(int32_t)ends[1], POLLOUT, 0}, {99, POLLIN, 0}};
    uint64_t at = guest_bytes(fds, sizeof(fds));
    CHECK_EQ(guest(poll, at, 3, 0), 2);
    guest_get(fds, at, sizeof(fds));
    CHECK_EQ(fds[0].revents, 0);
    CHECK_EQ(fds[1].revents, POLLOUT);
    CHECK_EQ(fds[2].revents, POLLNVAL);
    uint64_t start = clock_monotonic();
    CHECK_EQ(guest(poll, at, 1, 50), 0);
    CHECK(clock_monotonic() - start >= 50000000);
    uint64_t pid = fork_program(late_writer, &ends[1]);
    CHECK_EQ(guest(poll, at, 1, (uint64_t)-1), 1);
    CHECK_EQ(wait_for(pid, 0), 0);
    guest(close, ends[1]);
    check_read(ends[0], "late");
    CHECK_EQ(guest(poll, at, 1, 1000), 1);
    guest_get(fds, at, sizeof(fds));
    CHECK_EQ(fds[0].revents, POLLHUP);
    FAILS(EINVAL, poll, at, 1 << 20, 0);
    return 0;
}

TEST(polls) {
    run(polls);
}

/* ---- processes and signals ---- */

static int exits(void *status) {
    return *(int *)status;
}

static int sleeps(void *unused) {
    (void)unused;
    for (;;)
        guest(pause, 0);
}

static int crashes(void *unused) {
    (void)unused;
    guest_exception(14, 4, 0);
    return 0;
}

static int processes(void *unused) {
    (void)unused;
    int seven = 7;
    CHECK_EQ(wait_for(fork_program(exits, &seven), 0), 7 << 8);
    uint64_t pid = fork_program(sleeps, NULL);
    CHECK_EQ(guest(wait4, pid, 0, WNOHANG, 0), 0);
    CHECK_EQ(guest(kill, pid, SIGTERM), 0);
    CHECK_EQ(wait_for(pid, 0), SIGTERM);
    CHECK_EQ(wait_for(fork_program(crashes, NULL), 0) & 0x7f, SIGSEGV);
    FAILS(ECHILD, wait4, (uint64_t)-1, 0, 0, 0);
    FAILS(ESRCH, kill, pid, 0);
    FAILS(EINVAL, kill, 0, 65);
    pid = fork_program(sleeps, NULL);
    CHECK_EQ(guest(kill, pid, SIGSTOP), 0);
    CHECK_EQ(wait_for(pid, WUNTRACED), SIGSTOP << 8 | 0x7f);
    CHECK_EQ(guest(kill, pid, SIGCONT), 0);
    CHECK_EQ(wait_for(pid, WCONTINUED), 0xffff);
    CHECK_EQ(guest(kill, pid, SIGKILL), 0);
    CHECK_EQ(wait_for(pid, 0), SIGKILL);
    return 0;
}

TEST(processes) {
    run(processes);
}

static int handled;

static void on_signal(int signo, uint64_t info, uint64_t context) {
    (void)context;
    CHECK_EQ(word_at(info), signo);
    handled = signo;
}

static int killer(void *target) {
    sleep_ms(10);
    guest(kill, *(uint64_t *)target, SIGUSR1);
    return 0;
}

static int signals(void *unused) {
    (void)unused;
    uint64_t self = (uint64_t)guest(getpid, 0), ends[2], buffer = guest_alloc(16);
    handled = 0;
    handle(SIGUSR1, on_signal, 4 /* SA_SIGINFO */);
    CHECK_EQ(guest(kill, self, SIGUSR1), 0);
    CHECK_EQ(handled, SIGUSR1);
    pipe_open(ends, 0);
    uint64_t pid = fork_program(killer, &self);
    FAILS(EINTR, read, ends[0], buffer, 1);
    CHECK_EQ(wait_for(pid, 0), 0);

    handle(SIGUSR1, on_signal, 4 | 0x10000000 /* SA_RESTART */);
    handled = 0;
    pid = fork_program(killer, &self);
    uint64_t writer = fork_program(late_writer, &ends[1]);
    check_read(ends[0], "late");
    CHECK_EQ(handled, SIGUSR1);
    CHECK_EQ(wait_for(pid, 0), 0);
    CHECK_EQ(wait_for(writer, 0), 0);

    uint64_t mask = 1ULL << (SIGUSR1 - 1), set = guest_bytes(&mask, 8), pending = guest_alloc(8);
    handled = 0;
    CHECK_EQ(guest(rt_sigprocmask, 0 /* SIG_BLOCK */, set, 0, SIGSET_SIZE), 0);
    guest(kill, self, SIGUSR1);
    CHECK_EQ(handled, 0);
    CHECK_EQ(guest(rt_sigpending, pending, SIGSET_SIZE), 0);
    CHECK_EQ(word_at(pending), mask);
    CHECK_EQ(guest(rt_sigprocmask, 1 /* SIG_UNBLOCK */, set, 0, SIGSET_SIZE), 0);
    CHECK_EQ(handled, SIGUSR1);
    return 0;
}

TEST(signals) {
    run(signals);
}

static int times(void *unused) {
    (void)unused;
    uint64_t wanted[2] = {1, 500000000}, left[2] = {9, 9}, self = (uint64_t)guest(getpid, 0);
    uint64_t at = guest_bytes(wanted, 16), rest = guest_bytes(left, 16), start = clock_monotonic();
    CHECK_EQ(guest(nanosleep, at, rest), 0);
    CHECK(clock_monotonic() - start >= 1500000000);
    handle(SIGUSR1, on_signal, 4);
    uint64_t pid = fork_program(killer, &self);
    FAILS(EINTR, nanosleep, at, rest);
    guest_get(left, rest, 16);
    CHECK_EQ(left[0], 1);
    CHECK(left[1] > 400000000 && left[1] < 500000000);
    CHECK_EQ(wait_for(pid, 0), 0);
    handle(SIGALRM, on_signal, 4);
    CHECK_EQ(guest(alarm, 2), 0);
    start = clock_monotonic();
    FAILS(EINTR, pause, 0);
    CHECK(handled == SIGALRM && clock_monotonic() - start >= 1900000000);
    uint64_t wrong[2] = {0, 1000000000};
    FAILS(EINVAL, nanosleep, guest_bytes(wrong, 16), 0);
    return 0;
}

TEST(times) {
    run(times);
}

/* ---- programs ---- */

static int executed(void *unused) {
    (void)unused;
    int64_t first = guest(fcntl, 0, F_GETFD), second = guest(fcntl, 1, F_GETFD);
    return first == 0 && second == -EBADF ? 42 : 43;
}

/* A file of one page: a static ELF program whose code is `executed`. */
static void make_program(const char *path) {
    uint64_t entry = guest_entry_address(executed), base = entry & ~(PAGE_SIZE - 1);
    uint8_t image[PAGE_SIZE] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    const uint16_t kind[] = {2, 62, 1, 0}, sizes[] = {0, 0, 64, 56, 1, 64, 0, 0};
    const uint64_t places[] = {entry, 64, 0},
                   segment[] = {1 | 5ULL << 32, 0, base, base, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE};
    memcpy(image + 16, kind, sizeof(kind));
    memcpy(image + 24, places, sizeof(places));
    memcpy(image + 48, sizes, sizeof(sizes));
    memcpy(image + 64, segment, sizeof(segment));
    int64_t fd = guest(open, guest_text(path), O_RDWR | O_CREAT | O_TRUNC, 0755);
    CHECK_EQ(guest(write, (uint64_t)fd, guest_bytes(image, sizeof(image)), sizeof(image)), sizeof(image));
    guest(close, (uint64_t)fd);
}

static int executes(void *path) {
    uint64_t list[2] = {guest_text("name"), 0}, at = guest_bytes(list, sizeof(list));
    open_file("/dev/null", O_RDONLY);
    open_file("/dev/null", O_RDONLY | O_CLOEXEC);
    return (int)-guest(execve, guest_text(path), at, at);
}

static int programs(void *unused) {
    (void)unused;
    static char program[] = "/tmp/program", script[] = "/tmp/script", text[] = "/tmp/text",
                none[] = "/tmp/none";
    make_program(program);
    uint64_t fd = (uint64_t)guest(open, guest_text(script), O_RDWR | O_CREAT, 0755);
    write_text(fd, "#! /tmp/program -x\n");
    guest(close, fd);
    fd = (uint64_t)guest(open, guest_text(text), O_RDWR | O_CREAT, 0755);
    write_text(fd, "text");
    guest(close, fd);
    CHECK_EQ(wait_for(fork_program(executes, program), 0), 42 << 8);
    CHECK_EQ(wait_for(fork_program(executes, script), 0), 42 << 8);
    CHECK_EQ(wait_for(fork_program(executes, text), 0), ENOEXEC << 8);
    CHECK_EQ(wait_for(fork_program(executes, none), 0), ENOENT << 8);
    FAILS(EFAULT, execve, guest_text(program), GUEST_UNMAPPED, 0);
    return 0;
}

TEST(programs) {
    run(programs);
}

/* ---- memory ---- */

static int memory(void *unused) {
    (void)unused;
    uint64_t fd = open_file("/tmp/m", O_RDWR | O_CREAT | O_TRUNC);
    int64_t mapped =
        guest(mmap, 0, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX, 0);
    CHECK(mapped > 0 && mapped < (int64_t)GUEST_END);
    uint64_t at = (uint64_t)mapped;
    CHECK_EQ(guest(write, fd, at, 3 * PAGE_SIZE), 3 * PAGE_SIZE);
    CHECK_EQ(guest(mprotect, at + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
    CHECK_EQ(guest(pwrite64, fd, at, 3 * PAGE_SIZE, 0), PAGE_SIZE);
    FAILS(EFAULT, pwrite64, fd, at + PAGE_SIZE, 1, 0);
    CHECK_EQ(guest(munmap, at + PAGE_SIZE, PAGE_SIZE), 0);
    FAILS(ENOMEM, mprotect, at, 3 * PAGE_SIZE, PROT_READ);
    FAILS(EINVAL, munmap, at + 1, PAGE_SIZE);
    int64_t shared = guest(mmap, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(shared > 0);
    guest_put((uint64_t)shared, "mapped", 6);
    uint64_t buffer = guest_alloc(16);
    CHECK_EQ(guest(pread64, fd, buffer, 6, 0), 6);
    check_bytes(buffer, "mapped");
    uint64_t top = (uint64_t)guest(brk, 0);
    CHECK_EQ(guest(brk, top), top);
    FAILS(EBADF, mmap, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, 99, 0);
    FAILS(EINVAL, mmap, 0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX, 0);
    FAILS(ENOMEM, mmap, 0, GUEST_END, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX, 0);
    return 0;
}

TEST(memory) {
    run(memory);
}

/* ---- bad pointers ---- */

/* One argument of a call is a pointer that the call reads or writes; the others are as given. */
enum direction { IN, OUT, STREAM }; /* STREAM: written, and a part is a success */
struct pointer_case {
    uint16_t number;
    uint8_t which;
    enum direction direction;
    uint64_t arguments[6];
};

/* Descriptors of bad_pointers. */
enum {
    FILE_FD,
    DIRECTORY_FD,
    PIPE_IN,
    PIPE_OUT,
    MASTER_FD,
    TERMINAL_FD,
    EVENT_FD,
    EPOLL_FD,
    TIMER_FD,
    SIGNAL_FD
};
enum { TCGETS_ = 0x5401, TCSETS_ = 0x5402, TIOCGWINSZ_ = 0x5413, FIONREAD_ = 0x541b, AT_HERE = AT_FDCWD };
#define SCRATCH    GUEST_SCRATCH
#define EMPTY_NAME (SCRATCH + 256)
#define GOOD_NAME  (SCRATCH + 272)
#define LINK_NAME  (SCRATCH + 288)

static const struct pointer_case pointer_cases[] = {
    {NR_read, 1, STREAM, {FILE_FD, 0, 16}},
    {NR_write, 1, IN, {FILE_FD, 0, 16}},
    {NR_write, 1, IN, {PIPE_OUT, 0, 16}},
    {NR_read, 1, STREAM, {PIPE_IN, 0, 16}},
    {NR_write, 1, IN, {MASTER_FD, 0, 16}},
    {NR_write, 1, IN, {TERMINAL_FD, 0, 16}},
    {NR_write, 1, IN, {EVENT_FD, 0, 8}},
    {NR_read, 1, STREAM, {EVENT_FD, 0, 8}},
    {NR_pread64, 1, STREAM, {FILE_FD, 0, 16, 0}},
    {NR_pwrite64, 1, IN, {FILE_FD, 0, 16, 0}},
    {NR_readv, 1, IN, {FILE_FD, 0, 1}},
    {NR_writev, 1, IN, {FILE_FD, 0, 1}},
    {NR_preadv, 1, IN, {FILE_FD, 0, 1}},
    {NR_pwritev, 1, IN, {FILE_FD, 0, 1}},
    {NR_open, 0, IN, {0, O_RDONLY}},
    {NR_creat, 0, IN, {0, 0644}},
    {NR_stat, 0, IN, {0, SCRATCH}},
    {NR_lstat, 0, IN, {0, SCRATCH}},
    {NR_fstat, 1, OUT, {FILE_FD, 0}},
    {NR_newfstatat, 1, IN, {AT_HERE, 0, SCRATCH, 0}},
    {NR_statx, 1, IN, {AT_HERE, 0, 0, 0xfff, SCRATCH}},
    {NR_statx, 4, OUT, {FILE_FD, EMPTY_NAME, AT_EMPTY_PATH, 0xfff, 0}},
    {NR_access, 0, IN, {0, 0}},
    {NR_pipe, 0, OUT, {0}},
    {NR_pipe2, 0, OUT, {0, 0}},
    {NR_poll, 0, IN, {0, 1, 0}},
    {NR_ppoll, 0, IN, {0, 1, SCRATCH + 512, 0, 8}},
    {NR_ppoll, 2, IN, {SCRATCH, 0, 0, 0, 8}},
    {NR_ppoll, 3, IN, {SCRATCH, 0, SCRATCH + 512, 0, 8}},
    {NR_select, 1, IN, {8, 0, 0, 0, SCRATCH + 512}},
    {NR_select, 4, IN, {0, 0, 0, 0, 0}},
    {NR_pselect6, 5, IN, {0, 0, 0, 0, SCRATCH + 512, 0}},
    {NR_rt_sigaction, 1, IN, {SIGUSR2, 0, 0, 8}},
    {NR_rt_sigaction, 2, OUT, {SIGUSR2, 0, 0, 8}},
    {NR_rt_sigprocmask, 1, IN, {0, 0, 0, 8}},
    {NR_rt_sigprocmask, 2, OUT, {0, 0, 0, 8}},
    {NR_rt_sigpending, 0, OUT, {0, 8}},
    {NR_rt_sigtimedwait, 0, IN, {0, 0, SCRATCH + 512, 8}},
    {NR_rt_sigqueueinfo, 2, IN, {0, SIGUSR1, 0}},
    {NR_rt_sigsuspend, 0, IN, {0, 8}},
    {NR_sigaltstack, 0, IN, {0, 0}},
    {NR_sigaltstack, 1, OUT, {0, 0}},
    {NR_ioctl, 2, OUT, {TERMINAL_FD, TCGETS_, 0}},
    {NR_ioctl, 2, IN, {TERMINAL_FD, TCSETS_, 0}},
    {NR_ioctl, 2, OUT, {TERMINAL_FD, TIOCGWINSZ_, 0}},
    {NR_ioctl, 2, OUT, {PIPE_IN, FIONREAD_, 0}},
    {NR_nanosleep, 0, IN, {0, 0}},
    {NR_clock_nanosleep, 2, IN, {1, 0, 0, 0}},
    {NR_getitimer, 1, OUT, {0, 0}},
    {NR_setitimer, 1, IN, {0, 0, 0}},
    {NR_gettimeofday, 0, OUT, {0, 0}},
    {NR_clock_gettime, 1, OUT, {1, 0}},
    {NR_clock_getres, 1, OUT, {1, 0}},
    {NR_clock_settime, 1, IN, {0, 0}},
    {NR_time, 0, OUT, {0}},
    {NR_times, 0, OUT, {0}},
    {NR_timer_create, 2, OUT, {1, 0, 0}},
    {NR_execve, 0, IN, {0, 0, 0}},
    {NR_uname, 0, OUT, {0}},
    {NR_sysinfo, 0, OUT, {0}},
    {NR_getcwd, 0, OUT, {0, 64}},
    {NR_chdir, 0, IN, {0}},
    {NR_chroot, 0, IN, {0}},
    {NR_mkdir, 0, IN, {0, 0755}},
    {NR_rmdir, 0, IN, {0}},
    {NR_unlink, 0, IN, {0}},
    {NR_rename, 0, IN, {0, GOOD_NAME}},
    {NR_rename, 1, IN, {GOOD_NAME, 0}},
    {NR_link, 0, IN, {0, GOOD_NAME}},
    {NR_symlink, 0, IN, {0, GOOD_NAME}},
    {NR_readlink, 0, IN, {0, SCRATCH, 16}},
    {NR_readlink, 1, OUT, {LINK_NAME, 0, 16}},
    {NR_chmod, 0, IN, {0, 0644}},
    {NR_chown, 0, IN, {0, 0, 0}},
    {NR_truncate, 0, IN, {0, 0}},
    {NR_utimensat, 2, IN, {AT_HERE, GOOD_NAME, 0, 0}},
    {NR_mknod, 0, IN, {0, S_IFIFO | 0644, 0}},
    {NR_statfs, 1, OUT, {GOOD_NAME, 0}},
    {NR_fstatfs, 1, OUT, {FILE_FD, 0}},
    {NR_getdents64, 1, OUT, {DIRECTORY_FD, 0, 512}},
    {NR_getrlimit, 1, OUT, {0, 0}},
    {NR_setrlimit, 1, IN, {0, 0}},
    {NR_prlimit64, 3, OUT, {0, 0, 0, 0}},
    {NR_getrusage, 1, OUT, {0, 0}},
    {NR_getresuid, 0, OUT, {0, SCRATCH, SCRATCH}},
    {NR_getresgid, 2, OUT, {SCRATCH, SCRATCH, 0}},
    {NR_setgroups, 1, IN, {1, 0}},
    {NR_capget, 0, IN, {0, SCRATCH}},
    {NR_sched_getaffinity, 2, OUT, {0, 8, 0}},
    {NR_sched_setaffinity, 2, IN, {0, 8, 0}},
    {NR_sched_getparam, 1, OUT, {0, 0}},
    {NR_futex, 0, IN, {0, 0, 0, 0, 0, 0}},
    {NR_getrandom, 0, STREAM, {0, 16, 0}},
    {NR_memfd_create, 0, IN, {0, 0}},
    {NR_mincore, 2, STREAM, {SCRATCH, PAGE_SIZE, 0}},
    {NR_sendfile, 2, IN, {PIPE_OUT, FILE_FD, 0, 1}},
    {NR_epoll_ctl, 3, IN, {EPOLL_FD, 1, PIPE_IN, 0}},
    {NR_timerfd_settime, 2, IN, {TIMER_FD, 0, 0, 0}},
    {NR_timerfd_gettime, 1, OUT, {TIMER_FD, 0}},
    {NR_signalfd4, 1, IN, {(uint64_t)-1, 0, 8, 0}},
    {NR_socketpair, 3, OUT, {1, 1, 0, 0}},
    {NR_mount, 1, IN, {GOOD_NAME, 0, GOOD_NAME, 0, 0}},
    {NR_umount2, 0, IN, {0, 0}},
    {NR_fcntl, 2, IN, {FILE_FD, F_SETLK, 0}},
    {NR_fcntl, 2, IN, {FILE_FD, F_GETLK, 0}},
    {NR_prctl, 1, IN, {15 /* PR_SET_NAME */, 0}},
    {NR_prctl, 1, OUT, {16 /* PR_GET_NAME */, 0}},
    {NR_sethostname, 0, IN, {0, 4}},
};

/* What is no memory of the program: nothing mapped, the end of the guest's half and around it, the
 * personality's own half, the kernel's, the last bytes of all. NULL often means something and is left out. */
static const uint64_t bad_addresses[] = {GUEST_UNMAPPED,
                                         GUEST_UNMAPPED + 4093,
                                         GUEST_END - PAGE_SIZE,
                                         GUEST_END - 1,
                                         GUEST_END,
                                         GUEST_END + 0x300000000,
                                         0x00007ffffffff000ULL,
                                         0x0000800000000000ULL,
                                         0xffff800000000000ULL,
                                         0xffffffff80000000ULL,
                                         UINT64_MAX - 4095,
                                         UINT64_MAX};

static void try_bad(const struct pointer_case *the, uint64_t address) {
    uint64_t words[6];
    memcpy(words, the->arguments, sizeof(words));
    words[the->which] = the->number == NR_futex ? address & ~3ULL : address; /* else EINVAL comes first */
    int64_t result = guest_call(the->number, words);
    if (result != -EFAULT) {
        fprintf(stderr, "%s, argument %u = 0x%llx: %lld\n", posix_call_name(the->number), the->which + 1,
                (unsigned long long)address, (long long)result);
        exit(1);
    }
}

static void open_all(void) {
    CHECK_EQ(open_file("/tmp/bad", O_RDWR | O_CREAT), FILE_FD);
    CHECK_EQ(guest(ftruncate, FILE_FD, 4096), 0);
    CHECK_EQ(guest(symlink, GOOD_NAME, LINK_NAME), 0);
    CHECK_EQ(open_file("/tmp", O_RDONLY), DIRECTORY_FD);
    uint64_t ends[2];
    pipe_open(ends, 0);
    write_text(ends[1], "something to read");
    CHECK_EQ(open_file("/dev/ptmx", O_RDWR), MASTER_FD);
    CHECK_EQ(guest(ioctl, MASTER_FD, 0x40045431 /* TIOCSPTLCK */, guest_alloc(4)), 0);
    CHECK_EQ(guest(ioctl, MASTER_FD, 0x5441 /* TIOCGPTPEER */, O_RDWR), TERMINAL_FD);
    CHECK_EQ(guest(eventfd2, 1000, 1 /* EFD_SEMAPHORE */), EVENT_FD);
    CHECK_EQ(guest(epoll_create1, 0), EPOLL_FD);
    CHECK_EQ(guest(timerfd_create, 1, 0), TIMER_FD);
}

static int bad_pointers(void *unused) {
    (void)unused;
    enum { SPACE = 1024 };
    CHECK_EQ(guest_alloc(SPACE), SCRATCH);
    guest_put(EMPTY_NAME, "", 1);
    guest_put(GOOD_NAME, "/tmp", 5);
    guest_put(LINK_NAME, "/tmp/link", 10);
    open_all();
    for (unsigned i = 0; i < sizeof(pointer_cases) / sizeof(pointer_cases[0]); i++) {
        const struct pointer_case *the = &pointer_cases[i];
        for (unsigned j = 0; j < sizeof(bad_addresses) / sizeof(bad_addresses[0]); j++)
            try_bad(the, bad_addresses[j]);
        try_bad(the, GUEST_SCRATCH + GUEST_SCRATCH_SIZE - (the->direction == OUT ? 1 : 0));
        if (the->direction != IN)
            try_bad(the, GUEST_READ_ONLY);
    }
    return 0;
}

TEST(bad_pointers) {
    run(bad_pointers);
}

/* ---- the rest ---- */

static int bad_descriptors(void *unused) {
    static const uint16_t numbers[] = {NR_read,   NR_write,     NR_close,      NR_fstat,  NR_lseek,
                                       NR_ioctl,  NR_pread64,   NR_readv,      NR_dup,    NR_fcntl,
                                       NR_fsync,  NR_ftruncate, NR_getdents64, NR_fchdir, NR_fchmod,
                                       NR_fchown, NR_fstatfs,   NR_flock};
    static const uint64_t descriptors[] = {(uint64_t)-1, 77, INT32_MAX, 1ULL << 31, 0xffff};
    (void)unused;
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        for (unsigned j = 0; j < sizeof(descriptors) / sizeof(descriptors[0]); j++) {
            uint64_t words[6] = {descriptors[j],
                                 numbers[i] == NR_fcntl   ? F_GETFD
                                 : numbers[i] == NR_flock ? 8
                                                          : GUEST_SCRATCH,
                                 1};
            CHECK_EQ(guest_call(numbers[i], words), -EBADF);
        }
    }
    return 0;
}

TEST(bad_descriptors) {
    run(bad_descriptors);
}

static int unknown_calls(void *unused) {
    (void)unused;
    static const uint64_t numbers[] = {335, 400, 449, 450, 1000, 0x1000, 0x40000000, UINT32_MAX, 156, 180};
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        CHECK_EQ(guest_call(numbers[i], (const uint64_t[6]){0}), -ENOSYS);
    return 0;
}

TEST(unknown_calls) {
    run(unknown_calls);
}

/* Each allocation of a fork, exec and pipe round fails once; afterwards as much is in use as before. */
static int round_child(void *unused) {
    (void)unused;
    uint64_t list[2] = {guest_text("name"), 0}, at = guest_bytes(list, sizeof(list));
    guest(execve, guest_text("/tmp/program"), at, at);
    return 1;
}

static int round_program(void *unused) {
    (void)unused;
    uint64_t at = guest_alloc(8), buffer = guest_alloc(64);
    if (guest(pipe, at) < 0 || guest(open, guest_text("/proc/self/status"), O_RDONLY) < 0)
        return 1;
    guest(read, 2, buffer, 64);
    guest(open, guest_text("/tmp/new"), O_RDWR | O_CREAT, 0644);
    guest(unlink, guest_text("/tmp/new"));
    guest_child(round_child, NULL);
    if (guest(fork, 0) > 0)
        guest(wait4, (uint64_t)-1, 0, 0, 0);
    return 0;
}

TEST(failing_allocations) {
    enum { WARM_UP = 30, ROUNDS = 400 };
    int32_t status;
    size_t heap = 0;
    uint64_t pages = 0, objects = 0;
    for (unsigned i = 0; i < WARM_UP + ROUNDS; i++) {
        if (i == WARM_UP) {
            heap = heap_used();
            pages = host_page_count();
            objects = host_object_count(OBJECT_VMO) + host_object_count(OBJECT_SPACE);
        }
        host_fail_allocation(i);
        CHECK(guest_execute(round_program, NULL, SWITCHES, &status) || true);
        host_fail_allocation(0);
        CHECK(guest_continue(SWITCHES, &status));
        CHECK_EQ(guest_processes(), 1);
    }
    CHECK(heap_used() <= heap + 2048); /* cached names */
    CHECK(host_page_count() <= pages);
    CHECK_EQ(host_object_count(OBJECT_VMO) + host_object_count(OBJECT_SPACE), objects);
}

TEST_MAIN();
