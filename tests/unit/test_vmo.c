// clang-format off
/* sources: kernel/page.c kernel/zone.c kernel/zone_init.c kernel/user_page.c kernel/kmem.c kernel/vmo.c kernel/vmo_tree.c kernel/vmo_copy.c kernel/mapping.c kernel/space.c kernel/arch/x86_64/page_table.c kernel/lock.c kernel/arch/host/machine.c lib/base/tree.c */
// clang-format on
/* flags: -Ikernel/arch/host -Ikernel/variant/release -pthread */
/*
 * Memory objects and their snapshots against plain arrays: whatever is written, snapshotted, discarded and
 * resized, each Vmo reads as its array says and holds as many pages as it should; jobs come and go meanwhile;
 * in the end nothing is left and nothing is charged. The same with any single allocation failing.
 */
#include <string.h>

#include "abi/errors.h"
#include "kernel/arch/host/machine.h"
#include "kernel/kmem.h"
#include "kernel/vmo.h"
#include "tests/unit/check.h"

enum { MODEL_PAGES = 150, MODEL_BYTES = MODEL_PAGES * PAGE_SIZE, VMOS = 12, JOBS = 3 };

/* A Vmo and what it holds from byte `base` on; below are only holes. */
static struct {
    struct vmo *vmo;
    uint64_t base, size; /* size counts from base */
    bool present[MODEL_PAGES];
    unsigned char bytes[MODEL_BYTES];
} models[VMOS];
static struct job *jobs[JOBS];
static unsigned char buffer[VMO_COPY_MAX];

static uint64_t start(void) {
    if (!host_memory)
        machine_init_simple(128 << 20);
    kmem_drain();
    return page_free_count();
}

static void check_nothing_left(uint64_t free_pages) {
    machine_reap();
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(objects_live[i], 0);
    CHECK_EQ(kmem_bytes(), 0);
    kmem_drain();
    CHECK_EQ(page_free_count(), free_pages);
}

static struct job *any_job(void) {
    unsigned i = (unsigned)rand() % JOBS;
    if (jobs[i] && rand() % 4 == 0) {
        object_put(&jobs[i]->object);
        jobs[i] = NULL;
    }
    if (!jobs[i])
        jobs[i] = job_create(NULL);
    return jobs[i];
}

static uint64_t random_base(void) {
    static const uint64_t pages[] = {0, 0, 0, 20, 1000, 32767, 1 << 20, 1ULL << 34};
    return pages[rand() % 8] * PAGE_SIZE;
}

static void model_create(unsigned i) {
    memset(&models[i], 0, sizeof models[i]);
    models[i].base = random_base();
    models[i].size = (uint64_t)rand() % MODEL_BYTES;
    CHECK_EQ(vmo_create(any_job(), models[i].base + models[i].size, 0, &models[i].vmo), 0);
}

static void model_drop(unsigned i) {
    object_put(&models[i].vmo->object);
    models[i].vmo = NULL;
    if (rand() % 2)
        machine_reap();
}

static void model_check(unsigned i, uint64_t offset, uint64_t length) {
    struct vmo_info info;
    uint64_t expected = offset >= models[i].size ? 0 : models[i].size - offset;
    expected = expected < length ? expected : length;
    expected = expected < VMO_COPY_MAX ? expected : VMO_COPY_MAX;
    CHECK_EQ(vmo_read_user(models[i].vmo, models[i].base + offset, (uintptr_t)buffer, length), expected);
    CHECK(!memcmp(buffer, models[i].bytes + offset, expected));

    uint64_t pages = 0;
    for (unsigned page = 0; page < MODEL_PAGES; page++)
        pages += models[i].present[page];
    vmo_info(models[i].vmo, &info);
    CHECK_EQ(info.committed, pages);
    CHECK_EQ(info.size, models[i].base + models[i].size);
}

