// clang-format off
/* sources: kernel/page.c kernel/zone.c kernel/zone_init.c kernel/user_page.c kernel/kmem.c kernel/vmo.c kernel/vmo_tree.c kernel/vmo_copy.c kernel/mapping.c kernel/space.c kernel/space_map.c kernel/fault.c kernel/large.c kernel/arch/x86_64/page_table.c kernel/lock.c kernel/arch/host/machine.c lib/base/tree.c */
// clang-format on
/* flags: -Ikernel/arch/host -Ikernel/variant/release -pthread */
/*
 * The memory code on four CPUs at once (a thread each): snapshots of one Vmo taken, written and dropped
 * everywhere must each keep their own content; spaces and Vmos that all use may be mapped, resized and cloned
 * at the same time; in the end nothing is left. To be run under ThreadSanitizer as well.
 */
#include <pthread.h>
#include <string.h>

#include "abi/errors.h"
#include "kernel/arch/host/machine.h"
#include "kernel/kmem.h"
#include "kernel/space.h"
#include "kernel/vmo.h"
#include "tests/unit/check.h"

enum { CPUS = 4, PAGES = 100, ROUNDS = 4000 };

static struct job *job;
static struct vmo *base, *shared;
static struct space *native, *guest;
static const uint64_t window = 0x40000000 - 100 * PAGE_SIZE;

static unsigned next(unsigned *seed, unsigned below) {
    return (unsigned)rand_r(seed) % below;
}

/* ---- snapshots ---- */

static void lineage_write(struct vmo *vmo, uint64_t *values, unsigned *seed) {
    unsigned page = next(seed, PAGES);
    values[page] = (uint64_t)rand_r(seed) << 8 | host_cpu_index;
    CHECK_EQ(vmo_write_user(vmo, page * PAGE_SIZE + 16, (uintptr_t)&values[page], 8), 8);
}

static void lineage_check(struct vmo *vmo, const uint64_t *values) {
    uint64_t value;
    for (unsigned page = 0; page < PAGES; page++) {
        CHECK_EQ(vmo_read_user(vmo, page * PAGE_SIZE + 16, (uintptr_t)&value, 8), 8);
        CHECK_EQ(value, values[page]);
    }
}

static void *lineage_run(void *argument) {
    host_cpu_index = (unsigned)(uintptr_t)argument;
    unsigned seed = host_cpu_index + 1;
    uint64_t values[PAGES];
    struct vmo *mine = NULL, *copy;

    for (unsigned round = 0; round < ROUNDS; round++) {
        if (!mine || next(&seed, 20) == 0) {
            if (mine)
                object_put(&mine->object);
            CHECK_EQ(vmo_snapshot(base, job, &mine), 0);
            for (unsigned page = 0; page < PAGES; page++)
                values[page] = page;
        }
        if (next(&seed, 5) == 0) {
            CHECK_EQ(vmo_snapshot(mine, job, &copy), 0);
            object_put(&mine->object);
            mine = copy;
        }
        if (next(&seed, 10) == 0) {
            unsigned first = next(&seed, PAGES - 20), result;
            while ((result = (unsigned)vmo_discard(mine, first * PAGE_SIZE, 20 * PAGE_SIZE)) ==
                   (unsigned)-EAGAIN)
                ;
            CHECK_EQ(result, 0);
            memset(&values[first], 0, 20 * sizeof values[0]);
        }
        lineage_write(mine, values, &seed);
        if (round % 8 == 0)
            lineage_check(mine, values);
        machine_reap();
    }
    object_put(&mine->object);
    machine_reap();
    return NULL;
}

/* ---- spaces ---- */

static bool error_expected(int result) {
    return !result || result == -EAGAIN || result == -EFAULT || result == -EACCES || result == -ENXIO ||
           result == -ENOMEM;
}

/* space_map of a Vmo that the test keeps a reference to. */
static int vmo_map(struct space *space, uint64_t address, struct vmo *vmo, uint64_t offset, uint64_t length,
                   unsigned flags) {
    object_get(&vmo->object);
    return space_map(space, address, vmo, offset, length, flags);
}

