/*
 * The host's machine for unit tests: memory, CPUs (a thread is a CPU), lock checks, failing allocations, and
 * the parts of the kernel that the memory code calls but that are not under test: jobs without a tree,
 * objects with a queue of what is to be destroyed, and a TLB whose flushes are only counted unless the test
 * takes them.
 */
#include "kernel/arch/host/machine.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/event.h"
#include "kernel/kmem.h"
#include "kernel/object_use.h"
#include "kernel/space.h"
#include "kernel/vmo.h"
#include "kernel/zone.h"

unsigned char *host_memory;
uint64_t host_memory_size;
uint64_t host_bad_user;
uint64_t host_allocations, host_fail_at;
uint64_t host_shootdowns;
void (*host_flush)(struct space *space, uint64_t start, uint64_t end);

struct machine machine;

enum { HOST_CPUS = 4 };
static struct memory_cpu cpus[HOST_CPUS];
_Thread_local unsigned host_cpu_index;
static _Thread_local unsigned ranks[8], held;

static void fail(const char *what) {
    fprintf(stderr, "machine: %s\n", what);
    abort();
}

/* ---- processor ---- */

struct memory_cpu *memory_cpu(void) {
    return &cpus[host_cpu_index];
}
struct memory_cpu *memory_cpu_of(unsigned cpu) {
    return cpu < HOST_CPUS ? &cpus[cpu] : NULL;
}

uint64_t tsc_read(void) {
    static _Atomic uint64_t ticks;
    return ++ticks;
}

static size_t user_copy(void *to, const void *from, uint64_t user, size_t length) {
    size_t count = length;
    if (held)
        fail("user memory is touched with a lock held");
    if (host_bad_user && user + length > host_bad_user && user < host_bad_user + PAGE_SIZE)
        count = user < host_bad_user ? host_bad_user - user : 0;
    if (count)
        memcpy(to, from, count);
    return length - count;
}

size_t user_copy_in(void *to, uint64_t from, size_t length) {
    return user_copy(to, (const void *)(uintptr_t)from, from, length);
}

size_t user_copy_out(uint64_t to, const void *from, size_t length) {
    return user_copy((void *)(uintptr_t)to, from, to, length);
}

/* A thread that waits for a lock lets the one that holds it run. */
void tlb_shootdown_poll(void) {
    sched_yield();
}

void tlb_shootdown(struct space *space, uint64_t start, uint64_t end) {
    __atomic_fetch_add(&host_shootdowns, 1, __ATOMIC_RELAXED);
    if (host_flush)
        host_flush(space, start, end);
}

uint64_t tlb_stamp(void) {
    return 1;
}

/* ---- checks ---- */

bool debug_allocation_fails(void) {
    uint64_t count = __atomic_add_fetch(&host_allocations, 1, __ATOMIC_RELAXED);
    return host_fail_at && count == host_fail_at;
}

int64_t debug_fail_nth(uint64_t n) {
    int64_t count = (int64_t)host_allocations;
    host_allocations = 0;
    host_fail_at = n;
    return count;
}

void debug_lock_acquired(unsigned rank) {
    if (!rank)
        fail("a lock has no rank");
    if (held && ranks[held - 1] <= rank)
        fail("lock order");
    if (held == 8)
        fail("too many locks");
    ranks[held++] = rank;
}

void debug_lock_released(unsigned rank) {
    for (unsigned i = held; i-- > 0;) {
        if (ranks[i] != rank)
            continue;
        memmove(&ranks[i], &ranks[i + 1], (--held - i) * sizeof ranks[0]);
        return;
    }
    fail("a lock is released that is not held");
}

unsigned host_locks_held(void) {
    return held;
}
unsigned host_lowest_rank(void) {
    return held ? ranks[held - 1] : UINT32_MAX;
}

/* ---- memory ---- */

static bool room_at(const struct boot_range *range, uint64_t base, uint64_t bytes) {
    return range->kind == BOOT_RANGE_FREE && base < range->base + range->length &&
           range->base + range->length - base >= bytes;
}

/* As the boot path does: above the ISA band if possible. */
static void take_page_array(struct boot_info *info) {
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->ranges[i];
        if (range->kind <= BOOT_RANGE_BOOT && (range->base + range->length) / PAGE_SIZE > info->page_limit)
            info->page_limit = (range->base + range->length) / PAGE_SIZE;
    }
    uint64_t bytes = (info->page_limit * BOOT_PAGE_BYTES + PAGE_SIZE - 1) & -(uint64_t)PAGE_SIZE;
    for (uint64_t lowest = PAGE_LIMIT_ISA; lowest; lowest = lowest == PAGE_SIZE ? 0 : PAGE_SIZE)
        for (uint32_t i = 0; i < info->range_count; i++) {
            struct boot_range *range = &info->ranges[i], whole = *range;
            uint64_t base = range->base > lowest ? range->base : lowest;
            if (!room_at(range, base, bytes))
                continue;
            range->length = base - range->base;
            info->ranges[info->range_count] = whole;
            info->ranges[info->range_count].base = base + bytes;
            info->ranges[info->range_count++].length = whole.base + whole.length - base - bytes;
            info->page_array = base;
            return;
        }
    fail("no room for the metadata");
}

