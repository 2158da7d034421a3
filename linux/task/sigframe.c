/*
 * The x86_64 signal frame: what a handler finds on its stack and what rt_sigreturn reads back. Below the red
 * zone (or on the alternate stack) lie, from above: the XSAVE image with its software words and end magic,
 * then struct rt_sigframe with the return address to the restorer. The guest's vector state is live in the
 * CPU meanwhile.
 */
#include "linux/abi/signal.h"
#include "lib/base/string.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"

enum {
    RED_ZONE = 128,
    VECTOR_ALIGN = 64,
    LEGACY_SIZE = 512,
    XSAVE_HEADER_SIZE = 64,
    USER_CS = 0x33,
    USER_SS = 0x2b,
};
#define FLAGS_FROM_FRAME     0x50dd5ULL /* AC OF DF TF SF ZF AF PF CF RF */
#define FLAGS_OFF_IN_HANDLER 0x10500ULL /* RF DF TF */
#define XFEATURE_LEGACY      3ULL       /* x87 and SSE */

/* ---- alternate stack ---- */

static bool on_altstack(const struct task *task, uint64_t sp) {
    if (task->altstack_flags & SS_AUTODISARM)
        return false;
    return sp > task->altstack_base && sp - task->altstack_base <= task->altstack_size;
}

static uint32_t altstack_state(const struct task *task, uint64_t sp) {
    if (!task->altstack_size)
        return SS_DISABLE;
    return on_altstack(task, sp) ? SS_ONSTACK : 0;
}

static void altstack_clear(struct task *task) {
    task->altstack_base = task->altstack_size = 0;
    task->altstack_flags = SS_DISABLE;
}

static int altstack_set(struct task *task, const struct stack64 *stack) {
    uint32_t mode = stack->flags & ~SS_AUTODISARM;
    if (on_altstack(task, task->utcb->guest.rsp))
        return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        task->altstack_base = task->altstack_size = 0;
        task->altstack_flags = stack->flags;
        return 0;
    }
    if (stack->size < MINSIGSTKSZ)
        return -ENOMEM;
    task->altstack_base = stack->sp;
    task->altstack_size = stack->size;
    task->altstack_flags = stack->flags;
    return 0;
}

int64_t sys_sigaltstack(uint64_t new_address, uint64_t old_address) {
    struct task *task = task_current();
    struct stack64 stack,
        old = {.sp = task->altstack_base,
               .flags = altstack_state(task, task->utcb->guest.rsp) | (task->altstack_flags & SS_AUTODISARM),
               .size = task->altstack_size};
    if (new_address && guest_copy_in(&stack, new_address, sizeof(stack)))
        return -EFAULT;
    int error = new_address ? altstack_set(task, &stack) : 0;
    if (!error && old_address)
        error = guest_copy_out(old_address, &old, sizeof(old));
    return error;
}

/* ---- vector state ---- */

/* The task's buffer for one XSAVE image, 64-aligned; NULL: no memory. */
static uint8_t *vector_buffer(struct task *task) {
    if (!task->vector_image)
        task->vector_image = heap_alloc(guest_vector_size() + sizeof(uint32_t) + VECTOR_ALIGN);
    uintptr_t address = (uintptr_t)task->vector_image;
    return address ? (uint8_t *)((address + VECTOR_ALIGN - 1) & ~(uintptr_t)(VECTOR_ALIGN - 1)) : NULL;
}

static int vector_push(struct task *task, uint64_t to) {
    uint8_t *image = vector_buffer(task);
    uint32_t size = (uint32_t)guest_vector_size(), end = FPSTATE_MAGIC2;
    if (!image)
        return -EFAULT;
    memset(image + LEGACY_SIZE, 0, XSAVE_HEADER_SIZE);
    guest_vector_save(image);
    struct fpstate_software software = {.magic1 = FPSTATE_MAGIC1,
                                        .extended_size = size + (uint32_t)sizeof(end),
                                        .features = guest_vector_features(),
                                        .xstate_size = size};
    memcpy(image + FPSTATE_SOFTWARE_OFFSET, &software, sizeof(software));
    memcpy(image + size, &end, sizeof(end));
    return guest_copy_out(to, image, size + sizeof(end));
}

