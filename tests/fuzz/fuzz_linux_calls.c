/* sources: linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/arch/host/*.c tests/host/*.c
 * tests/host/guest/*.c lib/base/tree.c lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/virtqueue/*.c */
/* flags: -Itests/host -pthread */
/*
 * The whole personality as an ill-meaning program sees it: the input is decoded into system calls with
 * arguments that mostly make sense for the call (descriptors, paths, structures) and sometimes none at all
 * (every kind of bad pointer, extreme numbers). Children and threads decode parts of the same input. All of
 * it is simulated on one thread, so an input always does the same: who waits for ever gets a few signals,
 * then SIGKILL. One call is spared, reboot; process 1 is never a target; what destroys names gets only names
 * below a file system made for this input.
 *
 * Besides what the sanitizers find, an input fails when a lock is never given back, a process cannot be
 * killed, or processes are left over. FUZZ_LEAKS=1 in the environment also reports memory that grows from
 * input to input.
 *
 *   input   seed (1), allocation to fail (1), then records: call index, then for each argument a byte and
 * what it asks for
 */
#include "linux/syscalls.h"

#include "linux/abi/fcntl.h"
#include "linux/abi/mman.h"
#include "linux/abi/signal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task/process.h"
#include "tests/host/guest/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux/arch/host/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *count, char ***arguments);

enum {
    CHILDREN_MOST = 5,
    SWITCHES_MOST = 20000,
    CALLS_MOST = 200,
    SLOTS = 12,
    SLOT_SIZE = 8192,
    UNIVERSAL = 0xe8, /* an argument byte from here on asks for any value */
    RECORD_POKE = 0xff,
    RECORD_EXCEPTION = 0xfe,
};

/* ---- the input ---- */

struct cursor {
    const uint8_t *at, *end;
    unsigned calls;
};

static unsigned children; /* made for this input */

static uint8_t next_byte(struct cursor *cursor) {
    return cursor->at < cursor->end ? *cursor->at++ : 0;
}

static uint64_t next_word(struct cursor *cursor, unsigned bytes) {
    uint64_t word = 0;
    for (unsigned i = 0; i < bytes; i++)
        word = word << 8 | next_byte(cursor);
    return word;
}

/* ---- what arguments are made of ---- */

static const uint64_t extremes[] = {
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    16,
    63,
    64,
    127,
    128,
    255,
    256,
    511,
    512,
    1023,
    1024,
    4095,
    4096,
    4097,
    8192,
    65535,
    65536,
    1 << 20,
    INT32_MAX,
    (uint64_t)INT32_MIN,
    UINT32_MAX,
    1ULL << 32,
    INT64_MAX,
    (uint64_t)INT64_MIN,
    UINT64_MAX,
    UINT64_MAX - 4094,
    UINT64_MAX - 4095,
    GUEST_UNMAPPED,
    GUEST_UNMAPPED + 1,
    GUEST_READ_ONLY,
    GUEST_READ_ONLY + 4090,
    GUEST_SCRATCH - 8,
    GUEST_SCRATCH + GUEST_SCRATCH_SIZE - 1,
    GUEST_SCRATCH + GUEST_SCRATCH_SIZE - 8,
    GUEST_SCRATCH + GUEST_SCRATCH_SIZE - 4096,
    GUEST_END - 1,
    GUEST_END - 8,
    GUEST_END - 4096,
    GUEST_END,
    GUEST_END + 4096,
    0x00007fffffffe000ULL,
    0x0000800000000000ULL,
    0xffff800000000000ULL,
    0xffffffff80000000ULL,
    (uint64_t)AT_FDCWD,
    (uint64_t)-2,
    0x8000,
    0x80000,
    0x10000,
};

/* Names that may be made, changed and removed; then places to look at. */
enum { NAMES_OWN = 26 };
static const char *const names[] = {
    "a",
    "b",
    "c",
    "d",
    "d/a",
    "d/b",
    "d/d",
    "d/d/a",
    "d/",
    "a/",
    "./a",
    "d/../b",
    "../w/c",
    "l",
    "l/a",
    "loop1",
    "loop2",
    "/tmp/w/a",
    "/tmp/w/d",
    "",
    ".",
    "..",
    "a//",
    "nonexistent/a",
    "d/./../d//a/.",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "/",
    "/tmp",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/console",
    "/dev/ptmx",
    "/dev/pts/0",
    "/dev/pts/1",
    "/dev/pts",
    "/dev/fd/3",
    "/dev/stdin",
    "/dev/shm/a",
    "/proc",
    "/proc/self",
    "/proc/self/fd/3",
    "/proc/self/fd/4",
    "/proc/self/fd",
    "/proc/self/fdinfo/3",
    "/proc/self/maps",
    "/proc/self/status",
    "/proc/self/stat",
    "/proc/self/statm",
    "/proc/self/cmdline",
    "/proc/self/environ",
    "/proc/self/comm",
    "/proc/self/exe",
    "/proc/self/cwd",
    "/proc/self/root",
    "/proc/self/task",
    "/proc/self/limits",
    "/proc/self/mounts",
    "/proc/self/mountinfo",
    "/proc/self/mem",
    "/proc/self/auxv",
    "/proc/thread-self/stat",
    "/proc/1/status",
    "/proc/1/fd",
    "/proc/2/stat",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/version",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/mounts",
    "/proc/keel",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/random/uuid",
    "/proc/sys/kernel/pid_max",
    "/bin/program",
    "/bin/script",
    "/bin/broken",
};
enum { NAMES = sizeof(names) / sizeof(names[0]), EXTREMES = sizeof(extremes) / sizeof(extremes[0]) };

