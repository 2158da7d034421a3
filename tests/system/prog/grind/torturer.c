/*
 * The torturer: a session of its own, some threads and children that make random calls until it ends, or dies
 * of them.
 */
#include "torturer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

_Noreturn void leave(int status) {
    for (;;)
        raw(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

static void arena_stir(struct torturer *t) {
    long *word = (long *)(t->arena + below(t, ARENA / 64) * 64);
    word[below(t, 8)] = argument_any(t);
}

void torture(struct torturer *t) {
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
        case 15:
            ipc_op(t);
            break;
        default:
            arena_stir(t);
            wild(t);
        }
    }
}

_Noreturn void torturer_run(unsigned worker, uint64_t seed) {
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
    leave(0);
}
