/*
 * Class 1 system calls: each call_NAME decodes its arguments, checks them and the rights once, and calls the
 * object's own code. The dispatch is a switch generated from abi/syscalls.def. Class 0 and 2 calls of native
 * programs go to the program's own handler.
 */
#include "abi/errors.h"
#include "kernel/arch_cpu.h"
#include "kernel/event.h"
#include "kernel/guest.h"
#include "kernel/info.h"
#include "kernel/interrupt.h"
#include "kernel/job.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/resource.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/timer.h"
#include "kernel/vmo.h"

enum { CLASS_SHIFT = 12, LOG_CHUNK = 256, LOG_MOST = 1024, CREATE_MOST_HANDLES = 64 };

static struct process *process_current(void) {
    return thread_current()->process;
}
static struct handle_table *handles_current(void) {
    return &process_current()->handles;
}

/* ---- one way to reach an object: look up, use, put ---- */

static int find(uint64_t handle, enum object_type type, uint32_t rights, struct object **object) {
    return handle > UINT32_MAX ? -EBADF
                               : handle_lookup(handles_current(), (handle_t)handle, type, rights, object);
}

/* Gives user space a new object: the handle takes over the creator's reference. */
static int64_t publish(struct object *object) {
    if (!object)
        return -ENOMEM;
    handle_t handle = handle_add(handles_current(), object, RIGHT_ALL);
    object_put(object);
    return handle ? (int64_t)handle : -ENOMEM;
}

#define PUBLISH(pointer)                                                                                     \
    ({                                                                                                       \
        __typeof__(pointer) made_ = (pointer);                                                               \
        publish(made_ ? &made_->object : NULL);                                                              \
    })

/* As above, for a creator that returns an error and leaves the object in *made. */
#define PUBLISH_MADE(type_name, expression)                                                                  \
    ({                                                                                                       \
        struct type_name *made = NULL;                                                                       \
        int64_t error_ = (expression);                                                                       \
        error_ ? error_ : publish(&made->object);                                                            \
    })

/* A call that did a bounded part of its work is made again by executing its instruction again. */
#define RESTART (INT64_MIN + 1)
static int64_t restart_if_again(int64_t result) {
    return result == -EAGAIN ? RESTART : result;
}

/* The job of a handle, or the process's own for 0; with a reference. */
static int find_job(uint64_t handle, uint32_t rights, struct job **job) {
    struct object *object;
    if (!handle) {
        *job = process_current()->job;
        object_get(&(*job)->object);
        return 0;
    }
    int error = find(handle, OBJECT_JOB, rights, &object);
    if (!error)
        *job = container_of(object, struct job, object);
    return error;
}

/* The address space that a space or process handle, or 0 for the own process, stands for; with a reference.
 */
static int find_space(uint64_t handle, struct space **space) {
    struct object *object;
    int error = 0;

    if (!handle) {
        *space = process_current()->space;
        object_get(&(*space)->object);
        return 0;
    }
    error = find(handle, OBJECT_NONE, RIGHT_MEMORY, &object);
    if (error)
        return error;
    if (object->type == OBJECT_SPACE) {
        *space = container_of(object, struct space, object);
        return 0;
    }
    if (object->type != OBJECT_PROCESS ||
        !(*space = process_space(container_of(object, struct process, object))))
        error = -EINVAL;
    object_put(object);
    return error;
}

/* ---- handles ---- */

static int64_t resource_narrow(uint64_t parent, uint64_t kind_and_base, uint64_t length) {
    struct object *object;
    struct resource *made = NULL;
    int error = find(parent, OBJECT_RESOURCE, 0, &object);
    if (error)
        return error;
    error = resource_derive(container_of(object, struct resource, object), process_current()->job,
                            kind_and_base, length, &made);
    object_put(object);
    return error ? error : publish(&made->object);
}

static int64_t interrupt_open(uint64_t resource, uint64_t irq) {
    struct object *object;
    struct interrupt *made = NULL;
    int error = find(resource, OBJECT_RESOURCE, RIGHT_DEVICE, &object);
    if (error)
        return error;
    error = -EACCES;
    if (resource_covers(container_of(object, struct resource, object), RESOURCE_IRQ, irq, 1))
        error = interrupt_create(process_current()->job, irq, &made);
    object_put(object);
    return error ? error : publish(&made->object);
}

static int64_t job_open(uint64_t parent) {
    struct job *job;
    int error = find_job(parent, RIGHT_WRITE, &job);
    if (error)
        return error;
    int64_t result = PUBLISH(job_create(job));
    object_put(&job->object);
    return result;
}

