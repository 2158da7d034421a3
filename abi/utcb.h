/*
 * The user thread control block: two pages per thread, mapped in its process at the address given to
 * thread_create and pinned, so that the kernel reaches them at any time. Page 0 is the structure below; page
 * 1 is the message page of IPC. The kernel trusts nothing in it: every field is checked when it is loaded.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* General registers of a guest, in the order in which the entry code stores them. */
struct guest_registers {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t rip, rflags, rsp;
};

/* Why guest_enter returned. */
enum guest_exit {
    GUEST_SYSCALL = 1,   /* guest.rax is the call number; guest.rcx == guest.rip, r11 == rflags */
    GUEST_FAULT = 2,     /* page fault that no mapping explains: fault_address, fault_code, fault_error */
    GUEST_EXCEPTION = 3, /* fault_vector, fault_code */
    GUEST_KICK = 4,
    GUEST_INT80 = 5, /* system call through int 0x80, registers as for GUEST_SYSCALL */
};

/* guest_enter flags */
enum {
    GUEST_FULL = 1,    /* restore rcx and r11 too; without it they become rip and rflags, as after SYSCALL */
    GUEST_UNIFIED = 2, /* appliance isolation: keep the unified page-table root while the guest runs */
};

enum { UTCB_SIZE = 8192, UTCB_ANSWERS = 335, UTCB_ANSWERS_OFFSET = 304 };
/* In answers[]: this call has no ready answer and is reflected. Fits a sign-extended 32-bit immediate. */
#define ANSWER_NONE (-0x7fffffffL - 1)

/* Nanoseconds since boot = ((rdtsc - tsc_base) * mult) >> 32, in 128 bits. */
struct utcb_clock {
    uint64_t tsc_base;
    uint64_t mult;
    uint64_t tsc_hz;
    uint64_t wall_base_ns; /* Unix time at boot, ns */
};

struct utcb {
    struct guest_registers guest;
    uint64_t fault_address;
    uint64_t fault_code; /* the CPU's error code */
    uint64_t fault_vector;
    int64_t fault_error; /* -EFAULT nothing mapped, -EACCES protection, -ENXIO beyond the object, -ENOMEM
                          * quota, -EAGAIN the space is being cloned: later */

    /* A fault of this thread outside guest mode that cannot be resolved resumes at fixup_rip with rax = the
     * negated error, when fixup_rip is not 0; otherwise it ends the process. The kernel clears it on use. */
    uint64_t fixup_rip;

    uint64_t self;                 /* user address of this structure; gs base of a native thread */
    uint64_t posix_entry;          /* class 0 calls made natively continue here … */
    uint64_t posix_return;         /* … with the address to go back to stored here; 0 entry: ENOSYS */
    uint64_t user[4];              /* for the runtime */
    struct utcb_clock clock;       /* filled in at thread creation */
    uint32_t handles[8];           /* handles sent or received with a message */
    int64_t answers[UTCB_ANSWERS]; /* ready results of guest class 0 calls, ANSWER_NONE otherwise */
};

_Static_assert(sizeof(struct utcb) <= 4096, "the UTCB structure fits its page");
/* kernel/arch/x86_64/entry.S knows these offsets. */
_Static_assert(offsetof(struct guest_registers, rip) == 120, "entry.S");
_Static_assert(offsetof(struct guest_registers, rsp) == 136, "entry.S");
_Static_assert(offsetof(struct utcb, answers) == UTCB_ANSWERS_OFFSET, "entry.S");
