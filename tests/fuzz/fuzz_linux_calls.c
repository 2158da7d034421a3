/* sources: tests/fuzz/linux_arguments.c linux/[!hm]*.c linux/task/*.c linux/fs/*.c linux/io/*.c linux/net/*.c
 * linux/ipc/*.c linux/block/*.c linux/input/*.c linux/arch/host/*.c tests/host/*.c tests/host/guest/*.c
 * lib/base/tree.c lib/base/format.c lib/base/elf.c lib/base/cpio.c lib/pci/accelerator.c lib/virtqueue/*.c
 * linux/device/functions.c linux/usb/*.c */
/* flags: -iquote tests/host -pthread */
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
 * Input: seed, allocation to fail, number of calls after the end (a byte each); then records: call index, and
 * for each argument a byte and what it asks for. After the end the records go on at random, by a number made
 * from the whole input, so that short inputs make long runs too.
 */
#include "linux/syscalls.h"

#include "linux/abi/fcntl.h"
#include "linux/abi/ipc.h"
#include "linux/abi/mman.h"
#include "linux/abi/signal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task/process.h"
#include "tests/fuzz/linux_arguments.h"
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
    CALLS_MOST = 24,
    RECORD_POKE = 0xff,
    RECORD_EXCEPTION = 0xfe,
};

