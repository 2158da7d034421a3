/* Calls on jobs, processes and threads, and guest mode. */
#include "kernel/guest.h"
#include "kernel/realtime.h"
#include "kernel/sched.h"
#include "kernel/share.h"
#include "kernel/syscall.h"

enum { CREATE_MOST_HANDLES = 64 };

int64_t call_job_limit(struct job *job, uint64_t pages, uint64_t objects, uint64_t threads, uint64_t share) {
    int64_t error = share_set(job, share);
    if (error)
        return error;
    job_limit(job, (uint64_t[JOB_QUOTAS]){pages, objects, threads});
    return 0;
}

STACK_GUARD int64_t call_process_create(struct job *job, uint64_t list, uint64_t count) {
    handle_t handles[HANDLE_MOVE_MAX], moved[HANDLE_MOVE_MAX];
    int64_t result = 0;

    if (count > CREATE_MOST_HANDLES)
        return -EINVAL;
    struct process *process = process_create(job);
    if (!process)
        return -ENOMEM;
    for (uint64_t done = 0; done < count && !result;) {
        unsigned chunk = count - done < HANDLE_MOVE_MAX ? (unsigned)(count - done) : HANDLE_MOVE_MAX;
        if (user_copy_in(handles, list + done * sizeof(handle_t), chunk * sizeof(handle_t)))
            result = -EFAULT;
        else
            result = handle_move(handles_current(), handles, chunk, &process->handles, moved);
        done += chunk;
        cpu_interrupts_window();
    }
    if (!result && !process_enlist(process))
        result = -ENOMEM;
    if (!result)
        return object_publish(&process->object);
    object_put(&process->object);
    return result;
}

int64_t call_thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
                           uint64_t utcb) {
    struct thread *thread;
    int64_t result = thread_create(process, entry, stack, argument, utcb, &thread);
    if (result)
        return result;
    handle_t made = handle_add(handles_current(), &thread->object, RIGHT_ALL);
    if (!made)
        thread->dying = 1; /* it has joined its process: it leaves the same way as every other */
    thread_start(thread);
    object_put(&thread->object);
    return made ? (int64_t)made : -ENOMEM;
}

int64_t call_thread_exit(uint64_t flag) {
    struct thread *thread = thread_current();
    thread->exit_flag = flag;
    thread_kill(thread);
    return 0;
}

int64_t call_process_exit(uint64_t status) {
    process_kill(process_current(), (int64_t)status);
    return 0;
}

int64_t call_task_kill(struct object *object, uint64_t status) {
    if (object->type == OBJECT_PROCESS)
        process_kill(container_of(object, struct process, object), (int64_t)status);
    else if (object->type == OBJECT_JOB)
        job_kill(container_of(object, struct job, object), (int64_t)status);
    else
        return -EINVAL;
    return 0;
}

int64_t call_thread_kick(struct thread *thread) {
    thread_kick(thread);
    return 0;
}

int64_t call_thread_wait(uint64_t deadline) {
    return thread_park(deadline);
}

int64_t call_thread_yield(void) {
    thread_yield();
    return 0;
}

int64_t call_thread_set(struct thread *thread, uint64_t what, uint64_t value) {
    return sched_set(thread, what, value);
}

int64_t call_thread_suspend(struct thread *thread, uint64_t suspended) {
    if (suspended > 1)
        return -EINVAL;
    thread_suspend(thread, suspended);
    return 0;
}

int64_t call_guest_attach(uint64_t handle) {
    struct object *object;
    struct space *space = NULL;
    if (handle) {
        int error = object_find(handle, OBJECT_SPACE, RIGHT_MEMORY, &object);
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

/* The SYSCALL instruction's way to it is in entry.S; through int 0x80 there is none. */
int64_t call_guest_enter(uint64_t flags) {
    return (void)flags, -ENOSYS;
}

int64_t call_thread_realtime(struct resource *resource, uint64_t handle, uint64_t budget, uint64_t period) {
    struct object *object = &thread_current()->object;
    if (!resource_is(resource, RESOURCE_REALTIME))
        return -EACCES;
    int error = handle ? object_find(handle, OBJECT_THREAD, RIGHT_PRIORITY, &object) : 0;
    if (error)
        return error;
    int64_t result = realtime_set(container_of(object, struct thread, object), budget, period);
    if (handle)
        object_put(object);
    return result;
}
