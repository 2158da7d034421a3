/* What the files of bench/ops share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct operation {
    const char *name;
    unsigned count; /* operations per batch */
    void (*begin)(void);
    void (*run)(unsigned count);
    void (*end)(void);
    bool once;   /* begin and end belong to each batch, not to all of them */
    bool device; /* it needs one: run only when it is asked for */
};

/* Ends the program, saying what failed and errno. */
_Noreturn void die(const char *what);
void check(bool good, const char *what);
/* Waits for a child, which must succeed. */
void child_reap(pid_t child);
/* Of the monotonic clock. */
uint64_t now_ns(void);
uint64_t least(uint64_t a, uint64_t b);

/* ops_two.c: prints "NAME ONE TWO". */
void operation_measure_two(const struct operation *operation);
