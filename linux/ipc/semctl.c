/* semctl, and /proc/sysvipc/sem. */
#include "linux/heap.h"
#include "linux/ipc/sem.h"
#include "linux/ipc/sem_set.h"
#include "linux/platform.h"
#include "linux/syscalls.h"

enum { SEMUSZ = 20, SEMAEM = SEMVMX };

static int64_t info_tell(uint32_t command, uint64_t to) {
    struct seminfo info = {.semmap = SEMMNS,
                           .semmni = (int32_t)sem_limits.semmni,
                           .semmns = (int32_t)sem_limits.semmns,
                           .semmnu = SEMMNS,
                           .semmsl = (int32_t)sem_limits.semmsl,
                           .semopm = (int32_t)sem_limits.semopm,
                           .semume = SEMOPM,
                           .semusz = SEMUSZ,
                           .semvmx = SEMVMX,
                           .semaem = SEMAEM};
    mutex_lock(&sem_sets.lock);
    int64_t last = ipc_last_index(&sem_sets);
    if (command == SEM_INFO) {
        info.semusz = (int32_t)sem_sets.used;
        info.semaem = (int32_t)sem_sets_total;
    }
    mutex_unlock(&sem_sets.lock);
    return guest_copy_out(to, &info, sizeof(info)) ? -EFAULT : last;
}

static void set_describe(const struct ipc_object *object, union ipc_state *state) {
    const struct sem_set *set = container_of(object, const struct sem_set, object);
    state->set.operation_time = set->operation_time;
    state->set.change_time = object->change_time;
    state->set.count = set->count;
}

/* The set, if the caller has the permission. */
static int64_t set_get(int32_t id, uint32_t mode, struct sem_set **set) {
    *set = sem_set_of(ipc_by_id(&sem_sets, id));
    return !*set ? -EINVAL : ipc_permitted(&(*set)->object, mode) ? 0 : -EACCES;
}

static int64_t queue_length(const struct list *queue) {
    int64_t length = 0;
    for (const struct list *at = queue->next; at != queue; at = at->next)
        length++;
    return length;
}

static int64_t one_tell(int32_t id, uint64_t number, uint32_t command) {
    struct sem_set *set;
    mutex_lock(&sem_sets.lock);
    int64_t result = set_get(id, IPC_READ, &set);
    const struct semaphore *semaphore = NULL;
    if (!result && (uint32_t)number >= set->count)
        result = -EINVAL;
    else if (!result)
        semaphore = &set->semaphores[(uint32_t)number];
    if (semaphore)
        result = command == GETVAL    ? semaphore->value
                 : command == GETPID  ? semaphore->last
                 : command == GETNCNT ? queue_length(&semaphore->rising)
                                      : queue_length(&semaphore->zero);
    mutex_unlock(&sem_sets.lock);
    return result;
}

/* An array for the values of all; the set may be gone when it is there. */
static int64_t values_make(int32_t id, uint32_t mode, uint16_t **values, uint32_t *count) {
    struct sem_set *set;
    mutex_lock(&sem_sets.lock);
    int64_t result = set_get(id, mode, &set);
    *count = result ? 0 : set->count;
    mutex_unlock(&sem_sets.lock);
    *values = result ? NULL : heap_alloc(*count * sizeof(**values));
    return result ? result : *values ? 0 : -ENOMEM;
}

static int64_t all_tell(int32_t id, uint64_t to) {
    uint16_t *values;
    uint32_t count;
    int64_t result = values_make(id, IPC_READ, &values, &count);
    if (result)
        return result;
    mutex_lock(&sem_sets.lock);
    const struct sem_set *set = sem_set_of(ipc_by_id(&sem_sets, id));
    for (uint32_t i = 0; set && i < count; i++)
        values[i] = (uint16_t)set->semaphores[i].value;
    mutex_unlock(&sem_sets.lock);
    if (!set)
        result = -EIDRM;
    else if (guest_copy_out(to, values, count * sizeof(*values)))
        result = -EFAULT;
    heap_free(values);
    return result;
}