/* Writes to guest memory unless the program itself took it away. */
static void poke(uint64_t to, const void *from, size_t length) {
    for (size_t i = 0; i < length; i++) {
        uint8_t *byte;
        if (host_attached() && !host_space_byte_any(host_attached(), to + i, true, &byte))
            *byte = ((const uint8_t *)from)[i];
    }
}

static uint64_t slot(unsigned number) {
    return GUEST_SCRATCH + 0x10000 + (uint64_t)(number % SLOTS) * SLOT_SIZE;
}

/* The texts stand in the first pages of the scratch memory. */
static uint64_t name_address(struct cursor *cursor, unsigned count) {
    uint64_t address = GUEST_SCRATCH;
    unsigned wanted = next_byte(cursor) % count;
    for (unsigned i = 0; i < wanted; i++)
        address += strlen(names[i]) + 1;
    poke(address, names[wanted], strlen(names[wanted]) + 1);
    return address;
}

/* A structure of 64-bit words. */
static uint64_t words_in(struct cursor *cursor, const uint64_t *words, unsigned count) {
    uint64_t address = slot(next_byte(cursor));
    poke(address, words, count * sizeof(*words));
    return address;
}

static uint64_t small_number(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    return byte < 200 ? byte % 24 : extremes[byte % EXTREMES];
}

static uint64_t time_in(struct cursor *cursor, unsigned times) {
    static const uint64_t seconds[] = {0, 0, 0, 1, 2, 30, 1000, UINT64_MAX, INT64_MAX, 1ULL << 40};
    static const uint64_t parts[] = {0, 0, 1, 1000, 999999, 1000000, 999999999, 1000000000, UINT64_MAX};
    uint64_t words[8];
    for (unsigned i = 0; i < times; i++) {
        words[2 * i] = seconds[next_byte(cursor) % 10];
        words[2 * i + 1] = parts[next_byte(cursor) % 9];
    }
    return words_in(cursor, words, 2 * times);
}

static uint64_t vector_in(struct cursor *cursor) {
    uint64_t words[16];
    for (unsigned i = 0; i < 8; i++) {
        uint8_t byte = next_byte(cursor);
        words[2 * i] = byte < 200 ? slot(byte) + byte : extremes[byte % EXTREMES];
        words[2 * i + 1] = byte % 3 ? byte * 7 : extremes[next_byte(cursor) % EXTREMES];
    }
    return words_in(cursor, words, 16);
}

/* argv, envp: pointers to texts, then NULL. */
static uint64_t strings_in(struct cursor *cursor) {
    uint64_t words[4] = {name_address(cursor, NAMES), name_address(cursor, NAMES), 0, 0};
    return words_in(cursor, words, 4);
}

static uint64_t flags(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    uint64_t value = 0;
    if (byte < 64)
        return byte % 8;
    for (unsigned i = 0; i < byte / 64U; i++)
        value |= 1ULL << next_byte(cursor) % 32;
    return value;
}

static uint64_t pid(struct cursor *cursor) {
    const struct task *task = task_current();
    int64_t values[] = {0,
                        task->process->pid,
                        task->tid,
                        task->process->pid + 1,
                        task->process->pid + 2,
                        -task->process->pid,
                        -1,
                        -task->process->pid - 1,
                        99999,
                        task->process->pid - 1};
    int64_t value = values[next_byte(cursor) % 10];
    return value == 1 ? 0 : (uint64_t)value;
}

static uint64_t signal_set(struct cursor *cursor) {
    uint64_t set = 1ULL << next_byte(cursor) % 64 | 1ULL << next_byte(cursor) % 64;
    return words_in(cursor, &set, 1);
}

static void on_signal(int signo, uint64_t info, uint64_t context) {
    (void)signo, (void)info, (void)context;
}

