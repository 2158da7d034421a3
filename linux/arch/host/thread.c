/* Native threads: making, parking, waking, and the simulation's choice of who runs. See thread.h. */
#include "linux/arch/host/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/keel/call.h"
#include "linux/arch/guest.h"
#include "linux/arch/host/host.h"
#include "linux/loop.h"
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"

#define SECOND_NS 1000000000ULL
enum { IDLE_SECONDS = 60 };

static _Thread_local struct host_thread *self;
static struct list threads = LIST_INIT(threads), pool = LIST_INIT(pool); /* host_lock */
static bool simulated, preemptive;
static uint64_t switches_left, turn;

/* ---- thread objects ---- */

static void thread_destroy(struct host_object *object) {
    (void)object; /* threads are pooled, never freed */
}

static struct host_thread *thread_create(void) {
    struct host_thread *thread = calloc(1, sizeof(*thread));
    pthread_condattr_t attributes;
    thread->object = (struct host_object){.references = 1, .type = OBJECT_THREAD, .destroy = thread_destroy};
    thread->utcb = aligned_alloc(4096, UTCB_SIZE);
    memset(thread->utcb, 0, UTCB_SIZE);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&thread->wake, &attributes);
    list_init(&thread->pool_link);
    host_lock();
    host_fail_pause(true);
    thread->handle = (handle_t)host_handle_add(&thread->object, RIGHT_ALL);
    host_fail_pause(false);
    list_push_back(&threads, &thread->link);
    host_unlock();
    return thread;
}

struct host_thread *host_thread_self(void) {
    if (!self)
        self = thread_create();
    return self;
}

struct host_space *host_attached(void) {
    return host_thread_self()->space;
}

void host_attach(struct host_space *space) {
    struct host_thread *thread = host_thread_self();
    struct host_space *before = thread->space;
    if (space)
        host_object_get(&space->object);
    thread->space = space;
    if (before)
        host_object_put(&before->object);
}

/* ---- the simulation ---- */

void host_simulate(void) {
    simulated = true;
    host_thread_self();
}

bool host_simulated(void) {
    return simulated;
}
void host_seed(uint64_t seed) {
    turn = seed;
    preemptive = simulated && seed & 1;
}

static bool runnable(const struct host_thread *thread) {
    return !thread->waits_for_idle && (!thread->parked || thread->kicked || thread->timed_out);
}

/* Someone who can run, not always the same one; NULL. */
static struct host_thread *pick(void) {
    struct host_thread *thread, *found = NULL;
    unsigned count = 0;
    turn = turn * 6364136223846793005ULL + 1442695040888963407ULL;
    list_for_each(thread, &threads, link) {
        if (runnable(thread) && (turn >> 33) % ++count == 0)
            found = thread;
    }
    return found;
}

/* Moves time on to the next deadline: false when there is none soon. */
static bool advance(void) {
    struct host_thread *thread, *next = NULL;
    list_for_each(thread, &threads, link) {
        if (thread->parked && !thread->waits_for_idle && (!next || thread->deadline < next->deadline))
            next = thread;
    }
    uint64_t now = host_now();
    if (!next || next->deadline > now + IDLE_SECONDS * SECOND_NS)
        return false;
    host_clock_set(next->deadline);
    next->timed_out = true;
    return true;
}

/* The thread in host_run; NULL: it waits for something itself. */
static struct host_thread *driver(void) {
    struct host_thread *thread;
    list_for_each(thread, &threads, link) {
        if (thread->waits_for_idle)
            return thread;
    }
    return NULL;
}

static void check_deadlock(void) {
    struct host_thread *thread;
    list_for_each(thread, &threads, link) {
        if (thread->parked && thread->for_lock && thread->deadline == DEADLINE_NEVER) {
            fprintf(stderr, "host: deadlock: thread %u waits for a lock and nobody can run\n",
                    thread->handle);
            abort();
        }
    }
}

