/*
 * Processes: forked, executed, and a message through two of them.
 */
#include "torturer.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

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
    leave(7);
}

static void child_wait(struct torturer *t, long pid, int options) {
    int status = 0;
    CALL6(SYS_wait4, pid, &status, options, 0, 0, 0);
}

void fork_op(struct torturer *t) {
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

void vfork_op(struct torturer *t) {
    char *arguments[] = {own_arguments[0], "-", NULL};
    shared->calls[t->worker]++;
    long pid = vfork_exec(below(t, 2) ? "/proc/self/exe" : (const char *)name_any(t), arguments);
    if (pid > 0)
        child_wait(t, pid, 0);
}

enum { MESSAGE = 3000 };

static uint8_t message_byte(uint8_t seed, unsigned at) {
    return (uint8_t)(seed + at * 7);
}

static void wrong_note(const uint8_t *message, unsigned at, const uint8_t *came, long length) {
    struct wrong_piece *first = &shared->first_wrong;
    if (shared->wrong++)
        return;
    first->at = at;
    first->length = (unsigned)length;
    for (unsigned i = 0; i < sizeof first->came; i++) {
        first->came[i] = i < length ? came[i] : 0;
        first->sent[i] = at + i < MESSAGE ? message[at + i] : 0;
    }
}

/* Passes on what it reads, in pieces. */
static _Noreturn void message_pass(struct torturer *t, int from, int to) {
    char part[512];
    long got;
    while ((got = CALL3(SYS_read, from, part, sizeof part)) > 0 || got == -EINTR)
        if (got > 0 && CALL3(SYS_write, to, part, got) != got)
            break;
    leave(0);
}

static void message_receive(struct torturer *t, int from, const uint8_t *message, uint8_t seed) {
    uint8_t part[700];
    for (unsigned at = 0; at < MESSAGE;) {
        long got = CALL3(SYS_read, from, part, sizeof part);
        if (got <= 0)
            return; /* a signal, or the child was killed */
        for (long i = 0; i < got; i++, at++)
            if (part[i] != message_byte(seed, at))
                wrong_note(message, at, part + i, got - i);
    }
}

/* A message through two processes: what comes out is what went in, unless another thread may change it
 * meanwhile: one that unmaps this one's stack takes also what would tell of threads afterwards. */
void pipeline_op(struct torturer *t) {
    int first[2], second[2];
    uint8_t message[MESSAGE], seed = (uint8_t)next_random(t);
    if (t->depth || t->threads || CALL2(SYS_pipe2, first, 0))
        return;
    if (CALL2(SYS_pipe2, second, 0)) {
        CALL1(SYS_close, first[0]);
        CALL1(SYS_close, first[1]);
        return;
    }
    long pid = CALL0(SYS_fork);
    if (!pid) {
        CALL1(SYS_close, first[1]);
        CALL1(SYS_close, second[0]);
        message_pass(t, first[0], second[1]);
    }
    CALL1(SYS_close, first[0]);
    CALL1(SYS_close, second[1]);
    for (unsigned i = 0; i < MESSAGE; i++)
        message[i] = message_byte(seed, i);
    long sent = pid > 0 ? CALL3(SYS_write, first[1], message, MESSAGE) : -1;
    CALL1(SYS_close, first[1]);
    if (sent == MESSAGE)
        message_receive(t, second[0], message, seed);
    CALL1(SYS_close, second[0]);
    if (pid > 0)
        child_wait(t, pid, 0);
}
