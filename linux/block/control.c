/* Requests that move no data: flush and discard, one at a time. The range of a discard lies in the area
 * before the cache. */
#include "abi/errors.h"
#include "linux/block/disk.h"

#define CONTROL_TOKEN (1ULL << 63)
enum { DISCARD_MOST = 1 << 20 }; /* sectors of one request */

void control_answer(struct disk *disk, int32_t result) {
    disk->control_result = result;
    disk->control_done = true;
    waitq_wake_all(&disk->room);
}

/* Makes the control request the caller's: false when the disk is gone. */
static bool control_take(struct disk *disk) {
    while (disk->control_busy && !disk->client.gone)
        disk_sleep(disk, &disk->room);
    if (disk->client.gone)
        return false;
    disk->control_busy = true;
    return true;
}

static int control_perform(struct disk *disk, struct block_request *request) {
    int error;
    request->token = CONTROL_TOKEN;
    disk->control_done = false;
    while ((error = block_client_submit(&disk->client, request)) == -EAGAIN)
        disk_sleep(disk, &disk->room);
    if (error)
        return error;
    disk_run(disk);
    while (!disk->control_done)
        disk_sleep(disk, &disk->room);
    return disk->control_result;
}

static void control_release(struct disk *disk) {
    disk->control_busy = false;
    waitq_wake_all(&disk->room);
}

int disk_flush(struct disk *disk) {
    struct block_request request = {.type = BLOCK_FLUSH};
    if (disk->client.gone)
        return -EIO;
    if (!(disk->client.disk.features & BLOCK_FEATURE_FLUSH)) /* what it has taken is durable */
        return 0;
    if (!control_take(disk))
        return -EIO;
    int error = control_perform(disk, &request);
    disk->statistics.flushes++;
    control_release(disk);
    return error;
}

int disk_finish(struct disk *disk) {
    disk->departing = true;
    cache_rest(disk);
    cache_settle(disk, 0, UINT64_MAX);
    return disk_flush(disk);
}

int disk_discard(struct disk *disk, uint64_t offset, uint64_t length) {
    struct block_request request = {
        .type = BLOCK_DISCARD, .offset = BLOCK_DATA, .length = sizeof(struct block_range)};
    volatile struct block_range *range = (struct block_range *)(disk->client.area + BLOCK_DATA);
    int error = 0;
    if (!(disk->client.disk.features & BLOCK_FEATURE_DISCARD))
        return -EOPNOTSUPP;
    cache_settle(disk, offset, length);
    if (disk->departing || !control_take(disk))
        return -EIO;
    for (uint64_t at = offset / BLOCK_SECTOR, left = length / BLOCK_SECTOR; left && !error;) {
        uint32_t count = left < DISCARD_MOST ? (uint32_t)left : DISCARD_MOST;
        if (disk->client.gone) { /* and its area with it */
            error = -EIO;
            break;
        }
        range->sector = at;
        range->count = count;
        range->flags = 0;
        error = control_perform(disk, &request);
        disk->statistics.discards++;
        disk->statistics.sectors_discarded += count;
        at += count;
        left -= count;
    }
    cache_forget(disk, offset, length);
    control_release(disk);
    return error;
}
