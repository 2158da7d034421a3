/*
 * Signals and short waits.
 */
#include "torturer.h"

#include <signal.h>
#include <time.h>

void handler_empty(int signo) {
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

long action_set(struct torturer *t, int signo, void (*handler)(int), unsigned long flags) {
    struct raw_action action = {.handler = handler, .flags = flags | 0x04000000, .restorer = grind_restorer};
    return CALL6(SYS_rt_sigaction, signo, &action, 0, 8, 0, 0);
}

void signal_op(struct torturer *t) {
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