static void model_write(unsigned i) {
    uint64_t offset = (uint64_t)rand() % MODEL_BYTES,
             length = 1 + (uint64_t)rand() % (rand() % 2 ? 100 : 20000);
    uint64_t expected = offset >= models[i].size ? 0 : models[i].size - offset;
    expected = expected < length ? expected : length;
    for (uint64_t at = 0; at < length; at++)
        buffer[at] = (unsigned char)rand();
    CHECK_EQ(vmo_write_user(models[i].vmo, models[i].base + offset, (uintptr_t)buffer, length), expected);
    memcpy(models[i].bytes + offset, buffer, expected);
    for (uint64_t at = offset; at < offset + expected; at += PAGE_SIZE - at % PAGE_SIZE)
        models[i].present[at / PAGE_SIZE] = true;
}

/* Physical address of a page, committed; 0 beyond the end or when memory is exhausted. write: made exclusive.
 */
static uint64_t vmo_page(struct vmo *vmo, uint64_t index, bool write) {
    struct page_list list = {0};
    struct vmo_found found;
    uint64_t physical = 0;

    spin_lock(&vmo->lock);
    if (index < vmo_page_count(vmo)) {
        if (vmo->kind & VMO_KIND_PHYSICAL)
            physical = vmo->base + (index << PAGE_SHIFT);
        else if (!vmo_commit(vmo, index, write, &found, &list))
            physical = page_phys(found.page);
    }
    spin_unlock(&vmo->lock);
    page_list_free(&list);
    return physical;
}

static void model_touch(unsigned i) {
    uint64_t page = (uint64_t)rand() % MODEL_PAGES;
    bool write = rand() % 2, inside = page * PAGE_SIZE < models[i].size;
    uint64_t physical = vmo_page(models[i].vmo, models[i].base / PAGE_SIZE + page, write);
    CHECK_EQ(!!physical, inside);
    if (!inside)
        return;
    models[i].present[page] = true;
    if (write && page * PAGE_SIZE + PAGE_SIZE <= models[i].size) {
        memset(phys_to_virt(physical), page + 1, PAGE_SIZE);
        memset(models[i].bytes + page * PAGE_SIZE, (int)page + 1, PAGE_SIZE);
    }
}

static void model_snapshot(unsigned i, unsigned to) {
    if (models[to].vmo)
        model_drop(to);
    models[to] = models[i];
    CHECK_EQ(vmo_snapshot(models[i].vmo, any_job(), &models[to].vmo), 0);
}

static void model_resize(unsigned i) {
    uint64_t size = rand() % 8 ? (uint64_t)rand() % MODEL_BYTES : 0;
    int result;
    while ((result = vmo_resize(models[i].vmo, models[i].base + size)) == -EAGAIN)
        ;
    CHECK_EQ(result, 0);
    models[i].size = size;
    memset(models[i].bytes + size, 0, MODEL_BYTES - size);
    for (uint64_t page = (size + PAGE_SIZE - 1) / PAGE_SIZE; page < MODEL_PAGES; page++)
        models[i].present[page] = false;
}

static void model_discard(unsigned i) {
    uint64_t first = (uint64_t)rand() % MODEL_PAGES, count = (uint64_t)rand() % (MODEL_PAGES - first + 1);
    int result;
    while ((result = vmo_discard(models[i].vmo, models[i].base + first * PAGE_SIZE, count * PAGE_SIZE)) ==
           -EAGAIN)
        ;
    CHECK_EQ(result, 0);
    memset(models[i].bytes + first * PAGE_SIZE, 0, count * PAGE_SIZE);
    memset(models[i].present + first, 0, count);
}

static void model_step(void) {
    unsigned i = (unsigned)rand() % VMOS;
    if (!models[i].vmo) {
        model_create(i);
        return;
    }
    unsigned what = (unsigned)rand() % 100;
    if (what < 30)
        model_write(i);
    else if (what < 60)
        model_check(i, (uint64_t)rand() % MODEL_BYTES, (uint64_t)rand() % 30000);
    else if (what < 70)
        model_touch(i);
    else if (what < 82)
        model_snapshot(i, (i + 1 + (unsigned)rand() % (VMOS - 1)) % VMOS);
    else if (what < 90)
        model_discard(i);
    else if (what < 96)
        model_resize(i);
    else
        model_drop(i);
}

