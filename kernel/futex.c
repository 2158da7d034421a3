/*
 * See futex.h. No wake-up is lost: a waiter enters its bucket first and looks at the word afterwards, a waker
 * changes the word first and looks into the bucket afterwards, and taking the bucket's lock is a barrier for
 * both. The word is read without a lock, because the page may have to be brought in.
 */
#include "kernel/futex.h"

#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/space.h"

enum { BUCKET_BITS = 6, BUCKETS = 1 << BUCKET_BITS, WAKE_MOST = 32 };

static struct bucket {
    struct spinlock lock; /* rank OBJECT: guards waiters */
    struct list waiters;  /* threads by wait_link, blocked on their space; their rdi is the address */
} buckets[BUCKETS];

void futex_init(void) {
    for (unsigned i = 0; i < BUCKETS; i++) {
        lock_init(&buckets[i].lock, LOCK_RANK_OBJECT);
        list_init(&buckets[i].waiters);
    }
}

__attribute__((noinline)) static struct bucket *bucket_find(const struct thread *thread, uint64_t address) {
    uint64_t key = (uint64_t)(uintptr_t)thread->process->space ^ address;
    return &buckets[key * 0x9e3779b97f4a7c15ULL >> (64 - BUCKET_BITS)];
}

struct spinlock *futex_lock(const struct thread *thread) {
    return &bucket_find(thread, thread->native.rdi)->lock;
}

/* 0 when the word at the address is as expected, else why not. */
static int word_check(uint64_t address, uint64_t expected) {
    uint32_t words[2]; /* the aligned eight bytes around it: shorter pieces are copied byte by byte */
    if (user_copy_in(words, address & ~7ULL, sizeof(words)))
        return -EFAULT;
    return words[address >> 2 & 1] == (uint32_t)expected ? 0 : -EAGAIN;
}

int64_t futex_wait(uint64_t address, uint64_t expected, uint64_t deadline) {
    struct thread *thread = thread_current();
    struct bucket *bucket = bucket_find(thread, address);

    int error = address % sizeof(uint32_t) ? -EINVAL : word_check(address, expected);
    if (!error && deadline <= clock_now())
        error = -ETIMEDOUT;
    if (error)
        return error;
    spin_lock(&bucket->lock);
    int64_t result = wait_begin(&thread->process->space->object, &bucket->waiters, deadline);
    uint64_t sequence = thread->wait_sequence;
    spin_unlock(&bucket->lock);
    error = word_check(address, expected);
    if (error)
        wait_cancel(thread, sequence, error); /* unless it was woken already */
    return result;
}

int64_t futex_wake(uint64_t address, uint64_t count) {
    struct thread *waiter, *after;
    const struct object *space = &thread_current()->process->space->object;
    struct bucket *bucket = bucket_find(thread_current(), address);
    uint64_t woken = 0;

    if (count > WAKE_MOST)
        count = WAKE_MOST;
    spin_lock(&bucket->lock);
    list_for_each_safe(waiter, after, &bucket->waiters, wait_link) {
        if (woken == count)
            break;
        if (waiter->wait_object != space || waiter->native.rdi != address)
            continue;
        wait_end(waiter, 0);
        woken++;
    }
    spin_unlock(&bucket->lock);
    return (int64_t)woken;
}
