/* test: libc=musl cpus=1,4 timeout=120 */
/* Bad pointers: every pointer argument of every call, with every kind of bad address, gives EFAULT (or the
 * error that comes before it), and nothing else happens. Raw system calls, so that the C library does not
 * touch the memory first. */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

enum { PAGE = 4096, MAX_BAD = 12 };

/* What an argument is: a plain number, or a pointer to test. */
#define IN  0x7e57000000000001L /* the call reads there */
#define OUT 0x7e57000000000002L /* the call writes there */
#define PTH 0x7e57000000000003L /* the call reads a path there */

static int fd_file, fd_directory, fd_pipe[2], fd_full[2], fd_pty, fd_epoll, fd_event, fd_timer, fd_socket[2];
static char *good; /* writable memory with a valid path in it */

struct call {
    const char *name;
    long number;
    long arguments[6];
};

static unsigned long bad_in[MAX_BAD], bad_out[MAX_BAD];
static int bad_in_count, bad_out_count;

static void add_both(unsigned long address) {
    bad_in[bad_in_count++] = address;
    bad_out[bad_out_count++] = address;
}

static void addresses_make(void) {
    char *gone = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(gone, PAGE);
    char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    add_both(8);                   /* unmapped, low */
    add_both((unsigned long)gone); /* unmapped */
    add_both((unsigned long)none); /* no access */
    add_both(0xffff800000001000);  /* the kernel's half */
    add_both(0xffffffff80000000);  /* its image */
    add_both(0xfffffffffffffff8);  /* wraps around */
    add_both(0x0000800000000000);  /* not canonical */
    add_both(0x0000400000000000);  /* where Keel's personality begins: its image */
    add_both(0x0000400100000000);  /* its stack */
    add_both(0x0000400200000000);  /* its heap */
    bad_out[bad_out_count++] = (unsigned long)read_only;
}

static void world_make(void) {
    good = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(good, "/tmp/efault/file");
    mkdir("/tmp/efault", 0755);
    fd_file = open("/tmp/efault/file", O_RDWR | O_CREAT, 0600);
    CHECK(fd_file >= 0);
    CHECK_EQ(write(fd_file, good, PAGE), PAGE);
    lseek(fd_file, 0, SEEK_SET);
    fd_directory = open("/tmp/efault", O_RDONLY);
    CHECK(pipe2(fd_pipe, O_NONBLOCK) == 0);
    CHECK(pipe2(fd_full, O_NONBLOCK) == 0);
    CHECK_EQ(write(fd_full[1], good, PAGE), PAGE);
    CHECK(syscall(SYS_setgroups, 2, (gid_t[]){1, 2}) == 0);
    fd_pty = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    fd_epoll = epoll_create1(0);
    fd_event = eventfd(1, 0);
    fd_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd_socket) == 0);
    CHECK_EQ(write(fd_socket[0], good, 100), 100);
}

/* Descriptors are known only at run time: the table holds their names. */
enum {
    FILE_ = 1000,
    DIRECTORY_,
    PIPE_IN_,
    PIPE_FULL_,
    PTY_,
    EPOLL_,
    EVENT_,
    TIMER_,
    SOCKET_,
    SOCKET_FULL_,
    GOOD_,
    ZERO_
};

static long resolve(long value) {
    switch (value) {
    case FILE_:
        return fd_file;
    case DIRECTORY_:
        return fd_directory;
    case PIPE_IN_:
        return fd_pipe[1];
    case PIPE_FULL_:
        return fd_full[0];
    case PTY_:
        return fd_pty;
    case EPOLL_:
        return fd_epoll;
    case EVENT_:
        return fd_event;
    case TIMER_:
        return fd_timer;
    case SOCKET_:
        return fd_socket[0];
    case SOCKET_FULL_:
        return fd_socket[1];
    case GOOD_:
        return (long)good;
    case ZERO_:
        return (long)(good + 2048);
    }
    return value;
}

