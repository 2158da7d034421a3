/* Objects, jobs and the one handle table. See kernel.h. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
#include "lib/keel/call.h"
#include "tests/host/kernel.h"

enum { GENERATION_MASK = 0xfff, INDEX_MASK = (1 << HANDLE_INDEX_BITS) - 1 };

struct slot {
    struct host_object *object;
    uint32_t rights, epoch, generation;
    uint32_t next_free;
};

static struct slot *slots;
static uint32_t slot_count, first_free; /* slot 0 is never used */
static uint64_t object_counts[OBJECT_TYPES], page_total, fail_countdown;
static struct host_job *first_job;
static bool fail_paused;
static pthread_mutex_t lock;

__attribute__((constructor)) static void lock_init(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attributes);
}

void host_lock(void) {
    pthread_mutex_lock(&lock);
}
void host_unlock(void) {
    pthread_mutex_unlock(&lock);
}
pthread_mutex_t *host_mutex(void) {
    return &lock;
}

/* ---- allocation ---- */

void host_fail_allocation(uint64_t n) {
    host_lock();
    fail_countdown = n;
    host_unlock();
}

bool host_allocation_fails(void) {
    host_lock();
    bool fails = !fail_paused && fail_countdown && --fail_countdown == 0;
    host_unlock();
    return fails;
}

void host_fail_pause(bool pause) {
    fail_paused = pause;
}

bool host_charge(struct host_job *job, unsigned quota, uint64_t count) {
    struct host_job *at;
    for (at = job; at; at = at->object.job)
        if (at->limit[quota] && at->used[quota] + count > at->limit[quota])
            return false;
    for (at = job; at; at = at->object.job)
        at->used[quota] += count;
    if (quota == HOST_PAGES)
        page_total += count;
    return true;
}

void host_uncharge(struct host_job *job, unsigned quota, uint64_t count) {
    for (struct host_job *at = job; at; at = at->object.job)
        at->used[quota] -= count;
    if (quota == HOST_PAGES)
        page_total -= count;
}

void *host_object_create(enum object_type type, size_t size, struct host_job *job,
                         void (*destroy)(struct host_object *object)) {
    if (!job)
        job = host_first_job();
    if (host_allocation_fails() || !host_charge(job, HOST_OBJECTS, 1))
        return NULL;
    struct host_object *object = calloc(1, size);
    object->references = 1;
    object->type = type;
    object->job = job;
    object->destroy = destroy;
    host_object_get(&job->object);
    object_counts[type]++;
    return object;
}

void host_object_free(struct host_object *object) {
    object_counts[object->type]--;
    host_uncharge(object->job, HOST_OBJECTS, 1);
    host_object_put(&object->job->object);
    free(object);
}

void host_object_get(struct host_object *object) {
    object->references++;
}

void host_object_put(struct host_object *object) {
    if (--object->references == 0)
        object->destroy(object);
}

struct host_job *host_first_job(void) {
    if (!first_job) {
        first_job = calloc(1, sizeof(*first_job));
        first_job->object.references = 1;
        first_job->object.type = OBJECT_JOB;
    }
    return first_job;
}

uint64_t host_object_count(enum object_type type) {
    return object_counts[type];
}
uint64_t host_page_count(void) {
    return page_total;
}

/* ---- handles ---- */

static uint32_t slot_take(void) {
    if (!first_free) {
        uint32_t count = slot_count ? slot_count * 2 : 64;
        slots = realloc(slots, count * sizeof(*slots));
        memset(slots + slot_count, 0, (count - slot_count) * sizeof(*slots));
        for (uint32_t i = count - 1; i > 0 && i >= slot_count; i--) {
            slots[i].next_free = first_free;
            first_free = i;
        }
        slot_count = count;
    }
    uint32_t index = first_free;
    first_free = slots[index].next_free;
    return index;
}

int64_t host_handle_add(struct host_object *object, uint32_t rights) {
    if (host_allocation_fails()) {
        host_object_put(object);
        return -ENOMEM;
    }
    uint32_t index = slot_take();
    struct slot *slot = &slots[index];
    slot->object = object;
    slot->rights = rights;
    slot->epoch = object->epoch;
    return (int64_t)(index | slot->generation << HANDLE_INDEX_BITS);
}

static struct slot *slot_find(uint64_t handle) {
    uint32_t index = handle & INDEX_MASK;
    if (handle > UINT32_MAX || !index || index >= slot_count)
        return NULL;
    struct slot *slot = &slots[index];
    return slot->object && slot->generation == handle >> HANDLE_INDEX_BITS ? slot : NULL;
}

int host_handle_find(uint64_t handle, enum object_type type, uint32_t rights, struct host_object **object) {
    struct slot *slot = slot_find(handle);
    if (!slot || slot->epoch != slot->object->epoch)
        return -EBADF;
    if (type != OBJECT_NONE && slot->object->type != type)
        return -EINVAL;
    if ((slot->rights & rights) != rights)
        return -EACCES;
    *object = slot->object;
    return 0;
}

int host_find_job(uint64_t handle, uint32_t rights, struct host_job **job) {
    struct host_object *object;
    *job = host_first_job();
    if (!handle)
        return 0;
    int error = host_handle_find(handle, OBJECT_JOB, rights, &object);
    if (!error)
        *job = (struct host_job *)object;
    return error;
}

int64_t keel_handle_close(uint64_t handle) {
    host_lock();
    struct slot *slot = slot_find(handle);
    struct host_object *object = slot ? slot->object : NULL;
    if (slot) {
        slot->object = NULL;
        slot->generation = (slot->generation + 1) & GENERATION_MASK;
        slot->next_free = first_free;
        first_free = (uint32_t)(slot - slots);
        host_object_put(object);
    }
    host_unlock();
    return object ? 0 : -EBADF;
}

int64_t keel_handle_duplicate(uint64_t handle, uint64_t rights) {
    struct host_object *object;
    host_lock();
    int64_t result = host_handle_find(handle, OBJECT_NONE, RIGHT_GRANT, &object);
    if (!result) {
        host_object_get(object);
        result = host_handle_add(object, slot_find(handle)->rights & (uint32_t)rights);
    }
    host_unlock();
    return result;
}

int64_t keel_handle_revoke(uint64_t handle) {
    struct host_object *object;
    host_lock();
    int64_t result = host_handle_find(handle, OBJECT_NONE, RIGHT_REVOKE, &object);
    if (!result)
        slot_find(handle)->epoch = ++object->epoch;
    host_unlock();
    return result;
}

/* ---- jobs ---- */

static void job_destroy(struct host_object *object) {
    host_object_free(object);
}

int64_t host_job_open(uint64_t parent_handle) {
    struct host_job *parent;
    int error = host_find_job(parent_handle, RIGHT_WRITE, &parent);
    if (error)
        return error;
    struct host_job *job = host_object_create(OBJECT_JOB, sizeof(*job), parent, job_destroy);
    return job ? host_handle_add(&job->object, RIGHT_ALL) : -ENOMEM;
}

int64_t keel_job_limit(uint64_t handle, uint64_t pages, uint64_t objects, uint64_t threads, uint64_t share) {
    (void)share;
    struct host_object *object;
    host_lock();
    int error = host_handle_find(handle, OBJECT_JOB, RIGHT_ADMIN, &object);
    if (!error) {
        struct host_job *job = (struct host_job *)object;
        job->limit[HOST_PAGES] = pages;
        job->limit[HOST_OBJECTS] = objects;
        job->limit[HOST_THREADS] = threads;
    }
    host_unlock();
    return error;
}
