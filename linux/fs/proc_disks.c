/* What /proc and /sys tell of disks: partitions, diskstats, /sys/block/NAME. A reference's fd is the disk's
 * id. */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/block/disk.h"
#include "linux/device/ipc.h"
#include "linux/fs/proc_internal.h"

enum { FILE_R = S_IFREG | 0444, DIRECTORY = S_IFDIR | 0755, SECTORS_PER_KB = 2 };

/* ---- /proc ---- */

int proc_show_partitions(const struct proc_ref *ref, struct text *text) {
    struct disk *disk;
    (void)ref;
    for (unsigned i = 0; (disk = disk_at(i)); i++) {
        if (i == 0)
            text_add(text, "major minor  #blocks  name\n\n");
        text_add(text, "%4u  %7u %10llu %s\n", disk->major, disk->minor,
                 (unsigned long long)disk->client.disk.sectors / SECTORS_PER_KB, disk->name);
        disk_put(disk);
    }
    return 0;
}

/* The eleven, later seventeen fields of Linux; times are not taken. */
static void add_statistics(struct text *text, struct disk *disk) {
    mutex_lock(&disk->lock);
    struct disk_statistics now = disk->statistics;
    mutex_unlock(&disk->lock);
    text_add(text, "%llu 0 %llu 0 %llu 0 %llu 0 0 0 0 %llu 0 %llu 0 %llu 0\n", (unsigned long long)now.reads,
             (unsigned long long)now.sectors_read, (unsigned long long)now.writes,
             (unsigned long long)now.sectors_written, (unsigned long long)now.discards,
             (unsigned long long)now.sectors_discarded, (unsigned long long)now.flushes);
}

int proc_show_diskstats(const struct proc_ref *ref, struct text *text) {
    struct disk *disk;
    (void)ref;
    for (unsigned i = 0; (disk = disk_at(i)); i++) {
        text_add(text, "%4u %7u %s ", disk->major, disk->minor, disk->name);
        add_statistics(text, disk);
        disk_put(disk);
    }
    return 0;
}

/* ---- /sys/block ---- */

enum { SIZE, READ_ONLY, NUMBER, BLOCK_BYTES, STATISTICS, SERIAL, ZERO, DISCARD_MOST };

static int show(const struct proc_ref *ref, struct text *text, unsigned what) {
    struct disk *disk = disk_by_id((uint32_t)ref->fd);
    if (!disk)
        return -ENOENT;
    const struct block_disk *facts = &disk->client.disk;
    switch (what) {
    case SIZE:
        text_add(text, "%llu\n", (unsigned long long)facts->sectors);
        break;
    case READ_ONLY:
        text_add(text, "%u\n", facts->read_only);
        break;
    case NUMBER:
        text_add(text, "%u:%u\n", disk->major, disk->minor);
        break;
    case BLOCK_BYTES:
        text_add(text, "%u\n", facts->block_size);
        break;
    case SERIAL:
        text_add(text, "%s\n", facts->serial);
        break;
    case DISCARD_MOST:
        text_add(text, "%u\n", facts->features & BLOCK_FEATURE_DISCARD ? UINT32_MAX & ~4095U : 0);
        break;
    case STATISTICS:
        add_statistics(text, disk);
        break;
    default:
        text_add(text, "0\n");
        break;
    }
    disk_put(disk);
    return 0;
}

#define SHOW(function, what)                                                                                 \
    static int function(const struct proc_ref *ref, struct text *text) {                                     \
        return show(ref, text, what);                                                                        \
    }
SHOW(show_size, SIZE)
SHOW(show_read_only, READ_ONLY)
SHOW(show_number, NUMBER)
SHOW(show_block_bytes, BLOCK_BYTES)
SHOW(show_statistics, STATISTICS)
SHOW(show_serial, SERIAL)
SHOW(show_zero, ZERO)
SHOW(show_discard_most, DISCARD_MOST)

static const struct proc_node queue_children[] = {
    {.name = "discard_granularity", .mode = FILE_R, .show = show_block_bytes},
    {.name = "discard_max_bytes", .mode = FILE_R, .show = show_discard_most},
    {.name = "hw_sector_size", .mode = FILE_R, .show = show_block_bytes},
    {.name = "logical_block_size", .mode = FILE_R, .show = show_block_bytes},
    {.name = "minimum_io_size", .mode = FILE_R, .show = show_block_bytes},
    {.name = "optimal_io_size", .mode = FILE_R, .show = show_zero},
    {.name = "physical_block_size", .mode = FILE_R, .show = show_block_bytes},
    {.name = "rotational", .mode = FILE_R, .show = show_zero},
};

/* Anything written to device/reset ends the driver, which starts again with a device that was reset. */
static int store_reset(const struct proc_ref *ref, const char *bytes, size_t length) {
    struct disk *disk = disk_by_id((uint32_t)ref->fd);
    (void)bytes, (void)length;
    if (!disk)
        return -ENOENT;
    struct ipc_message message;
    int64_t error = offers_call(DEVICES_RESET, (const uint64_t[3]){disk->address}, &message);
    disk_put(disk);
    return (int)error;
}

static const struct proc_node device_children[] = {
    {.name = "reset", .mode = S_IFREG | 0200, .store = store_reset},
};

static const struct proc_node disk_children[] = {
    {.name = "dev", .mode = FILE_R, .show = show_number},
    {.name = "device", .mode = DIRECTORY, .children = device_children, .count = PROC_COUNT(device_children)},
    {.name = "queue", .mode = DIRECTORY, .children = queue_children, .count = PROC_COUNT(queue_children)},
    {.name = "removable", .mode = FILE_R, .show = show_zero},
    {.name = "ro", .mode = FILE_R, .show = show_read_only},
    {.name = "serial", .mode = FILE_R, .show = show_serial},
    {.name = "size", .mode = FILE_R, .show = show_size},
    {.name = "stat", .mode = FILE_R, .show = show_statistics},
};

static const struct proc_node disk_node = {
    .name = "disk", .mode = DIRECTORY, .children = disk_children, .count = PROC_COUNT(disk_children)};

static void child_make(struct proc_child *child, struct disk *disk) {
    child->ref = (struct proc_ref){.node = &disk_node, .fd = (int32_t)disk->id};
    format_text(child->name, sizeof(child->name), "%s", disk->name);
    disk_put(disk);
}

int sysfs_disk_find(const struct proc_ref *directory, const char *name, size_t length,
                    struct proc_child *child) {
    struct disk *disk = disk_by_name(name, length);
    (void)directory;
    if (!disk)
        return -ENOENT;
    child_make(child, disk);
    return 0;
}

bool sysfs_disk_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    struct disk *disk = *number < UINT32_MAX ? disk_at((unsigned)*number) : NULL;
    (void)directory;
    if (!disk)
        return false;
    child_make(child, disk);
    return true;
}
