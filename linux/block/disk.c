/*
 * Disks that come and go: each is made when `devices` offers it, gets its node when its driver has described
 * it, and loses it when the device is taken away; open files keep the rest until they are closed.
 */
#include "linux/block/disk.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/abi/block.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/task.h"

enum { WAIT_STEP_NS = 1000000, LOOK_NS = 10000000, NODE_MODE = S_IFBLK | 0660 };
#define END_NS        5000000000ULL
#define CONTROL_TOKEN (1ULL << 63)

static struct mutex disks_lock = MUTEX_INIT(disks_lock); /* innermost: held for the list alone */
static struct list disks = LIST_INIT(disks);

/* ---- the lock, waiting, answers ---- */

/* Who waits looks for answers itself from time to time: a program that touches a page of a disk may do that
 * in the middle of a call, and the thread that takes the answers then wait for a lock of that call. */
void disk_sleep(struct disk *disk, struct waitq *queue) {
    struct task *task = task_current();
    struct waiter waiter = {.exclusive = false};
    waitq_add(queue, &waiter);
    mutex_unlock(&disk->lock);
    if (task)
        task->state = 'D';
    bool late = false;
    while (!waiter.woken && !late)
        late = thread_park_inside(clock_monotonic() + LOOK_NS);
    if (task)
        task->state = 'R';
    mutex_lock(&disk->lock);
    waitq_remove(queue, &waiter);
    if (late)
        disk_run(disk);
}

static void answers_take(struct disk *disk) {
    uint64_t token;
    int32_t result;
    while (block_client_ended(&disk->client, &token, &result)) {
        if (token & CONTROL_TOKEN)
            control_answer(disk, result);
        else
            cache_answer(disk, token, result);
    }
}

static void refusal_tell(const struct disk *disk) {
    const struct block_client *client = &disk->client;
    if (client->gone)
        log_line("%s: %u drivers in a row broke the protocol or told of another disk; it is given up",
                 disk->name, client->refusals);
    else
        log_line("%s: its driver broke the protocol or tells of another disk; what waits is for the next one",
                 disk->name);
}

void disk_run(struct disk *disk) {
    uint32_t refusals = disk->client.refusals;
    bool kick = false;
    do {
        if (block_client_run(&disk->client))
            kick = true;
        answers_take(disk);
        cache_continue(disk);
    } while (disk->client.dirty && !disk->client.queue.broken);
    if (disk->client.refusals > refusals)
        refusal_tell(disk);
    if (disk->client.gone)
        cache_drop(disk);
    if (kick)
        keel_event_signal(disk->kick);
}

/* ---- references and look-up ---- */

struct disk *disk_get(struct disk *disk) {
    atomic_fetch_add_explicit(&disk->references, 1, memory_order_relaxed);
    return disk;
}

void disk_put(struct disk *disk) {
    if (!disk || atomic_fetch_sub(&disk->references, 1) > 1)
        return;
    timer_event_drain(&disk->behind);
    cache_free(disk);
    heap_free(disk);
}

/* The first disk of the list for which the arguments fit, referenced. */
static struct disk *disk_find(bool (*fits)(const struct disk *, const void *), const void *what) {
    struct disk *disk, *found = NULL;
    mutex_lock(&disks_lock);
    list_for_each(disk, &disks, link) {
        if (disk->listed && fits(disk, what)) {
            found = disk_get(disk);
            break;
        }
    }
    mutex_unlock(&disks_lock);
    return found;
}

static bool fits_number(const struct disk *disk, const void *what) {
    const uint64_t *number = what;
    return device_number(disk->major, disk->minor) == *number;
}

static bool fits_id(const struct disk *disk, const void *what) {
    const uint32_t *id = what;
    return disk->id == *id;
}

struct text_range {
    const char *text;
    size_t length;
};

static bool fits_name(const struct disk *disk, const void *what) {
    const struct text_range *name = what;
    return strlen(disk->name) == name->length && !memcmp(disk->name, name->text, name->length);
}

struct disk *disk_by_name(const char *name, size_t length) {
    return disk_find(fits_name, &(struct text_range){name, length});
}

struct disk *disk_by_id(uint32_t id) {
    return disk_find(fits_id, &id);
}

struct disk *disk_at(unsigned index) {
    struct disk *disk, *found = NULL;
    mutex_lock(&disks_lock);
    list_for_each(disk, &disks, link) {
        if (disk->listed && index-- == 0) {
            found = disk_get(disk);
            break;
        }
    }
    mutex_unlock(&disks_lock);
    return found;
}

int disk_open(struct inode *inode, struct file *file) {
    struct disk *disk = disk_find(fits_number, &inode->attributes.rdev);
    if (!disk)
        return -ENXIO;
    bool writes = (file->flags & O_ACCMODE) != O_RDONLY;
    int error = disk->departing ? -ENXIO : writes && disk->client.disk.read_only ? -EACCES : 0;
    struct disk_file *own = error ? NULL : heap_alloc(sizeof(*own));
    if (!own) {
        disk_put(disk);
        return error ? error : -ENOMEM;
    }
    *own = (struct disk_file){.disk = disk, .write_errors = disk->write_errors};
    file->data = own;
    file->operations = &disk_file_operations;
    return 0;
}

/* ---- coming and going ---- */

static bool minor_taken(uint32_t minor) {
    const struct disk *disk;
    list_for_each(disk, &disks, link) {
        if (disk->major == MAJOR_BLKEXT && disk->minor == minor)
            return true;
    }
    return false;
}

