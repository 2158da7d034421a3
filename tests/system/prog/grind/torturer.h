/*
 * What the parts of a torturer share: its state, and the calls it makes, which are counted. Nothing here nor
 * in what includes it uses libc, but for torturer.c before the first call: a torturer unmaps, overwrites and
 * redirects what it runs on.
 *
 * Everything is drawn from the torturer's own random numbers (draw.c), so that a seed means the same calls
 * again.
 */
#pragma once

#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

enum {
    WORKERS_MAX = 16,
    ARENA = 1 << 16,
    THREADS_MAX = 3,
    DEPTH_MAX = 2,
};

/* What came out of a pipe, and what had gone in, from the first wrong byte on. */
struct wrong_piece {
    unsigned at, length; /* in the message; what that read gave from there on */
    uint8_t came[32], sent[32];
};

/* Shared by all processes, at SHARED_PLACE. */
struct shared {
    _Atomic uint64_t calls[WORKERS_MAX];
    _Atomic uint64_t torturers, killed, crashed, wrong;
    struct wrong_piece first_wrong;
    uint64_t goal; /* calls of all workers together, this round */
};

/* Far from everything else that is mapped, so that nothing runs into it. */
#define SHARED_PLACE 0x100000000000UL
static struct shared *const shared = (struct shared *)SHARED_PLACE;

extern char *const *own_arguments; /* of the program */

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

/* One call in the torturer's name. */
static inline long call(struct torturer *t, long number, long a, long b, long c, long d, long e, long f) {
    shared->calls[t->worker]++;
    return raw(number, a, b, c, d, e, f);
}
#define CALL6(number, a, b, c, d, e, f)                                                                      \
    call(t, number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL3(number, a, b, c) CALL6(number, a, b, c, 0, 0, 0)
#define CALL2(number, a, b)    CALL6(number, a, b, 0, 0, 0, 0)
#define CALL1(number, a)       CALL6(number, a, 0, 0, 0, 0, 0)
#define CALL0(number)          CALL6(number, 0, 0, 0, 0, 0, 0)

/* What is drawn: draw.c. The good ones mean something, any may also be nonsense. */
uint64_t next_random(struct torturer *t);
unsigned below(struct torturer *t, unsigned limit);
long name_top(struct torturer *t); /* of what lies in its own directory */
long name_own(struct torturer *t);
long name_any(struct torturer *t);
long memory_good(struct torturer *t);
long memory_any(struct torturer *t);
long fd_any(struct torturer *t);
long pid_any(struct torturer *t);
long number_any(struct torturer *t);
long argument_any(struct torturer *t);

/* Keeps a descriptor that a call returned, in place of another; errors are ignored. */
void fd_keep(struct torturer *t, long fd);

/* One random operation each. */
void wild(struct torturer *t); /* any call with any arguments */
void file_op(struct torturer *t);
void pipe_op(struct torturer *t);
void ipc_op(struct torturer *t);
void memory_op(struct torturer *t);
void signal_op(struct torturer *t);
void fork_op(struct torturer *t);
void vfork_op(struct torturer *t);
void thread_op(struct torturer *t);
void futex_op(struct torturer *t);
void pipeline_op(struct torturer *t);

void handler_empty(int signo);
long action_set(struct torturer *t, int signo, void (*handler)(int), unsigned long flags);

/* Operations until none are left. */
void torture(struct torturer *t);
_Noreturn void leave(int status);

/* The process that the worker has just forked becomes a torturer. */
_Noreturn void torturer_run(unsigned worker, uint64_t seed);
