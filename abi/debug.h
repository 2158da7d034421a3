/* What debug_control does in the debug kernel (abi/syscalls.def); the release kernel answers ENOSYS. */
#pragma once

#include <stdint.h>

enum debug_what {
    DEBUG_STRETCH = 0,       /* argument: a struct debug_stretch to fill in, the longest of all CPUs */
    DEBUG_STRETCH_RESET = 1, /* measures anew from here */
    /* What follows makes the kernel panic, each in its own way, if the argument is DEBUG_PROVOKE. */
    DEBUG_PANIC = 16, /* as any part of the kernel does */
    DEBUG_FAULT = 17, /* writes to address 8 */
};

/* So that no random call does it. */
#define DEBUG_PROVOKE 0x50524f564f4b45ULL

/*
 * The longest time that a CPU had interrupts off. TSC ticks are instructions under -icount shift=0. The fast
 * ways in and out of guest mode, about 60 instructions each, are not measured.
 */
struct debug_stretch {
    uint64_t ticks;
    uint64_t cpu;
    uint64_t vector; /* how the kernel was entered: a vector, or 256 for a system call … */
    uint64_t call;   /* … with this in rax */
    uint64_t from;   /* where interrupts went off: the user's rip, or the caller of an interrupts window */
    uint64_t to;     /* the caller of the window that ended it; 0: it ended on the way to user mode */
};