/* Numbers as on Linux: sd and vd by letters, everything else the lowest that is free. */
static void numbers_choose(struct disk *disk) {
    uint32_t index = 0;
    const char *name = disk->name;
    bool sd = !memcmp(name, "sd", 2), vd = !memcmp(name, "vd", 2);
    for (name += 2; (sd || vd) && *name >= 'a' && *name <= 'z'; name++)
        index = index * 26 + (uint32_t)(*name - 'a') + 1;
    if (index) {
        disk->major = sd ? MAJOR_SD : MAJOR_VIRTBLK;
        disk->minor = (index - 1) * MINORS_PER_DISK;
    } else {
        mutex_lock(&disks_lock);
        while (minor_taken(disk->minor))
            disk->minor++;
        mutex_unlock(&disks_lock);
        disk->major = MAJOR_BLKEXT;
    }
}

static struct disk *disk_create(const struct device_offer *offer) {
    struct disk *disk = heap_zalloc(sizeof(*disk));
    if (!disk)
        return NULL;
    disk->references = 1;
    disk->id = offer->device.id;
    disk->address = offer->device.address;
    disk->kick = offer->kick;
    disk->memory = offer->memory;
    disk->behind.fire = views_write_behind;
    format_text(disk->name, sizeof(disk->name), "%s", offer->device.name);
    numbers_choose(disk);
    mutex_init(&disk->lock);
    waitq_init(&disk->room);
    if (block_client_init(&disk->client, offer->area, offer->length) || cache_init(disk)) {
        heap_free(disk);
        return NULL;
    }
    return disk;
}

/* Once the driver has said what the disk is like, it can be opened. */
static void disk_list(struct disk *disk) {
    if (disk->listed || !disk->client.described || disk->client.gone)
        return;
    disk->listed = true;
    int error = device_node_make(disk->name, NODE_MODE, device_number(disk->major, disk->minor));
    if (error)
        log_line("/dev/%s cannot be made (error %d)", disk->name, -error);
    log_line("%s: %llu sectors of 512 bytes, blocks of %u%s", disk->name,
             (unsigned long long)disk->client.disk.sectors, disk->client.disk.block_size,
             disk->client.disk.read_only ? ", read-only" : "");
}

static void disk_event(void *state) {
    struct disk *disk = state;
    mutex_lock(&disk->lock);
    disk_run(disk);
    mutex_unlock(&disk->lock);
    disk_list(disk);
}

static void *disk_appear(const struct device_offer *offer) {
    struct disk *disk = disk_create(offer);
    if (!disk)
        return NULL;
    mutex_lock(&disks_lock);
    list_push_back(&disks, &disk->link);
    mutex_unlock(&disks_lock);
    disk_event(disk);
    return disk;
}

static void finish_run(void *state) {
    struct disk *disk = state;
    mutex_lock(&disk->lock);
    uint32_t errors = disk->write_errors;
    int error = disk_finish(disk);
    if (error || disk->write_errors != errors)
        log_line("%s: not all that was written is on it", disk->name);
    mutex_unlock(&disk->lock);
    offers_left(disk->id);
    disk_put(disk);
}

/* On a thread of its own: the caller is the one that takes the driver's answers. */
static void disk_depart(void *state) {
    struct disk *disk = disk_get(state);
    int error = thread_spawn(finish_run, disk, NULL);
    if (!error)
        return;
    log_line("%s: what was written last may be lost (error %d)", disk->name, -error);
    offers_left(disk->id);
    disk_put(disk);
}

static void disk_gone(void *state) {
    struct disk *disk = state;
    mutex_lock(&disks_lock);
    list_remove(&disk->link);
    mutex_unlock(&disks_lock);
    if (disk->listed)
        device_node_remove(disk->name);
    mutex_lock(&disk->lock);
    block_client_fail(&disk->client);
    answers_take(disk);
    cache_drop(disk);
    mutex_unlock(&disk->lock);
    log_line("%s: gone", disk->name);
    disk_put(disk);
}

static const struct device_kind disk_kind = {.device_class = DEVICES_BLOCK,
                                             .appear = disk_appear,
                                             .event = disk_event,
                                             .depart = disk_depart,
                                             .gone = disk_gone};

void disks_use(void) {
    offers_use(&disk_kind);
}

static unsigned listed_count(void) {
    struct disk *disk;
    unsigned count = 0;
    mutex_lock(&disks_lock);
    list_for_each(disk, &disks, link) {
        count += disk->listed;
    }
    mutex_unlock(&disks_lock);
    return count;
}

void disks_wait(void) {
    offers_await(DEVICES_BLOCK, "disks=", listed_count);
}

void disks_sync(void) {
    struct disk *disk;
    for (unsigned i = 0; (disk = disk_at(i)); i++) {
        mutex_lock(&disk->lock);
        cache_settle(disk, 0, UINT64_MAX);
        (void)disk_flush(disk);
        mutex_unlock(&disk->lock);
        disk_put(disk);
    }
}

static void end_sync(void *done) {
    disks_sync();
    *(_Atomic bool *)done = true;
}

void disks_end(void) {
    static _Atomic bool done;
    uint64_t end = clock_monotonic() + END_NS;
    struct disk *first = disk_at(0);
    if (!first || thread_spawn(end_sync, (void *)&done, NULL))
        return;
    while (!done && clock_monotonic() < end)
        thread_park(clock_monotonic() + WAIT_STEP_NS);
}
