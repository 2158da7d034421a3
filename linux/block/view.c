/*
 * What programs see of a disk that they map: the cache's own pages, which the device fills and empties. A
 * view is a chunk at one place of one address space; it is made when a page is touched and taken away when
 * the chunk leaves the cache, when the area changes, or when the disk goes. Nothing is pinned: what was taken
 * away comes back with the next touch.
 *
 *   valid page, touched to read      mapped read-only, with its valid neighbours in the area
 *   touched to write, shared area    mapped writable, this page alone: from now on it counts as changed
 *   touched to write, private area   a copy of the page in fresh memory; no view any more
 *
 * What is writable becomes dirty when it is unmapped or made read-only again (views_harden): before the disk
 * is synchronised, and one second after the first such page at the latest. Only then does it go to the
 * device: the next write touches the page anew, so none is missed.
 */
#include "abi/errors.h"
#include "lib/keel/call.h"
#include "linux/block/disk.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task/mm.h"

enum { PAGE_SHIFT = 12, PAGE_SECTORS = PAGE_SIZE / BLOCK_SECTOR, CHUNK_PAGES = CHUNK_SIZE / PAGE_SIZE };
#define BEHIND_NS 1000000000ULL

_Static_assert(CHUNK_PAGES <= 8, "a bit each in a byte");

/* A chunk as an address space shows it. */
struct view {
    struct list link; /* of the chunk's */
    const void *owner;
    handle_t space;
    uint64_t base;    /* address of the chunk's first page, whether that is shown or not */
    uint8_t pages;    /* that are shown */
    uint8_t writable; /* of these */
};

struct run {
    unsigned first, count;
};

static uint8_t bits_of(struct run run) {
    return (uint8_t)(((1U << run.count) - 1) << run.first);
}

/* The lowest unbroken run of a mask that is not 0. */
static struct run run_of(uint8_t pages) {
    unsigned first = (unsigned)__builtin_ctz(pages);
    return (struct run){first, (unsigned)__builtin_ctz(~(unsigned)(pages >> first))};
}

static uint64_t sectors_of(uint8_t pages) {
    uint64_t sectors = 0;
    for (unsigned page = 0; page < CHUNK_PAGES; page++)
        if (pages >> page & 1)
            sectors |= ((1ULL << PAGE_SECTORS) - 1) << (page * PAGE_SECTORS);
    return sectors;
}

static void behind_start(struct disk *disk) {
    if (!disk->behind.armed)
        timer_event_arm(&disk->behind, clock_monotonic() + BEHIND_NS);
}

/* ---- single views ---- */

/* Maps pages of the chunk where the view has them. Those before an error are mapped. */
static int view_map(struct disk *disk, const struct chunk *chunk, struct view *view, uint8_t pages,
                    uint64_t protection) {
    while (pages) {
        struct run run = run_of(pages);
        uint64_t inset = (uint64_t)run.first << PAGE_SHIFT;
        int64_t error =
            keel_space_map(view->space, view->base + inset, disk->memory, cache_offset(disk, chunk) + inset,
                           (uint64_t)run.count << PAGE_SHIFT, protection);
        if (error)
            return (int)error;
        view->pages |= bits_of(run);
        if (protection & MAP_WRITE)
            view->writable |= bits_of(run);
        pages &= (uint8_t)~bits_of(run);
    }
    return 0;
}

/* What was writable of these pages may have been written. */
static void view_collect(struct disk *disk, struct chunk *chunk, struct view *view, uint8_t pages) {
    uint8_t written = view->writable & pages;
    view->writable &= (uint8_t)~pages;
    if (written)
        cache_dirty(disk, chunk, sectors_of(written));
}

/* Pages of the view, which may be gone afterwards. 0 or -ENOMEM, with a part of them still shown. */
static int view_hide(struct disk *disk, struct chunk *chunk, struct view *view, uint8_t pages) {
    int64_t error = 0;
    pages &= view->pages;
    while (pages && !error) {
        struct run run = run_of(pages);
        error = keel_space_unmap(view->space, view->base + ((uint64_t)run.first << PAGE_SHIFT),
                                 (uint64_t)run.count << PAGE_SHIFT);
        if (error == -EBADF) /* the space has ended */
            error = 0;
        if (error)
            break;
        view->pages &= (uint8_t)~bits_of(run);
        view_collect(disk, chunk, view, bits_of(run));
        pages &= (uint8_t)~bits_of(run);
    }
    if (!view->pages) {
        list_remove(&view->link);
        heap_free(view);
    }
    return (int)error;
}

static struct view *view_find(const struct chunk *chunk, const void *owner, uint64_t base) {
    struct view *view;
    list_for_each(view, &chunk->views, link) {
        if (view->owner == owner && view->base == base)
            return view;
    }
    return NULL;
}

static struct view *view_create(struct chunk *chunk, const struct page_touch *touch, uint64_t base) {
    struct view *view = heap_zalloc(sizeof(*view));
    if (!view)
        return NULL;
    view->owner = touch->owner;
    view->space = touch->space;
    view->base = base;
    list_push_back(&chunk->views, &view->link);
    return view;
}

/* ---- a touch ---- */

