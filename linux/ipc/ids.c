/* Keys, ids, permissions and waiting of System V IPC (ids.h). */
#include "linux/ipc/ids.h"

#include "lib/base/string.h"
#include "linux/fs/mount.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task.h"

enum { FIRST_CAPACITY = 16, CYCLE = 64, SEQUENCES = 65536, PERMISSIONS = 0777 };

/* ---- the table ---- */

int ipc_find(struct ipc_family *family, int32_t key, uint32_t flags, struct ipc_object **found) {
    *found = NULL;
    if (key == IPC_PRIVATE)
        return 0;
    for (uint32_t i = 0; i < family->capacity && !*found; i++)
        if (family->slots[i] && family->slots[i]->key == key)
            *found = family->slots[i];
    if (*found)
        return (flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL) ? -EEXIST : 0;
    return flags & IPC_CREAT ? 0 : -ENOENT;
}

static int grow(struct ipc_family *family) {
    uint32_t capacity = family->capacity ? 2 * family->capacity : FIRST_CAPACITY;
    struct ipc_object **slots = heap_zalloc(capacity * sizeof(struct ipc_object *));
    if (!slots)
        return -ENOMEM;
    if (family->capacity)
        memcpy(slots, family->slots, family->capacity * sizeof(struct ipc_object *));
    heap_free(family->slots);
    family->slots = slots;
    family->capacity = capacity;
    return 0;
}

/* In turn among half as many again as are in use, and at least CYCLE: the next free one. */
static int32_t next_index(const struct ipc_family *family) {
    uint32_t cycle = family->used + family->used / 2 + 1;
    if (cycle < CYCLE)
        cycle = CYCLE;
    if (cycle > family->most)
        cycle = family->most;
    for (uint32_t i = 1; i <= cycle; i++) {
        uint32_t index = ((uint32_t)(family->last + 1) + i - 1) % cycle;
        if (index >= family->capacity || !family->slots[index])
            return (int32_t)index;
    }
    return -1;
}

int64_t ipc_add(struct ipc_family *family, struct ipc_object *object, int32_t key, uint32_t flags) {
    const struct credentials *who = &task_current()->credentials;
    int32_t index = family->used < family->most ? next_index(family) : -1;
    if (index < 0)
        return -ENOSPC;
    while ((uint32_t)index >= family->capacity)
        if (grow(family))
            return -ENOMEM;
    if (index <= family->last)
        family->sequence = (family->sequence + 1) % SEQUENCES;
    family->last = index;
    family->slots[index] = object;
    family->used++;
    object->key = key;
    object->id = (int32_t)(family->sequence * IPC_INDICES + (uint32_t)index);
    object->uid = object->cuid = who->euid;
    object->gid = object->cgid = who->egid;
    object->mode = flags & PERMISSIONS;
    object->change_time = ipc_now();
    return object->id;
}

void ipc_remove(struct ipc_family *family, struct ipc_object *object) {
    family->slots[object->id % IPC_INDICES] = NULL;
    family->used--;
}

static struct ipc_object *by_index(const struct ipc_family *family, int32_t index) {
    uint32_t slot = (uint32_t)index % IPC_INDICES;
    return index >= 0 && slot < family->capacity ? family->slots[slot] : NULL;
}

struct ipc_object *ipc_by_id(const struct ipc_family *family, int32_t id) {
    struct ipc_object *object = by_index(family, id);
    return object && object->id == id ? object : NULL;
}

int64_t ipc_last_index(const struct ipc_family *family) {
    uint32_t index = family->capacity;
    while (index && !family->slots[index - 1])
        index--;
    return index ? (int64_t)index - 1 : 0;
}

/* ---- who may what ---- */

static bool in_groups(const struct credentials *who, uint32_t group) {
    bool found = who->egid == group;
    for (uint32_t i = 0; i < who->group_count && !found; i++)
        found = who->groups[i] == group;
    return found;
}

bool ipc_permitted(const struct ipc_object *object, uint32_t mode) {
    const struct credentials *who = &task_current()->credentials;
    uint32_t wanted = (mode >> 6 | mode >> 3 | mode) & 7, granted = object->mode;
    if (who->euid == object->uid || who->euid == object->cuid)
        granted >>= 6;
    else if (in_groups(who, object->gid) || in_groups(who, object->cgid))
        granted >>= 3;
    return !(wanted & ~granted) || task_is_root(task_current());
}