static uint64_t action_in(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    uint64_t words[4] = {byte < 100 ? guest_handler_address(on_signal) : byte % 3, 0x04000000,
                         guest_restorer(), 0};
    words[1] |= byte & 1 ? 0x10000000 : 0; /* SA_RESTART */
    words[1] |= byte & 2 ? 0x40000004 : 0; /* SA_NODEFER, SA_SIGINFO */
    words[1] |= byte & 4 ? 0x08000000 : 0; /* SA_ONSTACK */
    words[1] |= byte & 8 ? flags(cursor) : 0;
    words[3] = byte & 16 ? UINT64_MAX : 0;
    return words_in(cursor, words, 4);
}

static uint64_t address(struct cursor *cursor) {
    static const uint64_t bases[] = {0,          GUEST_SCRATCH,  GUEST_READ_ONLY, 0x40000000, 0x40001000,
                                     0x40010000, GUEST_UNMAPPED, GUEST_STACK,     0x50000000};
    uint64_t base = bases[next_byte(cursor) % 9];
    return base + (base == GUEST_SCRATCH ? 0x20000 : 0) + (next_byte(cursor) & 7) * PAGE_SIZE;
}

static uint64_t descriptor(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    return byte < 240 ? byte % 15 : extremes[byte % EXTREMES];
}

/* Fills a slot with bytes of the input. */
static uint64_t bytes_in(struct cursor *cursor) {
    uint8_t bytes[32];
    unsigned length = next_byte(cursor) % sizeof(bytes);
    uint64_t to = slot(next_byte(cursor));
    for (unsigned i = 0; i < length; i++)
        bytes[i] = next_byte(cursor);
    poke(to, bytes, length);
    return to;
}

static uint64_t size_of(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    return byte < 128 ? byte : byte < 224 ? (uint64_t)(byte - 127) * 512 : extremes[byte % EXTREMES];
}

/* One of a list of 64-bit values. */
#define ONE_OF(cursor, ...)                                                                                  \
    ({                                                                                                       \
        static const uint64_t list_[] = {__VA_ARGS__};                                                       \
        list_[next_byte(cursor) % (sizeof(list_) / sizeof(list_[0]))];                                       \
    })

static uint64_t ioctl_command(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    if (byte < 160)
        return 0x5401 + byte % 0x62;
    return ONE_OF(cursor, 0x80045430, 0x40045431, 0x80045432, 0x80045438, 0x80045439, 0x40045436, 0x802c542a,
                  0x402c542b, 0x402c542c, 0x402c542d, 0x80045440, 0x5437, 0x5441, 0x541b, 0x5421);
}

static uint64_t fcntl_command(struct cursor *cursor) {
    uint8_t byte = next_byte(cursor);
    return byte < 180 ? byte % 17 : byte < 210 ? 36 + byte % 3 : 1024 + byte % 16;
}

static uint64_t open_flags(struct cursor *cursor) {
    uint64_t value = next_byte(cursor) & 3;
    return value | ONE_OF(cursor, 0, 0, O_CREAT, O_CREAT, O_CREAT | O_EXCL, O_CREAT | O_TRUNC, O_TRUNC,
                          O_DIRECTORY, O_NOFOLLOW, O_PATH, O_PATH | O_NOFOLLOW, O_TMPFILE, O_APPEND | O_CREAT,
                          O_NONBLOCK, O_NONBLOCK | O_NOCTTY, O_CLOEXEC);
}

static uint64_t clone_flags(struct cursor *cursor) {
    return ONE_OF(cursor, 17, 17, 0x4111, 0x4100, 0x3d0f00, 0x3d0f00, 0x10f00, 0x50f00, 0x100, 0x900, 0x8011,
                  0x200011, 0x1200011, 0x400, 0x200, 0x611, 0x80, 0x1100011, 0x100000000, 0x80000000);
}

static uint64_t polls_in(struct cursor *cursor) {
    uint64_t words[6];
    for (unsigned i = 0; i < 6; i++) {
        uint64_t fd = descriptor(cursor) & UINT32_MAX;
        words[i] = fd | (uint64_t)next_byte(cursor) << 32;
    }
    return words_in(cursor, words, 6);
}

static uint64_t epoll_event_in(struct cursor *cursor) {
    uint64_t words[2] = {
        next_byte(cursor) | ONE_OF(cursor, 0, 1U << 31, 1U << 30, 1U << 29, 1U << 28) | 5ULL << 32, 7};
    return words_in(cursor, words, 2);
}

static uint64_t lock_in(struct cursor *cursor) {
    uint64_t words[4] = {next_byte(cursor) % 4 | (uint64_t)(next_byte(cursor) % 4) << 16,
                         small_number(cursor), small_number(cursor), 0};
    return words_in(cursor, words, 4);
}

