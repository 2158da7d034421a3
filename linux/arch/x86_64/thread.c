/*
 * The native threads' pools, and the start of the very first one; see thread.h for a slot's layout. A parked
 * thread serves the next fork. It parks in the pool from which it was taken, which its parent chose by its
 * own slot, while there is room: processes that fork at the same time get back what they had before, with its
 * CPU and its affinity. When all pools are full, further threads end and their slots are used again.
 */
#include "linux/arch/x86_64/thread.h"

#include "abi/objects.h"
#include "abi/start.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/arch/x86_64/vector.h"
#include "linux/device/ipc.h"
#include "linux/heap.h"
#include "linux/lock.h"
#include "linux/loop.h"
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/task.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"

enum { POOLS = 4, POOL_MOST = 4, CACHE_LINE = 64 };

static struct pool {
    _Alignas(CACHE_LINE) struct spin lock;
    _Atomic uint32_t count; /* threads in it; changed with the lock */
    struct list threads;
} pools[POOLS] = {{.threads = LIST_INIT(pools[0].threads)},
                  {.threads = LIST_INIT(pools[1].threads)},
                  {.threads = LIST_INIT(pools[2].threads)},
                  {.threads = LIST_INIT(pools[3].threads)}};

static struct mutex make_lock = MUTEX_INIT(make_lock); /* guards the slots */
static uint32_t slots_used;                            /* slots from here on were never used */
static uint64_t slots_free[THREADS_MOST / 64];         /* bit per used slot that is free and unmapped again */
static uint32_t retired;                               /* the slot that was given up last; 0: none */
static _Atomic uint32_t retired_ended;                 /* the kernel stores 1 once its stack is unused */

enum { LEVEL_NEW = 3, RETIRE_PAUSE_NS = 20000 }; /* of the kernel's scheduler */

extern char image_data[] __attribute__((visibility("hidden"))),
    image_end[] __attribute__((visibility("hidden"))); /* linux.ld */

static char *slot_address(uint32_t slot) {
    return (char *)(LAYOUT_THREADS + (uint64_t)slot * THREAD_STRIDE);
}

static struct native_thread *slot_thread(uint32_t slot) {
    return (struct native_thread *)(slot_address(slot) + THREAD_STACK) - 1;
}

/* Maps and commits a slot's stack, from a thread whose fix-up field is given. The UTCB shares its page table.
 */
static int slot_prepare(uint32_t slot, uint64_t *fixup) {
    char *stack = slot_address(slot) + PAGE_SIZE;
    uint64_t length = THREAD_STACK - PAGE_SIZE;
    if (keel_space_map(0, keel_pointer(stack), 0, 0, length, MAP_READ | MAP_WRITE))
        return -ENOMEM;
    if (!memory_probe(stack, length / PAGE_SIZE, fixup))
        return 0;
    keel_space_unmap(0, keel_pointer(stack), length);
    return -ENOMEM;
}

/* ---- the pool ---- */

static bool pool_push(struct pool *pool, struct native_thread *thread) {
    spin_acquire(&pool->lock);
    bool room = pool->count < POOL_MOST;
    if (room) {
        list_push_front(&pool->threads, &thread->pool_link);
        pool->count++;
    }
    spin_release(&pool->lock);
    return room;
}

static struct native_thread *pool_pop(struct pool *pool) {
    if (!pool->count)
        return NULL;
    spin_acquire(&pool->lock);
    struct list *node = list_pop_front(&pool->threads);
    pool->count -= node != NULL;
    spin_release(&pool->lock);
    return node ? list_entry(node, struct native_thread, pool_link) : NULL;
}

/* False: there are enough. */
static bool pools_put(struct native_thread *thread) {
    for (uint32_t i = 0; i < POOLS; i++)
        if (pool_push(&pools[(thread->pool + i) % POOLS], thread))
            return true;
    return false;
}

/* From the caller's pool, else from another one. */
static struct native_thread *pools_take(uint32_t own) {
    struct native_thread *thread = NULL;
    for (uint32_t i = 0; i < POOLS && !thread; i++)
        thread = pool_pop(&pools[(own + i) % POOLS]);
    return thread;
}

static uint32_t thread_slot(const struct native_thread *thread) {
    return (uint32_t)((keel_pointer(thread) - LAYOUT_THREADS) / THREAD_STRIDE);
}

static void stack_unmap(uint32_t slot) {
    keel_space_unmap(0, keel_pointer(slot_address(slot) + PAGE_SIZE), THREAD_STACK - PAGE_SIZE);
}

static void slot_give_back(uint32_t slot) {
    stack_unmap(slot);
    slots_free[slot / 64] |= 1ULL << slot % 64;
}

