/*
 * Futexes: a hash of wait lists. A key is the address within a memory object for shared mappings, within the
 * address space for private ones. The bucket's lock makes "is the value still the expected one, then sleep"
 * atomic against wakers; guest memory is read under it. A waiter leaves its list when woken or, by itself,
 * when it gives up; a requeue moves it to another bucket, so whoever wants to lock "the waiter's bucket"
 * looks again after locking. Two buckets are locked in the order of their addresses. Priority inheritance is
 * not supported (ENOSYS).
 */
#include "linux/task/futex.h"

#include "linux/abi/futex.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"
#include "linux/task/signal.h"
#include "linux/task/time.h"

enum { FUTEX_BUCKETS = 256, SIZE_WORD = 4 };

struct futex_key {
    const void *object; /* struct mm, or what a shared mapping shows */
    uint64_t offset;
};

struct futex_bucket {
    struct mutex lock;
    struct list waiters;
    bool ready;
};

struct futex_waiter {
    struct list link;
    struct futex_key key;
    struct futex_bucket *_Atomic bucket; /* NULL: woken */
    uint32_t bitset;
    handle_t thread;
};

static struct futex_bucket buckets[FUTEX_BUCKETS];

void futex_init(void) {
    for (int i = 0; i < FUTEX_BUCKETS; i++) {
        mutex_init(&buckets[i].lock);
        list_init(&buckets[i].waiters);
    }
}

static struct futex_bucket *bucket_of(const struct futex_key *key) {
    uint64_t hash = ((uint64_t)(uintptr_t)key->object >> 4) ^ (key->offset >> 2);
    return &buckets[(hash * 0x9e3779b97f4a7c15ULL) >> 56];
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b) {
    return a->object == b->object && a->offset == b->offset;
}

static int key_get(struct futex_key *key, uint64_t address, bool shared) {
    if (address % SIZE_WORD)
        return -EINVAL;
    if (address >= GUEST_END)
        return -EFAULT;
    struct mm *mm = task_current()->mm;
    *key = (struct futex_key){mm, address};
    if (!shared)
        return 0;
    struct mm_place place;
    int error = mm_place(mm, address, &place);
    *key = (struct futex_key){place.object, place.offset};
    return error;
}

/* ---- waking ---- */

/* The bucket's lock is held. The waiter's memory may be gone once bucket is NULL. */
static void waiter_wake(struct futex_waiter *waiter) {
    handle_t thread = waiter->thread;
    list_remove(&waiter->link);
    waiter->bucket = NULL;
    thread_unpark(thread);
}

static uint32_t bucket_wake(struct futex_bucket *bucket, const struct futex_key *key, uint32_t count,
                            uint32_t bitset) {
    uint32_t woken = 0;
    struct futex_waiter *waiter, *after;
    list_for_each_safe(waiter, after, &bucket->waiters, link) {
        if (!key_equal(&waiter->key, key) || !(waiter->bitset & bitset))
            continue;
        waiter_wake(waiter);
        if (++woken >= count)
            break;
    }
    return woken;
}

/* Linux wakes one where a count of 0 or less is asked for. */
static uint32_t wake_count(uint64_t value) {
    int32_t count = (int32_t)value;
    return count > 0 ? (uint32_t)count : 1;
}

static int64_t wake_bitset(uint64_t address, bool shared, uint32_t count, uint32_t bitset) {
    struct futex_key key;
    if (!bitset)
        return -EINVAL;
    int error = key_get(&key, address, shared);
    if (error)
        return error;
    struct futex_bucket *bucket = bucket_of(&key);
    mutex_lock(&bucket->lock);
    uint32_t woken = bucket_wake(bucket, &key, count, bitset);
    mutex_unlock(&bucket->lock);
    return woken;
}

int64_t futex_wake(uint64_t address, bool shared, uint32_t count) {
    return wake_bitset(address, shared, count, FUTEX_BITSET_MATCH_ANY);
}

/* ---- waiting ---- */

