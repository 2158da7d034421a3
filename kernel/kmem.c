/*
 * See kmem.h. A slab is a page of objects of one class; those with free objects are in their class's list, at
 * most one of them without any object in use. Free objects are linked through their first word.
 */
#include "kernel/kmem.h"

#include "kernel/lock.h"
#include "kernel/page.h"

enum { CLASS_BYTES = 64, KMEM_SLAB_MAX = CLASS_BYTES * KMEM_CLASSES };

struct kmem_class {
    struct spinlock lock; /* rank KMEM: the lists, and struct page of the slabs */
    uint32_t slabs;       /* number of the first slab page with free objects */
    uint32_t empty;       /* slabs in the list that have no object in use */
    uint64_t taken;       /* objects that are in no slab: in use, or in a magazine */
};

static struct kmem_class classes[KMEM_CLASSES];

void kmem_init(void) {
    for (unsigned i = 0; i < KMEM_CLASSES; i++)
        lock_init(&classes[i].lock, LOCK_RANK_KMEM);
}

/* Objects a magazine takes at a time; it holds up to twice as many. */
static unsigned magazine_batch(unsigned index) {
    return index < 8 ? 8 : 2;
}

static void slab_link(struct kmem_class *class, struct page *slab) {
    slab->prev = 0;
    slab->next = class->slabs;
    if (slab->next)
        page_from_number(slab->next)->prev = page_number(slab);
    class->slabs = page_number(slab);
}

static void slab_unlink(struct kmem_class *class, struct page *slab) {
    if (slab->next)
        page_from_number(slab->next)->prev = slab->prev;
    if (slab->prev)
        page_from_number(slab->prev)->next = slab->next;
    else
        class->slabs = slab->next;
}

/* A new empty slab in the list, or NULL. */
static struct page *slab_create(struct kmem_class *class) {
    uint64_t physical = page_alloc_below(0, PAGE_LIMIT_OBJECT);
    if (!physical)
        return NULL;
    struct page *slab = page_from_phys(physical);
    unsigned size = (unsigned)(class - classes + 1) * CLASS_BYTES;

    slab->free_objects = NULL;
    slab->count = 0;
    for (unsigned at = PAGE_SIZE / size * size; at > 0;) {
        at -= size;
        void **object = phys_to_virt(physical + at);
        debug_object_fresh(object, size);
        *object = slab->free_objects;
        slab->free_objects = object;
    }
    class->empty++;
    slab_link(class, slab);
    return slab;
}

static __attribute__((noinline)) void magazine_fill(struct kmem_class *class, struct kmem_magazine *magazine,
                                                    unsigned count) {
    spin_lock(&class->lock);
    while (magazine->count < count) {
        struct page *slab = class->slabs ? page_from_number(class->slabs) : slab_create(class);
        void **object = slab ? slab->free_objects : NULL;
        if (!object)
            break;
        slab->free_objects = *object;
        if (slab->count++ == 0)
            class->empty--;
        if (!slab->free_objects)
            slab_unlink(class, slab);
        *object = magazine->first;
        magazine->first = object;
        magazine->count++;
        class->taken++;
    }
    spin_unlock(&class->lock);
}

/* Returns objects to their slabs until the magazine holds keep, and slabs to the page allocator until spare
 * are empty. */
static void magazine_flush(struct kmem_class *class, struct kmem_magazine *magazine, unsigned keep,
                           unsigned spare) {
    spin_lock(&class->lock);
    while (magazine->count > keep) {
        void **object = magazine->first;
        struct page *slab = page_from_phys(virt_to_phys(object));
        magazine->first = *object;
        magazine->count--;
        class->taken--;
        if (!slab->free_objects)
            slab_link(class, slab);
        *object = slab->free_objects;
        slab->free_objects = object;
        if (--slab->count)
            continue;
        if (class->empty < spare) {
            class->empty++;
        } else {
            slab_unlink(class, slab);
            page_free(page_phys(slab), 0);
        }
    }
    spin_unlock(&class->lock);
}

