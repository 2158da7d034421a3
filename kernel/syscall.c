/*
 * From a class 1 call's number to its function. The dispatch is a switch generated from abi/syscalls.def,
 * which also says what object the first argument names: it is looked up here, and let go of here when the
 * call is done. Class 0 and 2 calls of native programs go to the program's own handler.
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
    SELF_ANY = 0x10,
    SELF_OWN = 0x20, /* added to a type: 0 stands for the caller's */
    SELF_JOB_OR_OWN = SELF_OWN | OBJECT_JOB,
    SELF_SPACE_OR_OWN = SELF_OWN | OBJECT_SPACE,
    SELF_THREAD_OR_OWN = SELF_OWN | OBJECT_THREAD,
    SELF_PROCESS_OR_OWN = SELF_OWN | OBJECT_PROCESS,
};

static const struct {
    uint8_t self;
    uint16_t right;
} calls[] = {
#define CALL(index, name, arguments, self, right, text) [index] = {SELF_##self, RIGHT_##right},
#include "abi/syscalls.def"
#undef CALL
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };
_Static_assert((int)CALLS <= (int)COUNTED_CALLS, "struct cpu_counters");

/* ---- objects ---- */

int object_find(uint64_t handle, enum object_type type, uint32_t rights, struct object **object) {
    return handle > UINT32_MAX ? -EBADF
                               : handle_lookup(handles_current(), (handle_t)handle, type, rights, object);
}

static struct object *object_own(enum object_type type) {
    struct thread *thread = thread_current();
    switch (type) {
    case OBJECT_JOB:
        return &thread->process->job->object;
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
    object_put(found);
    if (!space)
        return -EINVAL;
    *object = &space->object;
    return 0;
}

/* The object that a call's first argument names, with a reference. */
static int self_find(unsigned self, uint32_t right, uint64_t handle, struct object **object) {
    if (self & SELF_OWN && !handle) {
        object_get(*object = object_own(self & ~SELF_OWN));
        return 0;
    }
    if (self == SELF_ANY || self == SELF_SPACE_OR_OWN) {
        int error = object_find(handle, OBJECT_NONE, right, object);
        return error || self == SELF_ANY ? error : space_of(object);
    }
    return object_find(handle, self & ~SELF_OWN, right, object);
}

int job_find(uint64_t handle, struct job **job) {
    struct object *object;
    int error = self_find(SELF_JOB_OR_OWN, RIGHT_WRITE, handle, &object);
    if (!error)
        *job = container_of(object, struct job, object);
    return error;
}

int64_t object_publish(struct object *object) {
    if (!object)
        return -ENOMEM;
    handle_t handle = handle_add(handles_current(), object, RIGHT_ALL);
    object_put(object);
    return handle ? (int64_t)handle : -ENOMEM;
}

/* ---- dispatch ---- */

/* A class 0 or 2 call of a native program continues at the handler its UTCB names; musl's calls end there. */
static void posix_reflect(struct thread *thread, struct frame *frame) {
    uint64_t entry = thread->utcb->posix_entry;
    if (!entry || entry >= USER_LIMIT) {
        frame->rax = (uint64_t)-ENOSYS;
        return;
    }
    thread->utcb->posix_return = frame->rip;
    frame->rip = frame->rcx = entry;
}

int64_t call_null(void) {
    return 0;
}

#define OBJECT_AS(type_name) container_of(object, struct type_name, object)

#define SELF_AS_NONE           frame->rdi
#define SELF_AS_ANY            object
#define SELF_AS_VMO            OBJECT_AS(vmo)
#define SELF_AS_PORT           OBJECT_AS(port)
#define SELF_AS_CHANNEL        OBJECT_AS(channel)
#define SELF_AS_EVENT          OBJECT_AS(event)
#define SELF_AS_TIMER          OBJECT_AS(timer)
#define SELF_AS_INTERRUPT      OBJECT_AS(interrupt)
#define SELF_AS_RESOURCE       OBJECT_AS(resource)
#define SELF_AS_THREAD         OBJECT_AS(thread)
#define SELF_AS_JOB            OBJECT_AS(job)
#define SELF_AS_JOB_OR_OWN     OBJECT_AS(job)
#define SELF_AS_SPACE_OR_OWN   OBJECT_AS(space)
#define SELF_AS_THREAD_OR_OWN  OBJECT_AS(thread)
#define SELF_AS_PROCESS_OR_OWN OBJECT_AS(process)

#define ARGUMENTS_0(self)
#define ARGUMENTS_1(self) self
#define ARGUMENTS_2(self) ARGUMENTS_1(self), frame->rsi
#define ARGUMENTS_3(self) ARGUMENTS_2(self), frame->rdx
#define ARGUMENTS_4(self) ARGUMENTS_3(self), frame->r10
#define ARGUMENTS_5(self) ARGUMENTS_4(self), frame->r8
#define ARGUMENTS_6(self) ARGUMENTS_5(self), frame->r9

static int64_t call_run(uint64_t index, struct object *object, const struct frame *frame) {
    switch (index) {
#define CALL(index, name, arguments, self, right, text)                                                      \
    case index:                                                                                              \
        return call_##name(ARGUMENTS_##arguments(SELF_AS_##self));
#include "abi/syscalls.def"
#undef CALL
    default:
        return -ENOSYS;
    }
}

static int64_t call_dispatch(const struct frame *frame) {
    uint64_t index = frame->rax & ((1u << CLASS_SHIFT) - 1);
    struct object *object = NULL;

    if (index >= CALLS)
        return -ENOSYS;
    cpu_count_call(index);
    if (calls[index].self) {
        int error = self_find(calls[index].self, calls[index].right, frame->rdi, &object);
        if (error)
            return error;
    }
    int64_t result = call_run(index, object, frame);
    if (object)
        object_put(object);
    return result;
}

void syscall_dispatch(struct frame *frame) {
    if (frame->rax >> CLASS_SHIFT != 1) {
        cpu_self()->counters.other_entries++;
        posix_reflect(thread_current(), frame);
        return;
    }
    if (trace_wanted(TRACE_CALL))
        trace_begin(TRACE_CALL, frame->rax % COUNTED_CALLS, frame->rdi, frame->rsi);
    int64_t result = call_dispatch(frame);
    if (result == RESTART)
        frame->rcx = frame->rip -= 2; /* the SYSCALL instruction */
    else if (result != WAITING)
        frame->rax = (uint64_t)result;
}
