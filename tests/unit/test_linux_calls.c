/* sources: linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/net/*.c linux/ipc/*.c
 * linux/block/*.c linux/input/*.c linux/arch/host/*.c tests/host/*.c tests/host/guest/*.c lib/base/tree.c
 * lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/pci/accelerator.c lib/virtqueue/*.c
 * linux/device/functions.c linux/usb/*.c */
/* flags: -iquote tests/host -pthread */
/*
 * Linux system calls end to end on the whole personality: programs are C functions (tests/host/guest/guest.h)
 * that call, fork, get signals and run executables, in simulated time. Each family of calls is tried with
 * what it is for; test_linux_errors.c has what they refuse.
 */
#include "linux/abi/socket.h"
#include "tests/unit/linux_program.h"

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

/* ---- security contexts ---- */

static int64_t attribute_write(const char *path, const char *context) {
    int64_t fd = guest(open, guest_text(path), O_WRONLY, 0);
    if (fd < 0)
        return fd;
    int64_t result = guest(write, (uint64_t)fd, guest_text(context), strlen(context));
    guest(close, (uint64_t)fd);
    return result < 0 ? result : 0;
}

/* All places where a context can be, left behind. */
static int carries_contexts(void *path) {
    uint64_t ends = guest_alloc(8), text = guest_alloc(64), room = guest_alloc(4);
    int32_t fds[2], length = 64;
    CHECK_EQ(attribute_write("/proc/self/attr/sockcreate", "u:r:socket:s0\n"), 0);
    CHECK_EQ(guest(socketpair, AF_UNIX, SOCK_STREAM, 0, ends), 0);
    guest_get(fds, ends, sizeof(fds));
    guest_put(room, &length, sizeof(length));
    CHECK_EQ(guest(getsockopt, (uint64_t)fds[0], SOL_SOCKET, SO_PEERSEC, text, room), 0);
    check_bytes(text, "u:r:socket:s0");
    CHECK_EQ(attribute_write("/proc/self/attr/current", "u:r:now:s1-s1"), 0);
    uint64_t current = open_file("/proc/self/attr/current", O_RDONLY);
    CHECK_EQ(guest(read, current, text, 64), sizeof("u:r:now:s1"));
    check_bytes(text, "u:r:now:s1");
    CHECK_EQ(attribute_write("/proc/self/attr/exec", "u:r:next:s0"), 0);
    if (!path)
        return 0;
    for (uint64_t fd = (uint64_t)fds[0]; fd <= current; fd++)
        CHECK_EQ(guest(close, fd), 0);
    return executes(path);
}

static int contexts(void *unused) {
    enum { ALLOCATIONS = 40 };
    static char program[] = "/tmp/program";
    size_t used = 0, before = 0;
    (void)unused;
    make_program(program);
    for (unsigned round = 0; round < 5; round++) {
        CHECK_EQ(wait_for(fork_program(carries_contexts, program), 0), 42 << 8);
        CHECK_EQ(wait_for(fork_program(carries_contexts, NULL), 0), 0);
        before = used;
        used = heap_used();
    }
    CHECK_EQ(used, before);
    for (unsigned fail = 1; fail <= ALLOCATIONS; fail++) { /* allocations, one of them fails */
        host_fail_allocation(fail);
        int64_t result = attribute_write("/proc/self/attr/current", "u:r:after:s0");
        host_fail_allocation(0);
        CHECK(result == 0 || (result == -ENOMEM && fail < ALLOCATIONS));
        CHECK_EQ(attribute_write("/proc/self/attr/current", "system_u:system_r:kernel_t:s0"), 0);
        CHECK(fail == 1 || heap_used() == used);
        used = heap_used();
    }
    return 0;
}

TEST(contexts) {
    run(contexts);
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

TEST_MAIN();