/* Takes the waiter out of wherever it is; false: it was woken. */
static bool waiter_leave(struct futex_waiter *waiter) {
    for (;;) {
        struct futex_bucket *bucket = waiter->bucket;
        if (!bucket)
            return false;
        mutex_lock(&bucket->lock);
        bool here = waiter->bucket == bucket;
        if (here)
            list_remove(&waiter->link);
        mutex_unlock(&bucket->lock);
        if (here)
            return true;
    }
}

/* 0 woken; -EAGAIN the value differs; -ETIMEDOUT; -EINTR. */
static int wait_once(uint64_t address, bool shared, uint32_t value, uint64_t deadline, uint32_t bitset) {
    struct futex_waiter waiter = {.bitset = bitset, .thread = thread_self()};
    int error = key_get(&waiter.key, address, shared);
    if (error)
        return error;
    struct futex_bucket *bucket = bucket_of(&waiter.key);
    uint32_t found;
    mutex_lock(&bucket->lock);
    error = guest_load32(address, &found);
    if (!error && found != value)
        error = -EAGAIN;
    if (!error) {
        waiter.bucket = bucket;
        list_push_back(&bucket->waiters, &waiter.link);
    }
    mutex_unlock(&bucket->lock);
    if (error)
        return error;
    while (waiter.bucket && !error)
        error = task_wait(NULL, deadline);
    if (!waiter_leave(&waiter))
        return 0;
    return error;
}

enum { RESTART_ADDRESS, RESTART_SHARED, RESTART_VALUE, RESTART_DEADLINE, RESTART_BITSET };

static int64_t wait_run(struct task *task, uint64_t address, bool shared, uint32_t value, uint64_t deadline,
                        uint32_t bitset);

static int64_t wait_restart(struct task *task) {
    const uint64_t *data = task->restart_block.data;
    return wait_run(task, data[RESTART_ADDRESS], data[RESTART_SHARED], (uint32_t)data[RESTART_VALUE],
                    data[RESTART_DEADLINE], (uint32_t)data[RESTART_BITSET]);
}

static int64_t wait_run(struct task *task, uint64_t address, bool shared, uint32_t value, uint64_t deadline,
                        uint32_t bitset) {
    int error = wait_once(address, shared, value, deadline, bitset);
    if (error != -EINTR)
        return error;
    if (deadline == DEADLINE_NEVER)
        return -ERESTARTSYS;
    task->restart_block = (struct restart_block){wait_restart, {address, shared, value, deadline, bitset}};
    return -ERESTART_RESTARTBLOCK;
}

/* ---- requeue and wake-op ---- */

static void lock_two(struct futex_bucket *a, struct futex_bucket *b) {
    if (a > b) {
        struct futex_bucket *swap = a;
        a = b;
        b = swap;
    }
    mutex_lock(&a->lock);
    if (a != b)
        mutex_lock(&b->lock);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b) {
    mutex_unlock(&a->lock);
    if (a != b)
        mutex_unlock(&b->lock);
}

static uint32_t bucket_move(struct futex_bucket *from, const struct futex_key *key, struct futex_bucket *to,
                            const struct futex_key *new_key, uint32_t count) {
    uint32_t moved = 0;
    struct futex_waiter *waiter, *after;
    list_for_each_safe(waiter, after, &from->waiters, link) {
        if (moved >= count)
            break;
        if (!key_equal(&waiter->key, key))
            continue;
        moved++;
        if (key_equal(key, new_key))
            continue;
        list_remove(&waiter->link);
        waiter->key = *new_key;
        waiter->bucket = to;
        list_push_back(&to->waiters, &waiter->link);
    }
    return moved;
}

static int64_t requeue(uint64_t address, uint64_t address2, bool shared, int32_t wake, int32_t move,
                       const uint32_t *expected) {
    struct futex_key key, key2;
    if (wake < 0 || move < 0)
        return -EINVAL;
    int error = key_get(&key, address, shared);
    if (!error)
        error = key_get(&key2, address2, shared);
    if (error)
        return error;
    struct futex_bucket *from = bucket_of(&key), *to = bucket_of(&key2);
    uint32_t found, done = 0;
    lock_two(from, to);
    if (expected) {
        error = guest_load32(address, &found);
        if (!error && found != *expected)
            error = -EAGAIN;
    }
    if (!error) {
        if (wake)
            done = bucket_wake(from, &key, (uint32_t)wake, FUTEX_BITSET_MATCH_ANY);
        done += bucket_move(from, &key, to, &key2, (uint32_t)move);
    }
    unlock_two(from, to);
    return error ? error : (int64_t)done;
}