#define CALL(name, ...)                                                                                      \
    {                                                                                                        \
#name, SYS_##name, {                                                                                 \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define CWD AT_FDCWD

static const struct call calls[] = {
    CALL(read, FILE_, OUT, 16),
    CALL(read, PIPE_FULL_, OUT, 16),
    CALL(read, SOCKET_FULL_, OUT, 16),
    CALL(read, EVENT_, OUT, 8),
    CALL(write, FILE_, IN, 16),
    CALL(write, PIPE_IN_, IN, 16),
    CALL(write, SOCKET_, IN, 16),
    CALL(write, EVENT_, IN, 8),
    CALL(write, PTY_, IN, 16),
    CALL(pread64, FILE_, OUT, 16, 0),
    CALL(pwrite64, FILE_, IN, 16, 0),
    CALL(readv, FILE_, IN, 2),
    CALL(writev, FILE_, IN, 2),
    CALL(preadv, FILE_, IN, 2, 0, 0),
    CALL(pwritev, FILE_, IN, 2, 0, 0),
    CALL(open, PTH, O_RDONLY),
    CALL(openat, CWD, PTH, O_RDONLY),
    CALL(creat, PTH, 0600),
    CALL(stat, PTH, GOOD_),
    CALL(stat, GOOD_, OUT),
    CALL(lstat, PTH, GOOD_),
    CALL(lstat, GOOD_, OUT),
    CALL(fstat, FILE_, OUT),
    CALL(newfstatat, CWD, PTH, GOOD_, 0),
    CALL(newfstatat, CWD, GOOD_, OUT, 0),
    CALL(statx, CWD, PTH, 0, 0x7ff, GOOD_),
    CALL(statx, CWD, GOOD_, 0, 0x7ff, OUT),
    CALL(statfs, PTH, GOOD_),
    CALL(statfs, GOOD_, OUT),
    CALL(fstatfs, FILE_, OUT),
    CALL(poll, IN, 2, 0),
    CALL(ppoll, IN, 2, 0, 0, 8),
    CALL(ppoll, 0, 0, IN, 0, 8),
    CALL(select, 3, OUT, 0, 0, ZERO_),
    CALL(select, 3, 0, OUT, 0, ZERO_),
    CALL(select, 3, 0, 0, OUT, ZERO_),
    CALL(select, 0, 0, 0, 0, IN),
    CALL(pselect6, 3, OUT, 0, 0, ZERO_, 0),
    CALL(epoll_ctl, EPOLL_, EPOLL_CTL_ADD, PIPE_IN_, IN),
    CALL(ioctl, PTY_, 0x5401, OUT),
    CALL(ioctl, PTY_, 0x5402, IN),
    CALL(ioctl, PTY_, 0x5413, OUT),
    CALL(ioctl, PTY_, 0x5414, IN),
    CALL(ioctl, PTY_, 0x80045430, OUT),
    CALL(ioctl, PIPE_FULL_, 0x541b, OUT),
    CALL(access, PTH, 0),
    CALL(faccessat, CWD, PTH, 0),
    CALL(pipe, OUT),
    CALL(pipe2, OUT, 0),
    CALL(nanosleep, IN, 0),
    CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, IN, 0),
    CALL(getitimer, 0, OUT),
    CALL(setitimer, 0, IN, 0),
    CALL(timer_create, CLOCK_MONOTONIC, IN, GOOD_),
    CALL(timerfd_settime, TIMER_, 0, IN, 0),
    CALL(timerfd_gettime, TIMER_, OUT),
    CALL(sendfile, PIPE_IN_, FILE_, OUT, 1),
    CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, OUT),
    CALL(execve, PTH, 0, 0),
    CALL(execve, GOOD_, IN, 0),
    CALL(execveat, CWD, PTH, 0, 0, 0),
    CALL(uname, OUT),
    CALL(fcntl, FILE_, F_GETLK, IN),
    CALL(fcntl, FILE_, F_SETLK, IN),
    CALL(truncate, PTH, 10),
    CALL(getdents64, DIRECTORY_, OUT, 512),
    CALL(getdents, DIRECTORY_, OUT, 512),
    CALL(getcwd, OUT, 100),
    CALL(chdir, PTH),
    CALL(rename, PTH, GOOD_),
    CALL(rename, GOOD_, PTH),
    CALL(renameat2, CWD, GOOD_, CWD, PTH, 0),
    CALL(mkdir, PTH, 0700),
    CALL(mkdirat, CWD, PTH, 0700),
    CALL(rmdir, PTH),
    CALL(link, PTH, GOOD_),
    CALL(link, GOOD_, PTH),
    CALL(unlink, PTH),
    CALL(unlinkat, CWD, PTH, 0),
    CALL(symlink, PTH, GOOD_),
    CALL(symlink, GOOD_, PTH),
    CALL(readlink, PTH, GOOD_, 10),
    CALL(readlinkat, CWD, PTH, GOOD_, 10),
    CALL(chmod, PTH, 0600),
    CALL(chown, PTH, 0, 0),
    CALL(lchown, PTH, 0, 0),
    CALL(fchmodat, CWD, PTH, 0600),
    CALL(fchownat, CWD, PTH, 0, 0, 0),
    CALL(mknod, PTH, S_IFREG | 0600, 0),
    CALL(utimensat, CWD, PTH, 0, 0),
    CALL(utimensat, CWD, GOOD_, IN, 0),
    CALL(utimes, GOOD_, IN),
    CALL(utime, GOOD_, IN),
    CALL(gettimeofday, OUT, 0),
    CALL(clock_gettime, CLOCK_REALTIME, OUT),
    CALL(clock_settime, CLOCK_REALTIME, IN),
    CALL(clock_getres, CLOCK_REALTIME, OUT),
    CALL(time, OUT),
    CALL(times, OUT),
    CALL(getrlimit, 7, OUT),
    CALL(setrlimit, 7, IN),
    CALL(prlimit64, 0, 7, 0, OUT),
    CALL(prlimit64, 0, 7, IN, 0),
    CALL(getrusage, 0, OUT),
    CALL(sysinfo, OUT),
    CALL(getgroups, 8, OUT),
    CALL(setgroups, 2, IN),
    CALL(getresuid, OUT, GOOD_, GOOD_),
    CALL(getresgid, GOOD_, GOOD_, OUT),
    CALL(rt_sigaction, SIGUSR1, IN, 0, 8),
    CALL(rt_sigaction, SIGUSR1, 0, OUT, 8),
    CALL(rt_sigprocmask, SIG_BLOCK, IN, 0, 8),
    CALL(rt_sigprocmask, SIG_BLOCK, 0, OUT, 8),
    CALL(rt_sigpending, OUT, 8),
    CALL(rt_sigsuspend, IN, 8),
    CALL(rt_sigtimedwait, IN, 0, 0, 8),
    CALL(rt_sigqueueinfo, 1, SIGUSR1, IN),
    CALL(sigaltstack, IN, 0),
    CALL(sigaltstack, 0, OUT),
    CALL(signalfd4, -1, IN, 8, 0),
    CALL(sched_setaffinity, 0, 8, IN),
    CALL(sched_getaffinity, 0, 128, OUT),
    CALL(sched_getparam, 0, OUT),
    CALL(sched_setscheduler, 0, 0, IN),
    CALL(getcpu, OUT, 0),
    CALL(getrandom, OUT, 16, 0),
    CALL(memfd_create, PTH, 0),
    CALL(prctl, 15, PTH),
    CALL(prctl, 16, OUT),
    CALL(capget, IN, 0),
    CALL(sethostname, IN, 4),
    CALL(chroot, PTH),
    CALL(set_robust_list, 0, 7), /* not 24: EINVAL, whatever the address */
    CALL(futex, IN, 0, 0, 0),
    CALL(futex, IN, 1, 1),
    CALL(mincore, GOOD_, 4096, OUT),
    CALL(mount, PTH, GOOD_, GOOD_, 0, 0),
    CALL(umount2, PTH, 0),
    CALL(getpeername, SOCKET_, OUT, GOOD_),
    CALL(copy_file_range, FILE_, IN, FILE_, 0, 1, 0),
};

