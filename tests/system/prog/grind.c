/*
 * grind [CALLS [SEED [WORKERS [SECONDS]]]]: random system calls, in the spirit of xv6's grind. It must end:
 * without a panic, without a process that cannot be killed, without a lost page or object.
 *
 *   main         starts the workers of a round, waits for them, compares /proc/keel after each round
 *   worker       runs torturers, one after the other, in a directory of its own
 *   torturer     a session of its own, some threads and children that make random calls
 *
 * Half of those calls make sense together (files, pipes, processes, memory, signals), half are any number
 * with any arguments. Workers kill a torturer that makes no call for a while, or slow ones for long.
 *
 * A torturer uses no libc: it unmaps, overwrites and redirects what it runs on, and often dies of it. What it
 * may not do is harm anybody else: call() replaces the process ids, and the calls that stop the machine are
 * left out. All is drawn from the seed, but how torturers interleave is not.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKERS_MAX = 16,
    CALLS_MAX = 335,
    ARENA = 1 << 16,
    STACK = 1 << 15,
    THREADS_MAX = 3,
    DEPTH_MAX = 2,
    IDLE_MS = 600,    /* a torturer that makes no call for so long is killed */
    LIFE_MS = 8000,   /* and so is one that makes slow ones for so long */
    DEATH_MS = 60000, /* and must be gone then */
    ROUNDS = 8,
    TREND = 4, /* rounds that must all lose for a leak */
};

struct shared {
    _Atomic uint64_t calls[WORKERS_MAX];
    _Atomic uint64_t torturers, killed, crashed, wrong;
    uint64_t goal; /* calls of all workers together, this round */
};

/* Far from everything else that is mapped, so that nothing runs into it. */
#define SHARED_PLACE 0x100000000000UL

static struct shared *shared;
static char **own_arguments;

/* ---- raw calls and random numbers; no libc from here to the worker ---- */

static inline long raw(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

struct torturer {
    uint64_t random;
    unsigned worker, depth;
    long pid;         /* of the process that runs this */
    long children[4]; /* forked and maybe not waited for */
    unsigned child_next;
    int fds[8];     /* opened some time */
    char *arena;    /* valid memory with a hole behind it */
    char *readable; /* read-only page */
    char *maps[4];
    size_t map_sizes[4];
    unsigned threads;
    unsigned left; /* operations */
};

static uint64_t next_random(struct torturer *t) {
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random * 0x2545f4914f6cdd1dULL >> 16;
}

static unsigned below(struct torturer *t, unsigned limit) {
    return (unsigned)(next_random(t) % limit);
}

/* Relative ones first: what is made is made in the torturer's own directory. */
static const char *const names[] = {"a",
                                    "b",
                                    "c",
                                    "d",
                                    "d/a",
                                    "d/b",
                                    "d/d",
                                    "d/d/a",
                                    "e",
                                    "e/a",
                                    "f",
                                    "s",
                                    "p",
                                    ".",
                                    "",
                                    "a/",
                                    "d/",
                                    "d/../a",
                                    "loop",
                                    "d/d/d/d/d/d/d/d",
                                    "/dev/null",
                                    "/dev/zero",
                                    "/dev/full",
                                    "/dev/urandom",
                                    "/dev/ptmx",
                                    "/dev/tty",
                                    "/proc/self/maps",
                                    "/proc/self/fd",
                                    "/proc/self/stat",
                                    "/proc/meminfo",
                                    "/proc/self/fd/3",
                                    "/proc/self/exe",
                                    "/bin/true",
                                    "/no/such"};
enum { NAMES = sizeof names / sizeof names[0], OWN_NAMES = 20 };

static long name_own(struct torturer *t) {
    return (long)names[below(t, OWN_NAMES)];
}

static long name_any(struct torturer *t) {
    return (long)names[below(t, 4) ? below(t, OWN_NAMES) : below(t, NAMES)];
}

static long memory_good(struct torturer *t) {
    unsigned at = below(t, 4) ? below(t, 64) * 64 : below(t, ARENA);
    return (long)(t->arena + at);
}

static long memory_bad(struct torturer *t) {
    switch (below(t, 14)) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return (long)(t->arena + ARENA - below(t, 64)); /* runs into the hole */
    case 3:
        return (long)(t->arena + ARENA);
    case 4:
        return (long)t->readable;
    case 5:
        return 0x00003ffffffff000; /* the end of a guest's half */
    case 6:
        return 0x0000400000000000;
    case 7:
        return 0x0000400200000000;
    case 8:
        return 0x00007ffffffff000;
    case 9:
        return (long)0x8000000000000000;
    case 10:
        return (long)0xffffffff80000000;
    case 11:
        return (long)0xffff800000001000;
    case 12:
        return -1;
    default:
        return -4096;
    }
}

static long memory_any(struct torturer *t) {
    return below(t, 5) ? memory_good(t) : memory_bad(t);
}

