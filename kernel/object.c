/* See object.h and reaper.h: creation with its charges, and destruction by type. */
#include "kernel/object.h"

#include "kernel/channel.h"
#include "kernel/event.h"
#include "kernel/interrupt.h"
#include "kernel/job.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/object_use.h"
#include "kernel/port.h"
#include "kernel/process.h"
#include "kernel/reaper.h"
#include "kernel/resource.h"
#include "kernel/space.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/vmo.h"

_Atomic uint64_t objects_live[16];

void *object_create(enum object_type type, size_t size, struct job *job) {
    if (job && !job_charge(job, JOB_OBJECTS, 1))
        return NULL;
    struct object *object = kmem_alloc(size);
    if (!object) {
        if (job)
            job_uncharge(job, JOB_OBJECTS, 1);
        return NULL;
    }
    words_clear((uint64_t *)object, size / sizeof(uint64_t));
    object->type = (uint8_t)type;
    atomic_store_explicit(&object->references, 1, memory_order_relaxed);
    object->job = job;
    if (job)
        object_get(&job->object);
    atomic_fetch_add_explicit(&objects_live[type], 1, memory_order_relaxed);
    return object;
}

void object_free(struct object *object, size_t size) {
    struct job *job = object->job;
    atomic_fetch_sub_explicit(&objects_live[object->type], 1, memory_order_relaxed);
    object->type = OBJECT_NONE;
    kmem_free(object, size);
    if (job) {
        job_uncharge(job, JOB_OBJECTS, 1);
        object_put(&job->object);
    }
}

/* The last reference is gone: by type, at once or through the reaper. */
static void object_destroy(struct object *object) {
    switch ((enum object_type)__builtin_expect(object->type, OBJECT_EVENT)) {
    case OBJECT_VMO:
    case OBJECT_SPACE:
    case OBJECT_PROCESS:
    case OBJECT_CHANNEL:
        reaper_add(object);
        return;
    case OBJECT_THREAD:
        thread_destroy(container_of(object, struct thread, object));
        return;
    case OBJECT_PORT:
        port_destroy(container_of(object, struct port, object));
        return;
    case OBJECT_EVENT:
        event_destroy(container_of(object, struct event, object));
        return;
    case OBJECT_TIMER:
        timer_destroy(container_of(object, struct timer, object));
        return;
    case OBJECT_INTERRUPT:
        interrupt_destroy(container_of(object, struct interrupt, object));
        return;
    case OBJECT_RESOURCE:
        object_free(object, sizeof(struct resource));
        return;
    case OBJECT_JOB:
        job_destroy(container_of(object, struct job, object));
        return;
    case OBJECT_NONE:
    case OBJECT_TYPES:
        break;
    }
    panic("object %lx freed twice", (uintptr_t)object);
}

void object_put(struct object *object) {
    if (object_drop(object))
        object_destroy(object);
}

void object_unuse(void) {
    struct object *object = object_retract();
    if (object)
        object_put(object);
}

void reaper_add(struct object *object) {
    struct cpu *cpu = cpu_self();
    object->reap_next = NULL;
    if (cpu->reap_last)
        cpu->reap_last->reap_next = object;
    else
        cpu->reap_first = object;
    cpu->reap_last = object;
    cpu->reap_for = cpu->thread;
    cpu_work_add(cpu, WORK_REAP);
}

static bool object_reap_step(struct object *object) {
    if (object->type == OBJECT_VMO)
        return vmo_destroy_step(container_of(object, struct vmo, object));
    if (object->type == OBJECT_SPACE)
        return space_destroy_step(container_of(object, struct space, object));
    if (object->type == OBJECT_CHANNEL)
        return channel_reap_step(container_of(object, struct channel, object));
    if (object->type == OBJECT_JOB)
        return job_kill_step(container_of(object, struct job, object));
    return process_reap_step(container_of(object, struct process, object));
}

void reaper_step(struct cpu *cpu) {
    struct object *object = cpu->reap_first;
    if (!object)
        return;
    /* Out of the queue first: the step may queue what this object held. */
    cpu->reap_first = object->reap_next;
    if (!cpu->reap_first)
        cpu->reap_last = NULL;
    if (!object_reap_step(object)) {
        object->reap_next = cpu->reap_first;
        cpu->reap_first = object;
        if (!cpu->reap_last)
            cpu->reap_last = object;
    }
    if (cpu->reap_first)
        cpu_work_add(cpu, WORK_REAP);
}