static uint64_t how_in(struct cursor *cursor) {
    uint64_t words[3] = {open_flags(cursor), next_byte(cursor), ONE_OF(cursor, 0, 1, 2, 4, 8, 16, 32, 64)};
    return words_in(cursor, words, 3);
}

static uint64_t clone_arguments_in(struct cursor *cursor) {
    uint64_t chosen = clone_flags(cursor);
    uint64_t words[11] = {chosen & ~255ULL, slot(1), slot(2), slot(3), chosen & 255, 0, 0, slot(4)};
    if (next_byte(cursor) & 1) {
        words[5] = slot(5);
        words[6] = SLOT_SIZE;
    }
    return words_in(cursor, words, 11);
}

static uint64_t socket_address_in(struct cursor *cursor) {
    uint8_t bytes[24] = {1, 0};
    uint8_t byte = next_byte(cursor);
    bytes[2] = byte & 1 ? 0 : 's';
    bytes[3] = 'a' + byte % 3;
    uint64_t to = slot(next_byte(cursor));
    poke(to, bytes, sizeof(bytes));
    return to;
}

/* msghdr with one control message of descriptors. */
static uint64_t message_in(struct cursor *cursor) {
    uint64_t control[3] = {16 + 4 * (next_byte(cursor) % 3), 1 | (uint64_t)(1 + next_byte(cursor) % 2) << 32,
                           descriptor(cursor) & UINT32_MAX};
    uint64_t words[7] = {
        0, 0, vector_in(cursor), next_byte(cursor) % 9, words_in(cursor, control, 3), next_byte(cursor) % 32,
        0};
    if (next_byte(cursor) & 1) {
        words[0] = socket_address_in(cursor);
        words[1] = next_byte(cursor) % 32;
    }
    return words_in(cursor, words, 7);
}

static uint64_t argument(struct cursor *cursor, char kind) {
    uint8_t byte = next_byte(cursor);
    if (byte >= UNIVERSAL)
        return byte == 0xff ? next_word(cursor, 8) : extremes[next_byte(cursor) % EXTREMES];
    switch (kind) {
    case 'f':
        return descriptor(cursor);
    case 'd':
        return byte < 128 ? (uint64_t)AT_FDCWD : descriptor(cursor);
    case 'p':
        return name_address(cursor, NAMES);
    case 'q':
        return name_address(cursor, NAMES_OWN);
    case 'b':
        return slot(byte);
    case 'z':
        return byte < 100 ? 0 : slot(byte);
    case 'c':
        return bytes_in(cursor);
    case 's':
        return size_of(cursor);
    case 'i':
        return small_number(cursor);
    case 'g':
        return flags(cursor);
    case 'o':
        return byte < 128 ? next_word(cursor, 2) : small_number(cursor);
    case 'a':
        return address(cursor);
    case 'l':
        return (next_byte(cursor) & 31) * PAGE_SIZE;
    case 'v':
        return vector_in(cursor);
    case 'V':
        return strings_in(cursor);
    case 'P':
        return pid(cursor);
    case 'S':
        return byte < 200 ? byte % 66 : SIGUSR1;
    case 't':
        return byte < 40 ? 0 : time_in(cursor, 1);
    case 'T':
        return byte < 40 ? 0 : time_in(cursor, 2);
    case 'm':
        return signal_set(cursor);
    case 'A':
        return action_in(cursor);
    case 'I':
        return ioctl_command(cursor);
    case 'C':
        return fcntl_command(cursor);
    case 'N':
        return open_flags(cursor);
    case 'K':
        return clone_flags(cursor);
    case 'U':
        return byte % 14 | (byte & 16 ? 128U : 0) | (byte & 32 ? 256U : 0);
    case 'Q':
        return byte < 150 ? byte % 72 : byte;
    case 'O':
        return polls_in(cursor);
    case 'E':
        return epoll_event_in(cursor);
    case 'X':
        return byte & 1 ? lock_in(cursor) : small_number(cursor);
    case 'R':
        return how_in(cursor);
    case '3':
        return clone_arguments_in(cursor);
    case 'Y':
        return byte < 200 ? 1 : byte % 20;
    case 'y':
        return byte % 6 | (byte & 64 ? 0x800U : 0) | (byte & 32 ? 0x80000U : 0);
    case 'u':
        return socket_address_in(cursor);
    case 'M':
        return message_in(cursor);
    case '0':
        return 0;
    case '8':
        return 8;
    default:
        return byte < 100 ? byte : next_word(cursor, 4);
    }
}