static long fd_any(struct torturer *t) {
    unsigned pick = below(t, 10);
    return pick < 7 ? t->fds[below(t, 8)] : pick < 9 ? (long)below(t, 24) : -1;
}

static long pid_any(struct torturer *t) {
    switch (below(t, 4)) {
    case 0:
        return 0;
    case 1:
        return t->pid;
    case 2:
        return t->children[below(t, 4)];
    default:
        return 99999;
    }
}

static long number_any(struct torturer *t) {
    static const long numbers[] = {0,
                                   1,
                                   2,
                                   3,
                                   4,
                                   7,
                                   8,
                                   15,
                                   16,
                                   63,
                                   64,
                                   65,
                                   100,
                                   255,
                                   256,
                                   512,
                                   1000,
                                   4095,
                                   4096,
                                   4097,
                                   8192,
                                   65535,
                                   65536,
                                   1 << 20,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   -1,
                                   -2,
                                   -100,
                                   (long)0x8000000000000000,
                                   0x7fffffffffffffff,
                                   0x400,
                                   0x800,
                                   0x80000,
                                   0x4000,
                                   0x42};
    return numbers[below(t, sizeof numbers / sizeof numbers[0])];
}

static long argument_any(struct torturer *t) {
    switch (below(t, 8)) {
    case 0:
    case 1:
        return fd_any(t);
    case 2:
    case 3:
        return memory_any(t);
    case 4:
        return name_any(t);
    case 5:
        return (long)next_random(t);
    default:
        return number_any(t);
    }
}

/* Where a call names processes: these arguments become pid_any. Everything that would reach beyond the
 * torturer. */
static void tame(struct torturer *t, long number, long *a) {
    switch (number) {
    case SYS_kill:
    case SYS_tkill:
    case SYS_rt_sigqueueinfo:
    case SYS_sched_setparam:
    case SYS_sched_setscheduler:
    case SYS_sched_setaffinity:
    case SYS_sched_setattr:
    case SYS_setpgid:
    case SYS_prlimit64:
    case SYS_process_vm_writev:
    case SYS_process_vm_readv:
    case SYS_kcmp:
    case SYS_migrate_pages:
    case SYS_move_pages:
        a[0] = pid_any(t);
        break;
    case SYS_tgkill:
    case SYS_rt_tgsigqueueinfo:
        a[0] = pid_any(t);
        a[1] = pid_any(t);
        break;
    case SYS_ptrace:
        a[0] = a[0] ? a[0] : 1; /* not PTRACE_TRACEME: the worker would have to wait for its threads */
        a[1] = 99999;
        break;
    case SYS_setpriority:
    case SYS_ioprio_set:
        a[0] = 0;
        a[1] = pid_any(t);
        break;
    case SYS_rename:
    case SYS_link:
        a[0] = name_own(t);
        a[1] = name_own(t);
        break;
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_linkat:
        a[1] = name_own(t);
        a[3] = name_own(t);
        break;
    case SYS_unlinkat:
    case SYS_fchmodat:
    case SYS_fchownat:
    case SYS_mknodat:
        a[1] = name_own(t);
        break;
    case SYS_mount:
    case SYS_pivot_root:
        a[0] = (long)names[below(t, 4)];
        a[1] = (long)names[below(t, 4)];
        break;
    case SYS_unlink:
    case SYS_rmdir:
    case SYS_truncate:
    case SYS_chmod:
    case SYS_chown:
    case SYS_lchown:
    case SYS_mknod:
    case SYS_chdir:
    case SYS_chroot:
    case SYS_umount2:
    case SYS_swapon:
    case SYS_acct:
        a[0] = name_own(t);
        break;
    case SYS_mmap:
        a[3] &= ~0x8000L; /* MAP_POPULATE */
        break;
    case SYS_fcntl: /* no signals to others */
        if ((a[1] & 0xff) == F_SETOWN || (a[1] & 0xff) == 15)
            a[1] = F_GETFD;
        break;
    default:
        break;
    }
    if (number == SYS_setrlimit || number == SYS_prlimit64) {
        long *resource = number == SYS_setrlimit ? &a[0] : &a[1];
        if ((unsigned)*resource != RLIMIT_NOFILE && (unsigned)*resource != RLIMIT_STACK)
            *resource = RLIMIT_CORE;
    }
}

/* Calls that stop the test, or that fork() and thread_start() make properly. */
static bool left_out(long number) {
    switch (number) {
    case SYS_reboot:
    case SYS_kexec_load:
    case SYS_kexec_file_load:
    case SYS_fork:
    case SYS_vfork:
    case SYS_clone:
        return true;
    default:
        return false;
    }
}

/* Calls after which not much more happens: these are made rarely. */
static bool ends_or_blocks(long number) {
    return number == SYS_pause || number == SYS_rt_sigreturn || number == SYS_exit ||
           number == SYS_exit_group || number == SYS_rt_sigsuspend || number == SYS_munmap ||
           number == SYS_setitimer || number == SYS_alarm;
}

