/* See thread.h. */
#include "kernel/thread.h"

#include "kernel/arch_cpu.h"
#include "kernel/guest.h"
#include "kernel/job.h"
#include "kernel/kmem.h"
#include "kernel/process.h"
#include "kernel/realtime.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/vmo.h"

/* Two pinned pages, mapped in the process and known to the kernel by their place in the direct map. */
static int utcb_create(struct thread *thread, struct space *space, uint64_t address) {
    int error = vmo_create(thread->process->object.job, UTCB_SIZE, VMO_PINNED, &thread->utcb_vmo);
    if (error)
        return error;
    bool exclusive;
    const struct vmo_node *leaf = vmo_tree_find(&thread->utcb_vmo->tree, 0, &exclusive);
    struct utcb *utcb = page_virt(leaf->slots[0].page);
    thread->utcb = utcb;
    thread->utcb_message = page_virt(leaf->slots[1].page);
    utcb->self = address;
    utcb->clock = machine.clock;
    for (unsigned i = 0; i < UTCB_ANSWERS; i++)
        utcb->answers[i] = ANSWER_NONE;
    object_get(&thread->utcb_vmo->object);
    return space_map(space, address, thread->utcb_vmo, 0, UTCB_SIZE, MAP_READ | MAP_WRITE);
}

/* The vector stays 0: the thread is resumed by IRET, which defines all registers. */
static void frame_init(struct frame *frame, uint64_t entry, uint64_t stack, uint64_t argument) {
    frame->rip = entry;
    frame->rsp = stack;
    frame->rdi = argument;
    frame->cs = USER_CS;
    frame->ss = USER_SS;
    frame->rflags = FLAG_IF | FLAG_FIXED;
}

static void thread_init(struct thread *thread, struct process *process, const struct space *space,
                        uint64_t utcb_address) {
    object_get(&process->object);
    thread->process = process;
    thread->state = THREAD_CREATED;
    thread->level = thread->own_level = thread->base_level = LEVEL_NEW;
    thread->lent_level = LEVELS;
    lock_init(&thread->lock, LOCK_RANK_THREAD);
    thread->affinity = machine.cpu_count == 64 ? UINT64_MAX : (1ULL << machine.cpu_count) - 1;
    thread_hand_over_set(thread);
    thread->cpu = cpu_self()->index;
    thread->alarm.kind = ALARM_THREAD;
    thread->gs_base = thread->utcb_address = utcb_address;
    thread->unified_root = space->root;
    list_init(&thread->queue_link);
    list_init(&thread->wait_link);
    list_init(&thread->process_link);
}

/* Joins the process, with vector state and UTCB. What was made goes with the thread's last reference. */
static int thread_complete(struct thread *thread, struct space *space, uint64_t utcb_address) {
    thread->fpu = kmem_alloc(machine.fpu_size);
    if (!thread->fpu)
        return -ENOMEM;
    fpu_init(thread->fpu);
    int error = utcb_create(thread, space, utcb_address);
    if (!error && !process_join(thread->process, thread))
        error = -ESRCH;
    return error;
}

static struct thread *thread_alloc(struct job *job) {
    if (!job_charge(job, JOB_THREADS, 1))
        return NULL;
    struct thread *thread = object_create(OBJECT_THREAD, sizeof(*thread), job);
    if (!thread)
        job_uncharge(job, JOB_THREADS, 1);
    return thread;
}

int thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
                  uint64_t utcb_address, struct thread **made) {
    if (entry >= USER_LIMIT || stack > USER_LIMIT || utcb_address >= USER_LIMIT - UTCB_SIZE ||
        utcb_address % PAGE_SIZE)
        return -EINVAL;
    struct space *space = process_space(process); /* held: the process may die meanwhile */
    if (!space)
        return -ESRCH;
    struct thread *thread = thread_alloc(process->object.job);
    int error = -ENOMEM;
    if (thread) {
        thread_init(thread, process, space, utcb_address);
        frame_init(&thread->native, entry, stack, argument);
        error = thread_complete(thread, space, utcb_address);
    }
    if (thread && error)
        object_put(&thread->object);
    object_put(&space->object);
    *made = thread;
    return error;
}

void thread_start(struct thread *thread) {
    object_get(&thread->object); /* its own, until it has ended */
    sched_start(thread);
}

void thread_destroy(struct thread *thread) {
    struct job *job = thread->process->object.job;

    if (thread->utcb_vmo)
        object_put(&thread->utcb_vmo->object);
    if (thread->unfinished)
        object_put(thread->unfinished);
    if (thread->fpu)
        kmem_free(thread->fpu, machine.fpu_size);
    job_uncharge(job, JOB_THREADS, 1);
    struct process *process = thread->process;
    object_free(&thread->object, sizeof(*thread));
    object_put(&process->object);
}

void thread_kill(struct thread *thread) {
    thread->dying = 1;
    wait_cancel(thread, 0, -ECANCELED);
    /* One that is switched to later looks at dying then; one that a call is handed to runs before it is
     * on_cpu. */
    if (!thread->on_cpu && thread->state != THREAD_RUNNING)
        return;
    cpu_wake(machine.cpus[thread->cpu], WORK_RESCHEDULE);
}

/* Unmaps the UTCB, so that a new thread may take its place, and tells user space that the stack is free;
 * nobody cares when the whole process ends. */
static void thread_release_memory(struct thread *thread) {
    uint32_t one = 1;

    if (thread->process->killed)
        return;
    space_unmap(thread->process->space, thread->utcb_address, UTCB_SIZE);
    if (thread->exit_flag)
        user_copy_out(thread->exit_flag, &one, sizeof(one));
}

void thread_end_current(void) {
    struct cpu *cpu = cpu_self();
    struct thread *thread = cpu->thread;

    port_server_ended(thread);
    realtime_set(thread, 0, 0);
    cpu->guest = NULL;
    cpu->tss.frame_top = (uint64_t)(uintptr_t)(&thread->native + 1);
    if (thread->guest_space)
        guest_attach(thread, NULL);
    thread_release_memory(thread);
    spin_lock(&thread->lock);
    thread->state = THREAD_DEAD;
    spin_unlock(&thread->lock);
    process_leave(thread->process, thread);
    cpu_work_add(cpu, WORK_RESCHEDULE);
}
