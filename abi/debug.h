/* What debug_control does in the debug kernel (abi/syscalls.def); the release kernel answers ENOSYS. */
#pragma once

#include <stdint.h>

enum debug_what {
    DEBUG_STRETCH = 0,       /* argument: a struct debug_stretch to fill in, the longest of all CPUs */
    DEBUG_STRETCH_RESET = 1, /* measures anew from here */
    DEBUG_PROTECTION = 2,    /* argument: a struct debug_protection to fill in, of the calling CPU */
    /* What follows makes the kernel panic, each in its own way, if the argument is DEBUG_PROVOKE. */
    DEBUG_PANIC = 16,         /* as any part of the kernel does */
    DEBUG_FAULT = 17,         /* writes to address 8 */
    DEBUG_LOCK_ORDER = 18,    /* takes a lock of a higher rank under one of a lower */
    DEBUG_LOCK_TWICE = 19,    /* takes a lock that it holds */
    DEBUG_LOCK_STUCK = 20,    /* waits for a lock that another CPU never gives back */
    DEBUG_RED_ZONE_BYTE = 21, /* writes a byte behind an object */
    DEBUG_FREED_OBJECT = 22,  /* writes into a freed object */
    DEBUG_OBJECT_TWICE = 23,  /* frees an object twice */
    DEBUG_FREED_PAGE = 24,    /* writes into a freed page */
    DEBUG_PAGE_TWICE = 25,    /* frees a page twice */
    DEBUG_CLEARED_PAGE = 26,  /* gives a page back as cleared that is not */
    DEBUG_LIST = 27,          /* a list whose nodes do not agree */
    DEBUG_STACK = 28,         /* uses the kernel stack to its last word */
    DEBUG_CANARY = 29,        /* writes beyond an array on the stack */
    DEBUG_UNDEFINED = 30,     /* shifts by more than there are bits; only the kernel with traps notices */
};

/* What the CPU checks, and which of it the CPU offers. */
struct debug_protection {
    uint64_t cr0, cr4, efer;
    uint64_t smep, smap, umip; /* 1: CPUID has it */
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
