/*
 * The personality's heap: one big memory object, mapped once; its pages are committed (so that touching them
 * cannot fail) before they are handed out.
 *
 *   - runs: contiguous pages. Free runs hang in lists by the power of two of their length and are joined with
 *     free neighbours; long ones give their pages back to the kernel, and all do when many pages lie idle.
 *   - slabs: a run of 1, 2 or 4 pages cut into objects of one size, for what is smaller than a page.
 *
 * page_info has an entry per page of the arena: of a run, the first and the last are valid; of a slab, all.
 *
 * Locks: run_lock guards page_info and the run lists; each class's lock its slabs. A class's lock is taken
 * first.
 */
#include "linux/heap.h"

#include "abi/objects.h"
#include "lib/base/string.h"
#include "lib/base/list.h"
#include "lib/keel/call.h"
#include "linux/arch/memory.h"
#include "linux/arch/x86_64/thread.h"
#include "linux/heap_start.h"
#include "linux/lock.h"
#include "linux/platform.h"

enum {
    ARENA_PAGES = 1 << 20, /* 4 GB */
    BINS = 21,
    RELEASE_PAGES = 64, /* freed runs of at least so many pages go back to the kernel */
    IDLE_PAGES = 256,   /* free pages kept for the next use */
    GROW_PAGES = 16,
    CLASSES = 24,
    LARGEST_CLASS = 2048,
    SLAB_HEADER = 48,
};

enum page_kind { PAGE_UNUSED, PAGE_FREE, PAGE_RUN, PAGE_SLAB };

struct page_info {
    uint8_t kind;
    uint8_t committed;   /* free run: every page of it is */
    uint16_t into;       /* slab: pages from its start */
    uint32_t length;     /* run: pages (in its first and last entry) */
    uint32_t next, prev; /* free run: neighbours in its bin, as page number + 1 */
};

struct slab {         /* at the start of its pages */
    struct list link; /* in its class, while it has free objects */
    void *free;
    uint32_t used, size_class;
};
_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "objects follow the header");

struct size_class {
    struct spin lock;
    struct list partial;
    uint32_t size, pages, capacity;
    uint32_t empty; /* partial slabs without any object in use */
};

static struct page_info *const info = (struct page_info *)LAYOUT_HEAP_INFO;
static handle_t arena;
static struct spin run_lock;
static uint32_t bins[BINS];     /* first run, as page number + 1 */
static uint32_t idle_pages;     /* in free runs, committed when they were freed */
static uint32_t arena_top;      /* pages from here on were never used */
static uint64_t info_committed; /* bytes of page_info */
static struct size_class classes[CLASSES];
static uint8_t class_by_size[LARGEST_CLASS / 16 + 1]; /* of sizes rounded up to 16 */
static _Atomic size_t bytes_used;

_Static_assert(LAYOUT_HEAP_INFO + (uint64_t)ARENA_PAGES * sizeof(struct page_info) <= LAYOUT_HEAP, "layout");
_Static_assert(LAYOUT_HEAP + (uint64_t)ARENA_PAGES * PAGE_SIZE <= LAYOUT_MAPS, "layout");

static char *page_address(uint32_t page) {
    return (char *)(LAYOUT_HEAP + (uint64_t)page * PAGE_SIZE);
}

/* ---- runs ---- */

static unsigned bin_of(uint32_t length) {
    return 31 - (unsigned)__builtin_clz(length);
}

static void bin_add(uint32_t page, uint32_t length, bool committed) {
    uint32_t *bin = &bins[bin_of(length)];
    struct page_info *first = &info[page];
    *first = (struct page_info){.kind = PAGE_FREE, .committed = committed, .length = length, .next = *bin};
    if (*bin)
        info[*bin - 1].prev = page + 1;
    *bin = page + 1;
    if (length > 1)
        info[page + length - 1] = (struct page_info){.kind = PAGE_FREE, .length = length};
}

static void bin_remove(uint32_t page) {
    struct page_info *first = &info[page];
    if (first->prev)
        info[first->prev - 1].next = first->next;
    else
        bins[bin_of(first->length)] = first->next;
    if (first->next)
        info[first->next - 1].prev = first->prev;
}

/* A free run of at least length pages, out of its bin; false: there is none. */
static bool bin_take(uint32_t length, uint32_t *page) {
    for (unsigned bin = bin_of(length); bin < BINS; bin++) {
        for (uint32_t at = bins[bin]; at; at = info[at - 1].next) {
            if (info[at - 1].length < length)
                continue;
            *page = at - 1;
            bin_remove(*page);
            return true;
        }
    }
    return false;
}

