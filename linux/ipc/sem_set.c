/* Sets of semaphores: doing operations, and those that waited for them (sem_set.h). */
#include "linux/ipc/sem_set.h"

#include "linux/heap.h"
#include "linux/platform.h"

enum { SEMAEM = SEMVMX };

/* ---- all operations of a call, or none ---- */

static int step(struct semaphore *semaphore, const struct sembuf16 *operation, int16_t *adjust) {
    int32_t value = semaphore->value + operation->change;
    if (value < 0 || (!operation->change && value))
        return operation->flags & IPC_NOWAIT ? -EAGAIN : SEM_BLOCKED;
    if (value > SEMVMX)
        return -ERANGE;
    if (operation->flags & SEM_UNDO) {
        int32_t change = *adjust - operation->change;
        if (change < -SEMAEM - 1 || change > SEMAEM)
            return -ERANGE;
        *adjust = (int16_t)change;
    }
    semaphore->value = value;
    return 0;
}

static int16_t *adjust_of(const struct sem_work *work, const struct sembuf16 *operation) {
    return operation->flags & SEM_UNDO ? &work->undo->adjust[operation->number] : NULL;
}

static void step_back(struct sem_set *set, const struct sem_work *work, const struct sembuf16 *operation) {
    set->semaphores[operation->number].value -= operation->change;
    if (operation->flags & SEM_UNDO)
        *adjust_of(work, operation) = (int16_t)(*adjust_of(work, operation) + operation->change);
}

int sem_perform(struct sem_set *set, struct sem_work *work) {
    const struct sembuf16 *all = work->operations;
    for (uint32_t i = 0; i < work->count; i++) {
        int result = step(&set->semaphores[all[i].number], &all[i], adjust_of(work, &all[i]));
        if (!result)
            continue;
        work->blocker = &all[i];
        while (i--)
            step_back(set, work, &all[i]);
        return result;
    }
    for (uint32_t i = 0; i < work->count; i++)
        set->semaphores[all[i].number].last = work->process;
    set->operation_time = ipc_now();
    return 0;
}

/* ---- those that wait ---- */

static struct list *queue_of(struct sem_set *set, const struct sem_work *work) {
    struct semaphore *semaphore = &set->semaphores[work->blocker->number];
    return work->blocker->change ? &semaphore->rising : &semaphore->zero;
}

/* What changes nothing goes first, then what came first. */
static bool goes_before(const struct sem_work *work, const struct sem_work *other) {
    return work->alters != other->alters ? !work->alters : work->turn < other->turn;
}

static void queue_enter(struct sem_set *set, struct sem_work *work) {
    struct list *queue = queue_of(set, work), *at = queue;
    while (at->prev != queue && goes_before(work, list_entry(at->prev, struct sem_work, waiter.link)))
        at = at->prev;
    list_insert_before(at, &work->waiter.link);
}

void sem_enqueue(struct sem_set *set, struct sem_work *work) {
    work->turn = ++set->turn;
    work->waiter.thread = thread_self();
    queue_enter(set, work);
}

/* Tries those that wait in a queue; `done` gets the ones whose operations were done. */
static void queue_retry(struct sem_set *set, struct list *queue, struct list *done) {
    struct sem_work *work, *after;
    list_for_each_safe(work, after, queue, waiter.link) {
        int result = sem_perform(set, work);
        if (result == SEM_BLOCKED) {
            if (queue_of(set, work) != queue) {
                list_remove(&work->waiter.link);
                queue_enter(set, work);
            }
            continue;
        }
        ipc_finish(&work->waiter, result);
        if (!result)
            list_push_back(done, &work->done_link);
    }
}

/* Whether a change of a semaphore may let somebody go on who waits for zero: at another value, that is one
 * whose own operations before would bring it there. Those are behind the others. */
static bool zero_may_go(const struct semaphore *semaphore) {
    const struct list *zero = &semaphore->zero;
    return !list_empty(zero) &&
           (!semaphore->value || list_entry(zero->prev, struct sem_work, waiter.link)->alters);
}

static void work_follow(struct sem_set *set, const struct sem_work *work, struct list *done) {
    const struct sembuf16 *all = work->operations;
    if (!work->alters)
        return;
    for (uint32_t i = 0; i < work->count; i++)
        if (all[i].change && zero_may_go(&set->semaphores[all[i].number]))
            queue_retry(set, &set->semaphores[all[i].number].zero, done);
    for (uint32_t i = 0; i < work->count; i++)
        if (all[i].change > 0)
            queue_retry(set, &set->semaphores[all[i].number].rising, done);
}

/* The memory of finished work is its waiter's, who needs the family's lock to go on. */
static void done_follow(struct sem_set *set, struct list *done) {
    struct list *link;
    while ((link = list_pop_front(done)))
        work_follow(set, list_entry(link, struct sem_work, done_link), done);
}

void sem_settle(struct sem_set *set, struct sem_work *work) {
    struct list done = LIST_INIT(done);
    work_follow(set, work, &done);
    done_follow(set, &done);
}

/* ---- values set ---- */

void sem_assign(struct sem_set *set, uint32_t number, int32_t value, int32_t process) {
    set->semaphores[number].value = value;
    set->semaphores[number].last = process;
}

void sem_settle_from(struct sem_set *set, uint32_t first, uint32_t count) {
    struct list done = LIST_INIT(done);
    for (uint32_t i = first; i < first + count; i++)
        if (zero_may_go(&set->semaphores[i]))
            queue_retry(set, &set->semaphores[i].zero, &done);
    for (uint32_t i = first; i < first + count; i++)
        if (set->semaphores[i].value)
            queue_retry(set, &set->semaphores[i].rising, &done);
    done_follow(set, &done);
}

/* ---- the end ---- */

static void queue_end(struct list *queue) {
    while (!list_empty(queue))
        ipc_finish(list_entry(queue->next, struct ipc_waiter, link), -EIDRM);
}

void sem_set_free(struct sem_set *set) {
    struct list *link;
    for (uint32_t i = 0; i < set->count; i++) {
        queue_end(&set->semaphores[i].rising);
        queue_end(&set->semaphores[i].zero);
    }
    while ((link = list_pop_front(&set->undos))) {
        struct sem_undo *undo = list_entry(link, struct sem_undo, set_link);
        list_remove(&undo->list_link);
        heap_free(undo);
    }
    heap_free(set);
}