/* The encoded operation of FUTEX_WAKE_OP on a word; the comparison with the old value decides the second
 * wake. */
static int wake_op_apply(uint64_t address, uint32_t code, bool *second) {
    enum {
        OP_SET,
        OP_ADD,
        OP_OR,
        OP_ANDN,
        OP_XOR,
        OP_SHIFT = 8,
        CMP_EQ = 0,
        CMP_NE,
        CMP_LT,
        CMP_LE,
        CMP_GT,
        CMP_GE
    };
    uint32_t operation = code >> 28 & 0xf, compare = code >> 24 & 0xf;
    int32_t operand = (int32_t)(code << 8) >> 20, against = (int32_t)(code << 20) >> 20;
    if (operation & OP_SHIFT)
        operand = (int32_t)(1U << (operand & 31));
    operation &= ~(uint32_t)OP_SHIFT;
    if (operation > OP_XOR || compare > CMP_GE)
        return -ENOSYS;
    uint32_t old, found, value, argument = (uint32_t)operand;
    int error = guest_load32(address, &old);
    for (;;) {
        if (error)
            return error;
        switch (operation) {
        case OP_SET:
            value = argument;
            break;
        case OP_ADD:
            value = old + argument;
            break;
        case OP_OR:
            value = old | argument;
            break;
        case OP_ANDN:
            value = old & ~argument;
            break;
        default:
            value = old ^ argument;
            break;
        }
        error = guest_exchange32(address, old, value, &found);
        if (!error && found == old)
            break;
        old = found;
    }
    int32_t before = (int32_t)old;
    const bool results[] = {before == against, before != against,
                            before<against, before <= against, before> against, before >= against};
    *second = results[compare];
    return 0;
}

static int64_t wake_op(uint64_t address, uint64_t address2, bool shared, uint32_t count, uint32_t count2,
                       uint32_t code) {
    struct futex_key key, key2;
    bool second = false;
    int error = key_get(&key, address, shared);
    if (!error)
        error = key_get(&key2, address2, shared);
    if (error)
        return error;
    struct futex_bucket *one = bucket_of(&key), *two = bucket_of(&key2);
    int64_t woken = 0;
    lock_two(one, two);
    error = wake_op_apply(address2, code, &second);
    if (!error) {
        woken = bucket_wake(one, &key, count, FUTEX_BITSET_MATCH_ANY);
        if (second)
            woken += bucket_wake(two, &key2, count2, FUTEX_BITSET_MATCH_ANY);
    }
    unlock_two(one, two);
    return error ? error : woken;
}

/* ---- the call ---- */

/* The deadline of a wait: FUTEX_WAIT's timeout is relative, FUTEX_WAIT_BITSET's absolute. */
static int wait_deadline(uint64_t address, uint32_t operation, bool wall, uint64_t *deadline) {
    uint64_t ns;
    *deadline = DEADLINE_NEVER;
    if (!address)
        return 0;
    int error = timespec_in(address, &ns);
    if (error)
        return error;
    *deadline = operation == FUTEX_WAIT ? deadline_after(ns)
                                        : deadline_at(wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, ns);
    return 0;
}

static int64_t wait_call(uint64_t address, uint32_t operation, bool shared, bool wall, uint32_t value,
                         uint64_t timeout, uint32_t bitset) {
    uint64_t deadline;
    int error = wait_deadline(timeout, operation, wall, &deadline);
    if (error)
        return error;
    if (!bitset)
        return -EINVAL;
    return wait_run(task_current(), address, shared, value, deadline, bitset);
}