/* Makes page_info valid up to a page. */
static bool info_extend(uint32_t pages) {
    uint64_t needed = ((uint64_t)pages * sizeof(struct page_info) + PAGE_SIZE - 1) & -PAGE_SIZE;
    if (needed <= info_committed)
        return true;
    if (memory_commit((char *)info + info_committed, needed - info_committed))
        return false;
    info_committed = needed;
    return true;
}

/* New pages at the arena's end, as one free run out of any bin. */
static bool arena_grow(uint32_t length, uint32_t *page) {
    if (length > (uint32_t)ARENA_PAGES - arena_top || !info_extend(arena_top + length + 1))
        return false;
    *page = arena_top;
    arena_top += length;
    info[*page] = (struct page_info){.kind = PAGE_FREE, .length = length};
    return true;
}

/* Takes a run, marked as allocated but maybe not committed. */
static bool run_take(uint32_t length, uint32_t *page, bool *committed) {
    uint32_t grow = length > GROW_PAGES ? length : GROW_PAGES;
    spin_acquire(&run_lock);
    bool found = bin_take(length, page) || arena_grow(grow, page) || arena_grow(length, page);
    if (found) {
        uint32_t all = info[*page].length;
        *committed = info[*page].committed;
        if (*committed)
            idle_pages -= length < idle_pages ? length : idle_pages;
        if (all > length)
            bin_add(*page + length, all - length, *committed);
        info[*page] = (struct page_info){.kind = PAGE_RUN, .length = length};
        info[*page + length - 1] = (struct page_info){.kind = PAGE_RUN, .length = length};
    }
    spin_release(&run_lock);
    return found;
}

/* Gives the pages of every free run back to the kernel; run_lock held. */
static void runs_discard(void) {
    for (unsigned bin = 0; bin < BINS; bin++)
        for (uint32_t at = bins[bin]; at; at = info[at - 1].next)
            if (!keel_vmo_discard(arena, (at - 1) * PAGE_SIZE, info[at - 1].length * PAGE_SIZE))
                info[at - 1].committed = false;
    idle_pages = 0;
}

static void run_release(uint32_t page, uint32_t length, bool committed) {
    if (length >= RELEASE_PAGES &&
        !keel_vmo_discard(arena, (uint64_t)page * PAGE_SIZE, (uint64_t)length * PAGE_SIZE))
        committed = false;
    spin_acquire(&run_lock);
    if (committed)
        idle_pages += length;
    if (page && info[page - 1].kind == PAGE_FREE) {
        uint32_t before = info[page - 1].length;
        bin_remove(page - before);
        committed &= info[page - before].committed;
        page -= before;
        length += before;
    }
    uint32_t after = page + length;
    if (after < arena_top && info[after].kind == PAGE_FREE) {
        bin_remove(after);
        committed &= info[after].committed;
        length += info[after].length;
    }
    bin_add(page, length, committed);
    if (idle_pages > IDLE_PAGES)
        runs_discard();
    spin_release(&run_lock);
}

static void *run_alloc(uint32_t length) {
    uint32_t page;
    bool committed;
    if (!run_take(length, &page, &committed))
        return NULL;
    if (!committed && memory_commit(page_address(page), (uint64_t)length * PAGE_SIZE)) {
        run_release(page, length, false);
        return NULL;
    }
    return page_address(page);
}

/* ---- slabs ---- */

static struct slab *slab_make(struct size_class *class) {
    struct slab *slab = run_alloc(class->pages);
    if (!slab)
        return NULL;
    uint32_t page = (uint32_t)((keel_pointer(slab) - LAYOUT_HEAP) / PAGE_SIZE);
    for (uint32_t i = 0; i < class->pages; i++)
        info[page + i] = (struct page_info){.kind = PAGE_SLAB, .into = (uint16_t)i, .length = class->pages};
    slab->used = 0;
    slab->size_class = (uint32_t)(class - classes);
    slab->free = NULL;
    for (uint32_t i = class->capacity; i-- > 0;) {
        void **object = (void **)((char *)slab + SLAB_HEADER + (size_t)i * class->size);
        *object = slab->free;
        slab->free = object;
    }
    list_push_front(&class->partial, &slab->link);
    class->empty++;
    return slab;
}