/* What each argument of a call is; calls without an entry get anything. */
#define KINDS(name, kinds) [NR_##name] = kinds
static const char *const kinds[POSIX_CALLS_ALL] = {
    KINDS(read, "fbs"),
    KINDS(write, "fcs"),
    KINDS(open, "pNi"),
    KINDS(close, "f"),
    KINDS(stat, "pb"),
    KINDS(fstat, "fb"),
    KINDS(lstat, "pb"),
    KINDS(poll, "Oii"),
    KINDS(lseek, "foi"),
    KINDS(mmap, "alggfl"),
    KINDS(mprotect, "alg"),
    KINDS(munmap, "al"),
    KINDS(brk, "a"),
    KINDS(rt_sigaction, "SAz8"),
    KINDS(rt_sigprocmask, "imz8"),
    KINDS(rt_sigreturn, ""),
    KINDS(ioctl, "fIc"),
    KINDS(pread64, "fbso"),
    KINDS(pwrite64, "fcso"),
    KINDS(readv, "fvi"),
    KINDS(writev, "fvi"),
    KINDS(access, "pi"),
    KINDS(pipe, "b"),
    KINDS(select, "icccT"),
    KINDS(sched_yield, ""),
    KINDS(mremap, "allga"),
    KINDS(msync, "alg"),
    KINDS(mincore, "alb"),
    KINDS(madvise, "ali"),
    KINDS(dup, "f"),
    KINDS(dup2, "ff"),
    KINDS(pause, ""),
    KINDS(nanosleep, "tz"),
    KINDS(getitimer, "ib"),
    KINDS(alarm, "i"),
    KINDS(setitimer, "iTz"),
    KINDS(getpid, ""),
    KINDS(sendfile, "ffzs"),
    KINDS(socket, "Yyi"),
    KINDS(socketpair, "Yyib"),
    KINDS(clone, "Kzbbb"),
    KINDS(fork, ""),
    KINDS(vfork, ""),
    KINDS(execve, "pVV"),
    KINDS(exit, "i"),
    KINDS(wait4, "Pzgz"),
    KINDS(kill, "PS"),
    KINDS(uname, "b"),
    KINDS(fcntl, "fCX"),
    KINDS(flock, "fi"),
    KINDS(fsync, "f"),
    KINDS(fdatasync, "f"),
    KINDS(truncate, "qo"),
    KINDS(ftruncate, "fo"),
    KINDS(getdents, "fbs"),
    KINDS(getcwd, "bs"),
    KINDS(chdir, "p"),
    KINDS(fchdir, "f"),
    KINDS(rename, "qq"),
    KINDS(mkdir, "qi"),
    KINDS(rmdir, "q"),
    KINDS(creat, "qi"),
    KINDS(link, "qq"),
    KINDS(unlink, "q"),
    KINDS(symlink, "pq"),
    KINDS(readlink, "pbs"),
    KINDS(chmod, "qi"),
    KINDS(fchmod, "fi"),
    KINDS(chown, "qii"),
    KINDS(fchown, "fii"),
    KINDS(lchown, "qii"),
    KINDS(umask, "i"),
    KINDS(gettimeofday, "bz"),
    KINDS(getrlimit, "ib"),
    KINDS(getrusage, "ib"),
    KINDS(sysinfo, "b"),
    KINDS(times, "z"),
    KINDS(setpgid, "PP"),
    KINDS(setsid, ""),
    KINDS(getgroups, "ib"),
    KINDS(setgroups, "ic"),
    KINDS(getresuid, "bbb"),
    KINDS(getpgid, "P"),
    KINDS(getsid, "P"),
    KINDS(capget, "cb"),
    KINDS(capset, "cc"),
    KINDS(rt_sigpending, "b8"),
    KINDS(rt_sigtimedwait, "mzt8"),
    KINDS(rt_sigqueueinfo, "PSc"),
    KINDS(rt_sigsuspend, "m8"),
    KINDS(sigaltstack, "cz"),
    KINDS(utime, "qc"),
    KINDS(mknod, "qgi"),
    KINDS(statfs, "pb"),
    KINDS(fstatfs, "fb"),
    KINDS(getpriority, "iP"),
    KINDS(setpriority, "iPi"),
    KINDS(sched_setparam, "Pc"),
    KINDS(sched_getparam, "Pb"),
    KINDS(sched_setscheduler, "Pic"),
    KINDS(sched_rr_get_interval, "Pb"),
    KINDS(mlock, "al"),
    KINDS(munlock, "al"),
    KINDS(mlockall, "i"),
    KINDS(prctl, "Qcccc"),
    KINDS(arch_prctl, "xb"),
    KINDS(setrlimit, "ic"),
    KINDS(chroot, "q"),
    KINDS(mount, "qqcgz"),
    KINDS(umount2, "qi"),
    KINDS(gettid, ""),
    KINDS(readahead, "fos"),
    KINDS(setxattr, "qccsi"),
    KINDS(getxattr, "pcbs"),
    KINDS(listxattr, "pbs"),
    KINDS(tkill, "PS"),
    KINDS(time, "z"),
    KINDS(futex, "bUitbi"),
    KINDS(sched_setaffinity, "Psc"),
    KINDS(sched_getaffinity, "Psb"),
    KINDS(epoll_create, "i"),
    KINDS(getdents64, "fbs"),
    KINDS(set_tid_address, "b"),
    KINDS(restart_syscall, ""),
    KINDS(fadvise64, "fooi"),
    KINDS(timer_create, "izb"),
    KINDS(timer_settime, "iiTz"),
    KINDS(timer_gettime, "ib"),
    KINDS(timer_delete, "i"),
    KINDS(clock_settime, "it"),
    KINDS(clock_gettime, "ib"),
    KINDS(clock_getres, "iz"),
    KINDS(clock_nanosleep, "iitz"),
    KINDS(exit_group, "i"),
    KINDS(epoll_wait, "fbii"),
    KINDS(epoll_ctl, "fifE"),
    KINDS(tgkill, "PPS"),
    KINDS(utimes, "qT"),
    KINDS(waitid, "iPbgz"),
    KINDS(openat, "dpNi"),
    KINDS(mkdirat, "dqi"),
    KINDS(mknodat, "dqgi"),
    KINDS(fchownat, "dqiig"),
    KINDS(futimesat, "dqT"),
    KINDS(newfstatat, "dpbg"),
    KINDS(unlinkat, "dqg"),
    KINDS(renameat, "dqdq"),
    KINDS(linkat, "dqdqg"),
    KINDS(symlinkat, "pdq"),
    KINDS(readlinkat, "dpbs"),
    KINDS(fchmodat, "dqi"),
    KINDS(faccessat, "dpi"),
    KINDS(pselect6, "iccctb"),
    KINDS(ppoll, "Oitm8"),
    KINDS(unshare, "g"),
    KINDS(set_robust_list, "bi"),
    KINDS(get_robust_list, "Pbb"),
    KINDS(splice, "fzfzsg"),
    KINDS(tee, "ffsg"),
    KINDS(sync_file_range, "foog"),
    KINDS(utimensat, "dqTg"),
    KINDS(epoll_pwait, "fbiim8"),
    KINDS(signalfd, "fm8"),
    KINDS(timerfd_create, "ig"),
    KINDS(eventfd, "i"),
    KINDS(fallocate, "fioo"),
    KINDS(timerfd_settime, "fiTz"),
    KINDS(timerfd_gettime, "fb"),
    KINDS(signalfd4, "fm8g"),
    KINDS(eventfd2, "ig"),
    KINDS(epoll_create1, "g"),
    KINDS(dup3, "ffg"),
    KINDS(pipe2, "bg"),
    KINDS(preadv, "fvio0"),
    KINDS(pwritev, "fvio0"),
    KINDS(rt_tgsigqueueinfo, "PPSc"),
    KINDS(prlimit64, "Picz"),
    KINDS(renameat2, "dqdqi"),
    KINDS(getrandom, "bsi"),
    KINDS(memfd_create, "cg"),
    KINDS(execveat, "dpVVg"),
    KINDS(membarrier, "ii"),
    KINDS(mlock2, "ali"),
    KINDS(copy_file_range, "fzfzs0"),
    KINDS(preadv2, "fvio0i"),
    KINDS(pwritev2, "fvio0i"),
    KINDS(statx, "dpgib"),
    KINDS(clone3, "3i"),
    KINDS(close_range, "iig"),
    KINDS(openat2, "dpRi"),
    KINDS(faccessat2, "dpig"),
    KINDS(epoll_pwait2, "fbitm8"),
    KINDS(process_vm_readv, "Pvivi0"),
    KINDS(process_vm_writev, "Pvivi0"),
    KINDS(bind, "fus"),
    KINDS(connect, "fus"),
    KINDS(listen, "fi"),
    KINDS(accept, "fzz"),
    KINDS(sendto, "fcsgus"),
    KINDS(recvfrom, "fbsgzz"),
    KINDS(shutdown, "fi"),
    KINDS(sendmsg, "fMg"),
    KINDS(recvmsg, "fMg"),
};