/* Gives the CPU to whoever is next; returns when it is this thread's turn again. */
static void schedule(void) {
    struct host_thread *from = self, *next = NULL, *drives = driver();
    if (switches_left || !drives) {
        switches_left -= switches_left != 0;
        while (!(next = pick()) && advance())
            continue;
        if (!next)
            check_deadlock();
    }
    if (!next)
        next = drives;
    if (!next) {
        fprintf(stderr, "host: every thread waits, the driver too\n");
        abort();
    }
    if (next == from)
        return;
    self = next;
    fiber_switch(&from->fiber, &next->fiber);
}

/* Sometimes, within a call: locks may be held. The driver is never interrupted. */
void host_preempt(void) {
    enum { ONE_IN = 16 };
    if (!preemptive || !self || !self->fiber.run)
        return;
    turn = turn * 6364136223846793005ULL + 1442695040888963407ULL;
    if ((turn >> 33) % ONE_IN == 0)
        schedule();
}

bool host_run(uint64_t most) {
    struct host_thread *thread = host_thread_self();
    switches_left = most;
    thread->waits_for_idle = true;
    schedule();
    thread->waits_for_idle = false;
    return switches_left != 0;
}

void host_yield(void) {
    if (simulated)
        schedule();
}

/* ---- parking ---- */

static void park_simulated(struct host_thread *thread) {
    thread->timed_out = false;
    if (!thread->kicked && thread->deadline != DEADLINE_NEVER && thread->deadline <= host_now())
        thread->timed_out = true;
    thread->parked = true;
    schedule();
    thread->parked = false;
}

static void park_posix(struct host_thread *thread) {
    struct timespec until = {.tv_sec = (time_t)(thread->deadline / SECOND_NS),
                             .tv_nsec = (long)(thread->deadline % SECOND_NS)};
    host_lock();
    while (!thread->kicked) {
        if (thread->deadline == DEADLINE_NEVER)
            pthread_cond_wait(&thread->wake, host_mutex());
        else if (pthread_cond_timedwait(&thread->wake, host_mutex(), &until))
            break;
    }
    host_unlock();
}

int64_t keel_thread_wait(uint64_t deadline) {
    struct host_thread *thread = host_thread_self();
    thread->deadline = deadline;
    if (simulated)
        park_simulated(thread);
    else
        park_posix(thread);
    host_lock();
    bool kicked = thread->kicked;
    thread->kicked = false;
    host_unlock();
    return kicked ? 0 : -ETIMEDOUT;
}

int64_t keel_thread_kick(uint64_t handle) {
    struct host_object *object;
    host_lock();
    int error = host_handle_find(handle, OBJECT_THREAD, RIGHT_SEND, &object);
    if (!error) {
        struct host_thread *thread = (struct host_thread *)object;
        thread->kicked = true;
        pthread_cond_signal(&thread->wake);
    }
    host_unlock();
    return error;
}

int64_t keel_thread_yield(void) {
    host_yield();
    return 0;
}

struct task *task_current(void) {
    return host_thread_self()->task;
}
void host_task_set(struct task *task) {
    host_thread_self()->task = task;
}
handle_t thread_self(void) {
    return host_thread_self()->handle;
}
handle_t host_thread_handle(void) {
    return host_thread_self()->handle;
}

int thread_park(uint64_t deadline) {
    struct host_thread *thread = host_thread_self();
    if (thread->kick_kept) {
        thread->kick_kept = false;
        return 0;
    }
    return keel_thread_wait(deadline) ? -ETIMEDOUT : 0;
}

int thread_park_inside(uint64_t deadline) {
    struct host_thread *thread = host_thread_self();
    thread->for_lock = true;
    int64_t error = keel_thread_wait(deadline);
    thread->for_lock = false;
    if (error)
        return -ETIMEDOUT;
    thread->kick_kept = true;
    return 0;
}

void thread_unpark(handle_t thread) {
    keel_thread_kick(thread);
}

/* ---- the pool ---- */

/* Tests of a part of the personality have neither. */
#pragma weak guest_loop
#pragma weak host_guest_run

static void serve(struct host_thread *thread) {
    struct task *task = thread->next_task;
    thread->task = task;
    thread->next_task = NULL;
    keel_guest_attach(task->mm->space);
    guest_loop(task);
    keel_guest_attach(0);
    thread->task = NULL;
}