/* The chunk's pages at the base that lie in the area. */
static uint8_t pages_within(uint64_t base, uint64_t start, uint64_t end) {
    uint8_t pages = 0;
    for (unsigned page = 0; page < CHUNK_PAGES; page++) {
        uint64_t address = base + ((uint64_t)page << PAGE_SHIFT);
        if (address >= start && address < end)
            pages |= (uint8_t)(1U << page);
    }
    return pages;
}

/* Fresh memory with the page's bytes in its place. */
static int page_copy(const struct page_touch *touch, const uint8_t *bytes) {
    int64_t vmo = keel_vmo_create(PAGE_SIZE, 0);
    if (vmo < 0)
        return (int)vmo;
    int64_t error = keel_vmo_write((uint64_t)vmo, 0, keel_pointer(bytes), PAGE_SIZE);
    if (error == (int64_t)PAGE_SIZE)
        error = keel_space_map(touch->space, touch->address, (uint64_t)vmo, 0, PAGE_SIZE,
                               MAP_READ | MAP_WRITE | MAP_COPY);
    keel_handle_close((uint64_t)vmo);
    return error < 0 ? -ENOMEM : 0;
}

/* The page of a private area is no longer the disk's. */
static int touch_copy(struct disk *disk, struct chunk *chunk, const struct page_touch *touch,
                      struct view *view, unsigned page) {
    int error = page_copy(touch, cache_bytes(disk, chunk) + ((uint64_t)page << PAGE_SHIFT));
    if (error || !view)
        return error;
    view->pages &= (uint8_t) ~(1U << page);
    return view_hide(disk, chunk, view, 0);
}

static int touch_show(struct disk *disk, struct chunk *chunk, const struct page_touch *touch,
                      struct view *view, unsigned page) {
    uint64_t base = touch->address - ((uint64_t)page << PAGE_SHIFT);
    uint8_t bit = (uint8_t)(1U << page), wanted = bit;
    if (!touch->copy) /* of a private area's others nobody knows whether they are copies */
        wanted = pages_within(base, touch->start, touch->end) & cache_pages(disk, chunk);
    if (!view && !(view = view_create(chunk, touch, base)))
        return -ENOMEM;
    int error = view_map(disk, chunk, view, (uint8_t)(wanted & ~view->pages), MAP_READ);
    if (!error && touch->write && !(view->writable & bit)) {
        error = view_map(disk, chunk, view, bit, MAP_READ | MAP_WRITE);
        behind_start(disk);
    }
    if (error)
        (void)view_hide(disk, chunk, view, 0);
    return error;
}

int views_show(struct disk *disk, const struct page_touch *touch) {
    unsigned page = (unsigned)(touch->offset % CHUNK_SIZE >> PAGE_SHIFT);
    if (disk->client.gone || touch->offset >= disk_bytes(disk))
        return -ENXIO;
    if (disk->departing && touch->write && !touch->copy) /* it could come too late */
        return -ENXIO;
    struct chunk *chunk = cache_present(disk, touch->offset);
    if (!chunk)
        return -EAGAIN;
    struct view *view = view_find(chunk, touch->owner, touch->address - ((uint64_t)page << PAGE_SHIFT));
    if (touch->copy && !(view && view->pages >> page & 1) && guest_present(touch->address))
        return 0; /* another thread has its copy */
    return touch->copy && touch->write ? touch_copy(disk, chunk, touch, view, page)
                                       : touch_show(disk, chunk, touch, view, page);
}

/* ---- taking views away ---- */

int views_hide(struct disk *disk, struct chunk *chunk) {
    struct view *view, *after;
    int error = 0;
    list_for_each_safe(view, after, &chunk->views, link) {
        if (!error)
            error = view_hide(disk, chunk, view, view->pages);
    }
    return error;
}

int views_hide_range(struct disk *disk, const void *owner, uint64_t start, uint64_t end) {
    int error = 0;
    for (uint32_t i = 0; i < disk->chunk_count; i++) {
        struct view *view, *after;
        list_for_each_safe(view, after, &disk->chunks[i].views, link) {
            if (view->owner == owner && !error)
                error = view_hide(disk, &disk->chunks[i], view, pages_within(view->base, start, end));
        }
    }
    return error;
}

/* Where memory is too short to make a page read-only it stays writable, and is written again next time. */
static void view_harden(struct disk *disk, struct chunk *chunk, struct view *view) {
    uint8_t left = 0;
    for (uint8_t pages = view->writable; pages;) {
        struct run run = run_of(pages);
        if (keel_space_protect(view->space, view->base + ((uint64_t)run.first << PAGE_SHIFT),
                               (uint64_t)run.count << PAGE_SHIFT, MAP_READ) == -ENOMEM)
            left |= bits_of(run);
        pages &= (uint8_t)~bits_of(run);
    }
    view_collect(disk, chunk, view, view->pages);
    view->writable = left;
    if (left)
        behind_start(disk);
}

void views_harden(struct disk *disk, struct chunk *chunk) {
    struct view *view;
    list_for_each(view, &chunk->views, link) {
        view_harden(disk, chunk, view);
    }
}

void views_write_behind(struct timer_event *event) {
    struct disk *disk = container_of(event, struct disk, behind);
    mutex_lock(&disk->lock);
    for (uint32_t i = 0; i < disk->chunk_count; i++)
        views_harden(disk, &disk->chunks[i]);
    disk_run(disk);
    mutex_unlock(&disk->lock);
}