TEST(random_operations) {
    uint64_t free_pages = start();
    for (unsigned step = 0; step < 20000; step++) {
        model_step();
        if (step % 500 == 0)
            for (unsigned i = 0; i < VMOS; i++)
                if (models[i].vmo)
                    for (uint64_t at = 0; at < MODEL_BYTES; at += VMO_COPY_MAX)
                        model_check(i, at, VMO_COPY_MAX);
    }
    for (unsigned i = 0; i < VMOS; i++)
        if (models[i].vmo)
            model_drop(i);
    machine_reap();
    for (unsigned i = 0; i < JOBS; i++) {
        if (!jobs[i])
            continue;
        CHECK_EQ(jobs[i]->used[JOB_PAGES], 0);
        CHECK_EQ(jobs[i]->used[JOB_OBJECTS], 0);
        object_put(&jobs[i]->object);
        jobs[i] = NULL;
    }
    check_nothing_left(free_pages);
}

TEST(snapshot_costs_nothing_until_written) {
    uint64_t free_pages = start();
    struct job *job = job_create(NULL), *other = job_create(NULL);
    struct vmo *vmo, *copy;
    CHECK_EQ(vmo_create(job, 1000 * PAGE_SIZE, 0, &vmo), 0);
    for (unsigned i = 0; i < 1000; i++)
        CHECK(vmo_page(vmo, i, true));
    CHECK_EQ(job->used[JOB_PAGES], 1000);
    CHECK_EQ(vmo_snapshot(vmo, other, &copy), 0);
    CHECK_EQ(other->used[JOB_PAGES], 0);
    CHECK(vmo_page(copy, 7, true) != vmo_page(vmo, 7, false));
    CHECK_EQ(vmo_page(copy, 8, false), vmo_page(vmo, 8, false));
    CHECK_EQ(other->used[JOB_PAGES], 1);
    object_put(&vmo->object);
    machine_reap();
    CHECK_EQ(job->used[JOB_PAGES], 999);
    /* Alone now: writing copies no more. */
    uint64_t page = vmo_page(copy, 8, false);
    CHECK_EQ(vmo_page(copy, 8, true), page);
    object_put(&job->object);
    object_put(&copy->object);
    CHECK(machine_reap() >= 1000 / VMO_STEP);
    object_put(&other->object);
    check_nothing_left(free_pages);
}

TEST(quota) {
    uint64_t free_pages = start();
    struct job *job = job_create(NULL);
    struct vmo *vmo, *pinned;
    job->limit[JOB_PAGES] = 5;
    CHECK_EQ(vmo_create(job, 100 * PAGE_SIZE, 0, &vmo), 0);
    CHECK_EQ(vmo_write_user(vmo, 100, (uintptr_t)buffer, 10 * PAGE_SIZE), 5 * PAGE_SIZE - 100);
    CHECK_EQ(vmo_write_user(vmo, 5 * PAGE_SIZE, (uintptr_t)buffer, 1), -ENOMEM);
    CHECK_EQ(vmo_page(vmo, 5, false), 0);
    CHECK_EQ(vmo_read_user(vmo, 0, (uintptr_t)buffer, 100 * PAGE_SIZE), VMO_COPY_MAX);
    CHECK_EQ(vmo_discard(vmo, 0, 2 * PAGE_SIZE), 0);
    CHECK_EQ(job->used[JOB_PAGES], 3);
    CHECK_EQ(vmo_create(job, 3 * PAGE_SIZE, VMO_PINNED, &pinned), -ENOMEM);
    object_put(&pinned->object); /* what there is of it */
    machine_reap();
    CHECK_EQ(job->used[JOB_PAGES], 3);
    CHECK_EQ(vmo_create(job, 2 * PAGE_SIZE, VMO_PINNED, &pinned), 0);
    CHECK_EQ(vmo_snapshot(pinned, job, &vmo), -EINVAL);
    CHECK_EQ(vmo_resize(pinned, 0), -EINVAL);
    CHECK_EQ(vmo_discard(pinned, 0, PAGE_SIZE), -EINVAL);
    object_put(&vmo->object);
    object_put(&pinned->object);
    object_put(&job->object);
    check_nothing_left(free_pages);
}

