/*
 * The cache of a disk: chunks of 32 KB in the link's area, with a bit per sector for what is there, what is
 * newer than the device, and what is under way. The sectors of a request need not be a whole chunk: small
 * random reads and writes move what was asked for.
 *
 * A chunk may be used for another piece of the disk when nobody works on it, nothing of it is dirty and
 * nothing under way. A sector that is being read is not written to before; a sector that is being written may
 * change, and is then written once more.
 *
 * Programs that map the disk are shown chunks (linux/block/view.c): valid pages, which stay so. Before a
 * chunk is used for another piece of the disk, or read again, it is taken from all of them.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/block/disk.h"
#include "linux/heap.h"
#include "linux/platform.h"

enum {
    DATA = CHUNK_SIZE, /* where the chunks begin in the area; control requests have the part before */
    PAGE_SECTORS = 8,  /* reads fetch whole pages */
    AHEAD = 4,         /* chunks to read ahead */
    HIDE_MOST = 4,     /* chunks that programs have written, to be taken from them while one is looked for */
    SPARE_SLOTS = 8,   /* that reading ahead leaves */
    TOKEN_FIRST = 16,  /* bits of a token: chunk, first sector, count, direction */
    TOKEN_COUNT = 24,
    TOKEN_WRITE = 32,
};

_Static_assert(DATA >= BLOCK_DATA + BLOCK_SECTOR, "room for control requests");

static uint64_t mask_of(unsigned first, unsigned count) {
    return (count >= CHUNK_SECTORS ? UINT64_MAX : (1ULL << count) - 1) << first;
}

/* The sectors of bytes [from, to) of a chunk, whole units of `unit` sectors. */
static uint64_t mask_cover(uint64_t from, uint64_t to, unsigned unit) {
    unsigned first = (unsigned)(from / BLOCK_SECTOR) / unit * unit;
    unsigned last = (unsigned)((to + BLOCK_SECTOR - 1) / BLOCK_SECTOR + unit - 1) / unit * unit;
    return mask_of(first, last - first);
}

static unsigned block_sectors(const struct disk *disk) {
    return disk->client.disk.block_size / BLOCK_SECTOR;
}

/* Sectors of the chunk that exist. */
static uint64_t mask_exists(const struct disk *disk, uint64_t number) {
    uint64_t first = number * CHUNK_SECTORS, left = disk->client.disk.sectors;
    left = left > first ? left - first : 0;
    return mask_of(0, left < CHUNK_SECTORS ? (unsigned)left : CHUNK_SECTORS);
}

/* Sectors of one page of a chunk that exist. */
static uint64_t mask_page(const struct disk *disk, uint64_t number, unsigned page) {
    return mask_of(page * PAGE_SECTORS, PAGE_SECTORS) & mask_exists(disk, number);
}

uint64_t cache_offset(const struct disk *disk, const struct chunk *chunk) {
    return DATA + (uint64_t)(chunk - disk->chunks) * CHUNK_SIZE;
}

uint8_t *cache_bytes(const struct disk *disk, const struct chunk *chunk) {
    return disk->client.area + cache_offset(disk, chunk);
}

/* ---- the table ---- */

int cache_init(struct disk *disk) {
    uint64_t count = disk->client.length > DATA ? (disk->client.length - DATA) / CHUNK_SIZE : 0;
    if (count == 0)
        return -EINVAL;
    disk->chunk_count = count < UINT16_MAX ? (uint32_t)count : UINT16_MAX;
    disk->chunks = heap_zalloc(disk->chunk_count * sizeof(*disk->chunks));
    if (!disk->chunks)
        return -ENOMEM;
    list_init(&disk->lru);
    list_init(&disk->pending);
    for (uint32_t i = 0; i < disk->chunk_count; i++) {
        struct chunk *chunk = &disk->chunks[i];
        chunk->number = UINT64_MAX;
        list_init(&chunk->pending);
        list_init(&chunk->views);
        waitq_init(&chunk->finished);
        list_push_back(&disk->lru, &chunk->lru);
    }
    return 0;
}

void cache_free(struct disk *disk) {
    heap_free(disk->chunks);
}

static struct chunk **bucket_of(struct disk *disk, uint64_t number) {
    return &disk->buckets[number % CHUNK_BUCKETS];
}

