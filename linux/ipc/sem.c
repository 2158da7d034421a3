/*
 * semget, semop, semtimedop, and SEM_UNDO: a task has a list, shared with those it was cloned with by
 * CLONE_SYSVSEM, of the sets on which it has operations to take back. Who shares it last does that when it
 * ends. Locks: sem_sets.lock guards the lists, too; task->sem_undos belongs to the task.
 */
#include "linux/ipc/sem.h"

#include "lib/base/string.h"
#include "linux/heap.h"
#include "linux/ipc/sem_set.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/time.h"

enum { FEW_OPERATIONS = 8 }; /* on the stack */

struct sem_undo_list {
    uint32_t references;
    struct list undos; /* struct sem_undo.list_link, the last used first */
};

struct sem_limits sem_limits = {.semmsl = SEMMSL, .semmns = SEMMNS, .semopm = SEMOPM, .semmni = SEMMNI};
struct ipc_family sem_sets = IPC_FAMILY_INIT(sem_sets, IPC_INDICES);
uint64_t sem_sets_total;

/* ---- semget ---- */

static int64_t set_create(int32_t key, int32_t count, uint32_t flags) {
    if (!count)
        return -EINVAL;
    if (sem_sets_total + (uint32_t)count > sem_limits.semmns || sem_sets.used >= sem_limits.semmni)
        return -ENOSPC;
    struct sem_set *set = heap_zalloc(sizeof(*set) + (uint32_t)count * sizeof(struct semaphore));
    if (!set)
        return -ENOMEM;
    int64_t id = ipc_add(&sem_sets, &set->object, key, flags);
    if (id < 0) {
        heap_free(set);
        return id;
    }
    set->count = (uint32_t)count;
    list_init(&set->undos);
    for (uint32_t i = 0; i < set->count; i++) {
        list_init(&set->semaphores[i].rising);
        list_init(&set->semaphores[i].zero);
    }
    sem_sets_total += set->count;
    return id;
}

int64_t sys_semget(uint64_t key_word, uint64_t count_word, uint64_t flags_word) {
    int32_t key = (int32_t)key_word, count = (int32_t)count_word;
    uint32_t flags = (uint32_t)flags_word;
    struct ipc_object *found;
    if (count < 0 || (uint32_t)count > sem_limits.semmsl)
        return -EINVAL;
    mutex_lock(&sem_sets.lock);
    int64_t result = ipc_find(&sem_sets, key, flags, &found);
    if (!result && !found)
        result = set_create(key, count, flags);
    else if (!result && sem_set_of(found)->count < (uint32_t)count)
        result = -EINVAL;
    else if (!result)
        result = ipc_permitted(found, flags) ? found->id : -EACCES;
    mutex_unlock(&sem_sets.lock);
    return result;
}

/* ---- what is taken back ---- */

static struct sem_undo_list *undo_list(struct task *task) {
    if (!task->sem_undos && (task->sem_undos = heap_zalloc(sizeof(struct sem_undo_list)))) {
        task->sem_undos->references = 1;
        list_init(&task->sem_undos->undos);
    }
    return task->sem_undos;
}

/* The task's entry for a set; NULL: no memory. */
static struct sem_undo *undo_find(struct task *task, struct sem_set *set) {
    struct sem_undo_list *list = undo_list(task);
    struct sem_undo *undo;
    if (!list)
        return NULL;
    list_for_each(undo, &list->undos, list_link) {
        if (undo->set != set)
            continue;
        list_remove(&undo->list_link);
        list_push_front(&list->undos, &undo->list_link);
        return undo;
    }
    undo = heap_zalloc(sizeof(*undo) + set->count * sizeof(undo->adjust[0]));
    if (!undo)
        return NULL;
    undo->set = set;
    list_push_front(&list->undos, &undo->list_link);
    list_push_back(&set->undos, &undo->set_link);
    return undo;
}

static void undo_apply(struct sem_undo *undo, int32_t process) {
    struct sem_set *set = undo->set;
    for (uint32_t i = 0; i < set->count; i++) {
        int32_t value = set->semaphores[i].value + undo->adjust[i];
        if (undo->adjust[i])
            sem_assign(set, i, value < 0 ? 0 : value > SEMVMX ? SEMVMX : value, process);
    }
    sem_settle_from(set, 0, set->count);
    set->operation_time = ipc_now();
}

