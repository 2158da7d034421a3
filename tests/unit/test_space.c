// clang-format off
/* sources: kernel/page.c kernel/zone.c kernel/zone_init.c kernel/user_page.c kernel/kmem.c kernel/vmo.c kernel/vmo_tree.c kernel/vmo_copy.c kernel/mapping.c kernel/space.c kernel/space_map.c kernel/fault.c kernel/large.c kernel/arch/x86_64/page_table.c kernel/lock.c kernel/arch/host/machine.c lib/base/tree.c */
// clang-format on
/* flags: -Ikernel/arch/host -Ikernel/variant/release -pthread */
/* Address spaces: against a model, and single points. */
#include "tests/unit/space_model.h"

TEST(random_operations) {
    uint64_t free_pages = start();
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    for (unsigned i = 0; i < 60000; i++) {
        step();
        if (i % 1000)
            continue;
        for (unsigned s = 0; s < SPACES; s++)
            for (unsigned page = 0; spaces[s].space && page < PAGES; page++)
                check_page(&spaces[s], page, MAP_READ);
    }
    for (unsigned s = 0; s < SPACES; s++)
        if (spaces[s].space)
            space_drop(&spaces[s]);
    for (unsigned v = 0; v < VMOS; v++)
        vmo_model_drop(v);
    object_put(&native->object);
    CHECK(faults > 1000);
    check_nothing_left(free_pages);
}

/* ---- single points ---- */

TEST(roots) {
    uint64_t free_pages = start();
    struct space *guest, *second;
    struct space_info info;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    uint64_t *root = phys_to_virt(native->root);
    CHECK_EQ(root[256], 0x1234567);
    CHECK_EQ(root[511], 0x7654321);
    CHECK_EQ(root[0], 0);
    if (ISOLATED) {
        CHECK_EQ(native->root % (2ULL * PAGE_SIZE), 0);
        CHECK_EQ(root[512 + 511], 0x2222222);
        for (unsigned slot = 0; slot < 511; slot++)
            CHECK_EQ(root[512 + slot], 0);
    }
    /* The upper half of the personality shows through every unified root, mapped before or after. */
    unsigned both = MAP_READ | MAP_WRITE;
    CHECK_EQ(space_map(native, GUEST_LIMIT, NULL, 0, 8192, both | MAP_COPY), 0);
    CHECK_EQ(space_map(native, USER_BASE, NULL, 0, 8192, both), 0);
    put_word(native, GUEST_LIMIT + 8, 77);
    CHECK_EQ(space_create_guest(native, job, &guest), 0);
    CHECK_EQ(space_create_guest(native, job, &second), 0);
    CHECK_EQ(get_word(native, guest->unified_root, GUEST_LIMIT + 8), 77);
    uint64_t later = GUEST_LIMIT + (3ULL << 39) + 0x123456000;
    CHECK_EQ(space_map(native, later, NULL, 0, 4096, both), 0);
    put_word(native, later, 78);
    CHECK_EQ(get_word(native, guest->unified_root, later), 78);
    CHECK_EQ(get_word(native, second->unified_root, later), 78);
    CHECK_EQ(table_walk(guest->root, later), 0);
    CHECK_EQ(table_walk(guest->root, GUEST_LIMIT), 0);
    CHECK_EQ(table_walk(guest->unified_root, USER_BASE), 0);
    /* Other slots of that half are refused from now on. */
    CHECK_EQ(space_map(native, GUEST_LIMIT + (4ULL << 39), NULL, 0, 4096, both), 0);
    CHECK_EQ(space_fault(native, GUEST_LIMIT + (4ULL << 39), MAP_READ), -ENOMEM);
    /* The guest's half is the same through both of its roots. */
    CHECK_EQ(space_map(guest, 0x3fffffff0000, NULL, 0, 4096, both), 0);
    put_word(guest, 0x3fffffff0000, 5);
    CHECK_EQ(get_word(guest, guest->unified_root, 0x3fffffff0000), 5);
    CHECK_EQ(space_map(guest, GUEST_LIMIT, NULL, 0, 4096, both), -EINVAL);
    CHECK_EQ(space_map(guest, GUEST_LIMIT - 4096, NULL, 0, 8192, both), -EINVAL);
    space_info(guest, &info);
    CHECK_EQ(info.resident_pages, 1);
    CHECK_EQ(info.mappings, 1);
    CHECK_EQ(info.table_pages, ISOLATED ? 7 : 5);
    object_put(&native->object);
    object_put(&guest->object);
    object_put(&second->object);
    check_nothing_left(free_pages);
}