void machine_init(uint64_t bytes, const struct boot_range *ranges, uint32_t count) {
    static struct boot_info info;
    host_memory_size = bytes;
    host_memory = aligned_alloc(2 << 20, bytes);
    memset(host_memory, 0xa5, bytes);
    info.direct_map_end = bytes;
    info.range_count = count;
    memcpy(info.ranges, ranges, count * sizeof *ranges);
    take_page_array(&info);
    machine.page_array = phys_to_virt(info.page_array);
    machine.page_limit = info.page_limit;
    zones_init(&info);
    kmem_init();
}

void machine_init_simple(uint64_t bytes) {
    struct boot_range range = {.base = 0, .length = bytes, .kind = BOOT_RANGE_FREE};
    machine_init(bytes, &range, 1);
}

/* ---- jobs ---- */

bool job_charge(struct job *job, enum job_quota quota, uint64_t count) {
    uint64_t before = atomic_fetch_add(&job->used[quota], count);
    if (before + count <= job->limit[quota])
        return true;
    atomic_fetch_sub(&job->used[quota], count);
    return false;
}

void job_uncharge(struct job *job, enum job_quota quota, uint64_t count) {
    if (atomic_fetch_sub(&job->used[quota], count) < count)
        fail("a job is uncharged below zero");
}

struct job *job_create(struct job *parent) {
    struct job *job = object_create(OBJECT_JOB, sizeof *job, NULL);
    (void)parent;
    if (job)
        for (unsigned i = 0; i < JOB_QUOTAS; i++)
            job->limit[i] = UINT64_MAX;
    return job;
}

/* ---- objects ---- */

_Atomic uint64_t objects_live[16];
static pthread_mutex_t reap_lock = PTHREAD_MUTEX_INITIALIZER;
static struct object *reap_first;

void *object_create(enum object_type type, size_t size, struct job *job) {
    if (job && !job_charge(job, JOB_OBJECTS, 1))
        return NULL;
    struct object *object = kmem_alloc(size);
    if (!object) {
        if (job)
            job_uncharge(job, JOB_OBJECTS, 1);
        return NULL;
    }
    memset(object, 0, size);
    object->type = (uint8_t)type;
    object->references = 1;
    object->job = job;
    if (job)
        object_get(&job->object);
    objects_live[type]++;
    return object;
}

void object_free(struct object *object, size_t size) {
    struct job *job = object->job;
    if (object->references)
        fail("an object is freed that is referenced");
    objects_live[object->type]--;
    object->type = OBJECT_NONE;
    kmem_free(object, size);
    if (job) {
        job_uncharge(job, JOB_OBJECTS, 1);
        object_put(&job->object);
    }
}

static void job_end(struct job *job) {
    for (unsigned i = 0; i < JOB_QUOTAS; i++)
        if (job->used[i])
            fail("a job ends with charges");
    object_free(&job->object, sizeof *job);
}

void object_put(struct object *object) {
    if (held && host_lowest_rank() <= LOCK_RANK_VMO)
        fail("object_put under a lock");
    for (unsigned i = 0; i < held; i++)
        if (ranks[i] >= LOCK_RANK_VMO)
            fail("object_put under a lock");
    if (!object->type || !object->references)
        fail("an object is put once too often");
    if (!object_drop(object))
        return;
    if (object->type == OBJECT_JOB) {
        job_end((struct job *)object);
        return;
    }
    pthread_mutex_lock(&reap_lock);
    object->reap_next = reap_first;
    reap_first = object;
    pthread_mutex_unlock(&reap_lock);
}

void object_unuse(void) {
    struct object *object = object_retract();
    if (object)
        object_put(object);
}

static bool object_reap_step(struct object *object) {
    switch (object->type) {
    case OBJECT_VMO:
        return vmo_destroy_step((struct vmo *)object);
    case OBJECT_EVENT:
        object_free(object, sizeof(struct event));
        return true;
    default:
        return space_destroy_step((struct space *)object);
    }
}

unsigned machine_reap(void) {
    unsigned steps = 0;

    for (;;) {
        pthread_mutex_lock(&reap_lock);
        struct object *object = reap_first;
        if (object)
            reap_first = object->reap_next;
        pthread_mutex_unlock(&reap_lock);
        if (!object)
            return steps;
        do
            steps++;
        while (!object_reap_step(object));
    }
}
