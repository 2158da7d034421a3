/* Signals as Linux x86_64 programs see them: numbers, siginfo codes, sigaction and the signal frame's
 * layouts. */
#pragma once

#include <stdint.h>

enum {
    SIGHUP = 1,
    SIGINT = 2,
    SIGQUIT = 3,
    SIGILL = 4,
    SIGTRAP = 5,
    SIGABRT = 6,
    SIGBUS = 7,
    SIGFPE = 8,
    SIGKILL = 9,
    SIGUSR1 = 10,
    SIGSEGV = 11,
    SIGUSR2 = 12,
    SIGPIPE = 13,
    SIGALRM = 14,
    SIGTERM = 15,
    SIGSTKFLT = 16,
    SIGCHLD = 17,
    SIGCONT = 18,
    SIGSTOP = 19,
    SIGTSTP = 20,
    SIGTTIN = 21,
    SIGTTOU = 22,
    SIGURG = 23,
    SIGXCPU = 24,
    SIGXFSZ = 25,
    SIGVTALRM = 26,
    SIGPROF = 27,
    SIGWINCH = 28,
    SIGIO = 29,
    SIGPWR = 30,
    SIGSYS = 31,
    SIGRTMIN = 32,
    SIGRTMAX = 64,
};

#define SIG_DFL 0ULL
#define SIG_IGN 1ULL

#define SA_NOCLDSTOP 0x00000001ULL
#define SA_NOCLDWAIT 0x00000002ULL
#define SA_SIGINFO   0x00000004ULL
#define SA_RESTORER  0x04000000ULL
#define SA_ONSTACK   0x08000000ULL
#define SA_RESTART   0x10000000ULL
#define SA_NODEFER   0x40000000ULL
#define SA_RESETHAND 0x80000000ULL

enum { SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2 };

#define SS_ONSTACK    1U
#define SS_DISABLE    2U
#define SS_AUTODISARM (1U << 31)
enum { MINSIGSTKSZ = 2048 };

/* si_code */
enum {
    SI_USER = 0,
    SI_KERNEL = 0x80,
    SI_QUEUE = -1,
    SI_TIMER = -2,
    SI_MESGQ = -3,
    SI_ASYNCIO = -4,
    SI_SIGIO = -5,
    SI_TKILL = -6,
    ILL_ILLOPN = 2,
    FPE_INTDIV = 1,
    FPE_INTOVF = 2,
    FPE_FLTDIV = 3,
    FPE_FLTOVF = 4,
    FPE_FLTUND = 5,
    FPE_FLTRES = 6,
    FPE_FLTINV = 7,
    SEGV_MAPERR = 1,
    SEGV_ACCERR = 2,
    BUS_ADRALN = 1,
    BUS_ADRERR = 2,
    TRAP_BRKPT = 1,
    TRAP_TRACE = 2,
    CLD_EXITED = 1,
    CLD_KILLED = 2,
    CLD_DUMPED = 3,
    CLD_TRAPPED = 4,
    CLD_STOPPED = 5,
    CLD_CONTINUED = 6,
};

enum { SIGEV_SIGNAL = 0, SIGEV_NONE = 1, SIGEV_THREAD = 2, SIGEV_THREAD_ID = 4 };

/* struct sigaction as rt_sigaction takes it. */
struct sigaction64 {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

struct stack64 { /* stack_t */
    uint64_t sp;
    uint32_t flags, reserved;
    uint64_t size;
};

struct siginfo64 { /* siginfo_t, 128 bytes */
    int32_t signo, error, code, reserved;
    union {
        struct { /* kill, sigqueue */
            int32_t pid;
            uint32_t uid;
            uint64_t value;
        } sender;
        struct { /* POSIX timers */
            int32_t id, overrun;
            uint64_t value;
        } timer;
        struct { /* SIGCHLD */
            int32_t pid;
            uint32_t uid;
            int32_t status, reserved;
            int64_t utime, stime; /* clock ticks */
        } child;
        struct { /* SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP */
            uint64_t address;
        } fault;
        uint8_t bytes[112];
    };
};
_Static_assert(sizeof(struct siginfo64) == 128, "siginfo_t");

struct sigcontext64 {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2;
    uint64_t fpstate; /* guest address of the XSAVE area */
    uint64_t reserved[8];
};
_Static_assert(sizeof(struct sigcontext64) == 256, "struct sigcontext");

#define UC_FP_XSTATE         1ULL
#define UC_SIGCONTEXT_SS     2ULL
#define UC_STRICT_RESTORE_SS 4ULL

struct ucontext64 {
    uint64_t flags, link;
    struct stack64 stack;
    struct sigcontext64 context;
    uint64_t mask;
};

struct sigframe64 { /* struct rt_sigframe: at the stack pointer when a handler starts */
    uint64_t return_address;
    struct ucontext64 ucontext;
    struct siginfo64 info;
};

/* In the last 48 bytes of the 512-byte FXSAVE image. */
struct fpstate_software {
    uint32_t magic1;
    uint32_t extended_size; /* of the XSAVE image with its end magic */
    uint64_t features;
    uint32_t xstate_size;
    uint32_t reserved[7];
};
_Static_assert(sizeof(struct fpstate_software) == 48, "struct _fpx_sw_bytes");
enum { FPSTATE_MAGIC1 = 0x46505853, FPSTATE_MAGIC2 = 0x46505845, FPSTATE_SOFTWARE_OFFSET = 464 };

struct sigevent64 {
    uint64_t value;
    int32_t signo, notify;
    int32_t tid, reserved[11];
};
_Static_assert(sizeof(struct sigevent64) == 64, "sigevent_t");