TEST(bad_arguments) {
    uint64_t free_pages = start();
    struct space *guest;
    struct vmo *vmo;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(space_create_guest(native, job, &guest), 0);
    CHECK_EQ(vmo_create(job, 4096, 0, &vmo), 0);
    CHECK_EQ(vmo_map(guest, USER_BASE - 4096, vmo, 0, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(vmo_map(guest, USER_BASE + 1, vmo, 0, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(vmo_map(guest, USER_BASE, vmo, 0, 0, MAP_READ), -EINVAL);
    CHECK_EQ(vmo_map(guest, USER_BASE, vmo, 1, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(vmo_map(guest, USER_BASE, vmo, -4096ULL, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(vmo_map(guest, USER_BASE, vmo, 0, -4096ULL, MAP_READ), -EINVAL);
    CHECK_EQ(vmo_map(guest, -4096ULL, vmo, 0, 8192, MAP_READ), -EINVAL);
    CHECK_EQ(vmo_map(guest, USER_BASE, vmo, 0, 4096, 16), -EINVAL);
    CHECK_EQ(space_map(guest, USER_BASE, NULL, 4096, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(vmo_map(native, USER_LIMIT - 4096, vmo, 0, 4096, MAP_READ), 0);
    CHECK_EQ(vmo_map(native, USER_LIMIT, vmo, 0, 4096, MAP_READ), -EINVAL);
    CHECK_EQ(space_protect(native, USER_LIMIT - 4096, 4096, MAP_READ | MAP_WRITE), -EACCES);
    CHECK_EQ(vmo_map(native, USER_BASE, vmo, 0, 4096, MAP_READ | MAP_ALLOW(MAP_WRITE)), 0);
    CHECK_EQ(space_protect(native, USER_BASE, 4096, MAP_READ | MAP_WRITE), 0);
    CHECK_EQ(space_clone(native, job, &guest), -EINVAL);
    CHECK_EQ(space_fault(guest, UINT64_MAX, MAP_READ), -EFAULT);
    CHECK_EQ(space_fault(guest, 0, MAP_READ), -EFAULT);
    /* A vast Vmo, mapped at a vast offset. */
    CHECK_EQ(vmo_map(guest, USER_BASE, vmo, VMO_SIZE_MAX, GUEST_LIMIT - USER_BASE, MAP_READ), 0);
    CHECK_EQ(space_fault(guest, GUEST_LIMIT - 1, MAP_READ), -ENXIO);
    CHECK_EQ(space_map(guest, USER_BASE, NULL, 0, GUEST_LIMIT - USER_BASE, MAP_READ | MAP_COPY), 0);
    CHECK_EQ(space_fault(guest, GUEST_LIMIT - 1, MAP_READ), 0);
    CHECK_EQ(space_fault(guest, GUEST_LIMIT - 1, MAP_WRITE), -EACCES);
    object_put(&vmo->object);
    object_put(&native->object);
    object_put(&guest->object);
    check_nothing_left(free_pages);
}

/* A space remembers where the mapping was that it keeps as a spare. It must not believe that this is still
 * vacant once another one was moved there, or has grown. */
TEST(vacancy_ends) {
    enum { AT = 0x200000, ELSEWHERE = 0x400000 };
    uint64_t free_pages = start();
    struct vmo *first, *second;
    struct space_info info;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(vmo_create(job, 8192, 0, &first), 0);
    CHECK_EQ(vmo_create(job, 8192, 0, &second), 0);
    for (unsigned grows = 0; grows < 2; grows++) {
        const unsigned flags = MAP_READ | MAP_WRITE | MAP_COPY;
        uint64_t *word;
        if (grows)
            CHECK_EQ(space_map(native, AT - 4096, NULL, 0, 4096, flags), 0);
        else
            CHECK_EQ(vmo_map(native, ELSEWHERE, first, 0, 4096, MAP_READ | MAP_WRITE), 0);
        CHECK_EQ(vmo_map(native, AT, first, 0, 8192, MAP_READ), 0);
        CHECK_EQ(space_unmap(native, AT, 8192), 0);
        CHECK_EQ(vmo_map(native, AT + 4096, second, 4096, 4096, MAP_READ), 0); /* inside of what was there */
        CHECK_EQ(space_unmap(native, AT + 4096, 4096), 0);
        CHECK_EQ(vmo_map(native, AT, second, 0, 4096, MAP_READ), 0);
        CHECK_EQ(space_unmap(native, AT, 4096), 0);
        if (grows)
            CHECK_EQ(space_map(native, AT, NULL, 0, 4096, flags), 0);
        else
            CHECK_EQ(space_move(native, ELSEWHERE, 4096, AT), 0);
        CHECK_EQ(word_access(native, native->root, AT, MAP_WRITE, &word), 0);
        *word = 0x600d;
        CHECK_EQ(vmo_map(native, AT, second, 0, 4096, MAP_READ), 0);
        CHECK_EQ(word_access(native, native->root, AT, MAP_READ, &word), 0);
        CHECK_EQ(*word, 0);
        space_info(native, &info);
        CHECK_EQ(info.mappings, 1 + grows);
        CHECK_EQ(space_unmap(native, AT - 4096, 8192), 0);
    }
    object_put(&first->object);
    object_put(&second->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

/* A guest space with single pages of memory of their own, each written. */
enum { CLONE_PAGES = 25, CLONE_AT = 0x200000, CLONE_LARGE = 0x600000 };
static uint64_t clone_page(unsigned i) {
    return CLONE_AT + i * 8192ULL;
}

static struct space *clone_parent(void) {
    struct space *space;
    CHECK_EQ(space_create_guest(native, job, &space), 0);
    for (unsigned i = 0; i < CLONE_PAGES; i++) {
        CHECK_EQ(space_map(space, clone_page(i), NULL, 0, 4096, MAP_READ | MAP_WRITE | MAP_COPY), 0);
        put_word(space, clone_page(i), i);
    }
    return space;
}

/* What could be written before the first step still can, and the copy has it. Everything else waits: an
 * unfinished copy must not miss one write and have the same thread's next. */
TEST(faults_wait_for_a_clone) {
    uint64_t free_pages = start(), *word;
    struct space *copy = NULL;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    struct space *parent = clone_parent();
    CHECK_EQ(space_map(parent, CLONE_LARGE - 4096, NULL, 0, 4 << 20, MAP_READ | MAP_WRITE | MAP_COPY), 0);
    put_word(parent, CLONE_LARGE - 4096, 1);           /* the next page would come with 2 MB */
    page_table_protect(parent, 0, CLONE_LARGE - 4096); /* as a snapshot does */
    for (unsigned i = 0; i < CLONE_PAGES; i += 2)
        put_word(parent, clone_page(i), 100 + i);
    CHECK_EQ(space_fault(parent, CLONE_LARGE - 4096, MAP_READ), 0); /* the space remembers where that was */
    CHECK_EQ(space_clone(parent, job, &copy), -EAGAIN);
    for (unsigned i = 0; i < CLONE_PAGES; i++) {
        int error = word_access(parent, parent->root, clone_page(i), MAP_WRITE, &word);
        CHECK_EQ(error, i % 2 ? -EAGAIN : 0);
        if (!error)
            *word = 200 + i;
    }
    CHECK_EQ(word_access(parent, parent->root, CLONE_LARGE, MAP_WRITE, &word), -EAGAIN);
    CHECK_EQ(word_access(parent, parent->root, CLONE_LARGE + 4096, MAP_WRITE, &word), -EAGAIN);
    CHECK_EQ(word_access(parent, parent->root, 3, MAP_READ, &word), -EAGAIN);
    CHECK_EQ(clone(parent, &copy), 0);
    for (unsigned i = 0; i < CLONE_PAGES; i++) {
        put_word(parent, clone_page(i), 300 + i);
        CHECK_EQ(get_word(copy, copy->root, clone_page(i)), i % 2 ? i : 200 + i);
    }
    put_word(parent, CLONE_LARGE, 2);
    CHECK_EQ(get_word(copy, copy->root, CLONE_LARGE), 0);
    object_put(&copy->object);
    object_put(&parent->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

/* Two at once, one of them given up. */
TEST(faults_wait_for_every_clone) {
    uint64_t free_pages = start();
    struct space *first = NULL, *second = NULL;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    struct space *parent = clone_parent();
    CHECK_EQ(space_clone(parent, job, &first), -EAGAIN);
    CHECK_EQ(space_clone(parent, job, &second), -EAGAIN);
    object_put(&first->object);
    machine_reap();
    CHECK_EQ(space_fault(parent, clone_page(0), MAP_WRITE), -EAGAIN);
    CHECK_EQ(clone(parent, &second), 0);
    CHECK_EQ(space_fault(parent, clone_page(0), MAP_WRITE), 0);
    object_put(&parent->object);
    CHECK_EQ(get_word(second, second->root, clone_page(7)), 7);
    first = NULL;
    CHECK_EQ(space_clone(second, job, &first), -EAGAIN);
    object_put(&second->object); /* the unfinished copy keeps it */
    object_put(&first->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

TEST(physical_memory) {
    uint64_t free_pages = start();
    struct vmo *device, *cached;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(vmo_create_physical(job, 0xfee00000, 8192, false, &device), 0);
    CHECK_EQ(vmo_create_physical(job, 0x3000, 8192, true, &cached), 0);
    CHECK_EQ(vmo_map(native, USER_BASE, device, 4096, 4096, MAP_READ | MAP_WRITE), 0);
    CHECK_EQ(vmo_map(native, USER_BASE + 4096, cached, 0, 8192, MAP_READ), 0);
    CHECK_EQ(vmo_map(native, USER_BASE, cached, 0, 4096, MAP_READ | MAP_COPY), -EINVAL);
    CHECK_EQ(space_fault(native, USER_BASE, MAP_WRITE), 0);
    CHECK_EQ(space_fault(native, USER_BASE + 8192, MAP_READ), 0);
    uint64_t entry = table_walk(native->root, USER_BASE);
    CHECK_EQ(entry & PTE_ADDRESS, 0xfee01000);
    CHECK_EQ(entry & PTE_UNCACHED, PTE_UNCACHED);
    CHECK(entry & PTE_WRITE && entry & PTE_NO_EXEC);
    entry = table_walk(native->root, USER_BASE + 8192);
    CHECK_EQ(entry & PTE_ADDRESS, 0x4000);
    CHECK(!(entry & (PTE_WRITE | PTE_UNCACHED)));
    object_put(&device->object);
    object_put(&cached->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

/* Each page of a range shows the same page of physical memory, or nothing; faults is how many that took. */
static unsigned physical_check(uint64_t address, uint64_t physical, unsigned pages, unsigned access) {
    uint64_t before = faults, *word;
    for (unsigned i = 0; i < pages; i++) {
        CHECK_EQ(word_access(native, native->root, address + i * 4096ULL, access, &word), 0);
        CHECK_EQ((char *)word - (char *)phys_to_virt(0), physical + i * 4096ULL);
    }
    return (unsigned)(faults - before);
}

/* What was there goes table by table. */
static void large_map(uint64_t address, struct vmo *vmo, uint64_t offset, uint64_t length, unsigned flags) {
    int result;
    while ((result = vmo_map(native, address, vmo, offset, length, flags)) == -EAGAIN)
        ;
    CHECK_EQ(result, 0);
}

TEST(large_pages) {
    enum { LARGE = 2 << 20, SLOTS = 512 };
    uint64_t free_pages = start(), at = 0x40000000 - LARGE, *word;
    struct vmo *memory;
    struct space_info info;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(vmo_create_physical(job, LARGE, 2 * LARGE, true, &memory), 0);
    /* All of it, then with one page less at either end. */
    large_map(at, memory, 0, 2 * LARGE, MAP_READ | MAP_WRITE);
    CHECK_EQ(physical_check(at, LARGE, 2 * SLOTS, MAP_WRITE), 2);
    space_info(native, &info);
    CHECK_EQ(info.resident_pages, 2 * SLOTS);
    large_map(at, NULL, 0, 2 * LARGE, MAP_READ | MAP_COPY);
    CHECK_EQ(word_access(native, native->root, at + LARGE, MAP_READ, &word), 0);
    CHECK(word != phys_to_virt(2 * LARGE));
    CHECK_EQ(word_access(native, native->root, at + 4096, MAP_WRITE, &word), -EACCES);
    large_map(at + 4096, memory, 4096, 2 * LARGE - 8192, MAP_READ);
    CHECK_EQ(physical_check(at + 4096, LARGE + 4096, SLOTS - 1, MAP_READ), SLOTS - 1);
    CHECK_EQ(physical_check(at + LARGE, 2 * LARGE, SLOTS - 1, MAP_READ), SLOTS - 1);
    /* Off by a page, and beyond the end of the Vmo. */
    large_map(at, memory, 4096, LARGE, MAP_READ);
    CHECK_EQ(physical_check(at, LARGE + 4096, SLOTS, MAP_READ), SLOTS);
    large_map(at, memory, LARGE, 2 * LARGE, MAP_READ | MAP_WRITE);
    CHECK_EQ(physical_check(at, 2 * LARGE, SLOTS, MAP_READ), 1);
    CHECK_EQ(word_access(native, native->root, at + LARGE, MAP_READ, &word), -ENXIO);
    /* What concerns a part leaves the rest as it was. */
    CHECK_EQ(space_protect(native, at + 8192, 4096, MAP_READ), 0);
    CHECK_EQ(word_access(native, native->root, at + 8192, MAP_WRITE, &word), -EACCES);
    CHECK_EQ(physical_check(at, 2 * LARGE, 2, MAP_WRITE), 2);
    CHECK_EQ(physical_check(at + 8192, 2 * LARGE + 8192, 1, MAP_READ), 1);
    CHECK_EQ(physical_check(at + 12288, 2 * LARGE + 12288, SLOTS - 3, MAP_WRITE), SLOTS - 3);
    large_map(at, memory, 0, 2 * LARGE, MAP_READ | MAP_WRITE);
    CHECK_EQ(physical_check(at, LARGE, 2 * SLOTS, MAP_READ), 2);
    CHECK_EQ(space_unmap(native, at + LARGE - 4096, 8192), 0);
    CHECK_EQ(word_access(native, native->root, at + LARGE - 4096, MAP_READ, &word), -EFAULT);
    CHECK_EQ(word_access(native, native->root, at + LARGE, MAP_READ, &word), -EFAULT);
    CHECK_EQ(physical_check(at, LARGE, SLOTS - 1, MAP_READ), SLOTS - 1);
    CHECK_EQ(space_move(native, at, 4096, at + LARGE), 0);
    CHECK_EQ(physical_check(at + LARGE, LARGE, 1, MAP_READ), 1);
    object_put(&memory->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

/* Fills pages in ascending order with their numbers; how many faults that took. */
static unsigned fill(struct space *space, uint64_t address, unsigned pages) {
    uint64_t before = faults;
    for (unsigned i = 0; i < pages; i++)
        put_word(space, address + i * 4096ULL, i + 1);
    return (unsigned)(faults - before);
}

/* Anonymous memory that is filled in order, from a few pages before a 2 MB boundary on. */
TEST(large_fills) {
    enum { LARGE = 2 << 20, SLOTS = 512, BEFORE = 21, COUNT = BEFORE + 2 * SLOTS };
    uint64_t free_pages = start(), at = 0x40000000 - BEFORE * 4096;
    struct space *guest, *child = NULL;
    struct space_info info;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(space_create_guest(native, job, &guest), 0);
    CHECK_EQ(space_map(guest, at, NULL, 0, COUNT * 4096, MAP_READ | MAP_WRITE | MAP_COPY), 0);
    uint64_t overhead = job->used[JOB_PAGES];
    CHECK(fill(guest, at, COUNT) <= BEFORE + 2);
    space_info(guest, &info);
    CHECK_EQ(info.resident_pages, COUNT);
    CHECK_EQ(job->used[JOB_PAGES] - overhead, COUNT + info.table_pages - (ISOLATED ? 4 : 2));
    /* A child sees the same, and each its own after writing. */
    CHECK_EQ(clone(guest, &child), 0);
    put_word(child, at + (BEFORE + 7) * 4096, 1000000);
    put_word(guest, at + (BEFORE + 9) * 4096, 2000000);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_EQ(get_word(child, child->root, at + i * 4096), i == BEFORE + 7 ? 1000000 : i + 1);
        CHECK_EQ(get_word(guest, guest->root, at + i * 4096), i == BEFORE + 9 ? 2000000 : i + 1);
    }
    object_put(&child->object);
    machine_reap();
    /* Pages go one by one, and what is left keeps its content. */
    while (space_unmap(guest, at + (BEFORE + 20) * 4096, SLOTS * 4096) == -EAGAIN)
        ;
    CHECK_EQ(space_map(guest, at + (BEFORE + 20) * 4096, NULL, 0, SLOTS * 4096, MAP_READ | MAP_COPY), 0);
    for (unsigned i = 0; i < COUNT; i++)
        CHECK_EQ(get_word(guest, guest->root, at + i * 4096), i >= BEFORE + 20 && i < BEFORE + 20 + SLOTS ? 0
                                                              : i == BEFORE + 9 ? 2000000
                                                                                : i + 1);
    object_put(&guest->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

TEST(growing_and_shrinking_memory) {
    uint64_t free_pages = start();
    struct space *guest, *child = NULL;
    struct space_info info;
    uint64_t base = 0x10000000, end = base;
    unsigned flags = MAP_READ | MAP_WRITE | MAP_COPY;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(space_create_guest(native, job, &guest), 0);
    uint64_t overhead = job->used[JOB_PAGES];
    for (unsigned i = 0; i < 100; i++, end += 8192) {
        CHECK_EQ(space_map(guest, end, NULL, 0, 8192, flags), 0);
        put_word(guest, end, i + 1);
        put_word(guest, end + 4096, i + 1);
    }
    space_info(guest, &info);
    CHECK_EQ(info.mappings, 1);
    CHECK_EQ(job->used[JOB_PAGES] - overhead, 200 + 3);
    /* Shrinking frees pages; growing again shows zeros and is still one mapping. */
    while (space_unmap(guest, base + 40 * 4096, 160 * 4096) == -EAGAIN)
        ;
    CHECK_EQ(job->used[JOB_PAGES] - overhead, 40 + 3);
    CHECK_EQ(space_map(guest, base + 40 * 4096, NULL, 0, 160 * 4096, flags), 0);
    space_info(guest, &info);
    CHECK_EQ(info.mappings, 1);
    for (unsigned i = 0; i < 200; i++)
        CHECK_EQ(get_word(guest, guest->root, base + i * 4096), i < 40 ? i / 2 + 1 : 0);
    /* A child grows its own. */
    CHECK_EQ(clone(guest, &child), 0);
    CHECK_EQ(space_map(child, base + 200 * 4096, NULL, 0, 4096, flags), 0);
    CHECK_EQ(space_fault(guest, base + 200 * 4096, MAP_READ), -EFAULT);
    put_word(child, base + 200 * 4096, 9);
    put_word(child, base, 10);
    CHECK_EQ(get_word(guest, guest->root, base), 1);
    space_info(child, &info);
    CHECK_EQ(info.mappings, 1);
    object_put(&child->object);
    machine_reap();
    /* Changing and restoring the protection of a part leaves one mapping. */
    CHECK_EQ(space_protect(guest, base + 4096, 8192, MAP_READ), 0);
    space_info(guest, &info);
    CHECK_EQ(info.mappings, 3);
    CHECK_EQ(space_protect(guest, base + 4096, 8192, MAP_READ | MAP_WRITE), 0);
    space_info(guest, &info);
    CHECK_EQ(info.mappings, 1);
    object_put(&native->object);
    object_put(&guest->object);
    check_nothing_left(free_pages);
}

TEST(fork_shares_until_written) {
    uint64_t free_pages = start();
    struct space *parent, *child = NULL;
    uint64_t base = 0x400000;
    job = job_create(NULL);
    CHECK_EQ(space_create_native(job, &native), 0);
    CHECK_EQ(space_create_guest(native, job, &parent), 0);
    CHECK_EQ(space_map(parent, base, NULL, 0, 64 * 4096, MAP_READ | MAP_WRITE | MAP_COPY), 0);
    for (unsigned i = 0; i < 64; i++)
        put_word(parent, base + i * 4096, i);
    /* Two pieces of one Vmo stay pieces of one in the child. */
    CHECK_EQ(space_protect(parent, base + 32 * 4096, 4096, MAP_READ), 0);
    uint64_t before = job->used[JOB_PAGES], flushes = host_shootdowns;
    CHECK_EQ(clone(parent, &child), 0);
    CHECK_EQ(job->used[JOB_PAGES] - before, ISOLATED ? 4 : 2);
    CHECK(host_shootdowns > flushes);
    faults = 0;
    for (unsigned i = 0; i < 64; i++)
        CHECK_EQ(get_word(child, child->root, base + i * 4096), i);
    CHECK(faults <= 6);
    CHECK_EQ(job->used[JOB_PAGES] - before, (ISOLATED ? 4 : 2) + 3);
    for (unsigned i = 0; i < 32; i++)
        put_word(child, base + i * 4096, 1000 + i);
    CHECK_EQ(job->used[JOB_PAGES] - before, (ISOLATED ? 4 : 2) + 3 + 32);
    for (unsigned i = 0; i < 64; i++)
        CHECK_EQ(get_word(parent, parent->root, base + i * 4096), i);
    /* The parent takes back its pages when the child is gone, without copying. */
    object_put(&child->object);
    machine_reap();
    memset(tlb, 0, sizeof tlb);
    CHECK_EQ(job->used[JOB_PAGES], before);
    for (unsigned i = 0; i < 32; i++)
        put_word(parent, base + i * 4096, 5);
    CHECK_EQ(job->used[JOB_PAGES], before);
    object_put(&parent->object);
    object_put(&native->object);
    check_nothing_left(free_pages);
}

/* A fixed course, each allocation of which fails once; calls that failed for -ENOMEM changed nothing. */
static bool course(void) {
    struct space *guest = NULL, *child = NULL;
    struct vmo *vmo = NULL;
    bool good = !space_create_native(job, &native);
    if (!good)
        return false;
    good &= !space_create_guest(native, job, &guest);
    if (!guest) {
        object_put(&native->object);
        return false;
    }
    good &= !vmo_create(job, 100 * 4096, 0, &vmo);
    good &= !space_map(guest, 0x100000, NULL, 0, 100 * 4096, MAP_READ | MAP_WRITE | MAP_COPY);
    if (vmo) {
        good &= !vmo_map(guest, 0x100000 + 20 * 4096, vmo, 0, 10 * 4096, MAP_READ | MAP_WRITE | MAP_COPY);
        good &= !vmo_map(guest, 0x100000 + 40 * 4096, vmo, 0, 10 * 4096, MAP_READ | MAP_WRITE);
    }
    for (unsigned i = 0; i < 100; i += 9)
        good &= !space_fault(guest, 0x100000 + i * 4096, MAP_WRITE);
    good &= !clone(guest, &child);
    for (unsigned i = 0; i < 100; i += 6) {
        good &= !space_fault(guest, 0x100000 + i * 4096, MAP_WRITE);
        if (child)
            good &= !space_fault(child, 0x100000 + i * 4096, i % 4 ? MAP_READ : MAP_WRITE);
    }
    good &= !space_protect(guest, 0x100000 + 5 * 4096, 10 * 4096, MAP_READ);
    good &= !space_move(guest, 0x100000 + 10 * 4096, 12 * 4096, 0x80000000);
    good &= !space_unmap(guest, 0x100000 + 25 * 4096, 30 * 4096);
    good &= !space_map(guest, 0x100000 + 100 * 4096, NULL, 0, 4096, MAP_READ | MAP_WRITE | MAP_COPY);
    if (child)
        object_put(&child->object);
    if (vmo)
        object_put(&vmo->object);
    object_put(&guest->object);
    object_put(&native->object);
    return good;
}

TEST(every_allocation_fails_once) {
    uint64_t free_pages = start();
    for (uint64_t n = 1;; n++) {
        job = job_create(NULL);
        host_allocations = 0;
        host_fail_at = n;
        bool good = course(), reached = host_allocations >= n;
        host_fail_at = 0;
        check_nothing_left(free_pages);
        if (!reached) {
            CHECK(good);
            CHECK(n > 50);
            break;
        }
    }
}

TEST_MAIN();