int ipc_owned(const struct ipc_family *family, int32_t id, struct ipc_object **object) {
    const struct task *task = task_current();
    uint32_t euid = task->credentials.euid;
    *object = ipc_by_id(family, id);
    if (!*object)
        return -EINVAL;
    return euid == (*object)->uid || euid == (*object)->cuid || task_is_root(task) ? 0 : -EPERM;
}

/* ---- what …ctl tells and takes ---- */

static void describe(const struct ipc_object *object, struct ipc64_perm *perm) {
    *perm = (struct ipc64_perm){
        .key = object->key,
        .uid = object->uid,
        .gid = object->gid,
        .cuid = object->cuid,
        .cgid = object->cgid,
        .mode = object->mode,
        .sequence = (uint16_t)(object->id / IPC_INDICES),
    };
}

static int64_t state_tell(struct ipc_family *family, const struct ipc_control *control, int32_t id,
                          uint32_t command, uint64_t to) {
    bool by_id = command == IPC_STAT;
    union ipc_state state;
    memset(&state, 0, sizeof(state));
    mutex_lock(&family->lock);
    const struct ipc_object *object = by_id ? ipc_by_id(family, id) : by_index(family, id);
    int64_t result = !object ? -EINVAL : by_id ? 0 : object->id;
    if (object && command != control->stat_any && !ipc_permitted(object, IPC_READ))
        result = -EACCES;
    if (result >= 0) {
        control->describe(object, &state);
        describe(object, &state.perm);
    }
    mutex_unlock(&family->lock);
    return result >= 0 && guest_copy_out(to, &state, control->size) ? -EFAULT : result;
}

int ipc_change(struct ipc_object *object, const struct ipc64_perm *perm) {
    if (perm->uid == UINT32_MAX || perm->gid == UINT32_MAX)
        return -EINVAL;
    object->uid = perm->uid;
    object->gid = perm->gid;
    object->mode = (object->mode & ~(uint32_t)PERMISSIONS) | (perm->mode & PERMISSIONS);
    object->change_time = ipc_now();
    return 0;
}

static int64_t state_set(struct ipc_family *family, const struct ipc_control *control, int32_t id,
                         uint64_t from) {
    union ipc_state state;
    struct ipc_object *object;
    if (guest_copy_in(&state, from, control->size))
        return -EFAULT;
    mutex_lock(&family->lock);
    int64_t result = ipc_owned(family, id, &object);
    if (!result)
        result = control->change ? control->change(object, &state) : ipc_change(object, &state.perm);
    mutex_unlock(&family->lock);
    return result;
}

static int64_t object_remove(struct ipc_family *family, const struct ipc_control *control, int32_t id) {
    struct ipc_object *object;
    mutex_lock(&family->lock);
    int64_t result = ipc_owned(family, id, &object);
    bool gone = !result && control->remove(object);
    mutex_unlock(&family->lock);
    if (gone)
        control->release(object);
    return result;
}

int64_t ipc_control(struct ipc_family *family, const struct ipc_control *control, int32_t id,
                    uint32_t command, uint64_t buffer) {
    if (command == IPC_SET)
        return state_set(family, control, id, buffer);
    if (command == IPC_RMID)
        return object_remove(family, control, id);
    if (command == IPC_STAT || command == control->stat || command == control->stat_any)
        return state_tell(family, control, id, command, buffer);
    return -EINVAL;
}

int64_t ipc_now(void) {
    return timestamp_now().seconds;
}

int32_t ipc_caller(void) {
    const struct task *task = task_current();
    return task ? task->process->pid : 0;
}

/* ---- waiting ---- */

void ipc_waiter_add(struct list *waiting, struct ipc_waiter *waiter) {
    waiter->thread = thread_self();
    list_push_back(waiting, &waiter->link);
}

int ipc_wait(struct mutex *lock, struct ipc_waiter *waiter, uint64_t deadline) {
    int error = 0;
    while (!list_empty(&waiter->link) && !error)
        error = task_wait(lock, deadline);
    if (list_empty(&waiter->link))
        return 0;
    list_remove(&waiter->link);
    return error;
}

void ipc_finish(struct ipc_waiter *waiter, int64_t result) {
    list_remove(&waiter->link);
    waiter->result = result;
    thread_unpark(waiter->thread);
}
