/*
 * Several calls in one entry. Each is made as if it had come by itself: its arguments are looked up and
 * checked by the same code, and nothing is held between two of them. Interrupts are let in after each, and
 * the batch ends early when there is a reason to leave the kernel, so that it adds nothing to the longest
 * step.
 */
#include "frame.h"
#include "kernel/arch_cpu.h"
#include "kernel/syscall.h"

enum { CLASS_SHIFT = 12, CLASS_KERNEL = 1 };

enum call_index {
#define CALL(index, name, arguments, self, right, text) INDEX_##name = (index),
#include "abi/syscalls.def"
#undef CALL
};

#define BIT(name) (1ULL << INDEX_##name)

#define ENTRY_FIRST offsetof(struct frame, r10)
_Static_assert(offsetof(struct frame, rdi) - ENTRY_FIRST == offsetof(struct batch_entry, rdi) &&
                   offsetof(struct frame, rax) - ENTRY_FIRST == offsetof(struct batch_entry, rax) &&
                   offsetof(struct frame, r8) - ENTRY_FIRST == offsetof(struct batch_entry, r8),
               "an entry is a piece of a frame");

/* Why a call is not made, or 0: it is none, it would block, or it needs all of the caller's registers. */
static int call_refused(const struct frame *frame) {
    const uint64_t never =
        BIT(thread_wait) | BIT(port_call) | BIT(port_receive) | BIT(futex_wait) | BIT(batch);
    uint64_t index = frame->rax - (CLASS_KERNEL << CLASS_SHIFT);

    if (index >> CLASS_SHIFT)
        return -ENOSYS;
    if ((index < 64 && never >> index & 1) || (index == INDEX_event_wait && frame->rsi) ||
        (index == INDEX_channel_read && frame->r8))
        return -EOPNOTSUPP;
    return 0;
}

/* Calls that go on where they were when they are made again: struct thread remembers how far one came, so it
 * must be the next that the thread makes. At the front of a batch it is. */
static bool call_resumes(const struct frame *frame) {
    uint64_t index = frame->rax - (CLASS_KERNEL << CLASS_SHIFT);
    return index < 64 &&
           (BIT(vmo_create) | BIT(dma_create) | BIT(space_protect) | BIT(space_clone) | BIT(space_move)) >>
                   index &
               1;
}

int64_t call_batch(uint64_t array, uint64_t count) {
    struct frame frame;
    int64_t done = 0;

    if (count > BATCH_MOST)
        return -EINVAL;
    for (; count; count--, array += sizeof(struct batch_entry)) {
        if (user_copy_in(&frame.r10, array, sizeof(struct batch_entry)))
            return done ? done : -EFAULT;
        if (done && call_resumes(&frame))
            break;
        int error = call_refused(&frame);
        frame.rip = 0;
        if (error)
            frame.rax = (uint64_t)(int64_t)error;
        else
            syscall_dispatch(&frame);
        if (frame.rip) /* to be made again */
            return done ? done : call_restart();
        if (user_copy_out(array + offsetof(struct batch_entry, rax), &frame.rax, sizeof(frame.rax)))
            return -EFAULT;
        done++;
        cpu_interrupts_window();
        if (cpu_self()->work & (WORK_RESCHEDULE | WORK_WAKE))
            break;
    }
    return done;
}
