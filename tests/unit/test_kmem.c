/* sources: kernel/page.c kernel/zone.c kernel/zone_init.c kernel/kmem.c kernel/lock.c
 * kernel/arch/host/machine.c kernel/arch/host/no_memory_objects.c */
/* flags: -Ikernel/arch/host -Ikernel/variant/release -pthread */
/*
 * The slab allocator against a model: each object keeps a pattern of its own until it is freed, so that two
 * that overlap are noticed; and when all are free every page is back.
 */
#include <string.h>

#include "kernel/arch/host/machine.h"
#include "kernel/kmem.h"
#include "tests/unit/check.h"

enum { OBJECTS = 4000 };

static struct {
    unsigned char *bytes;
    size_t size;
    unsigned char pattern;
} objects[OBJECTS];
static unsigned count;

static void start(void) {
    if (!host_memory)
        machine_init_simple(64 << 20);
}

static size_t random_size(void) {
    switch (rand() % 4) {
    case 0:
        return 1 + (size_t)rand() % 64;
    case 1:
        return 1 + (size_t)rand() % 320;
    case 2:
        return 1 + (size_t)rand() % 2048;
    default:
        return rand() % 10 ? 128 : 2049 + (size_t)rand() % 20000;
    }
}

static void take(void) {
    size_t size = random_size();
    unsigned char *bytes = kmem_alloc(size);
    if (!bytes)
        return;
    CHECK_EQ(virt_to_phys(bytes) % 64, 0);
    objects[count].bytes = bytes;
    objects[count].size = size;
    objects[count].pattern = (unsigned char)rand();
    memset(bytes, objects[count].pattern, size);
    count++;
}

static void give(unsigned index) {
    for (size_t i = 0; i < objects[index].size; i++)
        CHECK_EQ(objects[index].bytes[i], objects[index].pattern);
    kmem_free(objects[index].bytes, objects[index].size);
    objects[index] = objects[--count];
}

static void drain(void) {
    for (host_cpu_index = 0; host_cpu_index < 4; host_cpu_index++)
        kmem_drain();
    host_cpu_index = 0;
}

TEST(random_objects) {
    start();
    uint64_t free_pages = page_free_count();
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 10000; i++) {
            host_cpu_index = (unsigned)rand() % 4;
            if (count < OBJECTS && rand() % 100 < 55)
                take();
            else if (count)
                give((unsigned)rand() % count);
        }
        CHECK(kmem_bytes() > 0);
        while (count)
            give((unsigned)rand() % count);
        CHECK_EQ(kmem_bytes(), 0);
    }
    drain();
    CHECK_EQ(page_free_count(), free_pages);
}

TEST(failures) {
    start();
    uint64_t free_pages = page_free_count();
    for (uint64_t n = 1; n < 200; n++) {
        host_allocations = 0;
        host_fail_at = n;
        unsigned failed = 0;
        for (unsigned i = 0; i < 100; i++) {
            unsigned before = count;
            take();
            failed += before == count;
        }
        host_fail_at = 0;
        CHECK(failed <= 1);
        while (count)
            give(count - 1);
    }
    drain();
    CHECK_EQ(page_free_count(), free_pages);
}

TEST(few_empty_slabs_are_kept) {
    start();
    uint64_t free_pages = page_free_count();
    while (count < OBJECTS) {
        objects[count].bytes = kmem_alloc(512);
        objects[count].size = 1;
        objects[count].bytes[0] = objects[count].pattern = 7;
        count++;
    }
    CHECK(free_pages - page_free_count() >= OBJECTS / 8);
    while (count) {
        kmem_free(objects[--count].bytes, 512);
    }
    CHECK(free_pages - page_free_count() <= 4);
    drain();
    CHECK_EQ(page_free_count(), free_pages);
}

TEST_MAIN();
