/*
 * What the two halves of the class 1 fuzzer share: the supervisor (kfuzz.c), an ordinary native program, and
 * the workers (kfuzz_worker.c), threads in processes that the supervisor builds from copies of its own image
 * at FUZZ_UPPER, so that a worker may run guests in the lower half.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "abi/start.h"
#include "abi/utcb.h"

enum { FUZZ_CALLS = 96, FUZZ_STACKS = 32, FUZZ_STACK_SIZE = 8192, FUZZ_UTCB_STRIDE = 0x10000 };

/* Where things are in a worker's process. What a worker maps and unmaps at random lies above all of it. */
#define FUZZ_UPPER START_UPPER /* added to the image's own addresses */
#define FUZZ_BOARD (START_UPPER + 0x10000000)
#define FUZZ_UTCBS (START_UPPER + 0x20000000)
#define FUZZ_ARENA (START_UPPER + 0x40000000)
#define FUZZ_LOW   0x10000000ULL /* the guests' arena */
#define FUZZ_CODE  0x0ff00000ULL /* where a guest finds its code */

/* The handles a worker's process starts with are 1, 2, … in this order; a type for each. */
#define FUZZ_GIVEN(GIVE)                                                                                     \
    GIVE(JOB, OBJECT_JOB)                                                                                    \
    GIVE(GIVEN_CODE, OBJECT_VMO)                                                                             \
    GIVE(PORT, OBJECT_PORT)                                                                                  \
    GIVE(EVENT, OBJECT_EVENT)                                                                                \
    GIVE(TIMER, OBJECT_TIMER)                                                                                \
    GIVE(VMO, OBJECT_VMO)                                                                                    \
    GIVE(PINNED, OBJECT_VMO)                                                                                 \
    GIVE(IOPORT, OBJECT_RESOURCE)                                                                            \
    GIVE(IRQ, OBJECT_RESOURCE)                                                                               \
    GIVE(MESSAGE, OBJECT_RESOURCE)                                                                           \
    GIVE(DMA, OBJECT_RESOURCE)                                                                               \
    GIVE(INFO, OBJECT_RESOURCE)                                                                              \
    GIVE(LOG, OBJECT_RESOURCE)                                                                               \
    GIVE(CHILD, OBJECT_JOB)                                                                                  \
    GIVE(PROCESS, OBJECT_PROCESS)                                                                            \
    GIVE(THREAD, OBJECT_THREAD)

enum fuzz_given {
    FUZZ_NONE,
#define GIVE(name, type) FUZZ_##name,
    FUZZ_GIVEN(GIVE)
#undef GIVE
        FUZZ_GIVEN_END
};

/* Shared memory of a round. */
struct fuzz_board {
    uint64_t seed;
    struct utcb_clock clock;
    _Atomic uint64_t calls;
    _Atomic uint64_t good[FUZZ_CALLS], bad[FUZZ_CALLS]; /* results by call */
};

extern char fuzz_stacks[FUZZ_STACKS][FUZZ_STACK_SIZE];
/* The code that guests run: 16 bytes an entry. */
extern const char fuzz_guest_code[], fuzz_guest_code_end[];

/* A worker's entry; the argument is its number, which also is that of its stack and its UTCB. */
_Noreturn void fuzz_worker(uint64_t number);
