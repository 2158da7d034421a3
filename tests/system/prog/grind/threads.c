/*
 * Threads, what is between a thread and a process, and futexes.
 */
#include "torturer.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

enum { STACK = 1 << 15 };

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

void thread_op(struct torturer *t) {
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

void futex_op(struct torturer *t) {
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