/* What each argument of a call is; calls without an entry get anything. */
#define KINDS(name, kinds) [NR_##name] = kinds
/* clang-format off */
static const char *const kinds[POSIX_CALLS_ALL] = {
    KINDS(read, "fbs"), KINDS(write, "fcs"), KINDS(open, "pNi"), KINDS(close, "f"), KINDS(stat, "pb"),
    KINDS(fstat, "fb"), KINDS(lstat, "pb"), KINDS(poll, "Oii"), KINDS(lseek, "foi"), KINDS(mmap, "alggfl"),
    KINDS(mprotect, "alg"), KINDS(munmap, "al"), KINDS(brk, "a"), KINDS(rt_sigaction, "SAz8"),
    KINDS(rt_sigprocmask, "imz8"), KINDS(rt_sigreturn, ""), KINDS(ioctl, "fIc"), KINDS(pread64, "fbso"),
    KINDS(pwrite64, "fcso"), KINDS(readv, "fvi"), KINDS(writev, "fvi"), KINDS(access, "pi"),
    KINDS(pipe, "b"), KINDS(select, "icccT"), KINDS(sched_yield, ""), KINDS(mremap, "allga"),
    KINDS(msync, "alg"), KINDS(mincore, "alb"), KINDS(madvise, "ali"), KINDS(dup, "f"), KINDS(dup2, "ff"),
    KINDS(pause, ""), KINDS(nanosleep, "tz"), KINDS(getitimer, "ib"), KINDS(alarm, "i"),
    KINDS(setitimer, "iTz"), KINDS(getpid, ""), KINDS(sendfile, "ffzs"), KINDS(socket, "Yyi"),
    KINDS(socketpair, "Yyib"), KINDS(clone, "Kzbbb"), KINDS(fork, ""), KINDS(vfork, ""),
    KINDS(execve, "pVV"), KINDS(exit, "i"), KINDS(wait4, "Pzgz"), KINDS(kill, "PS"), KINDS(uname, "b"),
    KINDS(fcntl, "fCX"), KINDS(flock, "fi"), KINDS(fsync, "f"), KINDS(fdatasync, "f"),
    KINDS(truncate, "qo"), KINDS(ftruncate, "fo"), KINDS(getdents, "fbs"), KINDS(getcwd, "bs"),
    KINDS(chdir, "p"), KINDS(fchdir, "f"), KINDS(rename, "qq"), KINDS(mkdir, "qi"), KINDS(rmdir, "q"),
    KINDS(creat, "qi"), KINDS(link, "qq"), KINDS(unlink, "q"), KINDS(symlink, "pq"), KINDS(readlink, "pbs"),
    KINDS(chmod, "qi"), KINDS(fchmod, "fi"), KINDS(chown, "qii"), KINDS(fchown, "fii"),
    KINDS(lchown, "qii"), KINDS(umask, "i"), KINDS(gettimeofday, "bz"), KINDS(getrlimit, "ib"),
    KINDS(getrusage, "ib"), KINDS(sysinfo, "b"), KINDS(times, "z"), KINDS(setpgid, "PP"), KINDS(setsid, ""),
    KINDS(getgroups, "ib"), KINDS(setgroups, "ic"), KINDS(getresuid, "bbb"), KINDS(getpgid, "P"),
    KINDS(getsid, "P"), KINDS(capget, "cb"), KINDS(capset, "cc"), KINDS(rt_sigpending, "b8"),
    KINDS(rt_sigtimedwait, "mzt8"), KINDS(rt_sigqueueinfo, "PSc"), KINDS(rt_sigsuspend, "m8"),
    KINDS(sigaltstack, "cz"), KINDS(utime, "qc"), KINDS(mknod, "qgi"), KINDS(statfs, "pb"),
    KINDS(fstatfs, "fb"), KINDS(getpriority, "iP"), KINDS(setpriority, "iPi"), KINDS(sched_setparam, "Pc"),
    KINDS(sched_getparam, "Pb"), KINDS(sched_setscheduler, "Pic"), KINDS(sched_rr_get_interval, "Pb"),
    KINDS(mlock, "al"), KINDS(munlock, "al"), KINDS(mlockall, "i"), KINDS(prctl, "Qcccc"),
    KINDS(arch_prctl, "xb"), KINDS(setrlimit, "ic"), KINDS(chroot, "q"), KINDS(mount, "qqcgz"),
    KINDS(umount2, "qi"), KINDS(gettid, ""), KINDS(readahead, "fos"), KINDS(setxattr, "qccsi"),
    KINDS(getxattr, "pcbs"), KINDS(listxattr, "pbs"), KINDS(tkill, "PS"), KINDS(time, "z"),
    KINDS(futex, "bUitbi"), KINDS(sched_setaffinity, "Psc"), KINDS(sched_getaffinity, "Psb"),
    KINDS(epoll_create, "i"), KINDS(getdents64, "fbs"), KINDS(set_tid_address, "b"),
    KINDS(restart_syscall, ""), KINDS(fadvise64, "fooi"), KINDS(timer_create, "izb"),
    KINDS(timer_settime, "iiTz"), KINDS(timer_gettime, "ib"), KINDS(timer_delete, "i"),
    KINDS(clock_settime, "it"), KINDS(clock_gettime, "ib"), KINDS(clock_getres, "iz"),
    KINDS(clock_nanosleep, "iitz"), KINDS(exit_group, "i"), KINDS(epoll_wait, "fbii"),
    KINDS(epoll_ctl, "fifE"), KINDS(tgkill, "PPS"), KINDS(utimes, "qT"), KINDS(waitid, "iPbgz"),
    KINDS(openat, "dpNi"), KINDS(mkdirat, "dqi"), KINDS(mknodat, "dqgi"), KINDS(fchownat, "dqiig"),
    KINDS(futimesat, "dqT"), KINDS(newfstatat, "dpbg"), KINDS(unlinkat, "dqg"), KINDS(renameat, "dqdq"),
    KINDS(linkat, "dqdqg"), KINDS(symlinkat, "pdq"), KINDS(readlinkat, "dpbs"), KINDS(fchmodat, "dqi"),
    KINDS(faccessat, "dpi"), KINDS(pselect6, "iccctb"), KINDS(ppoll, "Oitm8"), KINDS(unshare, "g"),
    KINDS(set_robust_list, "bi"), KINDS(get_robust_list, "Pbb"), KINDS(splice, "fzfzsg"),
    KINDS(tee, "ffsg"), KINDS(sync_file_range, "foog"), KINDS(utimensat, "dqTg"),
    KINDS(epoll_pwait, "fbiim8"), KINDS(signalfd, "fm8"), KINDS(timerfd_create, "ig"), KINDS(eventfd, "i"),
    KINDS(fallocate, "fioo"), KINDS(timerfd_settime, "fiTz"), KINDS(timerfd_gettime, "fb"),
    KINDS(signalfd4, "fm8g"), KINDS(eventfd2, "ig"), KINDS(epoll_create1, "g"), KINDS(dup3, "ffg"),
    KINDS(pipe2, "bg"), KINDS(preadv, "fvio0"), KINDS(pwritev, "fvio0"), KINDS(rt_tgsigqueueinfo, "PPSc"),
    KINDS(prlimit64, "Picz"), KINDS(renameat2, "dqdqi"), KINDS(getrandom, "bsi"), KINDS(memfd_create, "cg"),
    KINDS(execveat, "dpVVg"), KINDS(membarrier, "ii"), KINDS(mlock2, "ali"),
    KINDS(copy_file_range, "fzfzs0"), KINDS(preadv2, "fvio0i"), KINDS(pwritev2, "fvio0i"),
    KINDS(statx, "dpgib"), KINDS(clone3, "3i"), KINDS(close_range, "iig"), KINDS(openat2, "dpRi"),
    KINDS(faccessat2, "dpig"), KINDS(epoll_pwait2, "fbitm8"), KINDS(process_vm_readv, "Pvivi0"),
    KINDS(process_vm_writev, "Pvivi0"), KINDS(bind, "fus"), KINDS(connect, "fus"), KINDS(listen, "fi"),
    KINDS(accept, "fzz"), KINDS(sendto, "fcsgus"), KINDS(recvfrom, "fbsgzz"), KINDS(shutdown, "fi"),
    KINDS(sendmsg, "fMg"), KINDS(recvmsg, "fMg"),
    KINDS(semget, "iiw"), KINDS(semop, "jWi"), KINDS(semtimedop, "jWit"), KINDS(semctl, "jiJc"),
    KINDS(msgget, "iw"), KINDS(msgsnd, "jGsw"), KINDS(msgrcv, "jbsiw"), KINDS(msgctl, "jJc"),
    KINDS(mq_open, "nNgH"), KINDS(mq_unlink, "n"),
    KINDS(mq_timedsend, "fcsit"), KINDS(mq_timedreceive, "fbszt"), KINDS(mq_notify, "fe"),
    KINDS(mq_getsetattr, "fHz"), KINDS(shmget, "isw"), KINDS(shmat, "jaw"), KINDS(shmctl, "jJc"), KINDS(shmdt, "a")
};
/* clang-format on */

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