static long call(struct torturer *t, long number, long a, long b, long c, long d, long e, long f) {
    shared->calls[t->worker]++;
    return raw(number, a, b, c, d, e, f);
}
#define CALL6(number, a, b, c, d, e, f)                                                                      \
    call(t, number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL3(number, a, b, c) CALL6(number, a, b, c, 0, 0, 0)
#define CALL2(number, a, b)    CALL6(number, a, b, 0, 0, 0, 0)
#define CALL1(number, a)       CALL6(number, a, 0, 0, 0, 0, 0)
#define CALL0(number)          CALL6(number, 0, 0, 0, 0, 0, 0)

static void fd_keep(struct torturer *t, long fd) {
    if (fd >= 0)
        t->fds[below(t, 8)] = (int)fd;
}

static _Noreturn void leave(struct torturer *t, int status) {
    (void)t;
    for (;;)
        raw(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

/* ---- any call with any arguments ---- */

static void wild(struct torturer *t) {
    long number = below(t, CALLS_MAX), a[6];
    if (left_out(number) || (ends_or_blocks(number) && below(t, 16)))
        return;
    for (int i = 0; i < 6; i++)
        a[i] = argument_any(t);
    tame(t, number, a);
    long result = CALL6(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result > 2 && result < 1024 && below(t, 2))
        t->fds[below(t, 8)] = (int)result; /* maybe a descriptor */
}

/* ---- files ---- */

static void file_op(struct torturer *t) {
    switch (below(t, 26)) {
    case 0:
    case 1:
    case 2:
        fd_keep(t, CALL3(SYS_open, name_any(t),
                         O_CREAT | (below(t, 3)) | (below(t, 3) ? 0 : O_TRUNC) | O_NONBLOCK, 0755));
        break;
    case 3:
        fd_keep(t, CALL6(SYS_openat, -100, name_any(t), number_any(t) | O_NONBLOCK, 0700, 0, 0));
        break;
    case 4:
    case 5:
        CALL3(SYS_write, fd_any(t), memory_any(t), below(t, 3) ? below(t, 5000) : number_any(t));
        break;
    case 6:
    case 7:
        CALL3(SYS_read, fd_any(t), memory_any(t), below(t, 3) ? below(t, 5000) : number_any(t));
        break;
    case 8:
        CALL6(SYS_pwrite64, fd_any(t), memory_good(t), below(t, 9000), below(t, 200000), 0, 0);
        break;
    case 9:
        CALL3(SYS_lseek, fd_any(t), below(t, 70000), below(t, 5));
        break;
    case 10:
        CALL2(SYS_ftruncate, fd_any(t), below(t, 2) ? below(t, 100000) : number_any(t));
        break;
    case 11:
        CALL2(below(t, 2) ? SYS_stat : SYS_lstat, name_any(t), memory_any(t));
        break;
    case 12:
        CALL3(SYS_getdents64, fd_any(t), memory_any(t), below(t, 4096));
        break;
    case 13:
        CALL1(SYS_close, fd_any(t));
        break;
    case 14:
        CALL2(SYS_dup2, fd_any(t), below(t, 24));
        break;
    case 15:
        CALL2(SYS_mkdir, name_own(t), 0755);
        break;
    case 16:
        CALL1(SYS_rmdir, name_own(t));
        break;
    case 17:
        CALL1(SYS_unlink, name_own(t));
        break;
    case 18:
        CALL2(SYS_rename, name_own(t), name_own(t));
        break;
    case 19:
        CALL2(SYS_link, name_own(t), name_own(t));
        break;
    case 20:
        CALL2(SYS_symlink, name_own(t), name_own(t));
        break;
    case 21:
        CALL1(SYS_chdir, name_own(t));
        break;
    case 22:
        CALL3(SYS_mknod, name_own(t), below(t, 2) ? S_IFIFO | 0600 : S_IFREG | 0600, 0);
        break;
    case 23:
        CALL3(SYS_fcntl, fd_any(t), below(t, 12), number_any(t));
        break;
    case 24:
        CALL6(SYS_sendfile, fd_any(t), fd_any(t), 0, below(t, 20000), 0, 0);
        break;
    default:
        CALL2(SYS_getcwd, memory_any(t), below(t, 300));
    }
}

/* ---- pipes and other things to wait on ---- */

static void pipe_op(struct torturer *t) {
    long buffer = memory_good(t);
    switch (below(t, 14)) {
    case 0:
    case 1:
    case 2:
        if (!CALL2(SYS_pipe2, buffer, below(t, 2) ? O_NONBLOCK : 0)) {
            fd_keep(t, ((int *)buffer)[0]);
            fd_keep(t, ((int *)buffer)[1]);
        }
        break;
    case 3:
        if (!CALL6(SYS_socketpair, 1, 1 + below(t, 2), 0, buffer, 0, 0)) {
            fd_keep(t, ((int *)buffer)[0]);
            fd_keep(t, ((int *)buffer)[1]);
        }
        break;
    case 4:
        fd_keep(t, CALL2(SYS_eventfd2, below(t, 4), O_NONBLOCK));
        break;
    case 5:
        fd_keep(t, CALL2(SYS_timerfd_create, 1, O_NONBLOCK));
        break;
    case 6:
        fd_keep(t, CALL2(SYS_memfd_create, names[0], 0));
        break;
    case 7:
        fd_keep(t, CALL3(SYS_open, "/dev/ptmx", O_RDWR | O_NONBLOCK, 0));
        break;
    case 8: {
        long epoll = CALL1(SYS_epoll_create1, 0);
        fd_keep(t, epoll);
        CALL6(SYS_epoll_ctl, epoll, 1, fd_any(t), buffer, 0, 0);
        CALL6(SYS_epoll_wait, epoll, buffer, 4, below(t, 3), 0, 0);
        break;
    }
    case 9:
    case 10: {
        struct pollfd *wait = (struct pollfd *)(buffer & -8L);
        for (int i = 0; i < 4; i++)
            wait[i] = (struct pollfd){(int)fd_any(t), (short)below(t, 64), 0};
        CALL3(SYS_poll, wait, 4, below(t, 5));
        break;
    }
    case 11:
        CALL3(SYS_ioctl, fd_any(t), below(t, 2) ? 0x5400 + below(t, 0x60) : (long)next_random(t),
              memory_any(t));
        break;
    case 12:
        CALL6(SYS_splice, fd_any(t), 0, fd_any(t), 0, below(t, 9000), below(t, 16));
        break;
    default:
        CALL3(below(t, 2) ? SYS_write : SYS_read, fd_any(t), buffer, below(t, 9000));
    }
}

/* ---- memory ---- */

/* More than a small machine has, together with what others take. */
static void memory_eat(struct torturer *t) {
    size_t size = (1 + below(t, 8)) << 20;
    char *map = (char *)CALL6(SYS_mmap, 0, size, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ((long)map < 0 && (long)map > -4096)
        return;
    for (size_t at = 0; at < size; at += 4096)
        map[at] = 1;
    CALL0(SYS_sched_yield);
    CALL2(SYS_munmap, map, size);
}

static void memory_op(struct torturer *t) {
    unsigned slot = below(t, 4);
    char *map = t->maps[slot];
    size_t size = t->map_sizes[slot];
    unsigned pages = map ? (unsigned)(size / 4096) : 1, page = below(t, pages);
    switch (below(t, 11)) {
    case 0:
    case 1:
    case 2: {
        bool file = !below(t, 3);
        size = (1 + below(t, 64)) * 4096UL;
        long made = CALL6(SYS_mmap, 0, size, below(t, 8),
                          (below(t, 2) ? MAP_PRIVATE : MAP_SHARED) | (file ? 0 : MAP_ANONYMOUS),
                          file ? fd_any(t) : -1, below(t, 4) * 4096);
        if (made > 0) {
            if (map)
                CALL2(SYS_munmap, map, t->map_sizes[slot]);
            t->maps[slot] = (char *)made;
            t->map_sizes[slot] = size;
        }
        break;
    }
    case 3:
        if (map) /* part of it; what is left goes with the process */
            CALL2(SYS_munmap, map + page * 4096, (1 + below(t, pages - page)) * 4096);
        break;
    case 4:
        if (map)
            CALL3(SYS_mprotect, map + page * 4096, (1 + below(t, pages - page)) * 4096, below(t, 8));
        break;
    case 5:
        if (map) {
            long moved = CALL6(SYS_mremap, map, size, (1 + below(t, 64)) * 4096, 1, 0, 0);
            t->maps[slot] = moved > 0 ? (char *)moved : NULL;
            t->map_sizes[slot] = moved > 0 ? 4096 : 0;
        }
        break;
    case 6:
        if (map)
            CALL3(SYS_madvise, map, size, below(t, 20));
        break;
    case 7:
        if (map) /* touched by the kernel, which does not mind what is not there */
            CALL3(SYS_getrandom, map + page * 4096, (1 + below(t, pages - page)) * 4096, 0);
        break;
    case 8:
        if (map)
            CALL3(SYS_write, fd_any(t), map, below(t, 20000));
        break;
    case 9:
        if (!below(t, 20))
            memory_eat(t);
        break;
    default: {
        long end = CALL1(SYS_brk, 0);
        CALL1(SYS_brk, end + (long)below(t, 1 << 16) - (1 << 15));
    }
    }
}

/* ---- signals ---- */

static void handler_empty(int signo) {
    (void)signo;
}

struct raw_action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

__asm__(".text\ngrind_restorer:\n\tmov $15, %eax\n\tsyscall\n");
extern void grind_restorer(void);

static long action_set(struct torturer *t, int signo, void (*handler)(int), unsigned long flags) {
    struct raw_action action = {.handler = handler, .flags = flags | 0x04000000, .restorer = grind_restorer};
    return CALL6(SYS_rt_sigaction, signo, &action, 0, 8, 0, 0);
}

static void signal_op(struct torturer *t) {
    static const int harmless[] = {0, SIGUSR1, SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
    uint64_t mask = next_random(t) & 0xffff & ~(1ULL << (SIGALRM - 1)) & ~(1ULL << (SIGSEGV - 1));
    switch (below(t, 9)) {
    case 0:
    case 1:
        action_set(t, 1 + (int)below(t, 64), below(t, 3) ? handler_empty : SIG_IGN,
                   below(t, 2)   ? SA_RESTART
                   : below(t, 2) ? SA_NODEFER
                                 : 0);
        break;
    case 2:
        CALL6(SYS_rt_sigprocmask, below(t, 3), &mask, 0, 8, 0, 0);
        break;
    case 3: /* what would end it is rare */
        CALL2(SYS_kill, t->pid, below(t, 8) ? harmless[below(t, 6)] : (long)below(t, 65));
        break;
    case 4:
        CALL2(SYS_kill, t->children[below(t, 4)], below(t, 3) ? SIGKILL : below(t, 2) ? SIGSTOP : SIGCONT);
        break;
    case 5: {
        int64_t timer[4] = {0, 2000 + below(t, 20000), 0, 100 + below(t, 20000)};
        CALL3(SYS_setitimer, 0, timer, 0);
        break;
    }
    case 6: {
        struct timespec pause = {0, below(t, 300000)};
        CALL2(SYS_nanosleep, &pause, 0);
        break;
    }
    case 7: {
        struct timespec pause = {0, below(t, 300000)};
        CALL6(SYS_rt_sigtimedwait, &mask, 0, &pause, 8, 0, 0);
        break;
    }
    default:
        CALL0(SYS_sched_yield);
    }
}

/* ---- processes and threads ---- */

static void torture(struct torturer *t);

static void child_run(struct torturer *t) {
    t->pid = raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
    raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
    t->depth++;
    t->left = below(t, 24);
    t->threads = 0;
    if (!below(t, 4)) {
        char *arguments[] = {own_arguments[0], "-", NULL};
        CALL3(SYS_execve, below(t, 4) ? "/proc/self/exe" : (const char *)name_any(t), arguments, 0);
    }
    torture(t);
    leave(t, 7);
}

static void child_wait(struct torturer *t, long pid, int options) {
    int status = 0;
    CALL6(SYS_wait4, pid, &status, options, 0, 0, 0);
}

static void fork_op(struct torturer *t) {
    if (t->depth >= DEPTH_MAX) {
        child_wait(t, -1, WNOHANG);
        return;
    }
    next_random(t);
    long pid = CALL0(SYS_fork);
    if (!pid) {
        t->random ^= 0x9e3779b97f4a7c15ULL;
        child_run(t);
    }
    if (pid < 0)
        return;
    t->children[t->child_next++ % 4] = pid;
    if (below(t, 3))
        child_wait(t, pid, 0); /* or until a signal comes */
    else if (below(t, 2))
        CALL2(SYS_kill, pid, SIGKILL);
}

/* vfork: the child runs on this stack until it calls execve or exits; nothing of the parent's is changed by
 * that. */
static __attribute__((noinline)) long vfork_exec(const char *path, char **arguments) {
    long pid;
    __asm__ volatile("mov %[vfork], %%eax\n\tsyscall\n\t"
                     "test %%rax, %%rax\n\tjnz 1f\n\t"
                     "mov %[exec], %%eax\n\tmov %[path], %%rdi\n\tmov %[arguments], %%rsi\n\txor %%edx, "
                     "%%edx\n\tsyscall\n\t"
                     "mov %[exit], %%eax\n\tmov $9, %%edi\n\tsyscall\n"
                     "1:"
                     : "=&a"(pid)
                     : [vfork] "i"(SYS_vfork), [exec] "i"(SYS_execve), [exit] "i"(SYS_exit_group),
                       [path] "r"(path), [arguments] "r"(arguments)
                     : "rdi", "rsi", "rdx", "rcx", "r11", "memory");
    return pid;
}

static void vfork_op(struct torturer *t) {
    char *arguments[] = {own_arguments[0], "-", NULL};
    shared->calls[t->worker]++;
    long pid = vfork_exec(below(t, 2) ? "/proc/self/exe" : (const char *)name_any(t), arguments);
    if (pid > 0)
        child_wait(t, pid, 0);
}

/* A thread or process on a stack of its own, which starts in thread_run(t). */
static __attribute__((noinline)) long clone_raw(long flags, char *stack_end, struct torturer *t,
                                                void (*run)(struct torturer *)) {
    register long r8 __asm__("r8") = 0;
    register long r10 __asm__("r10") = 0;
    long pid;
    ((long *)stack_end)[-1] = (long)t;
    ((long *)stack_end)[-2] = (long)run;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\tjnz 1f\n\t"
                     "pop %%rax\n\tpop %%rdi\n\txor %%ebp, %%ebp\n\tand $-16, %%rsp\n\tcall *%%rax\n\thlt\n"
                     "1:"
                     : "=a"(pid)
                     : "a"(SYS_clone), "D"(flags), "S"(stack_end - 16), "d"(0), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return pid;
}

static void thread_run(struct torturer *t) {
    torture(t);
    for (;;)
        raw(SYS_exit, 0, 0, 0, 0, 0, 0);
}

static void thread_op(struct torturer *t) {
    if (t->threads >= THREADS_MAX || t->depth >= DEPTH_MAX)
        return;
    long stack = CALL6(SYS_mmap, 0, STACK, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack <= 0)
        return;
    struct torturer *thread = (struct torturer *)stack; /* at the far end of its stack */
    *thread = *t;
    thread->random ^= 0xd1342543de82ef95ULL;
    thread->threads = THREADS_MAX;
    thread->left = below(t, 400);
    long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    if (!below(t, 4)) /* something between a thread and a process */
        flags = (long)((next_random(t) & (CLONE_FS | CLONE_FILES | CLONE_UNTRACED)) | CLONE_VM | SIGCHLD);
    shared->calls[t->worker]++;
    if (clone_raw(flags, (char *)stack + STACK, thread, thread_run) > 0)
        t->threads++;
}

static void futex_op(struct torturer *t) {
    struct timespec pause = {0, below(t, 500000)};
    uint32_t *word = (uint32_t *)(t->arena + 4 * below(t, 16));
    switch (below(t, 5)) {
    case 0:
        CALL6(SYS_futex, word, below(t, 2) ? 0 : 128, *(volatile uint32_t *)word, &pause, 0, 0);
        break;
    case 1:
        CALL6(SYS_futex, word, below(t, 2) ? 1 : 129, 1 + below(t, 3), 0, 0, 0);
        break;
    case 2:
        CALL6(SYS_futex, word, below(t, 2) ? 3 : 4, 1, 2, t->arena + 4 * below(t, 16), *word);
        break;
    case 3:
        *word = (uint32_t)next_random(t);
        break;
    default:
        CALL6(SYS_futex, word, below(t, 16) | (below(t, 4) << 7), below(t, 4), &pause,
              t->arena + 4 * below(t, 16), next_random(t));
    }
}

/* A message through two processes: what comes out is what went in. */
static void pipeline_op(struct torturer *t) {
    enum { LENGTH = 3000 };
    int first[2], second[2];
    uint8_t seed = (uint8_t)next_random(t);
    if (t->depth || CALL2(SYS_pipe2, first, 0))
        return;
    if (CALL2(SYS_pipe2, second, 0)) {
        CALL1(SYS_close, first[0]);
        CALL1(SYS_close, first[1]);
        return;
    }
    long pid = CALL0(SYS_fork);
    if (!pid) {
        char part[512];
        long got;
        CALL1(SYS_close, first[1]);
        CALL1(SYS_close, second[0]);
        while ((got = CALL3(SYS_read, first[0], part, sizeof part)) > 0 || got == -EINTR)
            if (got > 0 && CALL3(SYS_write, second[1], part, got) != got)
                break;
        leave(t, 0);
    }
    CALL1(SYS_close, first[0]);
    CALL1(SYS_close, second[1]);
    uint8_t message[LENGTH];
    for (unsigned i = 0; i < LENGTH; i++)
        message[i] = (uint8_t)(seed + i * 7);
    long sent = pid > 0 ? CALL3(SYS_write, first[1], message, LENGTH) : -1;
    CALL1(SYS_close, first[1]);
    unsigned at = 0;
    while (sent == LENGTH && at < LENGTH) {
        uint8_t part[700];
        long got = CALL3(SYS_read, second[0], part, sizeof part);
        if (got <= 0)
            break; /* a signal, or the child was killed */
        for (long i = 0; i < got; i++, at++)
            if (part[i] != (uint8_t)(seed + at * 7) && t->threads == 0)
                shared->wrong++;
    }
    CALL1(SYS_close, second[0]);
    if (pid > 0)
        child_wait(t, pid, 0);
}

/* ---- the torturer ---- */

static void arena_stir(struct torturer *t) {
    long *word = (long *)(t->arena + below(t, ARENA / 64) * 64);
    word[below(t, 8)] = argument_any(t);
}

static void torture(struct torturer *t) {
    for (; t->left > 0; t->left--) {
        switch (below(t, 24)) {
        case 0:
            if (!below(t, 3))
                fork_op(t);
            break;
        case 1:
            if (!below(t, 4))
                vfork_op(t);
            break;
        case 2:
            if (!below(t, 4))
                thread_op(t);
            break;
        case 3:
            if (!below(t, 6))
                pipeline_op(t);
            break;
        case 4:
        case 5:
            signal_op(t);
            break;
        case 6:
        case 7:
            futex_op(t);
            break;
        case 8:
        case 9:
            memory_op(t);
            break;
        case 10:
        case 11:
            pipe_op(t);
            break;
        case 12:
        case 13:
        case 14:
            file_op(t);
            break;
        default:
            arena_stir(t);
            wild(t);
        }
    }
}

static _Noreturn void torturer_run(unsigned worker, uint64_t seed) {
    struct torturer self = {.random = seed | 1, .worker = worker}, *t = &self;
    struct rlimit space = {256 << 20, 256 << 20}, file = {256 << 10, 256 << 10};
    setsid();
    setrlimit(RLIMIT_AS, &space);
    setrlimit(RLIMIT_FSIZE, &file);
    signal(SIGXFSZ, SIG_IGN);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    t->arena = mmap(NULL, ARENA + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t->readable = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t->arena == MAP_FAILED || t->readable == MAP_FAILED)
        _exit(8);
    mprotect(t->arena + ARENA, 4096, PROT_NONE);
    for (int i = 0; i < 8; i++)
        t->fds[i] = null;
    for (int i = 0; i < 4; i++)
        t->children[i] = 99999;
    t->pid = getpid();
    for (int i = 0; i < 8; i++)
        next_random(t);
    action_set(t, SIGALRM, handler_empty, 0);
    struct itimerval tick = {{0, 3000}, {0, 3000}};
    setitimer(ITIMER_REAL, &tick, NULL);
    t->left = 500 + below(t, 3000);
    torture(t);
    leave(t, 0);
}

/* ---- the worker; from here on there is libc again ---- */

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Says once what is wrong and shows what /proc knows about a process. */
static _Noreturn void give_up(const char *what, pid_t pid) {
    static const char *const files[] = {"stat", "status", "wchan", "syscall"};
    char path[64], text[1024];
    dprintf(1, "not ok grind %s (process %d)\n", what, (int)pid);
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, files[i]);
        int fd = open(path, O_RDONLY);
        ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text);
        if (length > 0)
            (void)!write(1, text, (size_t)length);
        close(fd);
    }
    _exit(1);
}

/* Kills every process whose parent is this one: what torturers left behind. */
static void children_kill(void) {
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    char path[64], text[512];
    while (proc && (entry = readdir(proc))) {
        int pid = atoi(entry->d_name), parent = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        int fd = pid > 0 ? open(path, O_RDONLY) : -1;
        ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
            close(fd);
        text[length > 0 ? length : 0] = 0;
        char *name_end = strrchr(text, ')');
        if (name_end && sscanf(name_end + 1, " %*c %d", &parent) == 1 && parent == getpid())
            kill(pid, SIGKILL);
    }
    if (proc)
        closedir(proc);
}

/* Waits for all children of this process, the adopted ones too. */
static void children_end(void) {
    uint64_t began = now_ms(), tried = began;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) >= 0) {
        if (pid > 0)
            continue;
        if (now_ms() - tried > 100) {
            children_kill();
            tried = now_ms();
        }
        if (now_ms() - began > DEATH_MS)
            give_up("orphans cannot be killed", getpid());
        sleep_ms(2);
    }
}

