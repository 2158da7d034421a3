/*
 * What a torturer draws: names, addresses, descriptors, processes and numbers that mean something, and such
 * that do not.
 */
#include "torturer.h"

uint64_t next_random(struct torturer *t) {
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random * 0x2545f4914f6cdd1dULL >> 16;
}

unsigned below(struct torturer *t, unsigned limit) {
    return (unsigned)(next_random(t) % limit);
}

/* Relative ones first: what is made is made in the torturer's own directory. */
static const char *const names[] = {
    "a",
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
    "/no/such",
};
enum { NAMES = sizeof names / sizeof names[0], OWN_NAMES = 20 };

long name_top(struct torturer *t) {
    return (long)names[below(t, 4)];
}

long name_own(struct torturer *t) {
    return (long)names[below(t, OWN_NAMES)];
}

long name_any(struct torturer *t) {
    return (long)names[below(t, 4) ? below(t, OWN_NAMES) : below(t, NAMES)];
}

long memory_good(struct torturer *t) {
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

long memory_any(struct torturer *t) {
    return below(t, 5) ? memory_good(t) : memory_bad(t);
}

long fd_any(struct torturer *t) {
    unsigned pick = below(t, 10);
    return pick < 7 ? t->fds[below(t, 8)] : pick < 9 ? (long)below(t, 24) : -1;
}

long pid_any(struct torturer *t) {
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

long number_any(struct torturer *t) {
    static const long numbers[] = {
        0,
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
        0x42,
    };
    return numbers[below(t, sizeof numbers / sizeof numbers[0])];
}

long argument_any(struct torturer *t) {
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
