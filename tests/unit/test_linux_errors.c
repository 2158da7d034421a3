/* sources: linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/net/*.c linux/ipc/*.c
 * linux/block/*.c linux/input/*.c linux/arch/host/*.c tests/host/*.c tests/host/guest/*.c lib/base/tree.c
 * lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/pci/accelerator.c lib/virtqueue/*.c
 * linux/device/functions.c linux/usb/*.c */
/* flags: -iquote tests/host -pthread */
/*
 * What Linux calls refuse, on the whole personality: every call that takes a pointer with pointers of every
 * bad kind, bad descriptors, calls that there are not, and a round of calls in which each allocation fails
 * once.
 */
#include "tests/unit/linux_program.h"

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