/* Errors that Linux gives before it looks at the address, or instead: accepted beside EFAULT. */
static bool accepted(const struct call *call, long result, unsigned long address) {
    if (result == -EFAULT)
        return true;
    if (call->number == SYS_set_robust_list)
        return result == -EINVAL;
    /* A fault while the child of a wake or a write of a time: the address is a key or an option, not memory.
     */
    if (call->number == SYS_futex && (result == -EINVAL || result == 0))
        return true;
    /* mmap_min_addr and TASK_SIZE checks: a time of 8 bytes at a wrapping address. */
    if (call->number == SYS_rt_sigqueueinfo)
        return result == -EPERM;
    if (call->number == SYS_mincore)
        return result == -ENOMEM;
    (void)address;
    return false;
}

static void call_with(const struct call *call, long kind, const unsigned long *addresses, int count) {
    for (int i = 0; i < count; i++) {
        long values[6];
        for (int j = 0; j < 6; j++)
            values[j] = call->arguments[j] == kind ? (long)addresses[i] : resolve(call->arguments[j]);
        alarm(3);
        long result = syscall(call->number, values[0], values[1], values[2], values[3], values[4], values[5]);
        if (result == -1)
            result = -errno;
        if (!accepted(call, result, addresses[i]))
            check_fail("%s with address %#lx gave %ld", call->name, addresses[i], result);
        lseek(fd_file, 0, SEEK_SET);
        (void)!write(fd_event, &(uint64_t){1}, 8); /* a read that fails has emptied it */
    }
}