static struct chunk *chunk_find(struct disk *disk, uint64_t number) {
    struct chunk *chunk = *bucket_of(disk, number);
    while (chunk && chunk->number != number)
        chunk = chunk->next;
    return chunk;
}

static bool chunk_idle(const struct chunk *chunk) {
    return !chunk->users && !chunk->dirty && !chunk->reading && !chunk->writing;
}

static void chunk_touch(struct disk *disk, struct chunk *chunk) {
    list_remove(&chunk->lru);
    list_push_back(&disk->lru, &chunk->lru);
}

/* The chunk that has not been used for longest, now that no program is shown it either; NULL: all are busy.
 * What programs have written goes to the device first, from a few chunks at a time. */
static struct chunk *chunk_oldest(struct disk *disk) {
    struct chunk *chunk;
    unsigned written = 0;
    list_for_each(chunk, &disk->lru, lru) {
        if (!chunk_idle(chunk) || views_hide(disk, chunk))
            continue;
        if (chunk_idle(chunk))
            return chunk;
        if (++written == HIDE_MOST)
            break;
    }
    return NULL;
}

/* The chunk for a piece of the disk, maybe one used for another before; NULL when all are busy. */
static struct chunk *chunk_try(struct disk *disk, uint64_t number) {
    struct chunk *chunk = chunk_find(disk, number);
    if (!chunk) {
        chunk = chunk_oldest(disk);
        if (!chunk)
            return NULL;
        if (chunk->number != UINT64_MAX) {
            struct chunk **link = bucket_of(disk, chunk->number);
            while (*link != chunk)
                link = &(*link)->next;
            *link = chunk->next;
        }
        chunk->number = number;
        chunk->valid = chunk->failed = 0;
        chunk->next = *bucket_of(disk, number);
        *bucket_of(disk, number) = chunk;
    }
    chunk_touch(disk, chunk);
    return chunk;
}

/* The same, waiting for one, and in use by the caller until chunk_release. NULL: the disk is gone. */
static struct chunk *chunk_hold(struct disk *disk, uint64_t number) {
    struct chunk *chunk;
    while (!disk->client.gone) {
        chunk = chunk_try(disk, number);
        if (chunk) {
            chunk->users++;
            return chunk;
        }
        if (disk->client.dirty && !disk->client.queue.broken)
            disk_run(disk);
        else
            disk_sleep(disk, &disk->room);
    }
    return NULL;
}

static void chunk_release(struct disk *disk, struct chunk *chunk) {
    if (--chunk->users == 0 && chunk_idle(chunk))
        waitq_wake_all(&disk->room);
}

/* ---- requests ---- */

/* Submits the sectors of a mask in unbroken runs; returns those for which there was room. */
static uint64_t runs_submit(struct disk *disk, struct chunk *chunk, uint64_t mask, bool write) {
    uint64_t submitted = 0;
    while (mask && block_client_room(&disk->client, 0)) {
        unsigned first = (unsigned)__builtin_ctzll(mask);
        uint64_t above = ~(mask >> first);
        unsigned count = above ? (unsigned)__builtin_ctzll(above) : CHUNK_SECTORS;
        struct block_request request = {
            .type = write ? BLOCK_OUT : BLOCK_IN,
            .length = count * BLOCK_SECTOR,
            .sector = chunk->number * CHUNK_SECTORS + first,
            .offset = cache_offset(disk, chunk) + (uint64_t)first * BLOCK_SECTOR,
            .token = (uint64_t)(chunk - disk->chunks) | (uint64_t)first << TOKEN_FIRST |
                     (uint64_t)count << TOKEN_COUNT | (uint64_t)write << TOKEN_WRITE,
        };
        uint64_t run = mask_of(first, count);
        if (block_client_submit(&disk->client, &request))
            break;
        submitted |= run;
        mask &= ~run;
    }
    return submitted;
}

/* Starts reading what is missing of the mask; false when there was no room for all of it. */
static bool chunk_fetch(struct disk *disk, struct chunk *chunk, uint64_t mask) {
    uint64_t missing = mask & ~chunk->valid & ~chunk->reading;
    if (disk->departing) /* the device is to be idle when it goes */
        return false;
    uint64_t started = runs_submit(disk, chunk, missing, false);
    chunk->reading |= started;
    chunk->failed &= ~started;
    return started == missing;
}