/* The calls that the personality serves. */
static uint16_t served[POSIX_CALLS_ALL];
static unsigned served_count;
static uint8_t argument_counts[POSIX_CALLS_ALL];

#define SERVED_full                                        1
#define SERVED_partial                                     1
#define SERVED_none                                        0
#define POSIX_CALL(number, name, arguments, support, note) {number, arguments, SERVED_##support},
static const struct {
    uint16_t number;
    uint8_t arguments, served;
} calls[] = {
#include "linux/syscalls.def"
};
#undef POSIX_CALL

static void find_served(void) {
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].served && calls[i].number != NR_reboot)
            served[served_count++] = calls[i].number;
        argument_counts[calls[i].number] = calls[i].arguments;
    }
}

/* ---- the program ---- */

static int run_records(struct cursor *cursor);

static int child_program(void *argument) {
    struct cursor cursor = *(struct cursor *)argument;
    return run_records(&cursor);
}

/* The next child decodes what follows here; a few are enough. */
static bool child_prepare(const struct cursor *cursor) {
    static struct cursor cursors[CHILDREN_MOST];
    if (children == CHILDREN_MOST)
        return false;
    cursors[children] = *cursor;
    guest_child(child_program, &cursors[children]);
    children++;
    return true;
}

static bool makes_child(unsigned number) {
    return number == NR_fork || number == NR_vfork || number == NR_clone || number == NR_clone3;
}

