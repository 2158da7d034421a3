/*
 * A disk: the client of a block driver's link (lib/virtqueue/block_client.h) and a cache in the link's own
 * data area, which the device reads and writes itself. One lock per disk guards everything; tasks that wait
 * for the device drop it. A wait for a disk ends with its answer, not with a signal, as on Linux.
 *
 * The cache is write-behind: written sectors go to the device at once unless the same chunk is on its way
 * already; what is written meanwhile goes together afterwards. fsync, O_SYNC and O_DIRECT wait. Its bound is
 * the area: nothing else is ever held for a disk.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/list.h"
#include "lib/virtqueue/block_client.h"
#include "linux/device/offers.h"
#include "linux/fs.h"
#include "linux/task/time.h"

enum {
    CHUNK_SHIFT = 15,
    CHUNK_SIZE = 1 << CHUNK_SHIFT,
    CHUNK_SECTORS = CHUNK_SIZE / BLOCK_SECTOR, /* a bit each in a word */
    CHUNK_BUCKETS = 128,
    DISK_NAME = 16,
};

/* A piece of the disk in the cache, at the place in the area that its index gives. Masks: bit per sector. */
struct chunk {
    struct list lru;     /* by use, oldest first */
    struct list pending; /* dirty and no slot was free; empty list: not so */
    struct chunk *next;  /* in the hash bucket */
    uint64_t number;     /* which piece of the disk; UINT64_MAX: none */
    uint64_t valid;      /* sectors that hold what a reader shall see */
    uint64_t dirty;      /* and that the device does not have */
    uint64_t reading, writing;
    uint64_t failed;       /* sectors whose last read failed */
    uint32_t users;        /* tasks that work on it */
    struct list views;     /* where programs are shown it */
    bool partial;          /* the present round leaves a part of what was dirty for another one */
    uint64_t rounds;       /* times that all that was dirty has been written */
    struct waitq finished; /* a request of it did */
};

struct disk {
    struct list link; /* of all disks (disks_lock) */
    _Atomic uint32_t references;
    uint32_t id;      /* of `devices` */
    uint32_t address; /* of the PCI function */
    char name[DISK_NAME];
    uint32_t major, minor;
    _Atomic bool listed;    /* has its node: the driver has described it */
    _Atomic bool departing; /* it is to be removed: what was written goes to it, and nothing else */
    handle_t kick, memory;  /* memory: the area, as long as the disk is not gone */

    struct mutex lock; /* from here on */
    struct block_client client;
    struct chunk *chunks;
    uint32_t chunk_count;
    struct chunk *buckets[CHUNK_BUCKETS];
    struct list lru, pending;
    struct waitq room;         /* a slot or a chunk may be free, or a control request has ended */
    uint64_t next_read;        /* byte behind the last read: reading goes on there */
    uint64_t next_fetch;       /* the same of what programs touch: chunk */
    struct timer_event behind; /* pages that programs may write are written (armed by the lock's holder) */
    uint32_t write_errors;     /* that no file has been told of count for files opened before */
    bool control_busy;         /* the control request (flush, discard) is in use */
    bool control_done;
    int32_t control_result;
    struct disk_statistics {
        uint64_t reads, sectors_read, writes, sectors_written, discards, sectors_discarded, flushes;
    } statistics;
};

/* ---- disk.c ---- */

/* Makes disks of what `devices` offers; before offers_start. */
void disks_use(void);
/* After it: waits until as many disks are there as disks=N on the kernel's command line says, or for a while;
 * without the word nobody waits. */
void disks_wait(void);

/* What was written to any disk becomes durable; errors are left to fsync. Blocks. */
void disks_sync(void);
/* The same at the container's end, for a few seconds at most; no tasks run any more. */
void disks_end(void);

/* The open operation of block device nodes. -ENXIO: no such disk. */
int disk_open(struct inode *inode, struct file *file);

struct disk *disk_get(struct disk *disk);
void disk_put(struct disk *disk);
/* The n-th disk, referenced; NULL after the last. */
struct disk *disk_at(unsigned index);
struct disk *disk_by_name(const char *name, size_t length);
struct disk *disk_by_id(uint32_t id);