/* Nobody takes back what was done before. */
static void undos_clear(struct sem_set *set, uint32_t first, uint32_t count) {
    struct sem_undo *undo;
    list_for_each(undo, &set->undos, set_link) for (uint32_t i = first; i < first + count; i++)
        undo->adjust[i] = 0;
}

static void assigned(struct sem_set *set, uint32_t first, uint32_t count) {
    undos_clear(set, first, count);
    set->object.change_time = ipc_now();
    sem_settle_from(set, first, count);
}

static int64_t all_set(int32_t id, uint64_t from) {
    uint16_t *values;
    uint32_t count;
    int64_t result = values_make(id, IPC_WRITE, &values, &count);
    if (!result && guest_copy_in(values, from, count * sizeof(*values)))
        result = -EFAULT;
    for (uint32_t i = 0; !result && i < count; i++)
        result = values[i] > SEMVMX ? -ERANGE : 0;
    if (!result) {
        mutex_lock(&sem_sets.lock);
        struct sem_set *set = sem_set_of(ipc_by_id(&sem_sets, id));
        for (uint32_t i = 0; set && i < count; i++)
            sem_assign(set, i, values[i], ipc_caller());
        if (set)
            assigned(set, 0, count);
        mutex_unlock(&sem_sets.lock);
        result = set ? 0 : -EIDRM;
    }
    heap_free(values);
    return result;
}

static int64_t one_set(int32_t id, uint64_t number, int32_t value) {
    if (value < 0 || value > SEMVMX)
        return -ERANGE;
    mutex_lock(&sem_sets.lock);
    struct sem_set *set = sem_set_of(ipc_by_id(&sem_sets, id));
    int64_t result = !set || (uint32_t)number >= set->count    ? -EINVAL
                     : !ipc_permitted(&set->object, IPC_WRITE) ? -EACCES
                                                               : 0;
    if (!result) {
        sem_assign(set, (uint32_t)number, value, ipc_caller());
        assigned(set, (uint32_t)number, 1);
    }
    mutex_unlock(&sem_sets.lock);
    return result;
}

static bool set_remove(struct ipc_object *object) {
    struct sem_set *set = sem_set_of(object);
    ipc_remove(&sem_sets, object);
    sem_sets_total -= set->count;
    sem_set_free(set);
    return false;
}

static const struct ipc_control set_control = {.stat = SEM_STAT,
                                               .stat_any = SEM_STAT_ANY,
                                               .size = sizeof(struct semid64_ds),
                                               .describe = set_describe,
                                               .remove = set_remove};

int64_t sys_semctl(uint64_t id_word, uint64_t number, uint64_t command_word, uint64_t argument) {
    int32_t id = (int32_t)id_word;
    uint32_t command = (uint32_t)command_word;
    if (id < 0)
        return -EINVAL;
    switch (command) {
    case IPC_INFO:
    case SEM_INFO:
        return info_tell(command, argument);
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
        return one_tell(id, number, command);
    case GETALL:
        return all_tell(id, argument);
    case SETALL:
        return all_set(id, argument);
    case SETVAL:
        return one_set(id, number, (int32_t)argument);
    default:
        return ipc_control(&sem_sets, &set_control, id, command, argument);
    }
}

/* ---- /proc/sysvipc/sem ---- */

void sem_show(struct text *text) {
    text_add(text, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    mutex_lock(&sem_sets.lock);
    for (uint32_t i = 0; i < sem_sets.capacity; i++) {
        const struct sem_set *s = sem_set_of(sem_sets.slots[i]);
        if (s)
            text_add(text, "%10d %10d  %4o %10u %5u %5u %5u %5u %10llu %10llu\n", s->object.key, s->object.id,
                     s->object.mode, s->count, s->object.uid, s->object.gid, s->object.cuid, s->object.cgid,
                     (unsigned long long)s->operation_time, (unsigned long long)s->object.change_time);
    }
    mutex_unlock(&sem_sets.lock);
}