/* Starts writing what is dirty, unless the chunk is being written. */
static void chunk_write(struct disk *disk, struct chunk *chunk) {
    if (chunk->writing || !chunk->dirty)
        return;
    chunk->writing = runs_submit(disk, chunk, chunk->dirty, true);
    chunk->dirty &= ~chunk->writing;
    chunk->partial = chunk->dirty != 0;
    if (!chunk->writing && list_empty(&chunk->pending))
        list_push_back(&disk->pending, &chunk->pending);
}

void cache_dirty(struct disk *disk, struct chunk *chunk, uint64_t sectors) {
    chunk->dirty |= sectors & mask_exists(disk, chunk->number);
    chunk_write(disk, chunk);
}

void cache_continue(struct disk *disk) {
    while (!list_empty(&disk->pending) && block_client_room(&disk->client, 0)) {
        struct chunk *chunk = list_entry(list_pop_front(&disk->pending), struct chunk, pending);
        list_init(&chunk->pending);
        chunk_write(disk, chunk);
    }
}

void cache_answer(struct disk *disk, uint64_t token, int32_t result) {
    struct chunk *chunk = &disk->chunks[(uint16_t)token];
    unsigned count = token >> TOKEN_COUNT & UINT8_MAX;
    uint64_t mask = mask_of(token >> TOKEN_FIRST & UINT8_MAX, count);
    if (token >> TOKEN_WRITE & 1) {
        chunk->writing &= ~mask;
        disk->write_errors += result != 0;
        disk->statistics.writes++;
        disk->statistics.sectors_written += count;
        if (!chunk->writing) {
            chunk->rounds += !chunk->partial;
            chunk_write(disk, chunk);
        }
    } else {
        chunk->reading &= ~mask;
        disk->statistics.reads++;
        disk->statistics.sectors_read += count;
        if (result)
            chunk->failed |= mask;
        else
            chunk->valid |= mask;
    }
    waitq_wake_all(&chunk->finished);
    waitq_wake_all(&disk->room);
}

void cache_drop(struct disk *disk) {
    for (uint32_t i = 0; i < disk->chunk_count; i++) {
        struct chunk *chunk = &disk->chunks[i];
        (void)views_hide(disk, chunk); /* where that fails, a program goes on without a disk */
        disk->write_errors += chunk->dirty != 0;
        chunk->dirty = chunk->valid = 0;
        list_remove(&chunk->pending);
        list_init(&chunk->pending);
        waitq_wake_all(&chunk->finished);
    }
    waitq_wake_all(&disk->room);
}

/* ---- reading ---- */

/* Waits until the sectors of the mask are valid: 0 or -EIO. The chunk is held. */
static int chunk_need(struct disk *disk, struct chunk *chunk, uint64_t mask, uint64_t fetch) {
    bool begun = false;
    while (mask & ~chunk->valid) {
        if (disk->client.gone || disk->departing || (begun && mask & chunk->failed))
            return -EIO;
        bool room = chunk_fetch(disk, chunk, begun ? mask : fetch);
        begun = begun || room;
        disk_run(disk); /* what is answered here wakes nobody later */
        if (room && mask & chunk->reading)
            disk_sleep(disk, &chunk->finished);
        else if (!room && !block_client_room(&disk->client, 0))
            disk_sleep(disk, &disk->room);
    }
    return disk->client.gone ? -EIO : 0;
}

/* Starts reading further chunks, as long as that takes nothing from others. */
static void read_ahead(struct disk *disk, uint64_t from, uint64_t to) {
    for (; from <= to && block_client_room(&disk->client, SPARE_SLOTS); from++) {
        uint64_t exists = mask_exists(disk, from);
        struct chunk *chunk = exists ? chunk_try(disk, from) : NULL;
        if (!chunk)
            return;
        (void)chunk_fetch(disk, chunk, exists);
    }
}

/* The part of a transfer that lies in one chunk. */
struct piece {
    uint64_t number;
    uint32_t from, to; /* bytes of the chunk */
};