/* Empties a directory, whatever torturers made of it. */
static void tree_remove(int folder, unsigned depth) {
    DIR *stream = fdopendir(folder);
    struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (!unlinkat(dirfd(stream), entry->d_name, 0))
            continue;
        int inner =
            depth < 500 ? openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) : -1;
        if (inner >= 0)
            tree_remove(inner, depth + 1);
        if (unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR) && errno == EBUSY) {
            char path[64];
            snprintf(path, sizeof path, "/proc/self/fd/%d/%.20s", dirfd(stream), entry->d_name);
            umount2(path, MNT_DETACH);
            unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR);
        }
    }
    if (stream)
        closedir(stream);
}

static uint64_t calls_all(void) {
    uint64_t sum = 0;
    for (int i = 0; i < WORKERS_MAX; i++)
        sum += shared->calls[i];
    return sum;
}

/* Waits for a torturer; kills it when it makes no calls for long. */
static void torturer_watch(unsigned worker, pid_t pid) {
    uint64_t last = shared->calls[worker], began = now_ms(), since = began, killed = 0;
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        sleep_ms(2);
        uint64_t now = now_ms();
        if (shared->calls[worker] != last) {
            last = shared->calls[worker];
            since = now;
        }
        if (!killed && (now - since > IDLE_MS || now - began > LIFE_MS)) {
            killed = now;
            shared->killed++;
            kill(pid, SIGKILL);
        }
        if (killed && now_ms() - killed > DEATH_MS)
            give_up("a killed process does not end", pid);
    }
    if (WIFSIGNALED(status))
        shared->crashed++;
}