int sem_undo_share(struct task *child) {
    mutex_lock(&sem_sets.lock);
    child->sem_undos = undo_list(task_current());
    if (child->sem_undos)
        child->sem_undos->references++;
    mutex_unlock(&sem_sets.lock);
    return child->sem_undos ? 0 : -ENOMEM;
}

/* One set at a time: others get the lock in between. False: that was the last. */
static bool undo_next(struct sem_undo_list *list, int32_t process) {
    mutex_lock(&sem_sets.lock);
    struct list *link = list_pop_front(&list->undos);
    if (link) {
        struct sem_undo *undo = list_entry(link, struct sem_undo, list_link);
        undo_apply(undo, process);
        list_remove(&undo->set_link);
        heap_free(undo);
    }
    mutex_unlock(&sem_sets.lock);
    return link;
}

void sem_undo_leave(struct task *task) {
    struct sem_undo_list *list = task->sem_undos;
    if (!list)
        return;
    task->sem_undos = NULL;
    mutex_lock(&sem_sets.lock);
    bool last = !--list->references;
    mutex_unlock(&sem_sets.lock);
    if (!last)
        return;
    while (undo_next(list, task->process->pid))
        continue;
    heap_free(list);
}

/* ---- semop ---- */

static int work_check(const struct sem_work *work, const struct sem_set *set) {
    for (uint32_t i = 0; i < work->count; i++)
        if (work->operations[i].number >= set->count)
            return -EFBIG;
    return ipc_permitted(&set->object, work->alters ? IPC_WRITE : IPC_READ) ? 0 : -EACCES;
}

static bool takes_back(const struct sem_work *work) {
    bool found = false;
    for (uint32_t i = 0; i < work->count; i++)
        found |= (work->operations[i].flags & SEM_UNDO) != 0;
    return found;
}

static int64_t work_run(int32_t id, struct sem_work *work, uint64_t deadline) {
    struct sem_set *set = sem_set_of(ipc_by_id(&sem_sets, id));
    if (!set)
        return -EINVAL;
    int64_t result = work_check(work, set);
    if (!result && takes_back(work) && !(work->undo = undo_find(task_current(), set)))
        result = -ENOMEM;
    if (result)
        return result;
    result = sem_perform(set, work);
    if (!result)
        sem_settle(set, work);
    if (result != SEM_BLOCKED)
        return result;
    sem_enqueue(set, work);
    result = ipc_wait(&sem_sets.lock, &work->waiter, deadline);
    return result == -ETIMEDOUT ? -EAGAIN : result ? result : work->waiter.result;
}

static int64_t run(int32_t id, const struct sembuf16 *operations, uint32_t count,
                   const struct timespec64 *timeout) {
    struct sem_work work = {.operations = operations, .count = count, .process = ipc_caller()};
    uint64_t ns = 0, deadline = DEADLINE_NEVER;
    if (id < 0 || (timeout && timespec_to_ns(timeout, &ns)))
        return -EINVAL;
    if (timeout)
        deadline = deadline_after(ns);
    list_init(&work.waiter.link);
    list_init(&work.done_link);
    for (uint32_t i = 0; i < count; i++)
        work.alters |= operations[i].change != 0;
    mutex_lock(&sem_sets.lock);
    int64_t result = work_run(id, &work, deadline);
    mutex_unlock(&sem_sets.lock);
    return result;
}

int64_t sys_semtimedop(uint64_t id, uint64_t from, uint64_t count_word, uint64_t timeout) {
    struct sembuf16 few[FEW_OPERATIONS], *operations = few;
    uint32_t count = (uint32_t)count_word;
    struct timespec64 time;
    if (timeout && guest_copy_in(&time, timeout, sizeof(time)))
        return -EFAULT;
    if (count > sem_limits.semopm)
        return -E2BIG;
    if (!count)
        return -EINVAL;
    if (count > FEW_OPERATIONS && !(operations = heap_alloc(count * sizeof(*operations))))
        return -ENOMEM;
    int64_t result = -EFAULT;
    if (!guest_copy_in(operations, from, count * sizeof(*operations)))
        result = run((int32_t)id, operations, count, timeout ? &time : NULL);
    if (operations != few)
        heap_free(operations);
    return result;
}

int64_t sys_semop(uint64_t id, uint64_t from, uint64_t count) {
    return sys_semtimedop(id, from, count, 0);
}
