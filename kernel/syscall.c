/*
 * What entry.S needs between a system call and its function: what the first argument of each class 1 call
 * names, by abi/syscalls.def, and looking that up; what becomes of the result. Class 0 and 2 calls of native
 * programs go to the program's own handler.
 */
#include "kernel/syscall.h"

#include "kernel/arch_cpu.h"
#include "kernel/trace.h"

enum { CLASS_SHIFT = 12 };

/* What a call's first argument is: none of these, any object, or one of a type, maybe with 0 for the own one.
 */
enum self {
    SELF_NONE = OBJECT_NONE,
#define OBJECT(name, number) SELF_##name = (number),
#include "abi/objects.def"
#undef OBJECT
    SELF_TYPE_MASK = 0xf,
    SELF_ANY = 0x10,
    SELF_OWN = 0x20, /* added to a type: 0 stands for the caller's */
    SELF_JOB_OR_OWN = SELF_OWN | OBJECT_JOB,
    SELF_SPACE_OR_OWN = SELF_OWN | OBJECT_SPACE,
    SELF_THREAD_OR_OWN = SELF_OWN | OBJECT_THREAD,
    SELF_PROCESS_OR_OWN = SELF_OWN | OBJECT_PROCESS,
};

struct call_rule {
    uint8_t self; /* enum self; CALL_PLAIN: none */
    uint16_t right;
};
_Static_assert(sizeof(struct call_rule) == 4, "entry.S");

const struct call_rule call_rules[] = {
#define CALL(index, name, arguments, self, right, text)                                                      \
    [index] = {SELF_##self == SELF_NONE ? CALL_PLAIN : SELF_##self, RIGHT_##right},
#include "abi/syscalls.def"
#undef CALL
};
_Static_assert(1 << TRACE_CALL == CPU_TRACE_CALL, "entry.S");
_Static_assert(CALL_ON_SPACE == SELF_SPACE_OR_OWN, "entry.S");
_Static_assert(sizeof(call_rules) / sizeof(call_rules[0]) <= COUNTED_CALLS, "struct cpu_counters");

/* ---- objects ---- */

int object_find(uint64_t handle, enum object_type type, uint32_t rights, struct object **object) {
    return handle_lookup(handles_current(), handle, type, rights, object);
}

static struct object *object_own(enum object_type type) {
    struct thread *thread = thread_current();
    switch (type) {
    case OBJECT_JOB:
        return &thread->process->object.job->object;
    case OBJECT_SPACE:
        return &thread->process->space->object;
    case OBJECT_PROCESS:
        return &thread->process->object;
    default:
        return &thread->object;
    }
}

/* The address space that a space or process stands for, in place of it. */
static int space_of(struct object **object) {
    struct object *found = *object;
    struct space *space = NULL;

    if (found->type == OBJECT_SPACE)
        return 0;
    if (found->type == OBJECT_PROCESS)
        space = process_space(container_of(found, struct process, object));
    object_unuse();
    if (!space)
        return -EINVAL;
    object_use(*object = &space->object);
    return 0;
}

/* The object that a call's first argument names, in use until object_unuse. */
static int self_find(unsigned self, uint32_t right, uint64_t handle, struct object **object) {
    if (self & SELF_OWN && !handle) {
        *object = object_own(self & ~SELF_OWN);
        return 0;
    }
    bool any = self == SELF_ANY || self == SELF_SPACE_OR_OWN;
    int error =
        handle_use_slowly(handles_current(), handle, any ? OBJECT_NONE : self & ~SELF_OWN, right, object);
    return !error && self == SELF_SPACE_OR_OWN ? space_of(object) : error;
}

int job_find(uint64_t handle, struct job **job) {
    struct object *object;
    int error = 0;
    if (handle)
        error = object_find(handle, OBJECT_JOB, RIGHT_WRITE, &object);
    else
        object_get(object = object_own(OBJECT_JOB));
    if (!error)
        *job = container_of(object, struct job, object);
    return error;
}

__attribute__((noinline)) int64_t object_publish_with(struct object *object, uint32_t rights) {
    handle_t handle = handle_give(handles_current(), object, rights);
    return handle ? (int64_t)handle : -ENOMEM;
}

int64_t object_publish(struct object *object) {
    return object ? object_publish_with(object, RIGHT_ALL) : -ENOMEM;
}

/* For entry.S: the object, or a negated error in its place. A hole in the table: -ENOSYS. */
uint64_t call_object_find(uint64_t handle, struct call_rule rule);
static __attribute__((noinline)) uint64_t call_object_find_slowly(uint64_t handle, struct call_rule rule) {
    struct object *object;
    int64_t error = rule.self ? self_find(rule.self, rule.right, handle, &object) : -ENOSYS;
    return error ? (uint64_t)error : (uint64_t)(uintptr_t)object;
}

uint64_t call_object_find(uint64_t handle, struct call_rule rule) {
    struct object *object =
        rule.self ? handle_announce(handles_current(), handle, rule.self & SELF_TYPE_MASK, rule.right) : NULL;
    return object ? (uint64_t)(uintptr_t)object : call_object_find_slowly(handle, rule);
}

/* ---- the ends of a call ---- */

/* A class 0 or 2 call of a native program continues at the handler its UTCB names; musl's calls end there. */
void posix_reflect(struct frame *frame);
void posix_reflect(struct frame *frame) {
    struct utcb *utcb = thread_current()->utcb;
    uint64_t entry = utcb->posix_entry;
    if (frame->rax >> CLASS_SHIFT == 1 || !entry || entry >= USER_LIMIT) {
        frame->rax = (uint64_t)-ENOSYS;
        return;
    }
    utcb->posix_return = frame->rip;
    frame->rip = entry;
}

int64_t call_null(void) {
    return 0;
}

int64_t call_restart(void) {
    cpu_work_add(cpu_self(), WORK_TIMER);
    return RESTART;
}

void syscall_finish(struct frame *frame, int64_t result);
void syscall_finish(struct frame *frame, int64_t result) {
    if (result == RESTART)
        frame->rip -= 2; /* the SYSCALL instruction */
    else if (result != WAITING)
        frame->rax = (uint64_t)result;
}

/* A call begins that is to be traced. */
void syscall_trace(const struct frame *frame);
void syscall_trace(const struct frame *frame) {
    trace_begin(TRACE_CALL, frame->rax % COUNTED_CALLS, frame->rdi, frame->rsi);
}