static _Noreturn void worker_run(unsigned worker, uint64_t seed) {
    char folder[32];
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    snprintf(folder, sizeof folder, "/tmp/grind%u", worker);
    for (unsigned turn = 0; calls_all() < shared->goal; turn++) {
        mkdir(folder, 0755);
        pid_t pid = fork();
        if (pid == 0) {
            if (chdir(folder))
                _exit(8);
            torturer_run(worker, seed + turn * 0x9e3779b97f4a7c15ULL);
        }
        if (pid < 0) {
            sleep_ms(10);
            continue;
        }
        shared->torturers++;
        torturer_watch(worker, pid);
        children_end();
        int fd = open(folder, O_RDONLY | O_DIRECTORY);
        if (fd >= 0)
            tree_remove(fd, 0);
        rmdir(folder);
    }
    _exit(0);
}

/* ---- rounds ---- */

struct counters {
    long free, objects, heap;
};

static struct counters counters_read(void) {
    struct counters counters = {0};
    FILE *file = fopen("/proc/keel", "r");
    char name[64];
    long value;
    while (file && fscanf(file, "%63s %ld", name, &value) == 2) {
        if (!strcmp(name, "pages_free"))
            counters.free = value;
        else if (!strncmp(name, "objects_", 8))
            counters.objects += value;
        else if (!strcmp(name, "heap_used"))
            counters.heap = value;
    }
    if (file)
        fclose(file);
    return counters;
}