static struct piece piece_at(uint64_t offset, uint64_t length) {
    uint32_t from = offset & (CHUNK_SIZE - 1);
    uint64_t room = CHUNK_SIZE - from;
    return (struct piece){offset >> CHUNK_SHIFT, from, from + (uint32_t)(length < room ? length : room)};
}

static int piece_read(struct disk *disk, struct buffer *to, const struct piece *piece, bool whole) {
    struct chunk *chunk = chunk_hold(disk, piece->number);
    if (!chunk)
        return -EIO;
    unsigned unit = block_sectors(disk);
    uint64_t exists = mask_exists(disk, piece->number);
    uint64_t need = mask_cover(piece->from, piece->to, unit);
    uint64_t fetch = mask_cover(piece->from, piece->to, unit > PAGE_SECTORS ? unit : PAGE_SECTORS) & exists;
    int error = chunk_need(disk, chunk, need, whole ? exists : fetch);
    if (!error)
        error = buffer_put(to, cache_bytes(disk, chunk) + piece->from, piece->to - piece->from);
    chunk_release(disk, chunk);
    return error;
}

int64_t cache_read(struct disk *disk, struct buffer *to, uint64_t offset, uint64_t length, bool ahead) {
    uint64_t done = 0, last = (offset + length - 1) >> CHUNK_SHIFT;
    bool sequential = ahead && offset == disk->next_read;
    int error = 0;
    if (ahead)
        disk->next_read = offset + length;
    while (done < length && !error) {
        struct piece piece = piece_at(offset + done, length - done);
        uint64_t reach = piece.number + AHEAD;
        if (sequential || piece.number < last)
            read_ahead(disk, piece.number + 1, sequential || reach < last ? reach : last);
        error = piece_read(disk, to, &piece, sequential || piece.number < last);
        if (!error)
            done += piece.to - piece.from;
    }
    return done ? (int64_t)done : error;
}

/* ---- writing ---- */

static int piece_write(struct disk *disk, struct buffer *from, const struct piece *piece) {
    struct chunk *chunk = chunk_hold(disk, piece->number);
    if (!chunk)
        return -EIO;
    unsigned unit = block_sectors(disk);
    uint64_t cover = mask_cover(piece->from, piece->to, unit), edges = 0;
    uint32_t bytes = unit * BLOCK_SECTOR;
    if (piece->from % bytes)
        edges |= mask_cover(piece->from, piece->from + 1, unit);
    if (piece->to % bytes)
        edges |= mask_cover(piece->to - 1, piece->to, unit);
    int error;
    while (!(error = chunk_need(disk, chunk, edges, edges)) && chunk->reading & cover)
        disk_sleep(disk, &chunk->finished);
    if (disk->departing) /* what is taken now could come too late */
        error = -EIO;
    if (!error) {
        error = buffer_get(from, cache_bytes(disk, chunk) + piece->from, piece->to - piece->from);
        /* After a fault a part may have been copied: over valid sectors it is as if written. */
        uint64_t changed = error ? cover & chunk->valid : cover;
        chunk->valid |= changed;
        chunk->dirty |= changed;
        chunk->failed &= ~changed;
        chunk_write(disk, chunk);
        disk_run(disk);
    }
    chunk_release(disk, chunk);
    return error;
}

int64_t cache_write(struct disk *disk, struct buffer *from, uint64_t offset, uint64_t length) {
    uint64_t done = 0;
    int error = 0;
    while (done < length && !error) {
        struct piece piece = piece_at(offset + done, length - done);
        error = piece_write(disk, from, &piece);
        if (!error)
            done += piece.to - piece.from;
    }
    return done ? (int64_t)done : error;
}

/* ---- whole pages, for those who map the disk ---- */

uint8_t cache_pages(struct disk *disk, const struct chunk *chunk) {
    uint8_t pages = 0;
    for (unsigned page = 0; page < CHUNK_SECTORS / PAGE_SECTORS; page++) {
        uint64_t mask = mask_page(disk, chunk->number, page);
        if (mask && !(mask & ~chunk->valid))
            pages |= (uint8_t)(1U << page);
    }
    return pages;
}

static unsigned page_of(uint64_t offset) {
    return (unsigned)(offset % CHUNK_SIZE / (PAGE_SECTORS * BLOCK_SECTOR));
}

