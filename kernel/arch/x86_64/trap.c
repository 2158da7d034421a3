/*
 * Exceptions and interrupts, from user mode (on the CPU's empty stack, registers in the thread's frame) and
 * from the kernel itself, where only three are legitimate: a page fault of user_copy, and interrupts in the
 * idle loop or in a window.
 */
#include "abi/errors.h"
#include "apic.h"
#include "page_table.h"
#include "kernel/arch_cpu.h"
#include "kernel/guest.h"
#include "kernel/interrupt.h"
#include "kernel/large.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/trace.h"

enum {
    FAULT_WRITE = 2,
    FAULT_USER = 4,
    FAULT_FETCH = 16,
    SIGNAL_STATUS = 128,
    SIGSEGV = 11,
    SIGILL = 4,
    SIGFPE = 8
};

void trap_from_user(struct frame *frame);
void trap_from_kernel(struct frame *frame);
_Noreturn void trap_fatal(const struct frame *frame);

extern char user_copy_words[], user_copy_bytes[], user_copy_done[];
size_t user_copy(uint64_t to, uint64_t from, size_t length);

static uint64_t fault_address(void) {
    uint64_t address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    return address;
}

static unsigned fault_access(uint64_t code) {
    return code & FAULT_FETCH ? MAP_EXEC : code & FAULT_WRITE ? MAP_WRITE : MAP_READ;
}

/* Resolves a fault by the mappings of the space that the address belongs to, for this thread now. Nobody is
 * to wait until 2 MB are cleared who was promised time of this CPU. */
static int fault_resolve(struct thread *thread, uint64_t address, uint64_t code) {
    struct space *space = thread->process->space;
    if (address < GUEST_LIMIT && thread->guest_space)
        space = thread->guest_space;
    else if (address >= USER_LIMIT || cpu_self()->guest)
        return -EFAULT;
    cpu_self()->counters.page_faults++;
    if (table_ends(address) && !cpu_self()->realtime_share &&
        (code & (FAULT_USER | FAULT_WRITE)) == (FAULT_USER | FAULT_WRITE) &&
        large_fault(space, address & -(uint64_t)PAGE_SIZE))
        return 0;
    return space_fault(space, address, fault_access(code));
}

/* ---- user memory ---- */

static bool user_range(uint64_t address, size_t length) {
    return address <= USER_LIMIT && length <= USER_LIMIT - address;
}

size_t user_copy_in(void *to, uint64_t from, size_t length) {
    return user_range(from, length) ? user_copy((uint64_t)(uintptr_t)to, from, length) : length;
}

size_t user_copy_out(uint64_t to, const void *from, size_t length) {
    return user_range(to, length) ? user_copy(to, (uint64_t)(uintptr_t)from, length) : length;
}

/* A page fault inside user_copy: resolved, or the copy ends with what is left. */
static bool user_copy_fault(struct frame *frame, uint64_t address) {
    bool words = frame->rip == (uint64_t)(uintptr_t)user_copy_words;
    if (!words && frame->rip != (uint64_t)(uintptr_t)user_copy_bytes)
        return false;
    if (address < USER_LIMIT && !fault_resolve(thread_current(), address, frame->error))
        return true;
    if (words) { /* what is good of the last word goes byte by byte, up to a fault there */
        frame->rcx = frame->rcx * 8 + frame->rdx;
        frame->rip = (uint64_t)(uintptr_t)user_copy_bytes;
        return true;
    }
    frame->rax = frame->rcx;
    frame->rip = (uint64_t)(uintptr_t)user_copy_done;
    return true;
}

/* ---- interrupts ---- */

static void interrupt_handle(unsigned vector) {
    struct cpu *cpu = cpu_self();

    TRACE(TRACE_INTERRUPT, vector, cpu->thread, 0, 0);
    cpu->counters.vectors[vector % COUNTED_VECTORS]++;
    if (vector == VECTOR_SHARED)
        vector = apic_in_service();
    if (vector != VECTOR_SPURIOUS)
        apic_eoi();
    if (vector < VECTOR_LOCAL_FIRST)
        interrupt_fired(vector - VECTOR_IRQ_FIRST);
    else if (vector == VECTOR_TIMER)
        sched_timer(cpu);
    else if (vector == VECTOR_TLB)
        tlb_shootdown_poll();
    else if (vector == VECTOR_RESCHEDULE)
        cpu_work_add(cpu, WORK_TIMER); /* the sender set the rest; the way out looks */
}

/* ---- exceptions ---- */

/* A native thread did what it may not: its fix-up takes over, or the process ends. */
static void native_fault(struct thread *thread, struct frame *frame, uint64_t address, int error) {
    struct utcb *utcb = thread->utcb;
    uint64_t fixup = utcb->fixup_rip;

    if (frame->vector == VECTOR_PAGE_FAULT && fixup && fixup < USER_LIMIT) {
        utcb->fixup_rip = 0;
        frame->rip = fixup;
        frame->rax = (uint64_t)error;
        return;
    }
    unsigned signal = frame->vector == 0 ? SIGFPE : frame->vector == 6 ? SIGILL : SIGSEGV;
    log_line("kernel: process %u killed by signal %u: vector %lu code %lx address %lx rip %lx rsp %lx",
             object_id(&thread->process->object), signal, frame->vector, frame->error, address, frame->rip,
             frame->rsp);
    process_kill(thread->process, SIGNAL_STATUS + signal);
}

static void page_fault(struct thread *thread, struct frame *frame, bool in_guest) {
    uint64_t address = fault_address();
    if (trace_wanted(TRACE_FAULT))
        trace_begin(TRACE_FAULT, (unsigned)frame->error, address, frame->rip);
    int error = fault_resolve(thread, address, frame->error);
    if (error && in_guest)
        guest_exit_fault(thread, address, frame->error, error);
    else if (error)
        native_fault(thread, frame, address, error);
}

/* int 0x80 of a guest is its personality's business; a native program uses SYSCALL. */
static void int80(struct thread *thread, struct frame *frame, bool in_guest) {
    if (in_guest)
        guest_exit(thread, GUEST_INT80);
    else
        syscall_dispatch(frame);
}

void trap_from_user(struct frame *frame) {
    struct thread *thread = thread_current();
    bool in_guest = cpu_self()->guest;

    if (frame->vector == VECTOR_PAGE_FAULT)
        page_fault(thread, frame, in_guest);
    else if (frame->vector == VECTOR_INT80)
        int80(thread, frame, in_guest);
    else if (frame->vector >= VECTOR_IRQ_FIRST)
        interrupt_handle((unsigned)frame->vector);
    else if (in_guest)
        guest_exit_exception(thread, frame->vector, frame->error);
    else
        native_fault(thread, frame, 0, -EFAULT);
}

void trap_from_kernel(struct frame *frame) {
    debug_stretch_nested_begin(frame);
    if (frame->vector >= VECTOR_IRQ_FIRST)
        interrupt_handle((unsigned)frame->vector);
    else if (frame->vector != VECTOR_PAGE_FAULT || !user_copy_fault(frame, fault_address()))
        panic_frame(frame, "exception in the kernel");
    debug_stretch_nested_end(frame);
}

_Noreturn void trap_fatal(const struct frame *frame) {
    if (frame->vector == VECTOR_NMI)
        panic_stop(frame);
    panic_frame(frame, "fatal exception");
}