static bool trace;

static void run_call(struct cursor *cursor) {
    uint64_t words[6] = {0};
    unsigned number = served[next_word(cursor, 2) % served_count];
    const char *kind = kinds[number];
    for (unsigned i = 0; i < argument_counts[number]; i++)
        words[i] = argument(cursor, kind && kind[0] ? *kind++ : 'x');
    if (makes_child(number) && !child_prepare(cursor))
        return;
    if ((number == NR_clone3 || number == NR_clone) && trace)
        fprintf(stderr, "child follows\n");
    int tid = task_current()->tid;
    if (trace)
        fprintf(stderr, "%d: %s(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx)\n", tid, posix_call_name(number),
                (unsigned long long)words[0], (unsigned long long)words[1], (unsigned long long)words[2],
                (unsigned long long)words[3], (unsigned long long)words[4], (unsigned long long)words[5]);
    int64_t result = guest_call(number, words);
    if (trace)
        fprintf(stderr, "%d: %s = %lld\n", tid, posix_call_name(number), (long long)result);
}

static void run_exception(struct cursor *cursor) {
    static const uint8_t vectors[] = {0, 1, 3, 4, 5, 6, 13, 14, 14, 16, 17, 19, 2, 31};
    uint64_t vector = vectors[next_byte(cursor) % sizeof(vectors)];
    guest_exception(vector, next_byte(cursor), argument(cursor, 'a'));
}

static int run_records(struct cursor *cursor) {
    while (cursor->at < cursor->end && cursor->calls++ < CALLS_MOST) {
        uint8_t record = next_byte(cursor);
        if (record == RECORD_POKE)
            bytes_in(cursor);
        else if (record == RECORD_EXCEPTION)
            run_exception(cursor);
        else
            run_call(cursor);
    }
    return 0;
}

/* After execve: fresh scratch memory, then the rest of the input. */
static int exec_program(void *unused) {
    struct cursor *cursor = host_thread_self()->program_argument;
    (void)unused;
    guest(mmap, GUEST_SCRATCH, GUEST_SCRATCH_SIZE, PROT_READ | PROT_WRITE,
          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX, 0);
    return run_records(cursor);
}

static void write_file(const char *path, uint64_t mode, const void *bytes, size_t length) {
    int64_t fd = guest(open, guest_text(path), O_RDWR | O_CREAT, mode);
    if (fd < 0 || guest(write, (uint64_t)fd, guest_bytes(bytes, length), length) != (int64_t)length)
        abort();
    guest(close, (uint64_t)fd);
}

/* The files that execve finds; once. */
static int prepare_program(void *unused) {
    (void)unused;
    uint64_t entry = guest_entry_address(exec_program);
    uint64_t base = entry & ~(PAGE_SIZE - 1);
    uint8_t image[PAGE_SIZE] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    const uint16_t words[] = {2, 62, 1, 0};
    const uint64_t addresses[] = {entry, 64, 0};
    const uint16_t sizes[] = {0, 0, 64, 56, 1, 64, 0, 0};
    const uint32_t segment[] = {1, 5};
    const uint64_t places[] = {0, base, base, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE};
    memcpy(image + 16, words, sizeof(words));
    memcpy(image + 24, addresses, sizeof(addresses));
    memcpy(image + 48, sizes, sizeof(sizes));
    memcpy(image + 64, segment, sizeof(segment));
    memcpy(image + 72, places, sizeof(places));
    guest(mkdir, guest_text("/bin"), 0755);
    guest(mkdir, guest_text("/tmp/w"), 0755);
    write_file("/bin/program", 0755, image, sizeof(image));
    write_file("/bin/script", 0755, "#!/bin/program argument\n", 24);
    image[40] = 0xff;
    write_file("/bin/broken", 0755, image, 100);
    return 0;
}

/* Descriptors from 0 up: a file, a directory, both ends of a pipe, a terminal and its other side, and so on.
 */