/* Ends the calling thread. It cannot unmap its own stack: whoever retires next does that, or takes the slot
 * over. */
static _Noreturn void thread_retire(struct native_thread *self) {
    mutex_lock(&make_lock);
    while (retired && !atomic_load(&retired_ended))
        thread_park_inside(clock_monotonic() + RETIRE_PAUSE_NS);
    if (retired)
        slot_give_back(retired);
    retired = thread_slot(self);
    atomic_store(&retired_ended, 0);
    mutex_unlock(&make_lock);
    heap_free(self->vector_image);
    keel_handle_close(self->handle);
    keel_thread_exit(keel_pointer(&retired_ended));
    __builtin_unreachable();
}

/* ---- what a native thread does ---- */

static void task_serve(struct native_thread *self) {
    struct task *task = self->next_task;
    self->task = task;
    self->next_task = NULL;
    keel_guest_attach(task->mm->space);
    __asm__ volatile("wrfsbase %0" : : "r"(self->fs_base));
    __asm__ volatile("wrgsbase %0" : : "r"(self->gs_base));
    guest_vector_load(self->vector_image);
    guest_loop(task);
    self->task = NULL;
}

_Noreturn void thread_run(struct native_thread *self) {
    for (;;) {
        while (!atomic_load_explicit(&self->assigned, memory_order_acquire))
            keel_thread_wait(DEADLINE_NEVER);
        atomic_store_explicit(&self->assigned, false, memory_order_relaxed);
        self->kick_kept = false;
        if (self->next_task) {
            task_serve(self);
        } else {
            self->run(self->argument);
        }
        if (!pools_put(self))
            thread_retire(self);
    }
}

/* ---- taking one ---- */

/* A slot with its stack in place; make_lock held. False: no memory, or all are in use. */
static bool slot_take(uint32_t *slot) {
    if (retired && atomic_load(&retired_ended)) {
        *slot = retired;
        retired = 0;
        return true;
    }
    *slot = slots_used;
    for (uint32_t i = 0; i < slots_used; i += 64)
        if (slots_free[i / 64]) {
            *slot = i + (uint32_t)__builtin_ctzll(slots_free[i / 64]);
            break;
        }
    if (*slot == THREADS_MOST || slot_prepare(*slot, &native_thread_self()->utcb->fixup_rip))
        return false;
    slots_free[*slot / 64] &= ~(1ULL << *slot % 64);
    slots_used += *slot == slots_used;
    return true;
}

static void thread_init(struct native_thread *thread, uint64_t utcb) {
    memset(thread, 0, sizeof(*thread));
    list_init(&thread->pool_link);
    thread->utcb = (struct utcb *)utcb;
    thread->level = LEVEL_NEW;
    thread->cpus = UINT64_MAX;
}

/* make_lock held. */
static struct native_thread *thread_open(void) {
    uint32_t slot;
    if (!slot_take(&slot))
        return NULL;
    struct native_thread *thread = slot_thread(slot);
    uint64_t utcb = keel_pointer(slot_address(slot) + THREAD_STACK);
    thread_init(thread, utcb);
    int64_t handle =
        keel_thread_create(0, keel_pointer(thread_entry), keel_pointer(thread), keel_pointer(thread), utcb);
    if (handle < 0) {
        slot_give_back(slot);
        return NULL;
    }
    thread->handle = (handle_t)handle;
    return thread;
}

static struct native_thread *thread_make(void) {
    mutex_lock(&make_lock);
    struct native_thread *thread = thread_open();
    mutex_unlock(&make_lock);
    return thread;
}

static struct native_thread *thread_take(void) {
    uint32_t own = thread_slot(native_thread_self()) % POOLS;
    struct native_thread *thread = pools_take(own);
    if (!thread)
        thread = thread_make();
    if (thread)
        thread->pool = own;
    return thread;
}

/* Where it runs, unless it does already. 0 or a negative error. */
static int thread_place(struct native_thread *thread, uint32_t level, uint64_t cpus) {
    enum { SET_LEVEL = 0, SET_CPUS = 1 };
    int64_t error = 0;
    if (thread->level != level && !(error = keel_thread_set(thread->handle, SET_LEVEL, level)))
        thread->level = level;
    if (!error && thread->cpus != cpus && !(error = keel_thread_set(thread->handle, SET_CPUS, cpus)))
        thread->cpus = cpus;
    return (int)error;
}

static void thread_release(struct native_thread *thread) {
    atomic_store_explicit(&thread->assigned, true, memory_order_release);
    keel_thread_kick(thread->handle);
}

static void nothing(void *argument) {
    (void)argument;
}