int64_t sys_futex(uint64_t address, uint64_t operation_word, uint64_t value, uint64_t timeout,
                  uint64_t address2, uint64_t value3) {
    uint32_t operation = (uint32_t)operation_word & (uint32_t)FUTEX_CMD_MASK, expected = (uint32_t)value3;
    bool shared = !(operation_word & FUTEX_PRIVATE_FLAG), wall = operation_word & FUTEX_CLOCK_REALTIME;
    if (wall && operation != FUTEX_WAIT_BITSET && operation != FUTEX_WAIT)
        return -ENOSYS;
    switch (operation) {
    case FUTEX_WAIT:
        return wait_call(address, operation, shared, wall, (uint32_t)value, timeout, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAIT_BITSET:
        return wait_call(address, operation, shared, wall, (uint32_t)value, timeout, (uint32_t)value3);
    case FUTEX_WAKE:
        return futex_wake(address, shared, wake_count(value));
    case FUTEX_WAKE_BITSET:
        return wake_bitset(address, shared, wake_count(value), (uint32_t)value3);
    case FUTEX_REQUEUE:
        return requeue(address, address2, shared, (int32_t)value, (int32_t)timeout, NULL);
    case FUTEX_CMP_REQUEUE:
        return requeue(address, address2, shared, (int32_t)value, (int32_t)timeout, &expected);
    case FUTEX_WAKE_OP:
        return wake_op(address, address2, shared, wake_count(value), wake_count(timeout), (uint32_t)value3);
    default:
        return -ENOSYS;
    }
}

/* ---- robust lists and the end of a task ---- */

int64_t sys_set_robust_list(uint64_t head, uint64_t size) {
    if (size != sizeof(struct robust_list_head64))
        return -EINVAL;
    task_current()->robust_list = head;
    return 0;
}

int64_t sys_get_robust_list(uint64_t tid, uint64_t head_address, uint64_t size_address) {
    mutex_lock(&tasks_lock);
    struct task *task = (int32_t)tid ? task_find((int32_t)tid) : task_current();
    uint64_t head = task ? task->robust_list : 0, size = sizeof(struct robust_list_head64);
    bool allowed = task && (task->process == task_current()->process || task_is_root(task_current()));
    mutex_unlock(&tasks_lock);
    if (!task)
        return -ESRCH;
    if (!allowed)
        return -EPERM;
    if (guest_copy_out(size_address, &size, sizeof(size)))
        return -EFAULT;
    return guest_copy_out(head_address, &head, sizeof(head));
}

/* A lock of the ended task: its owner is marked dead and one waiter woken. */
static void robust_release(struct task *task, uint64_t address, bool pending) {
    uint32_t value, found;
    if (address % SIZE_WORD || guest_load32(address, &value))
        return;
    if (pending && !value) { /* it had unlocked, and may have died before the wake */
        futex_wake(address, true, 1);
        return;
    }
    for (;;) {
        if ((value & FUTEX_TID_MASK) != (uint32_t)task->tid)
            return;
        uint32_t marked = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        if (guest_exchange32(address, value, marked, &found))
            return;
        if (found == value)
            break;
        value = found;
    }
    if (value & FUTEX_WAITERS)
        futex_wake(address, true, 1);
}

static void robust_list_walk(struct task *task) {
    struct robust_list_head64 head;
    if (!task->robust_list || guest_copy_in(&head, task->robust_list, sizeof(head)))
        return;
    uint64_t entry = head.next & ~1ULL, pending = head.pending & ~1ULL, next;
    for (int i = 0; i < ROBUST_LIST_LIMIT && entry != task->robust_list; i++) {
        bool more =
            !guest_copy_in(&next, entry, sizeof(next)); /* before the lock is let go and may be freed */
        if (entry != pending)
            robust_release(task, entry + (uint64_t)head.futex_offset, false);
        if (!more)
            return;
        entry = next & ~1ULL;
    }
    if (pending)
        robust_release(task, pending + (uint64_t)head.futex_offset, true);
}

void futex_task_end(struct task *task) {
    robust_list_walk(task);
    task->robust_list = 0;
    uint64_t address = task->clear_child_tid;
    uint32_t zero = 0;
    task->clear_child_tid = 0;
    if (!address || task->mm->references == 1) /* nobody else could look */
        return;
    if (!guest_copy_out(address, &zero, sizeof(zero)))
        futex_wake(address, true, 1);
}