TEST(bad_arguments) {
    uint64_t free_pages = start();
    struct job *job = job_create(NULL);
    struct vmo *vmo;
    CHECK_EQ(vmo_create(job, VMO_SIZE_MAX + 1, 0, &vmo), -EINVAL);
    CHECK_EQ(vmo_create(job, UINT64_MAX, 0, &vmo), -EINVAL);
    CHECK_EQ(vmo_create(job, 1, 2, &vmo), -EINVAL);
    CHECK_EQ(vmo_create(job, VMO_PINNED_MAX + 1, VMO_PINNED, &vmo), -EINVAL);
    CHECK_EQ(vmo_create_physical(job, 1, PAGE_SIZE, false, &vmo), -EINVAL);
    CHECK_EQ(vmo_create_physical(job, 0xffffffffff000, 2 * PAGE_SIZE, false, &vmo), -EINVAL);
    CHECK_EQ(vmo_create_physical(job, -4096ULL, PAGE_SIZE, false, &vmo), -EINVAL);
    CHECK_EQ(vmo_create(job, VMO_SIZE_MAX, 0, &vmo), 0);
    CHECK_EQ(vmo_read_user(vmo, UINT64_MAX, (uintptr_t)buffer, UINT64_MAX), -EINVAL);
    CHECK_EQ(vmo_write_user(vmo, UINT64_MAX - 5, (uintptr_t)buffer, 100), -EINVAL);
    CHECK_EQ(vmo_write_user(vmo, VMO_SIZE_MAX - 5, (uintptr_t)buffer, 100), 5);
    CHECK_EQ(vmo_write_user(vmo, VMO_SIZE_MAX, (uintptr_t)buffer, 100), 0);
    CHECK_EQ(vmo_discard(vmo, 1, PAGE_SIZE), -EINVAL);
    CHECK_EQ(vmo_discard(vmo, 0, -4096ULL), -EINVAL);
    CHECK_EQ(vmo_discard(vmo, 0, 0), 0);
    CHECK_EQ(vmo_discard(vmo, VMO_SIZE_MAX - PAGE_SIZE, 2 * PAGE_SIZE), 0);
    CHECK_EQ(vmo_resize(vmo, UINT64_MAX), -EINVAL);
    CHECK_EQ(vmo_page(vmo, UINT64_MAX, false), 0);
    CHECK_EQ(job->used[JOB_PAGES], 0);
    /* A bad user page in the middle. */
    host_bad_user = ((uintptr_t)buffer + 3 * PAGE_SIZE) & -(uint64_t)PAGE_SIZE;
    CHECK_EQ(vmo_write_user(vmo, 123, (uintptr_t)buffer, sizeof buffer), host_bad_user - (uintptr_t)buffer);
    CHECK_EQ(vmo_read_user(vmo, 123, (uintptr_t)buffer, sizeof buffer), host_bad_user - (uintptr_t)buffer);
    CHECK_EQ(vmo_write_user(vmo, 5, host_bad_user + 5, 100), -EFAULT);
    host_bad_user = 0;
    object_put(&vmo->object);
    object_put(&job->object);
    check_nothing_left(free_pages);
}

/* Pinned memory and blocks come in parts; an end in the middle leaves nothing behind. */
TEST(in_parts) {
    enum { COUNT = 64 };
    uint64_t free_pages = start();
    struct job *job = job_create(NULL);
    for (unsigned block = 0; block < 2; block++)
        for (unsigned most = 0; most < 6; most++) {
            struct vmo *vmo;
            unsigned parts = 1;
            int result = block ? vmo_create_block(job, COUNT * PAGE_SIZE, 0, &vmo)
                               : vmo_create(job, COUNT * PAGE_SIZE - 5, VMO_PINNED, &vmo);
            while (result == -EAGAIN && parts++ < most)
                result = vmo_fill(vmo);
            CHECK_EQ(result, most < 4 ? -EAGAIN : 0);
            if (!result) {
                CHECK_EQ(parts, 4);
                CHECK_EQ(job->used[JOB_PAGES] >= COUNT, 1);
                memset(buffer, 'x', COUNT * PAGE_SIZE - 5);
                CHECK_EQ(vmo_read_user(vmo, 0, (uintptr_t)buffer, COUNT * PAGE_SIZE - 5),
                         COUNT * PAGE_SIZE - 5);
                for (unsigned i = 0; i < COUNT * PAGE_SIZE - 5; i++)
                    CHECK_EQ(buffer[i], 0);
            }
            object_put(&vmo->object);
            machine_reap();
            CHECK_EQ(job->used[JOB_PAGES], 0);
        }
    object_put(&job->object);
    check_nothing_left(free_pages);
}