/* Gives new requests to the driver and takes its answers; the lock is held. */
void disk_run(struct disk *disk);
/* Waits, with the lock dropped, until the queue is woken; entered before the last look at the condition. */
void disk_sleep(struct disk *disk, struct waitq *queue);

static inline uint64_t disk_bytes(const struct disk *disk) {
    return disk->client.disk.sectors * BLOCK_SECTOR;
}

/* ---- cache.c: the lock is held, and dropped while waiting ---- */

int cache_init(struct disk *disk);
void cache_free(struct disk *disk);
/* An answer of the driver; false: the token is of a control request. */
void cache_answer(struct disk *disk, uint64_t token, int32_t result);
/* Starts what waited for free slots. */
void cache_continue(struct disk *disk);
/* The disk is gone: nothing is kept. */
void cache_drop(struct disk *disk);

/* Both move up to length bytes at a byte offset inside the disk: bytes, or -EIO or -EFAULT when none. */
int64_t cache_read(struct disk *disk, struct buffer *to, uint64_t offset, uint64_t length, bool ahead);
int64_t cache_write(struct disk *disk, struct buffer *from, uint64_t offset, uint64_t length);
/* The chunk that has a page of the disk with all its sectors, at a byte offset; NULL: it has to be fetched.
 */
struct chunk *cache_present(struct disk *disk, uint64_t offset);
/* Which of a chunk's pages are such; a bit each. */
uint8_t cache_pages(struct disk *disk, const struct chunk *chunk);
/* Reads the page at the offset, and its chunk: 0, -ENXIO behind the disk's end, -EIO. It need not stay. */
int cache_fetch(struct disk *disk, uint64_t offset);
/* Where a chunk is: in the area, and as the personality sees it. */
uint64_t cache_offset(const struct disk *disk, const struct chunk *chunk);
uint8_t *cache_bytes(const struct disk *disk, const struct chunk *chunk);
/* Valid sectors of the chunk have changed, or may have; starts to write them. disk_run tells the device. */
void cache_dirty(struct disk *disk, struct chunk *chunk, uint64_t sectors);
/* Waits until what is dirty now in the range has reached the device. Errors are counted in write_errors. */
void cache_settle(struct disk *disk, uint64_t offset, uint64_t length);
/* Waits until nothing is being read; of a disk that is departing nothing will be. */
void cache_rest(struct disk *disk);
/* Forgets what is clean in the range, so that it is read again. */
void cache_forget(struct disk *disk, uint64_t offset, uint64_t length);

/* ---- view.c: what programs are shown; the lock is held ---- */

/* Maps the page that a program touched: struct file_pager's show. */
int views_show(struct disk *disk, const struct page_touch *touch);
/* Takes a chunk from all programs; what they may have written of it is dirty then. 0 or -ENOMEM. */
int views_hide(struct disk *disk, struct chunk *chunk);
/* Takes from one owner what it is shown in a range of addresses. 0 or -ENOMEM. */
int views_hide_range(struct disk *disk, const void *owner, uint64_t start, uint64_t end);
/* What programs may have written of the chunk so far is dirty; what they write from now on is noticed. */
void views_harden(struct disk *disk, struct chunk *chunk);
/* The same for all chunks, when disk->behind fires. Takes the lock. */
void views_write_behind(struct timer_event *event);

/* ---- control.c ---- */

/* Everything the device has taken becomes durable. 0 or -EIO. */
int disk_flush(struct disk *disk);
/* Drops the contents of whole sectors. 0, -EOPNOTSUPP, -EIO. */
int disk_discard(struct disk *disk, uint64_t offset, uint64_t length);
void control_answer(struct disk *disk, int32_t result);
/* From now on nothing is written, and read from the cache only; all that was written before is durable after
 * the return, and the device has nothing to do any more. 0 or -EIO. */
int disk_finish(struct disk *disk);

/* ---- node.c ---- */

extern const struct file_operations disk_file_operations;
/* What an open file of a disk holds. */
struct disk_file {
    struct disk *disk;
    uint32_t write_errors; /* of the disk when this file was told last */
};