/* Ended processes are taken apart in the background. */
static struct counters counters_settled(void) {
    struct counters counters = counters_read(), before;
    for (int i = 0; i < 100; i++) {
        before = counters;
        sleep_ms(20);
        counters = counters_read();
        if (!memcmp(&before, &counters, sizeof before))
            break;
    }
    return counters;
}

/* Segments outlive who made them: those left by torturers are nobody's loss. */
static void segments_remove(void) {
    struct shmid_ds segment;
    int last = shmctl(0, SHM_INFO, &segment);
    for (int i = 0; i <= last; i++) {
        int id = shmctl(i, SHM_STAT, &segment);
        if (id >= 0 && shmctl(id, IPC_RMID, NULL))
            give_up("a segment stays", id);
    }
}

static void round_run(unsigned round, unsigned workers, uint64_t calls, uint64_t seed) {
    pid_t pids[WORKERS_MAX];
    shared->goal = calls_all() + calls;
    for (unsigned i = 0; i < workers; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            worker_run(i, (seed * 1000 + round * 37 + i) * 0xbf58476d1ce4e5b9ULL);
        if (pids[i] < 0)
            give_up("no process for a worker", 0);
    }
    for (unsigned i = 0; i < workers; i++) {
        int status = 0;
        waitpid(pids[i], &status, 0);
        if (status)
            give_up("a worker failed", pids[i]);
    }
    segments_remove();
}