static unsigned block_order(size_t size) {
    unsigned order = 0;
    while (((size_t)PAGE_SIZE << order) < size)
        order++;
    return order;
}

/* The first object of a magazine that has one. */
static inline __attribute__((always_inline)) void *magazine_take(struct memory_cpu *cpu, unsigned index) {
    struct kmem_magazine *magazine = &cpu->kmem[index];
    void **object = magazine->first;
    magazine->first = *object;
    magazine->count--;
    return object;
}

/* From a magazine that is empty, or whole pages. */
static void *object_alloc_slowly(size_t size) {
    struct memory_cpu *cpu = memory_cpu();

    if (size > KMEM_SLAB_MAX) {
        unsigned order = block_order(size);
        uint64_t physical = page_alloc_below(order, PAGE_LIMIT_OBJECT);
        if (!physical)
            return NULL;
        cpu->kmem_pages += 1 << order;
        return phys_to_virt(physical);
    }
    unsigned index = (unsigned)(size - 1) / CLASS_BYTES;
    magazine_fill(&classes[index], &cpu->kmem[index], magazine_batch(index));
    return cpu->kmem[index].first ? magazine_take(cpu, index) : NULL;
}

static void *object_alloc(size_t size) {
    struct memory_cpu *cpu = memory_cpu();
    unsigned index = (unsigned)(size - 1) / CLASS_BYTES;

    if (size <= KMEM_SLAB_MAX) {
        if (debug_allocation_fails())
            return NULL;
        if (cpu->kmem[index].first)
            return magazine_take(cpu, index);
    }
    return object_alloc_slowly(size);
}

/* A magazine has become too full. */
static __attribute__((noinline)) void magazine_spill(unsigned index) {
    magazine_flush(&classes[index], &memory_cpu()->kmem[index], magazine_batch(index), 1);
}

static void object_free(void *pointer, size_t size) {
    struct memory_cpu *cpu = memory_cpu();

    if (size > KMEM_SLAB_MAX) {
        unsigned order = block_order(size);
        cpu->kmem_pages -= 1 << order;
        page_free(virt_to_phys(pointer), order);
        return;
    }
    unsigned index = (unsigned)(size - 1) / CLASS_BYTES;
    struct kmem_magazine *magazine = &cpu->kmem[index];
    void **object = pointer;

    *object = magazine->first;
    magazine->first = object;
    if (++magazine->count > 4 && magazine->count > 2 * magazine_batch(index))
        magazine_spill(index);
}

void *kmem_alloc(size_t size) {
    return debug_object_made(object_alloc(size + DEBUG_RED_ZONE), size);
}

void kmem_free(void *pointer, size_t size) {
    debug_object_free(pointer, size);
    object_free(pointer, size + DEBUG_RED_ZONE);
}

uint64_t kmem_bytes(void) {
    int64_t bytes = 0;
    struct memory_cpu *cpu;

    for (unsigned index = 0; index < KMEM_CLASSES; index++)
        bytes += (int64_t)(classes[index].taken * (index + 1) * CLASS_BYTES);
    for (unsigned i = 0; (cpu = memory_cpu_of(i)); i++) {
        bytes += cpu->kmem_pages * PAGE_SIZE;
        for (unsigned index = 0; index < KMEM_CLASSES; index++)
            bytes -= (int64_t)(cpu->kmem[index].count * (index + 1) * CLASS_BYTES);
    }
    return (uint64_t)bytes;
}

void kmem_drain(void) {
    struct memory_cpu *cpu = memory_cpu();

    for (unsigned i = 0; i < KMEM_CLASSES; i++) {
        magazine_flush(&classes[i], &cpu->kmem[i], 0, 0);
        /* One empty slab may have been kept; taking an object from it and giving it back frees it. */
        while (classes[i].empty) {
            struct page *slab = page_from_number(classes[i].slabs);
            while (slab->count)
                slab = page_from_number(slab->next);
            spin_lock(&classes[i].lock);
            classes[i].empty--;
            slab_unlink(&classes[i], slab);
            spin_unlock(&classes[i].lock);
            page_free(page_phys(slab), 0);
        }
    }
}