static bool has(const struct call *call, long kind) {
    for (int i = 0; i < 6; i++)
        if (call->arguments[i] == kind)
            return true;
    return false;
}

static void one_call(const struct call *call) {
    if (has(call, IN))
        call_with(call, IN, bad_in, bad_in_count);
    if (has(call, PTH))
        call_with(call, PTH, bad_in, bad_in_count);
    if (has(call, OUT))
        call_with(call, OUT, bad_out, bad_out_count);
}

TEST(every_call) {
    addresses_make();
    world_make();
    int failed = 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            one_call(&calls[i]);
            _exit(0);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        if (status != 0) {
            if (!WIFEXITED(status) || WEXITSTATUS(status) != CHECK_FAILED)
                printf("not ok every_call %s: wait status %#x\n", calls[i].name, status);
            fflush(stdout);
            failed++;
        }
    }
    unlink("/tmp/efault/file");
    rmdir("/tmp/efault");
    if (failed)
        _exit(CHECK_FAILED);
}

/* Memory that ends in the middle of what a call wants: a path, a vector, a structure. */
TEST(memory_that_ends) {
    world_make();
    char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(edge + PAGE, PAGE);
    char *path = edge + PAGE - 4;
    memcpy(path, "/tmp", 4);
    CHECK_ERRNO(syscall(SYS_open, path, O_RDONLY), EFAULT);
    memcpy(edge + PAGE - 5, "/tmp", 5);
    CHECK(syscall(SYS_open, edge + PAGE - 5, O_RDONLY) >= 0);
    CHECK_ERRNO(syscall(SYS_fstat, fd_file, edge + PAGE - 143), EFAULT);
    CHECK(syscall(SYS_fstat, fd_file, edge + PAGE - 144) == 0);
    CHECK_ERRNO(syscall(SYS_uname, edge + PAGE - 300), EFAULT);
    struct iovec *vector = (struct iovec *)(edge + PAGE - sizeof *vector);
    *vector = (struct iovec){good, 4};
    CHECK_EQ(syscall(SYS_writev, fd_file, vector, 1), 4);
    CHECK_ERRNO(syscall(SYS_writev, fd_file, vector, 2), EFAULT);
    CHECK_ERRNO(syscall(SYS_nanosleep, edge + PAGE - 8, NULL), EFAULT);
    char **arguments = (char **)(edge + PAGE - 8);
    arguments[0] = good;
    CHECK_ERRNO(syscall(SYS_execve, "/bin/true", arguments, NULL), EFAULT);
    unlink("/tmp/efault/file");
    rmdir("/tmp/efault");
}

/* A result that cannot be stored must not be lost silently, and nothing leaks. */
TEST(results_that_cannot_be_stored) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    CHECK_ERRNO(syscall(SYS_wait4, pid, (void *)8, 0, NULL), EFAULT);
    for (int i = 0; i < 300; i++)
        CHECK_ERRNO(syscall(SYS_pipe, (void *)8), EFAULT);
    int fd = open("/dev/null", O_RDONLY);
    CHECK(fd < 10);
}

TEST_MAIN()