static void thread_main(void *argument) {
    struct host_thread *thread = argument;
    self = thread;
    for (;;) {
        while (!__atomic_load_n(&thread->assigned, __ATOMIC_ACQUIRE))
            keel_thread_wait(DEADLINE_NEVER);
        __atomic_store_n(&thread->assigned, false, __ATOMIC_RELAXED);
        thread->kick_kept = false;
        if (thread->next_task)
            serve(thread);
        else
            thread->run(thread->argument);
        host_lock();
        list_push_front(&pool, &thread->pool_link);
        host_unlock();
    }
}

static void *posix_main(void *argument) {
    thread_main(argument);
    return NULL;
}

static struct host_thread *thread_take(void) {
    pthread_t posix;
    if (host_allocation_fails())
        return NULL;
    host_lock();
    struct list *node = list_pop_front(&pool);
    host_unlock();
    if (node)
        return list_entry(node, struct host_thread, pool_link);
    struct host_thread *thread = thread_create();
    if (simulated)
        fiber_start(&thread->fiber, thread_main, thread);
    else if (!pthread_create(&posix, NULL, posix_main, thread))
        pthread_detach(posix);
    else
        abort();
    return thread;
}

static void thread_release(struct host_thread *thread) {
    __atomic_store_n(&thread->assigned, true, __ATOMIC_RELEASE);
    keel_thread_kick(thread->handle);
}

static void thread_give_back(struct host_thread *thread) {
    thread->next_task = NULL;
    host_lock();
    list_push_front(&pool, &thread->pool_link);
    host_unlock();
}

int thread_spawn(void (*run)(void *argument), void *argument, handle_t *handle) {
    struct host_thread *thread = thread_take();
    if (!thread)
        return -EAGAIN;
    thread->next_task = NULL;
    thread->run = run;
    thread->argument = argument;
    if (handle)
        *handle = thread->handle;
    thread_release(thread);
    return 0;
}

/* ---- for fork ---- */

int task_thread_take(struct task *child, const struct guest_start *start) {
    struct host_thread *parent = host_thread_self(), *thread = thread_take();
    if (!thread)
        return -EAGAIN;
    thread->fs_base = start->set_fs ? start->fs_base : parent->fs_base;
    thread->gs_base = parent->gs_base;
    memcpy(thread->vector_image, parent->vector_image, sizeof(thread->vector_image));
    thread->utcb->guest = start->registers;
    thread->program = parent->child_program;
    thread->program_argument = parent->child_argument;
    thread->guest_started = false;
    thread->next_task = child;
    child->thread = thread->handle;
    child->utcb = thread->utcb;
    child->thread_state = thread;
    return 0;
}

int task_thread_place(const struct task *task, uint32_t level, uint64_t cpus) {
    (void)task, (void)level, (void)cpus;
    return 0;
}
void task_thread_start(struct task *child) {
    thread_release(child->thread_state);
}
void task_thread_return(struct task *child) {
    thread_give_back(child->thread_state);
}

uint64_t task_thread_time(const struct task *task) {
    (void)task;
    return host_now() / 2;
}

/* ---- guest mode ---- */

int64_t keel_guest_attach(uint64_t handle) {
    struct host_object *object = NULL;
    int error = 0;
    host_lock();
    if (handle)
        error = host_handle_find(handle, OBJECT_SPACE, RIGHT_MEMORY, &object);
    if (!error)
        host_attach((struct host_space *)object);
    host_unlock();
    return error;
}

int64_t guest_run(uint64_t flags) {
    struct host_thread *thread = host_thread_self();
    host_yield();
    if (!thread->space)
        return -EINVAL;
    host_lock();
    bool kicked = thread->kicked;
    thread->kicked = false;
    host_unlock();
    return kicked ? GUEST_KICK : host_guest_run(thread, flags);
}

uint64_t guest_fs_base(void) {
    return host_thread_self()->fs_base;
}
uint64_t guest_gs_base(void) {
    return host_thread_self()->gs_base;
}

void guest_bases_set(uint64_t fs, uint64_t gs) {
    host_thread_self()->fs_base = fs;
    host_thread_self()->gs_base = gs;
}