/* Back to a pool without having run. Where there is no room it runs for nothing, and ends. */
static void thread_put_back(struct native_thread *thread) {
    thread->next_task = NULL;
    if (pools_put(thread))
        return;
    thread->run = nothing;
    thread_release(thread);
}

int thread_spawn(void (*run)(void *argument), void *argument, handle_t *handle) {
    struct native_thread *thread = thread_take();
    if (!thread)
        return -EAGAIN;
    thread_place(thread, LEVEL_NEW, UINT64_MAX);
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
    struct native_thread *thread = thread_take();
    if (!thread)
        return -EAGAIN;
    if (!thread->vector_image)
        thread->vector_image = heap_alloc(guest_vector_size() < PAGE_SIZE ? PAGE_SIZE : guest_vector_size());
    if (!thread->vector_image) {
        thread_put_back(thread);
        return -EAGAIN;
    }
    if (task_current()) {
        guest_vector_save(thread->vector_image);
        __asm__ volatile("rdfsbase %0" : "=r"(thread->fs_base));
        __asm__ volatile("rdgsbase %0" : "=r"(thread->gs_base));
    } else {
        guest_vector_initial(thread->vector_image);
        thread->fs_base = thread->gs_base = 0;
    }
    if (start->set_fs)
        thread->fs_base = start->fs_base;
    thread->utcb->guest = start->registers;
    thread->next_task = child;
    child->thread = thread->handle;
    child->utcb = thread->utcb;
    child->thread_state = thread;
    return 0;
}

int task_thread_place(const struct task *task, uint32_t level, uint64_t cpus) {
    return thread_place(task->thread_state, level, cpus);
}

void task_thread_start(struct task *child) {
    thread_release(child->thread_state);
}

void task_thread_return(struct task *child) {
    thread_put_back(child->thread_state);
}

void task_thread_adopt(struct task *task) {
    struct native_thread *self = native_thread_self();
    task->thread = self->handle;
    task->utcb = self->utcb;
    task->thread_state = self;
    self->task = task;
}

void task_thread_leave(void) {
    native_thread_self()->task = NULL;
}

uint64_t task_thread_time(const struct task *task) {
    const struct native_thread *thread = task->thread_state;
    struct thread_info info = {0};
    if (!thread || keel_object_info(task->thread, keel_pointer(&info), sizeof(info)) < 0)
        return 0;
    return info.cpu_time;
}

/* ---- the first thread ---- */

static struct start_arguments start_arguments;

static void start_run(void *argument) {
    linux_main(argument);
}

/* The kernel gives no handle for a process's first thread, so it makes the main thread and ends. */
_Noreturn void thread_start_first(struct utcb *utcb, uint64_t *stack) {
    if (memory_probe(image_data, (uint64_t)(image_end - image_data) / PAGE_SIZE, &utcb->fixup_rip) ||
        slot_prepare(0, &utcb->fixup_rip))
        keel_process_exit(127);
    struct native_thread *main = slot_thread(0);
    uint64_t main_utcb = keel_pointer(slot_address(0) + THREAD_STACK);
    slots_used = 1;
    thread_init(main, main_utcb);
    main->run = start_run;
    main->argument = &start_arguments;
    start_arguments.count = stack[0];
    start_arguments.texts = (char **)(stack + 1);
    start_arguments.auxiliary = stack + 1 + stack[0] + 1;
    while (*start_arguments.auxiliary++)
        continue;
    int64_t handle =
        keel_thread_create(0, keel_pointer(thread_entry), keel_pointer(main), keel_pointer(main), main_utcb);
    if (handle < 0)
        keel_process_exit(127);
    main->handle = (handle_t)handle;
    clock_start(&utcb->clock);
    memory_start();
    thread_release(main);
    keel_thread_exit(0);
    keel_process_exit(127);
    __builtin_unreachable();
}

struct task *task_current(void) {
    return native_thread_self()->task;
}

void *thread_message(void) {
    return (uint8_t *)native_thread_self()->utcb + PAGE_SIZE;
}

uint32_t *thread_handles(void) {
    return native_thread_self()->utcb->handles;
}

handle_t thread_self(void) {
    return native_thread_self()->handle;
}

int thread_park(uint64_t deadline) {
    struct native_thread *self = native_thread_self();
    if (self->kick_kept) {
        self->kick_kept = false;
        return 0;
    }
    return keel_thread_wait(deadline) ? -ETIMEDOUT : 0;
}

int thread_park_inside(uint64_t deadline) {
    if (keel_thread_wait(deadline))
        return -ETIMEDOUT;
    native_thread_self()->kick_kept = true;
    return 0;
}

void thread_unpark(handle_t thread) {
    keel_thread_kick(thread);
}
