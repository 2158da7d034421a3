/* See guest.h. */
#include "kernel/guest.h"

#include "kernel/arch_cpu.h"
#include "kernel/process.h"
#include "kernel/space.h"
#include "lib/base/string.h"

uint64_t first_user_tsc;

void guest_attach(struct thread *thread, struct space *space) {
    struct space *before = thread->guest_space;

    thread->guest_space = space;
    thread->guest_utcb = NULL;
    thread_hand_over_set(thread);
    thread->guest_root = space ? space->root : 0;
    thread->unified_root = space ? space->unified_root : thread->process->space->root;
    space_activate(cpu_self(), thread);
    if (before)
        object_put(&before->object);
}

/* guest_enter's rarer cases; the frame is the personality's. A restarted call executes its instruction again.
 */
void guest_enter_slow(struct frame *frame);
void guest_enter_slow(struct frame *frame) {
    struct thread *thread = thread_current();

    if (!thread->guest_space) {
        frame->rax = (uint64_t)-EINVAL;
        return;
    }
    if (thread->utcb->guest.rip >= GUEST_LIMIT) {
        thread->utcb->fault_vector = VECTOR_GP;
        thread->utcb->fault_code = 0;
        frame->rax = GUEST_EXCEPTION;
        return;
    }
    if (!first_user_tsc)
        first_user_tsc = tsc_read();
    thread->guest_utcb = thread->utcb;
    frame->rip -= 2; /* the SYSCALL instruction */
}

/* Registers from where the interrupt saved them to where the personality reads them. */
static void guest_registers_store(struct thread *thread) {
    const struct frame *frame = &thread->guest;
    struct guest_registers *to = &thread->utcb->guest;

    memcpy(to, frame, offsetof(struct guest_registers, rip));
    to->rip = frame->rip;
    to->rflags = frame->rflags;
    to->rsp = frame->rsp;
}

void guest_exit(struct thread *thread, enum guest_exit reason) {
    struct cpu *cpu = cpu_self();

    guest_registers_store(thread);
    cpu->counters.reflections++;
    cpu->guest = NULL;
    cpu->tss.frame_top = (uint64_t)(uintptr_t)(&thread->native + 1);
    thread->native.rax = reason;
    thread->native.vector = VECTOR_SYSCALL; /* guest_enter in entry.S left the rest of the frame out */
    space_activate(cpu, thread);
}

void guest_exit_fault(struct thread *thread, uint64_t address, uint64_t code, int64_t error) {
    thread->utcb->fault_address = address;
    thread->utcb->fault_code = code;
    thread->utcb->fault_error = error;
    thread->utcb->fault_vector = VECTOR_PAGE_FAULT;
    guest_exit(thread, GUEST_FAULT);
}

void guest_exit_exception(struct thread *thread, uint64_t vector, uint64_t code) {
    thread->utcb->fault_vector = vector;
    thread->utcb->fault_code = code;
    guest_exit(thread, GUEST_EXCEPTION);
}

void guest_exit_kick(struct thread *thread) {
    thread->kick = 0;
    guest_exit(thread, GUEST_KICK);
}