/* An image of the legacy part alone: everything else takes its initial state. */
static void vector_legacy_only(uint8_t *image) {
    uint64_t features = XFEATURE_LEGACY;
    memset(image + LEGACY_SIZE, 0, XSAVE_HEADER_SIZE);
    memcpy(image + LEGACY_SIZE, &features, sizeof(features));
}

static int vector_pop(struct task *task, uint64_t from) {
    if (!from) {
        guest_vector_reset();
        return 0;
    }
    uint8_t *image = vector_buffer(task);
    uint32_t size = (uint32_t)guest_vector_size(), end = 0;
    if (!image || from % VECTOR_ALIGN || guest_copy_in(image, from, LEGACY_SIZE))
        return -EFAULT;
    struct fpstate_software software;
    memcpy(&software, image + FPSTATE_SOFTWARE_OFFSET, sizeof(software));
    bool extended = software.magic1 == FPSTATE_MAGIC1 && software.xstate_size == size &&
                    software.extended_size >= size + sizeof(end) &&
                    !guest_copy_in(&end, from + size, sizeof(end)) && end == FPSTATE_MAGIC2;
    if (!extended)
        vector_legacy_only(image);
    else if (guest_copy_in(image + LEGACY_SIZE, from + LEGACY_SIZE, size - LEGACY_SIZE))
        return -EFAULT;
    memset(image + FPSTATE_SOFTWARE_OFFSET, 0, sizeof(software));
    return guest_vector_load(image);
}

/* ---- the frame ---- */

void signal_info_encode(struct siginfo64 *to, const struct signal_info *info) {
    memset(to, 0, sizeof(*to));
    to->signo = info->signo;
    to->error = info->error;
    to->code = info->code;
    if (info->code == SI_TIMER) {
        to->timer.id = info->timer_id;
        to->timer.overrun = info->overrun;
        to->timer.value = info->value;
    } else if (info->signo == SIGCHLD && info->code > 0) {
        to->child.pid = info->pid;
        to->child.uid = (uint32_t)info->uid;
        to->child.status = info->status;
        to->child.utime = (int64_t)info->utime;
        to->child.stime = (int64_t)info->stime;
    } else if (info->code > 0 && info->code != SI_KERNEL) {
        to->fault.address = info->address;
    } else if (info->code <= 0) {
        to->sender.pid = info->pid;
        to->sender.uid = (uint32_t)info->uid;
        to->sender.value = info->value;
    }
}

static void context_save(struct sigcontext64 *context, const struct task *task) {
    const struct guest_registers *guest = &task->utcb->guest;
    context->r8 = guest->r8;
    context->r9 = guest->r9;
    context->r10 = guest->r10;
    context->r11 = guest->r11;
    context->r12 = guest->r12;
    context->r13 = guest->r13;
    context->r14 = guest->r14;
    context->r15 = guest->r15;
    context->rdi = guest->rdi;
    context->rsi = guest->rsi;
    context->rbp = guest->rbp;
    context->rbx = guest->rbx;
    context->rdx = guest->rdx;
    context->rax = guest->rax;
    context->rcx = guest->rcx;
    context->rsp = guest->rsp;
    context->rip = guest->rip;
    context->eflags = guest->rflags;
    context->cs = USER_CS;
    context->ss = USER_SS;
    context->err = task->trap_error;
    context->trapno = task->trap_number;
    context->cr2 = task->fault_address;
}

static void context_restore(struct guest_registers *guest, const struct sigcontext64 *context) {
    guest->r8 = context->r8;
    guest->r9 = context->r9;
    guest->r10 = context->r10;
    guest->r11 = context->r11;
    guest->r12 = context->r12;
    guest->r13 = context->r13;
    guest->r14 = context->r14;
    guest->r15 = context->r15;
    guest->rdi = context->rdi;
    guest->rsi = context->rsi;
    guest->rbp = context->rbp;
    guest->rbx = context->rbx;
    guest->rdx = context->rdx;
    guest->rax = context->rax;
    guest->rcx = context->rcx;
    guest->rsp = context->rsp;
    guest->rip = context->rip;
    guest->rflags = (guest->rflags & ~FLAGS_FROM_FRAME) | (context->eflags & FLAGS_FROM_FRAME);
}