static unsigned children; /* made for this input */

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
    for (unsigned i = 0; i < argument_counts[number]; i++) {
        char letter = kind && kind[0] ? *kind++ : 'x';
        words[i] = argument(cursor, letter);
        if (letter == 'P' && (int32_t)words[i] == 1)
            words[i] = 0;
    }
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
    if ((number == NR_semget || number == NR_msgget || number == NR_shmget) && result >= 0)
        ipc_id = (uint64_t)result;
    if (trace)
        fprintf(stderr, "%d: %s = %lld\n", tid, posix_call_name(number), (long long)result);
}

static void run_exception(struct cursor *cursor) {
    static const uint8_t vectors[] = {0, 1, 3, 4, 5, 6, 13, 14, 14, 16, 17, 19, 2, 31};
    uint64_t vector = vectors[next_byte(cursor) % sizeof(vectors)];
    guest_exception(vector, next_byte(cursor), argument(cursor, 'a'));
}

static int run_records(struct cursor *cursor) {
    while (cursor->calls > 0) {
        if (cursor->at >= cursor->end)
            cursor->calls--;
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

/* What no process takes with it. */
static void ipc_clean(void) {
    uint64_t state = guest_alloc(256);
    for (uint64_t i = 0, last = (uint64_t)guest(semctl, 0, 0, SEM_INFO, state); i <= last; i++)
        guest(semctl, (uint64_t)guest(semctl, i, 0, SEM_STAT, state), 0, IPC_RMID, 0);
    for (uint64_t i = 0, last = (uint64_t)guest(msgctl, 0, MSG_INFO, state); i <= last; i++)
        guest(msgctl, (uint64_t)guest(msgctl, i, MSG_STAT, state), IPC_RMID, 0);
    for (uint64_t i = 0, last = (uint64_t)guest(shmctl, 0, SHM_INFO, state); i <= last; i++)
        guest(shmctl, (uint64_t)guest(shmctl, i, SHM_STAT, state), IPC_RMID, 0);
    for (unsigned i = 0; i < QUEUE_NAMES; i++)
        guest(mq_unlink, guest_text(queue_names[i]));
    ipc_id = 0;
}

static int clean_program(void *unused) {
    (void)unused;
    for (unsigned i = 0; i < 40 && guest(umount2, guest_text("/tmp/w"), 2 /* MNT_DETACH */) == 0; i++)
        continue;
    ipc_clean();
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
    enum { LENGTH_MOST = 1000, HEAD = 3 };
    int32_t status = 0;
    if (size < HEAD || size > LENGTH_MOST)
        return 0;
    struct cursor cursor = {.at = data + HEAD, .end = data + size, .calls = data[2] % CALLS_MOST + 1};
    for (size_t i = 0; i < size; i++)
        cursor.random = (cursor.random ^ data[i]) * 0x100000001b3ULL;
    host_seed(data[0]);
    failing = data[1];
    children = 0;
    settle(guest_execute(input_program, &cursor, SWITCHES_MOST, &status), &status);
    host_fail_allocation(0);
    settle(guest_execute(clean_program, NULL, SWITCHES_MOST, &status), &status);
    clock_realtime_set(1790000000000000000ULL);
    if (getenv("FUZZ_LEAKS"))
        check_leaks();
    return 0;
}