static void space_step(struct space **mine, unsigned *seed) {
    uint64_t at = window + next(seed, 200) * PAGE_SIZE, length = (1 + next(seed, 60)) * PAGE_SIZE;
    struct space *space = *mine && next(seed, 2) ? *mine : guest;
    unsigned protection = next(seed, 8) | MAP_READ;
    int result = 0;

    switch (next(seed, 12)) {
    case 0:
        result = space_map(space, at, NULL, 0, length, protection | MAP_COPY);
        break;
    case 1:
        result = vmo_map(space, at, shared, next(seed, PAGES) * PAGE_SIZE, length, protection);
        break;
    case 2:
        result = vmo_map(space, at, shared, next(seed, PAGES) * PAGE_SIZE, length, protection | MAP_COPY);
        break;
    case 3:
        result = next(seed, 3) ? 0 : space_unmap(space, at, length);
        break;
    case 4:
        result = (int)space_protect(space, at, length, protection & (MAP_READ | MAP_WRITE));
        result = result > 0 ? 0 : result;
        break;
    case 5:
        result = (int)space_move(space, at, length, window + (300 + next(seed, 100)) * PAGE_SIZE);
        result = result > 0 ? 0 : result;
        break;
    case 6:
        if (*mine)
            object_put(&(*mine)->object);
        *mine = NULL;
        while ((result = space_clone(guest, job, mine)) == -EAGAIN) {
        }
        break;
    case 7:
        result = next(seed, 2) ? vmo_discard(shared, next(seed, PAGES) * PAGE_SIZE, 10 * PAGE_SIZE)
                               : vmo_resize(shared, (1 + next(seed, 2 * PAGES)) * PAGE_SIZE / 2);
        break;
    default:
        for (unsigned i = 0; i < 20 && error_expected(result); i++)
            result = space_fault(space, window + next(seed, 450) * PAGE_SIZE, 1u << next(seed, 3));
    }
    CHECK(error_expected(result));
    machine_reap();
}

static void *space_run(void *argument) {
    host_cpu_index = (unsigned)(uintptr_t)argument;
    unsigned seed = host_cpu_index + 77;
    struct space *mine = NULL;
    for (unsigned round = 0; round < ROUNDS; round++)
        space_step(&mine, &seed);
    if (mine)
        object_put(&mine->object);
    machine_reap();
    return NULL;
}

/* ---- frame ---- */

static uint64_t start(void) {
    if (!host_memory) {
        machine_init_simple(128 << 20);
        machine.root = page_alloc_clear(0);
        page_from_phys(machine.root)->groups = 0;
    }
    for (host_cpu_index = 0; host_cpu_index < CPUS; host_cpu_index++)
        kmem_drain();
    host_cpu_index = 0;
    uint64_t free_pages = page_free_count();
    job = job_create(NULL);
    return free_pages;
}

static void run(void *(*body)(void *)) {
    pthread_t threads[CPUS];
    for (unsigned i = 0; i < CPUS; i++)
        CHECK(!pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)i));
    for (unsigned i = 0; i < CPUS; i++)
        pthread_join(threads[i], NULL);
    host_cpu_index = 0;
}

static void check_nothing_left(uint64_t free_pages) {
    machine_reap();
    CHECK_EQ(job->used[JOB_PAGES], 0);
    CHECK_EQ(job->used[JOB_OBJECTS], 0);
    object_put(&job->object);
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(objects_live[i], 0);
    for (host_cpu_index = 0; host_cpu_index < CPUS; host_cpu_index++)
        kmem_drain();
    host_cpu_index = 0;
    CHECK_EQ(kmem_bytes(), 0);
    CHECK_EQ(page_free_count(), free_pages);
}

TEST(snapshots_on_four_cpus) {
    uint64_t free_pages = start();
    CHECK_EQ(vmo_create(job, PAGES * PAGE_SIZE, 0, &base), 0);
    for (uint64_t page = 0; page < PAGES; page++)
        CHECK_EQ(vmo_write_user(base, page * PAGE_SIZE + 16, (uintptr_t)&page, 8), 8);
    run(lineage_run);
    for (uint64_t page = 0, value; page < PAGES; page++) {
        CHECK_EQ(vmo_read_user(base, page * PAGE_SIZE + 16, (uintptr_t)&value, 8), 8);
        CHECK_EQ(value, page);
    }
    object_put(&base->object);
    check_nothing_left(free_pages);
}

TEST(spaces_on_four_cpus) {
    uint64_t free_pages = start();
    CHECK_EQ(vmo_create(job, PAGES * PAGE_SIZE, 0, &shared), 0);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(space_create_guest(native, job, &guest), 0);
    run(space_run);
    object_put(&guest->object);
    object_put(&native->object);
    object_put(&shared->object);
    check_nothing_left(free_pages);
}

TEST_MAIN();
