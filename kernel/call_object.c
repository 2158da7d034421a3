/* Calls on handles and on objects of any type: creation, duplication, binding to ports, information. */
#include "kernel/info.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"

/* ---- creation ---- */

/* With the rights that the handle to the parent has. */
static int64_t resource_narrow(uint64_t parent, uint64_t kind_and_base, uint64_t length) {
    struct object *object;
    struct resource *made;
    uint32_t held;
    int error = handle_lookup_held(handles_current(), parent, OBJECT_RESOURCE, 0, &object, &held);
    if (error)
        return error;
    error = resource_derive(container_of(object, struct resource, object), process_current()->object.job,
                            kind_and_base, length, &made);
    object_put(object);
    return error ? error : object_publish_with(&made->object, held);
}

static int64_t interrupt_open(uint64_t resource, uint64_t irq) {
    struct object *object;
    int64_t result = object_find(resource, OBJECT_RESOURCE, RIGHT_DEVICE, &object);
    if (result)
        return result;
    result = -EACCES;
    if (resource_covers(container_of(object, struct resource, object), RESOURCE_IRQ, irq, 1))
        result = PUBLISH_MADE(interrupt, interrupt_create(process_current()->object.job, irq, &made));
    object_put(object);
    return result;
}

static int64_t job_open(uint64_t parent) {
    struct job *job;
    int error = job_find(parent, &job);
    if (error)
        return error;
    int64_t result = PUBLISH(job_create(job));
    object_put(&job->object);
    return result;
}

/* Apart, so that events have no registers to save for the others. */
static __attribute__((noinline)) int64_t create_other(uint64_t type, uint64_t a, uint64_t b, uint64_t c) {
    struct job *job = process_current()->object.job;
    switch (type) {
    case OBJECT_PORT:
        return a > PORT_QUEUE_MAX ? -EINVAL : PUBLISH(port_create(job, a));
    case OBJECT_TIMER:
        return PUBLISH(timer_create(job));
    case OBJECT_INTERRUPT:
        return interrupt_open(a, b);
    case OBJECT_RESOURCE:
        return resource_narrow(a, b, c);
    case OBJECT_JOB:
        return job_open(a);
    default:
        return -EINVAL;
    }
}

int64_t call_handle_create(uint64_t type, uint64_t a, uint64_t b, uint64_t c) {
    if (type != OBJECT_EVENT)
        return create_other(type, a, b, c);
    handle_t handle = handle_reopen_event(handles_current(), a);
    return handle ? (int64_t)handle : PUBLISH(event_create(process_current()->object.job, a));
}

int64_t call_handle_close(uint64_t handle) {
    return handle_close(handles_current(), handle);
}

int64_t call_handle_duplicate(uint64_t handle, uint64_t rights) {
    return handle_duplicate(handles_current(), handle, (uint32_t)rights);
}

int64_t call_handle_revoke(uint64_t handle) {
    return handle_revoke(handles_current(), handle);
}

/* ---- binding ---- */

/* The lock that guards an object's binding; NULL when it has none. */
static struct spinlock *binding_lock(struct object *object) {
    switch (object->type) {
    case OBJECT_CHANNEL:
        return channel_lock(container_of(object, struct channel, object));
    case OBJECT_EVENT:
    case OBJECT_TIMER:
    case OBJECT_INTERRUPT:
    case OBJECT_PROCESS:
        return &container_of(object, struct source, object)->lock;
    default:
        return NULL;
    }
}

/* What happened before the binding is delivered through it at once. */
static void binding_catch_up(struct object *object, struct binding *binding) {
    if (object->type == OBJECT_EVENT) {
        struct event *event = container_of(object, struct event, object);
        if (event->count)
            binding_signal(binding, event->count);
        event->count = 0;
    } else if (object->type == OBJECT_CHANNEL) {
        if (channel_ready(container_of(object, struct channel, object)))
            binding_signal(binding, 1);
    } else if (object->type == OBJECT_PROCESS) {
        struct process *process = container_of(object, struct process, object);
        if (process->dead)
            binding_signal(binding, (uint64_t)process->status);
    }
}

int64_t call_object_bind(struct object *object, uint64_t port_handle, uint64_t key) {
    struct object *port = NULL;
    struct spinlock *lock = binding_lock(object);
    struct binding *binding = &container_of(object, struct source, object)->binding;

    if (!lock)
        return -EINVAL;
    int error = port_handle ? object_find(port_handle, OBJECT_PORT, RIGHT_SEND, &port) : 0;
    if (error)
        return error;
    spin_lock(lock);
    struct port *before = binding_set(binding, port ? container_of(port, struct port, object) : NULL, key);
    if (port)
        binding_catch_up(object, binding);
    spin_unlock(lock);
    if (before)
        object_put(&before->object);
    if (port)
        object_put(port);
    return 0;
}

/* ---- information ---- */

union object_info {
    struct vmo_info vmo;
    struct space_info space;
    struct thread_info thread;
    struct process_info process;
    struct job_info job;
    struct interrupt_info interrupt;
    struct system_info system;
};

/* With what a running thread has used since its CPU switched to it; another CPU's numbers may move meanwhile.
 */
static struct thread_info thread_info(const struct thread *thread) {
    const struct cpu *cpu = machine.cpus[thread->cpu];
    uint64_t now = tsc_read(), since = cpu->switched_at;
    uint64_t running = cpu->thread == thread && now > since ? now - since : 0;
    return (struct thread_info){.state = thread->state,
                                .cpu_time = clock_ns(thread->run_time + running),
                                .level = thread->level,
                                .cpu = thread->cpu};
}

/* The size of what was filled in, or an error. */
static int64_t object_describe(struct object *object, union object_info *info) {
    switch (object->type) {
    case OBJECT_VMO:
        vmo_info(container_of(object, struct vmo, object), &info->vmo);
        return sizeof(info->vmo);
    case OBJECT_SPACE:
        space_info(container_of(object, struct space, object), &info->space);
        return sizeof(info->space);
    case OBJECT_THREAD:
        info->thread = thread_info(container_of(object, struct thread, object));
        return sizeof(info->thread);
    case OBJECT_PROCESS:
        info->process = process_info(container_of(object, struct process, object));
        return sizeof(info->process);
    case OBJECT_JOB:
        info->job = job_info(container_of(object, struct job, object));
        return sizeof(info->job);
    case OBJECT_INTERRUPT:
        info->interrupt = interrupt_info(container_of(object, struct interrupt, object));
        return sizeof(info->interrupt);
    case OBJECT_RESOURCE:
        if (!resource_is(container_of(object, struct resource, object), RESOURCE_INFO))
            return -EACCES;
        system_info(&info->system);
        return sizeof(info->system);
    default:
        return -EINVAL;
    }
}

int64_t call_object_info(struct object *object, uint64_t buffer, uint64_t length) {
    union object_info info;
    int64_t size = object_describe(object, &info);
    if (size < 0)
        return size;
    if (length < (uint64_t)size)
        return -EINVAL;
    return user_copy_out(buffer, &info, (size_t)size) ? -EFAULT : size;
}
