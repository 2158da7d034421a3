/*
 * Class 1 calls, from the inside. Each call of abi/syscalls.def is a function call_NAME: its first argument
 * is the object that the table names, already looked up with the type and right that the table asks for and
 * referenced for the length of the call; the others are words as they came from user space, which the
 * function checks once. The functions are in the call_TOPIC.c files.
 */
#pragma once

#include "abi/errors.h"
#include "kernel/channel.h"
#include "kernel/event.h"
#include "kernel/interrupt.h"
#include "kernel/job.h"
#include "kernel/port.h"
#include "kernel/process.h"
#include "kernel/resource.h"
#include "kernel/space.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/vmo.h"

/*
 * What a call returns that did a bounded part of its work: its instruction is executed again. The quick way
 * out of the kernel looks at cpu->work alone: this adds to it, as whatever returns WAITING must.
 */
int64_t call_restart(void);
static inline int64_t restart_if_again(int64_t result) {
    return result == -EAGAIN ? call_restart() : result;
}

static inline struct process *process_current(void) {
    return thread_current()->process;
}
static inline __attribute__((always_inline)) struct handle_table *handles_current(void) {
    return &cpu_self()->thread->process->handles;
}

/* The object of a handle that is not the call's first argument, with a reference: as handle_lookup. */
int object_find(uint64_t handle, enum object_type type, uint32_t rights, struct object **object);
/* As above for a job; 0 stands for the process's own. */
int job_find(uint64_t handle, struct job **job);

/* Gives user space a new object: the handle takes over the creator's reference. NULL gives -ENOMEM. */
int64_t object_publish(struct object *object);
/* As above, not NULL, with fewer rights than all. */
int64_t object_publish_with(struct object *object, uint32_t rights);

#define PUBLISH(pointer)                                                                                     \
    ({                                                                                                       \
        __typeof__(pointer) made_ = (pointer);                                                               \
        object_publish(made_ ? &made_->object : NULL);                                                       \
    })

/* As above, for a creator that returns an error and leaves the object in made. */
#define PUBLISH_MADE(type_name, expression)                                                                  \
    ({                                                                                                       \
        struct type_name *made = NULL;                                                                       \
        int64_t error_ = (expression);                                                                       \
        error_ ? error_ : object_publish(&made->object);                                                     \
    })

#define SELF_TYPE_NONE           uint64_t
#define SELF_TYPE_ANY            struct object *
#define SELF_TYPE_VMO            struct vmo *
#define SELF_TYPE_PORT           struct port *
#define SELF_TYPE_CHANNEL        struct channel *
#define SELF_TYPE_EVENT          struct event *
#define SELF_TYPE_TIMER          struct timer *
#define SELF_TYPE_INTERRUPT      struct interrupt *
#define SELF_TYPE_RESOURCE       struct resource *
#define SELF_TYPE_THREAD         struct thread *
#define SELF_TYPE_JOB            struct job *
#define SELF_TYPE_JOB_OR_OWN     struct job *
#define SELF_TYPE_SPACE_OR_OWN   struct space *
#define SELF_TYPE_THREAD_OR_OWN  struct thread *
#define SELF_TYPE_PROCESS_OR_OWN struct process *

#define CALL_PARAMETERS_0(self) void
#define CALL_PARAMETERS_1(self) self
#define CALL_PARAMETERS_2(self) self, uint64_t
#define CALL_PARAMETERS_3(self) self, uint64_t, uint64_t
#define CALL_PARAMETERS_4(self) self, uint64_t, uint64_t, uint64_t
#define CALL_PARAMETERS_5(self) self, uint64_t, uint64_t, uint64_t, uint64_t
#define CALL_PARAMETERS_6(self) self, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t

#define CALL(index, name, arguments, self, right, text)                                                      \
    int64_t call_##name(CALL_PARAMETERS_##arguments(SELF_TYPE_##self));
#include "abi/syscalls.def"
#undef CALL
