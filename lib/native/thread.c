/*
 * Threads of a native process. Each thread beyond the first owns one region of
 * addresses:
 *
 *     guard page | handler stack, struct posix_thread at its bottom | UTCB
 *
 * A thread that ended leaves its region to a later clone, which unmaps it once the kernel has stored 1 in
 * `gone`.
 */
#define _GNU_SOURCE
#include "lib/native/posix.h"

#include <errno.h>
#include <sched.h>

#include "lib/base/list.h"
#include "lib/native/cpu.h"
#include "lib/native/keel.h"
#include "lib/native/thread.h"

enum { THREAD_STACK = 4 * 4096, THREAD_GUARD = 4096 };
enum { THREAD_REGION = THREAD_GUARD + THREAD_STACK + UTCB_SIZE };

static struct posix_thread first_thread = {.tid = 1};
static struct posix_lock thread_lock;
static struct list dead_threads = LIST_INIT(dead_threads); /* thread_lock */
static uint32_t last_tid = 1;                              /* thread_lock */

struct posix_thread *posix_thread_own(void) {
    uint64_t own = utcb_own()->user[UTCB_USER_THREAD];
    return own ? (struct posix_thread *)own : &first_thread;
}

int64_t posix_gettid(void) {
    return posix_thread_own()->tid;
}

int64_t posix_set_tid_address(uint64_t address) {
    posix_thread_own()->clear_tid = address;
    return posix_gettid();
}

static void thread_free(struct posix_thread *thread) {
    uint64_t region = thread->region;
    if (thread->handle)
        (void)keel_handle_close(thread->handle);
    (void)keel_space_unmap(0, region, THREAD_REGION);
    addresses_give(region, THREAD_REGION);
}

/* Frees the regions of threads that have ended for good. */
static void threads_reap(void) {
    struct posix_thread *thread, *after;
    struct list gone = LIST_INIT(gone);
    posix_lock_take(&thread_lock);
    list_for_each_safe(thread, after, &dead_threads, dead_link) {
        /* Until its creator has stored the handle, the creator still uses the record. */
        if (__atomic_load_n(&thread->gone, __ATOMIC_ACQUIRE) &&
            __atomic_load_n(&thread->handle, __ATOMIC_ACQUIRE)) {
            list_remove(&thread->dead_link);
            list_push_back(&gone, &thread->dead_link);
        }
    }
    posix_lock_release(&thread_lock);
    list_for_each_safe(thread, after, &gone, dead_link) thread_free(thread);
}

/* A region with its handler stack mapped; NULL when memory is short. */
static struct posix_thread *thread_allocate(void) {
    uint64_t region = addresses_take(THREAD_REGION);
    if (region == 0)
        return NULL;
    if (keel_space_map(0, region + THREAD_GUARD, 0, 0, THREAD_STACK, MAP_READ | MAP_WRITE) < 0) {
        addresses_give(region, THREAD_REGION);
        return NULL;
    }
    struct posix_thread *thread = (struct posix_thread *)(region + THREAD_GUARD);
    thread->region = region;
    list_init(&thread->dead_link);
    return thread;
}

static uint32_t tid_next(void) {
    posix_lock_take(&thread_lock);
    uint32_t tid = ++last_tid;
    posix_lock_release(&thread_lock);
    return tid;
}

int64_t posix_clone(const struct posix_frame *frame) {
    uint64_t flags = frame->arguments[0], needed = CLONE_VM | CLONE_THREAD | CLONE_SETTLS;
    if ((flags & needed) != needed || frame->arguments[1] == 0)
        return -ENOSYS;
    threads_reap();
    struct posix_thread *thread = thread_allocate();
    if (!thread)
        return -EAGAIN;
    uint32_t tid = tid_next();
    thread->frame = *frame;
    thread->frame.rsp = frame->arguments[1];
    thread->tls = frame->arguments[4];
    thread->clear_tid = flags & CLONE_CHILD_CLEARTID ? frame->arguments[3] : 0;
    thread->tid = tid;
    if (flags & CLONE_PARENT_SETTID)
        *(uint32_t *)frame->arguments[2] = tid;
    uint64_t stack = thread->region + THREAD_GUARD + THREAD_STACK;
    int64_t handle = keel_thread_create(0, (uint64_t)posix_thread_start, stack, keel_pointer(thread),
                                        stack /* UTCB above it */);
    if (handle < 0) {
        thread_free(thread);
        return -EAGAIN;
    }
    __atomic_store_n(&thread->handle, (handle_t)handle, __ATOMIC_RELEASE);
    return tid;
}

/* Runs first on a new thread's handler stack, which start.S then leaves for the caller's. */
void posix_thread_prepare(struct posix_thread *thread) {
    struct utcb *utcb = utcb_own();
    utcb->posix_entry = keel_pointer(posix_enter);
    utcb->user[UTCB_USER_STACK] = thread->region + THREAD_GUARD + THREAD_STACK;
    utcb->user[UTCB_USER_THREAD] = keel_pointer(thread);
    fs_base_set(thread->tls);
}

_Noreturn void posix_thread_exit(void) {
    struct posix_thread *thread = posix_thread_own();
    uint32_t *clear = (uint32_t *)thread->clear_tid;
    if (clear) {
        __atomic_store_n(clear, 0, __ATOMIC_RELEASE);
        posix_futex_wake(thread->clear_tid, 1);
    }
    uint64_t gone = 0;
    if (thread->region) {
        posix_lock_take(&thread_lock);
        list_push_back(&dead_threads, &thread->dead_link);
        posix_lock_release(&thread_lock);
        gone = keel_pointer(&thread->gone);
    }
    for (;;)
        (void)keel_thread_exit(gone);
}