/* A leak gets worse in each of the last rounds. */
static bool leak_report(const struct counters *at, unsigned rounds) {
    bool free = true, objects = true, heap = true;
    for (unsigned i = rounds - TREND; i < rounds; i++) {
        free &= at[i].free < at[i - 1].free;
        objects &= at[i].objects > at[i - 1].objects;
        heap &= at[i].heap > at[i - 1].heap;
    }
    if (free || objects || heap)
        printf("not ok grind leaks%s%s%s\n", free ? " pages" : "", objects ? " objects" : "",
               heap ? " heap" : "");
    return free || objects || heap;
}

int main(int argc, char **argv) {
    own_arguments = argv;
    if (argc > 1 && argv[1][0] == '-')
        return 0; /* the program that torturers execute */
    uint64_t calls = argc > 1 ? strtoull(argv[1], NULL, 0) : 300000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    unsigned workers = argc > 3 ? (unsigned)atoi(argv[3]) : 8;
    struct counters at[ROUNDS + 1];
    if (workers < 1 || workers > WORKERS_MAX)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    shared = mmap((void *)SHARED_PLACE, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    signal(SIGPIPE, SIG_DFL);
    at[0] = counters_settled();
    for (unsigned round = 1; round <= ROUNDS; round++) {
        uint64_t began = now_ms();
        round_run(round, workers, calls / ROUNDS, seed);
        at[round] = counters_settled();
        printf("round %u: %llu calls, %llu torturers, %llu crashed, %llu killed, %llu ms; free %ld objects "
               "%ld heap %ld\n",
               round, (unsigned long long)calls_all(), (unsigned long long)shared->torturers,
               (unsigned long long)shared->crashed, (unsigned long long)shared->killed,
               (unsigned long long)(now_ms() - began), at[round].free, at[round].objects, at[round].heap);
    }
    if (shared->wrong)
        printf("not ok grind: %llu bytes came out of a pipe wrong\n", (unsigned long long)shared->wrong);
    if (leak_report(at, ROUNDS + 1) || shared->wrong)
        return 1;
    printf("ok grind\n");
    return 0;
}