TEST(physical) {
    uint64_t free_pages = start();
    struct job *job = job_create(NULL);
    struct vmo *vmo;
    CHECK_EQ(vmo_create_physical(job, 0x2000, 0x3000, true, &vmo), 0);
    CHECK_EQ(vmo_page(vmo, 2, true), 0x4000);
    CHECK_EQ(vmo_page(vmo, 3, true), 0);
    CHECK_EQ(vmo_read_user(vmo, 0x1ff0, (uintptr_t)buffer, 0x2000), 0x1010);
    CHECK(!memcmp(buffer, host_memory + 0x3ff0, 0x1010));
    CHECK_EQ(vmo_write_user(vmo, 0, (uintptr_t)buffer, 1), -EINVAL);
    object_put(&vmo->object);
    CHECK_EQ(vmo_create_physical(job, 1ULL << 51, 0x3000, false, &vmo), 0);
    CHECK_EQ(vmo_read_user(vmo, 0, (uintptr_t)buffer, 1), -EINVAL);
    object_put(&vmo->object);
    object_put(&job->object);
    check_nothing_left(free_pages);
}

/* A fixed course of operations, each of which may fail for want of memory; what a failed call should not have
 * changed is checked. */
static bool course(struct job *job) {
    struct vmo *vmo = NULL, *copy = NULL, *pinned = NULL;
    bool good = !vmo_create(job, 300 * PAGE_SIZE, 0, &vmo);
    if (!good)
        return false;
    for (unsigned i = 0; i < 300; i += 7)
        good &= vmo_write_user(vmo, i * PAGE_SIZE, (uintptr_t) "x", 1) == 1;
    if (!vmo_snapshot(vmo, job, &copy)) {
        for (unsigned i = 0; i < 300; i += 5)
            good &= vmo_write_user(copy, i * PAGE_SIZE, (uintptr_t) "y", 1) == 1;
        for (unsigned i = 0; i < 300; i++) {
            char c;
            CHECK_EQ(vmo_read_user(vmo, i * PAGE_SIZE, (uintptr_t)&c, 1), 1);
            CHECK(c == 0 || (c == 'x' && i % 7 == 0));
        }
        good &= !vmo_discard(copy, 10 * PAGE_SIZE, 45 * PAGE_SIZE);
        good &= !vmo_resize(copy, 200 * PAGE_SIZE - 5);
    } else {
        good = false;
    }
    good &= !vmo_discard(vmo, 33 * PAGE_SIZE, 100 * PAGE_SIZE);
    good &= !vmo_resize(vmo, 1ULL << 40);
    good &= vmo_page(vmo, 1ULL << 27, true) != 0;
    good &= !vmo_create(job, 4 * PAGE_SIZE, VMO_PINNED, &pinned);
    object_put(&vmo->object);
    if (copy)
        object_put(&copy->object);
    if (pinned)
        object_put(&pinned->object);
    return good;
}

TEST(every_allocation_fails_once) {
    uint64_t free_pages = start();
    for (uint64_t n = 1;; n++) {
        struct job *job = job_create(NULL);
        host_allocations = 0;
        host_fail_at = n;
        bool good = course(job);
        bool reached = host_allocations >= n;
        host_fail_at = 0;
        machine_reap();
        CHECK_EQ(job->used[JOB_PAGES], 0);
        CHECK_EQ(job->used[JOB_OBJECTS], 0);
        object_put(&job->object);
        check_nothing_left(free_pages);
        if (!reached) {
            CHECK(good);
            break;
        }
    }
}

TEST_MAIN();