static int64_t call_handle_create(uint64_t type, uint64_t a, uint64_t b, uint64_t c) {
    struct job *job = process_current()->job;
    switch (type) {
    case OBJECT_EVENT:
        return PUBLISH(event_create(job, a));
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

static int64_t call_handle_close(uint64_t handle) {
    return handle > UINT32_MAX ? -EBADF : handle_close(handles_current(), (handle_t)handle);
}

static int64_t call_handle_duplicate(uint64_t handle, uint64_t rights) {
    if (handle > UINT32_MAX)
        return -EBADF;
    return handle_duplicate(handles_current(), (handle_t)handle, (uint32_t)rights);
}

static int64_t call_handle_revoke(uint64_t handle) {
    return handle > UINT32_MAX ? -EBADF : handle_revoke(handles_current(), (handle_t)handle);
}

static struct binding *object_binding(struct object *object, struct spinlock **lock) {
    switch (object->type) {
    case OBJECT_EVENT:
        *lock = &container_of(object, struct event, object)->lock;
        return &container_of(object, struct event, object)->binding;
    case OBJECT_TIMER:
        *lock = &container_of(object, struct timer, object)->lock;
        return &container_of(object, struct timer, object)->binding;
    case OBJECT_INTERRUPT:
        *lock = &container_of(object, struct interrupt, object)->lock;
        return &container_of(object, struct interrupt, object)->binding;
    case OBJECT_PROCESS:
        *lock = &container_of(object, struct process, object)->lock;
        return &container_of(object, struct process, object)->binding;
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
    } else if (object->type == OBJECT_PROCESS) {
        struct process *process = container_of(object, struct process, object);
        if (process->dead)
            binding_signal(binding, (uint64_t)process->status);
    }
}

static int64_t call_object_bind(uint64_t handle, uint64_t port_handle, uint64_t key) {
    struct object *object, *port = NULL;
    struct spinlock *lock;
    struct port *before = NULL;

    int64_t error = find(handle, OBJECT_NONE, RIGHT_RECV, &object);
    if (error)
        return error;
    struct binding *binding = object_binding(object, &lock);
    if (!binding)
        error = -EINVAL;
    else if (port_handle)
        error = find(port_handle, OBJECT_PORT, RIGHT_SEND, &port);
    if (!error) {
        spin_lock(lock);
        before = binding_set(binding, port ? container_of(port, struct port, object) : NULL, key);
        if (port)
            binding_catch_up(object, binding);
        spin_unlock(lock);
    }
    if (before)
        object_put(&before->object);
    if (port)
        object_put(port);
    object_put(object);
    return error;
}

static int64_t info_write(uint64_t buffer, uint64_t length, const void *info, size_t size) {
    if (length < size)
        return -EINVAL;
    return user_copy_out(buffer, info, size) ? -EFAULT : (int64_t)size;
}

#define INFO_WRITE(value)                                                                                    \
    ({                                                                                                       \
        __typeof__(value) info_ = (value);                                                                   \
        info_write(buffer, length, &info_, sizeof(info_));                                                   \
    })

static struct vmo_info vmo_describe(struct vmo *vmo) {
    struct vmo_info info;
    vmo_info(vmo, &info);
    return info;
}

static struct space_info space_describe(struct space *space) {
    struct space_info info;
    space_info(space, &info);
    return info;
}

/* With what a running thread has used since its CPU switched to it; another CPU's numbers may move meanwhile.
 */
static struct thread_info thread_info(const struct thread *thread) {
    const struct cpu *cpu = cpus[thread->cpu];
    uint64_t now = clock_now(), since = cpu->switched_at;
    uint64_t running = cpu->thread == thread && now > since ? now - since : 0;
    return (struct thread_info){.state = thread->state,
                                .cpu_time = thread->run_time + running,
                                .level = thread->level,
                                .cpu = thread->cpu};
}

static int64_t object_describe(struct object *object, uint64_t buffer, uint64_t length) {
    switch (object->type) {
    case OBJECT_VMO:
        return INFO_WRITE(vmo_describe(container_of(object, struct vmo, object)));
    case OBJECT_SPACE:
        return INFO_WRITE(space_describe(container_of(object, struct space, object)));
    case OBJECT_THREAD:
        return INFO_WRITE(thread_info(container_of(object, struct thread, object)));
    case OBJECT_PROCESS:
        return INFO_WRITE(process_info(container_of(object, struct process, object)));
    case OBJECT_JOB:
        return INFO_WRITE(job_info(container_of(object, struct job, object)));
    case OBJECT_RESOURCE:
        if (!resource_covers(container_of(object, struct resource, object), RESOURCE_INFO, 0, 0))
            return -EACCES;
        return INFO_WRITE(system_info());
    default:
        return -EINVAL;
    }
}

static int64_t call_object_info(uint64_t handle, uint64_t buffer, uint64_t length) {
    struct object *object;
    int64_t result = find(handle, OBJECT_NONE, RIGHT_READ, &object);
    if (result)
        return result;
    result = object_describe(object, buffer, length);
    object_put(object);
    return result;
}

/* ---- memory objects ---- */

#define WITH_VMO(handle, rights, name, expression)                                                           \
    ({                                                                                                       \
        struct object *found_;                                                                               \
        int64_t result_ = find(handle, OBJECT_VMO, rights, &found_);                                         \
        if (!result_) {                                                                                      \
            struct vmo *name = container_of(found_, struct vmo, object);                                     \
            result_ = (expression);                                                                          \
            object_put(found_);                                                                              \
        }                                                                                                    \
        result_;                                                                                             \
    })

static int64_t call_vmo_create(uint64_t size, uint64_t flags) {
    if (size > VMO_SIZE_MAX || flags & ~(uint64_t)VMO_PINNED)
        return -EINVAL;
    return PUBLISH_MADE(vmo, vmo_create(process_current()->job, size, (unsigned)flags, &made));
}

static int64_t call_vmo_read(uint64_t handle, uint64_t offset, uint64_t buffer, uint64_t length) {
    return WITH_VMO(handle, RIGHT_READ, vmo, vmo_read_user(vmo, offset, buffer, length));
}

static int64_t call_vmo_write(uint64_t handle, uint64_t offset, uint64_t buffer, uint64_t length) {
    return WITH_VMO(handle, RIGHT_WRITE, vmo, vmo_write_user(vmo, offset, buffer, length));
}

static int64_t call_vmo_snapshot(uint64_t handle) {
    return WITH_VMO(handle, RIGHT_READ, vmo,
                    PUBLISH_MADE(vmo, vmo_snapshot(vmo, process_current()->job, &made)));
}

static int64_t call_vmo_resize(uint64_t handle, uint64_t size) {
    if (size > VMO_SIZE_MAX)
        return -EINVAL;
    return restart_if_again(WITH_VMO(handle, RIGHT_WRITE, vmo, vmo_resize(vmo, size)));
}

static int64_t call_vmo_discard(uint64_t handle, uint64_t offset, uint64_t length) {
    if ((offset | length) % PAGE_SIZE || offset > VMO_SIZE_MAX || length > VMO_SIZE_MAX)
        return -EINVAL;
    return restart_if_again(WITH_VMO(handle, RIGHT_WRITE, vmo, vmo_discard(vmo, offset, length)));
}

static int64_t call_vmo_physical(uint64_t handle, uint64_t physical, uint64_t size) {
    struct object *object;
    if ((physical | size) % PAGE_SIZE || !size || size > VMO_SIZE_MAX)
        return -EINVAL;
    int64_t result = find(handle, OBJECT_RESOURCE, RIGHT_DEVICE, &object);
    if (result)
        return result;
    result = -EACCES;
    if (resource_covers(container_of(object, struct resource, object), RESOURCE_MMIO, physical, size))
        result = PUBLISH_MADE(vmo, vmo_create_physical(process_current()->job, physical, size, false, &made));
    object_put(object);
    return result;
}

/* ---- spaces ---- */

#define WITH_SPACE(handle, name, expression)                                                                 \
    ({                                                                                                       \
        struct space *name;                                                                                  \
        int64_t outcome_ = find_space(handle, &name);                                                        \
        if (!outcome_) {                                                                                     \
            outcome_ = (expression);                                                                         \
            object_put(&name->object);                                                                       \
        }                                                                                                    \
        outcome_;                                                                                            \
    })

static int64_t call_space_create(uint64_t job_handle) {
    struct job *job;
    int64_t result = find_job(job_handle, RIGHT_WRITE, &job);
    if (result)
        return result;
    result = PUBLISH_MADE(space, space_create_guest(process_current()->space, job, &made));
    object_put(&job->object);
    return result;
}

_Static_assert((RIGHT_READ | RIGHT_WRITE << 4 | RIGHT_EXEC << 8) ==
                   (MAP_READ | MAP_WRITE << 4 | MAP_EXEC << 8),
               "these rights are protections");

/* The rights that a mapping of a Vmo asks for; a private copy only reads it. */
static uint32_t mapping_rights(uint64_t flags) {
    uint32_t rights = RIGHT_READ;
    if (flags & MAP_WRITE && !(flags & MAP_COPY))
        rights |= RIGHT_WRITE;
    if (flags & MAP_EXEC)
        rights |= RIGHT_EXEC;
    return rights;
}

static int64_t call_space_map(uint64_t handle, uint64_t address, uint64_t vmo_handle, uint64_t offset,
                              uint64_t length, uint64_t flags) {
    if (flags & ~(uint64_t)(MAP_PROT_MASK | MAP_COPY))
        return -EINVAL;
    if (!vmo_handle)
        return restart_if_again(
            WITH_SPACE(handle, space, space_map(space, address, NULL, 0, length, (unsigned)flags)));
    int64_t rights = handle_rights(handles_current(), (handle_t)vmo_handle);
    if (rights > 0)
        flags |= MAP_ALLOW(rights & MAP_PROT_MASK); /* what space_protect may give later */
    return restart_if_again(
        WITH_VMO(vmo_handle, mapping_rights(flags), vmo,
                 WITH_SPACE(handle, space, space_map(space, address, vmo, offset, length, (unsigned)flags))));
}

static int64_t call_space_unmap(uint64_t handle, uint64_t address, uint64_t length) {
    return restart_if_again(WITH_SPACE(handle, space, space_unmap(space, address, length)));
}

static int64_t call_space_protect(uint64_t handle, uint64_t address, uint64_t length, uint64_t protection) {
    if (protection & ~(uint64_t)MAP_PROT_MASK)
        return -EINVAL;
    return restart_if_again(
        WITH_SPACE(handle, space, space_protect(space, address, length, (unsigned)protection)));
}

static int64_t call_space_clone(uint64_t handle, uint64_t job_handle) {
    struct job *job;
    int64_t result = find_job(job_handle, RIGHT_WRITE, &job);
    if (result)
        return result;
    result = WITH_SPACE(handle, space, PUBLISH_MADE(space, space_clone(space, job, &made)));
    object_put(&job->object);
    return result;
}

static int64_t call_space_move(uint64_t handle, uint64_t address, uint64_t length, uint64_t to) {
    return restart_if_again(WITH_SPACE(handle, space, space_move(space, address, length, to)));
}

/* ---- processes and threads ---- */

static int64_t call_process_create(uint64_t job_handle, uint64_t list, uint64_t count) {
    handle_t handles[HANDLE_MOVE_MAX], moved[HANDLE_MOVE_MAX];
    struct job *job;

    if (count > CREATE_MOST_HANDLES)
        return -EINVAL;
    int64_t result = find_job(job_handle, RIGHT_WRITE, &job);
    if (result)
        return result;
    struct process *process = process_create(job);
    object_put(&job->object);
    if (!process)
        return -ENOMEM;
    for (uint64_t done = 0; done < count && !result;) {
        unsigned chunk = count - done < HANDLE_MOVE_MAX ? (unsigned)(count - done) : HANDLE_MOVE_MAX;
        if (user_copy_in(handles, list + done * sizeof(handle_t), chunk * sizeof(handle_t)))
            result = -EFAULT;
        else
            result = handle_move(handles_current(), handles, chunk, &process->handles, moved);
        done += chunk;
    }
    if (!result)
        return publish(&process->object);
    object_put(&process->object);
    return result;
}

static int64_t call_thread_create(uint64_t handle, uint64_t entry, uint64_t stack, uint64_t argument,
                                  uint64_t utcb) {
    struct object *object = &process_current()->object;
    struct thread *thread;
    int64_t result = 0;

    if (handle)
        result = find(handle, OBJECT_PROCESS, RIGHT_WRITE, &object);
    else
        object_get(object);
    if (result)
        return result;
    result =
        thread_create(container_of(object, struct process, object), entry, stack, argument, utcb, &thread);
    object_put(object);
    if (result)
        return result;
    handle_t made = handle_add(handles_current(), &thread->object, RIGHT_ALL);
    if (!made)
        thread->dying = 1; /* it has joined its process: it leaves the same way as every other */
    thread_start(thread);
    object_put(&thread->object);
    return made ? (int64_t)made : -ENOMEM;
}

static int64_t call_thread_exit(uint64_t flag) {
    struct thread *thread = thread_current();
    thread->exit_flag = flag;
    thread_kill(thread);
    return 0;
}

static int64_t call_process_exit(uint64_t status) {
    process_kill(process_current(), (int64_t)status);
    return 0;
}

static int64_t call_task_kill(uint64_t handle, uint64_t status) {
    struct object *object;
    int64_t result = find(handle, OBJECT_NONE, RIGHT_KILL, &object);
    if (result)
        return result;
    if (object->type == OBJECT_PROCESS)
        process_kill(container_of(object, struct process, object), (int64_t)status);
    else if (object->type == OBJECT_JOB)
        job_kill(container_of(object, struct job, object), (int64_t)status);
    else
        result = -EINVAL;
    object_put(object);
    return result;
}

static int64_t call_thread_kick(uint64_t handle) {
    struct object *object;
    int64_t result = find(handle, OBJECT_THREAD, RIGHT_SEND, &object);
    if (result)
        return result;
    thread_kick(container_of(object, struct thread, object));
    object_put(object);
    return 0;
}

static int64_t call_thread_wait(uint64_t deadline) {
    return thread_park(deadline);
}

static int64_t call_thread_yield(void) {
    thread_yield();
    return 0;
}

static int64_t call_thread_set(uint64_t handle, uint64_t what, uint64_t value) {
    struct object *object;
    if (!handle)
        return sched_set(thread_current(), what, value);
    int64_t result = find(handle, OBJECT_THREAD, RIGHT_PRIORITY, &object);
    if (result)
        return result;
    result = sched_set(container_of(object, struct thread, object), what, value);
    object_put(object);
    return result;
}

static int64_t call_guest_attach(uint64_t handle) {
    struct object *object;
    struct space *space = NULL;
    if (handle) {
        int error = find(handle, OBJECT_SPACE, RIGHT_MEMORY, &object);
        if (error)
            return error;
        space = container_of(object, struct space, object);
        if (space->native != process_current()->space) {
            object_put(object);
            return -EINVAL;
        }
    }
    guest_attach(thread_current(), space);
    return 0;
}

/* ---- ports, events, timers, interrupts ---- */

#define WITH(TYPE, type_name, handle, rights, name, expression)                                              \
    ({                                                                                                       \
        struct object *found_;                                                                               \
        int64_t result_ = find(handle, OBJECT_##TYPE, rights, &found_);                                      \
        if (!result_) {                                                                                      \
            struct type_name *name = container_of(found_, struct type_name, object);                         \
            result_ = (expression);                                                                          \
            object_put(found_);                                                                              \
        }                                                                                                    \
        result_;                                                                                             \
    })

static int64_t call_port_send(uint64_t handle, uint64_t key, uint64_t word0, uint64_t word1) {
    struct port_packet packet = {.key = key, .count = 1, .words = {word0, word1}};
    return WITH(PORT, port, handle, RIGHT_SEND, port, port_send(port, &packet));
}

/* Label, deadline and words are in the frame (abi/ipc.h). */
static int64_t call_port_call(uint64_t handle, uint64_t label, uint64_t word0, uint64_t word1) {
    (void)label, (void)word0, (void)word1;
    return WITH(PORT, port, handle, RIGHT_SEND, port, port_call(port, &thread_current()->native));
}

static int64_t call_port_receive(uint64_t handle, uint64_t deadline, uint64_t word0) {
    (void)deadline, (void)word0;
    return WITH(PORT, port, handle, RIGHT_RECV, port, port_receive(port, &thread_current()->native));
}

static int64_t call_event_signal(uint64_t handle) {
    return WITH(EVENT, event, handle, RIGHT_SEND, event, (event_signal(event), 0));
}

static int64_t call_event_wait(uint64_t handle, uint64_t deadline) {
    return WITH(EVENT, event, handle, RIGHT_RECV, event, event_wait(event, deadline));
}

static int64_t call_timer_set(uint64_t handle, uint64_t deadline, uint64_t period) {
    return WITH(TIMER, timer, handle, RIGHT_WRITE, timer, (timer_set(timer, deadline, period), 0));
}

static int64_t call_interrupt_ack(uint64_t handle) {
    return WITH(INTERRUPT, interrupt, handle, RIGHT_RECV, interrupt, (interrupt_ack(interrupt), 0));
}

/* ---- resources ---- */

static int resource_check(uint64_t handle, uint64_t kind, uint64_t base, uint64_t length, uint32_t rights) {
    return (int)WITH(RESOURCE, resource, handle, rights, resource,
                     resource_covers(resource, kind, base, length) ? 0 : -EACCES);
}

static bool io_width_valid(uint64_t width) {
    return width == 1 || width == 2 || width == 4;
}

static int64_t call_io_read(uint64_t handle, uint64_t port, uint64_t width) {
    if (port > UINT16_MAX || !io_width_valid(width))
        return -EINVAL;
    int error = resource_check(handle, RESOURCE_IOPORT, port, width, RIGHT_DEVICE);
    return error ? error : (int64_t)port_in((uint16_t)port, (unsigned)width);
}

static int64_t call_io_write(uint64_t handle, uint64_t port, uint64_t width, uint64_t value) {
    if (port > UINT16_MAX || !io_width_valid(width))
        return -EINVAL;
    int error = resource_check(handle, RESOURCE_IOPORT, port, width, RIGHT_DEVICE);
    if (!error)
        port_out((uint16_t)port, (unsigned)width, value);
    return error;
}

static int64_t call_log_write(uint64_t handle, uint64_t text, uint64_t length) {
    char line[LOG_MOST];
    int error = resource_check(handle, RESOURCE_LOG, 0, 0, RIGHT_WRITE);
    if (error)
        return error;
    if (length > LOG_MOST)
        return -EINVAL;
    if (user_copy_in(line, text, length))
        return -EFAULT;
    log_bytes(line, length);
    return (int64_t)length;
}

static int64_t call_log_read(uint64_t handle, uint64_t position, uint64_t buffer, uint64_t length) {
    char chunk[LOG_CHUNK];
    int error = resource_check(handle, RESOURCE_LOG, 0, 0, RIGHT_READ);
    if (error)
        return error;
    size_t copied = log_copy(&position, chunk, length < LOG_CHUNK ? length : LOG_CHUNK);
    return user_copy_out(buffer, chunk, copied) ? -EFAULT : (int64_t)copied;
}

static int64_t call_job_limit(uint64_t handle, uint64_t pages, uint64_t objects, uint64_t threads) {
    return WITH(JOB, job, handle, RIGHT_ADMIN, job,
                (job_limit(job, (uint64_t[JOB_QUOTAS]){pages, objects, threads}), 0));
}

static int64_t call_debug_fail(uint64_t handle, uint64_t n) {
    int error = resource_check(handle, RESOURCE_DEBUG, 0, 0, RIGHT_DEBUG);
    return error ? error : debug_fail_nth(n);
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

#define ARGUMENTS_0()
#define ARGUMENTS_1() frame->rdi
#define ARGUMENTS_2() ARGUMENTS_1(), frame->rsi
#define ARGUMENTS_3() ARGUMENTS_2(), frame->rdx
#define ARGUMENTS_4() ARGUMENTS_3(), frame->r10
#define ARGUMENTS_5() ARGUMENTS_4(), frame->r8
#define ARGUMENTS_6() ARGUMENTS_5(), frame->r9

static int64_t call_null(void) {
    return 0;
}

static int64_t call_channel_create(uint64_t a, uint64_t b) {
    return (void)a, (void)b, -ENOSYS;
}

static int64_t call_channel_read(uint64_t handle, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    return (void)handle, (void)b, (void)c, (void)d, (void)e, -ENOSYS;
}

static int64_t call_channel_write(uint64_t handle, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    return call_channel_read(handle, b, c, d, e);
}

/* The SYSCALL instruction's way to it is in entry.S; through int 0x80 there is none. */
static int64_t call_guest_enter(uint64_t flags) {
    return (void)flags, -ENOSYS;
}

static int64_t call_dispatch(const struct frame *frame) {
    switch (frame->rax & ((1u << CLASS_SHIFT) - 1)) {
#define CALL(index, name, arguments, rights, text)                                                           \
    case index:                                                                                              \
        return call_##name(ARGUMENTS_##arguments());
#include "abi/syscalls.def"
#undef CALL
    default:
        return -ENOSYS;
    }
}

void syscall_dispatch(struct frame *frame) {
    if (frame->rax >> CLASS_SHIFT != 1) {
        posix_reflect(thread_current(), frame);
        return;
    }
    int64_t result = call_dispatch(frame);
    if (result == RESTART)
        frame->rcx = frame->rip -= 2; /* the SYSCALL instruction */
    else if (result != WAITING)
        frame->rax = (uint64_t)result;
}