static void *slab_alloc(struct size_class *class) {
    void *object = NULL;
    spin_acquire(&class->lock);
    struct slab *slab =
        list_empty(&class->partial) ? slab_make(class) : list_entry(class->partial.next, struct slab, link);
    if (slab && (object = slab->free)) { /* it has one: it is in the list */
        slab->free = *(void **)object;
        class->empty -= !slab->used++;
        if (!slab->free)
            list_remove(&slab->link);
    }
    spin_release(&class->lock);
    return object;
}

static void slab_free(struct slab *slab, void *object) {
    struct size_class *class = &classes[slab->size_class];
    bool release = false;
    spin_acquire(&class->lock);
    if (!slab->free)
        list_push_front(&class->partial, &slab->link);
    *(void **)object = slab->free;
    slab->free = object;
    if (!--slab->used && class->empty++) {
        list_remove(&slab->link);
        class->empty--;
        release = true;
    }
    spin_release(&class->lock);
    if (release)
        run_release((uint32_t)((keel_pointer(slab) - LAYOUT_HEAP) / PAGE_SIZE), class->pages, true);
}

/* ---- interface ---- */

static void class_init(unsigned index, uint32_t size) {
    struct size_class *class = &classes[index];
    list_init(&class->partial);
    class->size = size;
    class->pages = size <= 512 ? 1 : size <= 1024 ? 2 : 4;
    class->capacity = (class->pages * (uint32_t)PAGE_SIZE - SLAB_HEADER) / size;
}

/* Sizes: 16 to 128 by 16, then four steps to each doubling. */
static void classes_init(void) {
    uint32_t size = 0;
    unsigned index = 0;
    while (size < LARGEST_CLASS) {
        uint32_t last = size;
        size += size < 128 ? 16 : (1U << (31 - __builtin_clz(size))) / 4;
        class_init(index, size);
        for (uint32_t i = last / 16 + 1; i <= size / 16; i++)
            class_by_size[i] = (uint8_t)index;
        index++;
    }
}

int heap_start(void) {
    uint64_t bytes = (uint64_t)ARENA_PAGES * PAGE_SIZE,
             info_bytes = (uint64_t)ARENA_PAGES * sizeof(struct page_info);
    int64_t vmo = keel_vmo_create(bytes, 0);
    if (vmo < 0)
        return (int)vmo;
    arena = (handle_t)vmo;
    int64_t error = keel_space_map(0, LAYOUT_HEAP, arena, 0, bytes, MAP_READ | MAP_WRITE);
    if (!error)
        error = keel_space_map(0, LAYOUT_HEAP_INFO, 0, 0, info_bytes, MAP_READ | MAP_WRITE);
    classes_init();
    return (int)error;
}

void *heap_alloc(size_t size) {
    void *object;
    if (size <= LARGEST_CLASS) {
        struct size_class *class = &classes[class_by_size[size ? (size + 15) / 16 : 1]];
        object = slab_alloc(class);
        size = class->size;
    } else {
        if (size > (size_t)ARENA_PAGES * PAGE_SIZE)
            return NULL;
        size = (size + PAGE_SIZE - 1) & -PAGE_SIZE;
        object = run_alloc((uint32_t)(size / PAGE_SIZE));
    }
    if (object)
        atomic_fetch_add_explicit(&bytes_used, size, memory_order_relaxed);
    return object;
}

void *heap_zalloc(size_t size) {
    void *object = heap_alloc(size);
    return object ? memset(object, 0, size) : NULL;
}

void heap_free(void *pointer) {
    if (!pointer)
        return;
    uint64_t offset = keel_pointer(pointer) - LAYOUT_HEAP;
    uint32_t page = (uint32_t)(offset / PAGE_SIZE);
    if (offset >= (uint64_t)arena_top * PAGE_SIZE)
        fatal("heap_free of %p, which is not from the heap", pointer);
    size_t size;
    if (info[page].kind == PAGE_SLAB) {
        struct slab *slab = (struct slab *)page_address(page - info[page].into);
        size = classes[slab->size_class].size;
        slab_free(slab, pointer);
    } else if (info[page].kind == PAGE_RUN && offset % PAGE_SIZE == 0) {
        size = (size_t)info[page].length * PAGE_SIZE;
        run_release(page, info[page].length, true);
    } else {
        fatal("heap_free of %p, which is not allocated", pointer);
    }
    atomic_fetch_sub_explicit(&bytes_used, size, memory_order_relaxed);
}

void heap_trim(void) {
    spin_acquire(&run_lock);
    runs_discard();
    spin_release(&run_lock);
}

size_t heap_used(void) {
    return atomic_load_explicit(&bytes_used, memory_order_relaxed);
}