/* Where the frame goes: below `*vector`, the place of the XSAVE image. 0, or -EFAULT when an alternate stack
 * in use would overflow. */
static int frame_place(const struct task *task, const struct signal_action *action, uint64_t *vector,
                       uint64_t *frame) {
    uint64_t sp = task->utcb->guest.rsp - RED_ZONE;
    bool nested = task->altstack_size && on_altstack(task, task->utcb->guest.rsp);
    bool switched = (action->flags & SA_ONSTACK) && !altstack_state(task, sp);
    if (switched)
        sp = task->altstack_base + task->altstack_size;
    sp = (sp - guest_vector_size() - sizeof(uint32_t)) & ~(uint64_t)(VECTOR_ALIGN - 1);
    *vector = sp;
    *frame = ((sp - sizeof(struct sigframe64)) & ~15ULL) - 8;
    if ((nested || switched) &&
        (*frame <= task->altstack_base || *frame - task->altstack_base > task->altstack_size))
        return -EFAULT;
    return 0;
}

static int frame_write(struct task *task, const struct signal_action *action, const struct signal_info *info,
                       sigset_t64 old_mask, uint64_t vector, uint64_t frame) {
    struct sigframe64 image;
    memset(&image, 0, sizeof(image));
    image.return_address = action->restorer;
    image.ucontext.flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    image.ucontext.stack = (struct stack64){
        .sp = task->altstack_base, .flags = task->altstack_flags, .size = task->altstack_size};
    if (!task->altstack_size)
        image.ucontext.stack.flags |= SS_DISABLE;
    context_save(&image.ucontext.context, task);
    image.ucontext.context.oldmask = old_mask;
    image.ucontext.context.fpstate = vector;
    image.ucontext.mask = old_mask;
    if (action->flags & SA_SIGINFO)
        signal_info_encode(&image.info, info);
    if (vector_push(task, vector))
        return -EFAULT;
    return guest_copy_out(frame, &image, sizeof(image));
}

int signal_frame_push(struct task *task, int signo, const struct signal_action *action,
                      const struct signal_info *info, sigset_t64 old_mask) {
    uint64_t vector, frame;
    if (!(action->flags & SA_RESTORER) || frame_place(task, action, &vector, &frame) ||
        frame_write(task, action, info, old_mask, vector, frame))
        return -EFAULT;
    if (task->altstack_flags & SS_AUTODISARM)
        altstack_clear(task);
    struct guest_registers *guest = &task->utcb->guest;
    guest->rip = action->handler;
    guest->rsp = frame;
    guest->rdi = (uint64_t)signo;
    guest->rsi = frame + offsetof(struct sigframe64, info);
    guest->rdx = frame + offsetof(struct sigframe64, ucontext);
    guest->rax = 0;
    guest->rflags &= ~FLAGS_OFF_IN_HANDLER;
    guest_vector_reset();
    task->full_restore = true;
    return 0;
}

static int frame_pop(struct task *task, uint64_t frame) {
    struct ucontext64 ucontext;
    if (guest_copy_in(&ucontext, frame + offsetof(struct sigframe64, ucontext), sizeof(ucontext)))
        return -EFAULT;
    signal_set_blocked(task, ucontext.mask);
    if (vector_pop(task, ucontext.context.fpstate))
        return -EFAULT;
    context_restore(&task->utcb->guest, &ucontext.context);
    altstack_set(task, &ucontext.stack); /* refused while still on it, as on Linux */
    return 0;
}

int64_t sys_rt_sigreturn(void) {
    struct task *task = task_current();
    task->restart_block.function = NULL;
    if (frame_pop(task, task->utcb->guest.rsp - sizeof(uint64_t))) {
        struct signal_info fault = {.signo = SIGSEGV, .code = SI_KERNEL};
        signal_force(task, &fault);
    }
    task->full_restore = true; /* the registers are complete; the result below is not used */
    return (int64_t)task->utcb->guest.rax;
}