/* What a program sees behind the end of the disk in its last page. */
static void end_clear(struct disk *disk, const struct chunk *chunk) {
    uint64_t exists = mask_exists(disk, chunk->number);
    uint64_t end = exists == UINT64_MAX ? CHUNK_SIZE : (uint64_t)__builtin_ctzll(~exists) * BLOCK_SECTOR;
    uint64_t page_end = (end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    memset(cache_bytes(disk, chunk) + end, 0, page_end - end);
}

struct chunk *cache_present(struct disk *disk, uint64_t offset) {
    struct chunk *chunk = chunk_find(disk, offset >> CHUNK_SHIFT);
    if (!chunk || !(cache_pages(disk, chunk) >> page_of(offset) & 1))
        return NULL;
    chunk_touch(disk, chunk);
    end_clear(disk, chunk);
    return chunk;
}

int cache_fetch(struct disk *disk, uint64_t offset) {
    uint64_t number = offset >> CHUNK_SHIFT, need = mask_page(disk, number, page_of(offset));
    bool sequential = number == disk->next_fetch;
    if (!need)
        return -ENXIO;
    disk->next_fetch = number + 1;
    if (sequential)
        read_ahead(disk, number + 1, number + AHEAD);
    struct chunk *chunk = chunk_hold(disk, number);
    if (!chunk)
        return -EIO;
    int error = chunk_need(disk, chunk, need, mask_exists(disk, number));
    chunk_release(disk, chunk);
    return error;
}

/* ---- the device's turn ---- */

/* What is dirty now has been written after one more round, or two when one is under way. */
static void chunk_settle(struct disk *disk, struct chunk *chunk) {
    uint64_t target = chunk->rounds + (chunk->writing != 0) + (chunk->dirty != 0), number = chunk->number;
    chunk->users++;
    while (chunk->number == number && chunk->rounds < target && (chunk->dirty | chunk->writing) &&
           !disk->client.gone)
        disk_sleep(disk, &chunk->finished);
    chunk_release(disk, chunk);
}

void cache_rest(struct disk *disk) {
    for (uint32_t i = 0; i < disk->chunk_count; i++)
        while (disk->chunks[i].reading && !disk->client.gone)
            disk_sleep(disk, &disk->chunks[i].finished);
}

/* The chunks with pieces of a range, one after the other: by their numbers, where those are fewer than the
 * chunks. */
struct walk {
    uint64_t first, last; /* numbers; first goes up when the walk is by number */
    uint32_t index;
    bool by_number;
};

static struct walk walk_begin(const struct disk *disk, uint64_t offset, uint64_t length) {
    uint64_t last = length > UINT64_MAX - offset ? UINT64_MAX : offset + length - 1;
    struct walk walk = {.first = offset >> CHUNK_SHIFT, .last = last >> CHUNK_SHIFT};
    walk.by_number = walk.last - walk.first < disk->chunk_count;
    if (!length)
        walk = (struct walk){.first = 1, .by_number = true};
    return walk;
}

static struct chunk *walk_next(struct disk *disk, struct walk *walk) {
    struct chunk *chunk = NULL;
    if (walk->by_number) {
        while (!chunk && walk->first <= walk->last)
            chunk = chunk_find(disk, walk->first++);
        return chunk;
    }
    while (walk->index < disk->chunk_count) {
        chunk = &disk->chunks[walk->index++];
        if (chunk->number != UINT64_MAX && chunk->number >= walk->first && chunk->number <= walk->last)
            return chunk;
    }
    return NULL;
}

void cache_settle(struct disk *disk, uint64_t offset, uint64_t length) {
    struct walk walk = walk_begin(disk, offset, length), again = walk;
    struct chunk *chunk;
    while ((chunk = walk_next(disk, &walk)))
        views_harden(disk, chunk);
    disk_run(disk);
    while ((chunk = walk_next(disk, &again)))
        chunk_settle(disk, chunk);
}

void cache_forget(struct disk *disk, uint64_t offset, uint64_t length) {
    struct walk walk = walk_begin(disk, offset, length);
    struct chunk *chunk;
    while ((chunk = walk_next(disk, &walk)))
        if (!views_hide(disk, chunk))
            chunk->valid &= chunk->dirty | chunk->writing;
    disk_run(disk);
}