static void open_some(void) {
    uint64_t unlock = guest_alloc(16), ends = guest_alloc(16), pipe_ends = guest_alloc(16);
    guest(open, guest_text("a"), O_RDWR | O_CREAT, 0644);
    guest(mkdir, guest_text("d"), 0755);
    guest(open, guest_text("d"), O_RDONLY);
    guest(pipe, pipe_ends);
    int64_t master = guest(open, guest_text("/dev/ptmx"), O_RDWR);
    guest(ioctl, (uint64_t)master, 0x40045431 /* TIOCSPTLCK */, unlock);
    guest(ioctl, (uint64_t)master, 0x5441 /* TIOCGPTPEER */, O_RDWR);
    guest(eventfd2, 0, 0);
    guest(epoll_create1, 0);
    guest(socketpair, 1, 1, 0, ends);
    guest(timerfd_create, 1, 0);
    guest(symlink, guest_text("d"), guest_text("l"));
    guest(symlink, guest_text("loop2"), guest_text("loop1"));
    guest(symlink, guest_text("loop1"), guest_text("loop2"));
}

static uint8_t failing; /* from 128 up: which allocation of this input */

/* What an input runs in: a session and a file system of its own, a handler for SIGUSR1. */
static int input_program(void *argument) {
    struct cursor cursor = *(struct cursor *)argument;
    uint64_t action[4] = {guest_handler_address(on_signal), 0x04000000, guest_restorer(), 0};
    uint64_t limit[2] = {1 << 20, 1 << 20};
    host_thread_self()->program_argument = &cursor;
    guest(setsid, 0);
    guest(mount, guest_text("t"), guest_text("/tmp/w"), guest_text("tmpfs"), 0, 0);
    guest(chdir, guest_text("/tmp/w"));
    guest(rt_sigaction, SIGUSR1, guest_bytes(action, sizeof(action)), 0, 8);
    guest(setrlimit, 1 /* RLIMIT_FSIZE */, guest_bytes(limit, sizeof(limit)));
    open_some();
    host_fail_allocation(failing >= 128 ? failing - 127U : 0);
    return run_records(&cursor);
}

static int clean_program(void *unused) {
    (void)unused;
    for (unsigned i = 0; i < 40 && guest(umount2, guest_text("/tmp/w"), 2 /* MNT_DETACH */) == 0; i++)
        continue;
    return 0;
}

/* ---- the harness ---- */

static void require(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "fuzz_linux_calls: %s\n", what);
        guest_describe();
        abort();
    }
}

/* Until nothing but process 1 is left. */
static void settle(bool ended, int32_t *status) {
    enum { SIGNALS = 3, KILLS = 40 };
    for (int i = 0; i < SIGNALS && !ended; i++) {
        guest_signal_all(SIGUSR1);
        ended = guest_continue(SWITCHES_MOST / 4, status);
    }
    for (int i = 0; i < KILLS && (!ended || guest_processes() > 1); i++) {
        guest_signal_all(SIGKILL);
        ended = guest_continue(SWITCHES_MOST, status);
    }
    require(ended, "a process does not end after SIGKILL");
    require(guest_processes() == 1, "processes are left over");
}

/* Compares with what was in use long ago: growth that goes on is a leak. */
static void check_leaks(void) {
    enum { PERIOD = 2000, SLACK_BYTES = 65536, SLACK_PAGES = 64 };
    static unsigned inputs;
    static size_t heap, pages;
    if (++inputs % PERIOD)
        return;
    size_t heap_now = heap_used(), pages_now = host_page_count();
    fprintf(stderr, "heap %zu pages %zu vmos %llu spaces %llu jobs %llu\n", heap_now, pages_now,
            (unsigned long long)host_object_count(OBJECT_VMO),
            (unsigned long long)host_object_count(OBJECT_SPACE),
            (unsigned long long)host_object_count(OBJECT_JOB));
    require(!heap || (heap_now <= heap + SLACK_BYTES && pages_now <= pages + SLACK_PAGES), "memory grows");
    if (!heap) {
        heap = heap_now;
        pages = pages_now;
    }
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    int32_t status;
    (void)count, (void)arguments;
    trace = getenv("FUZZ_TRACE");
    host_quiet = !trace;
    find_served();
    guest_boot();
    require(guest_execute(prepare_program, NULL, SWITCHES_MOST, &status) && status == 0,
            "the files cannot be made");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cursor cursor = {.at = data, .end = data + size};
    int32_t status = 0;
    if (size < 4)
        return 0;
    host_seed(next_byte(&cursor));
    failing = next_byte(&cursor);
    children = 0;
    settle(guest_execute(input_program, &cursor, SWITCHES_MOST, &status), &status);
    host_fail_allocation(0);
    settle(guest_execute(clean_program, NULL, SWITCHES_MOST, &status), &status);
    clock_realtime_set(1790000000000000000ULL);
    if (getenv("FUZZ_LEAKS"))
        check_leaks();
    return 0;
}
