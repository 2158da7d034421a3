/*
 * A thread's saved user registers, as the entry code pushes them. The CPU itself pushes the last five on
 * interrupts and exceptions; system calls fill them to the same shape. The end of a frame must be 16-byte
 * aligned.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "vectors.h"

struct frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(sizeof(struct frame) == 176, "entry.S; a multiple of 16");
_Static_assert(offsetof(struct frame, rax) == 80, "entry.S");
_Static_assert(offsetof(struct frame, rip) == 136, "entry.S");
_Static_assert(offsetof(struct frame, rdi) == FRAME_SIZE + FRAME_RDI && FRAME_SIZE == sizeof(struct frame),
               "entry.S");
