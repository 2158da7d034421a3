/*
 * Serves abi/accel.h with the processors. Work is done in steps of a millisecond or so: between two of them,
 * whatever has come in is taken first, and each piece of work in turn gets its step.
 */
#include <errno.h>
#include <string.h>

#include "abi/accel.h"
#include "drivers/accel/work.h"
#include "lib/driver/driver.h"
#include "lib/native/keel.h"
#include "lib/virtqueue/char_ring.h"

enum { AT_ONCE = 1 /* ns: it has passed, so the timer comes when nothing else has */ };

static struct job {
    struct driver_request *request; /* NULL: free */
    struct accel_work work;
} jobs[CHAR_REQUESTS_MOST];
static unsigned next_job;
static uint64_t position;
static bool wide;

_Static_assert((int)ACCEL_MEMORY_AT >= (int)CHAR_AREA_SIZE && ACCEL_MEMORY_AT + ACCEL_MEMORY == 1 << 20,
               "the manifest's area");

static uint8_t *memory_of(const struct driver_device *device) {
    return device->links[0].area.bytes + ACCEL_MEMORY_AT;
}

static void memory_clear(struct driver_device *device) {
    memset(jobs, 0, sizeof jobs);
    position = 0;
    device->deadline = DEADLINE_NEVER;
    memset(memory_of(device), 0, ACCEL_MEMORY);
}

static int64_t accel_init(struct driver_device *device) {
    if (device->link_count != 1 || device->links[0].area.length < ACCEL_MEMORY_AT + ACCEL_MEMORY)
        return -EINVAL;
    driver_char_features(&device->links[0], CHAR_EXCLUSIVE | CHAR_CLOSES);
    wide = accel_wide();
    return 0;
}

/* Work of an earlier session is nobody's. */
static void accel_session(struct driver_device *device, struct driver_link *link) {
    (void)link;
    memset(jobs, 0, sizeof jobs);
    device->deadline = DEADLINE_NEVER;
}

/* Bytes of the memory from the position on, and the position moves behind them. */
static uint8_t *memory_take(struct driver_device *device, uint32_t *length) {
    uint8_t *bytes = memory_of(device) + position;
    if (*length > ACCEL_MEMORY - position)
        *length = (uint32_t)(ACCEL_MEMORY - position);
    position += *length;
    return bytes;
}

static int64_t accel_read(struct driver_device *device, struct driver_request *request) {
    uint32_t length = request->length;
    const uint8_t *from = memory_take(device, &length);
    memcpy(request->bytes, from, length);
    return length;
}

static int64_t accel_write(struct driver_device *device, struct driver_request *request) {
    uint32_t length = request->length;
    uint8_t *to = memory_take(device, &length);
    memcpy(to, request->bytes, length);
    return length ? (int64_t)length : -ENOSPC;
}

static int64_t job_start(struct driver_device *device, struct driver_request *request) {
    struct accel_request copy;
    struct job *job = jobs;
    if (request->length != sizeof copy)
        return -EINVAL;
    memcpy(&copy, request->bytes, sizeof copy);
    while (job < jobs + CHAR_REQUESTS_MOST && job->request)
        job++;
    if (job == jobs + CHAR_REQUESTS_MOST)
        return -EBUSY;
    int error = accel_begin(&job->work, &copy, memory_of(device), ACCEL_MEMORY, wide);
    if (error)
        return error;
    job->request = request;
    device->deadline = AT_ONCE;
    return DRIVER_LATER;
}

static int64_t accel_ioctl(struct driver_device *device, struct driver_request *request) {
    if (request->control == ACCEL_IOCTL_RUN)
        return job_start(device, request);
    if (request->control != ACCEL_IOCTL_SEEK)
        return -ENOTTY;
    if (request->offset > ACCEL_MEMORY)
        return -EINVAL;
    position = request->offset;
    return 0;
}

static void job_end(struct job *job) {
    struct driver_request *request = job->request;
    job->request = NULL;
    memcpy(request->bytes, &job->work.request, sizeof job->work.request);
    driver_complete(request, 0);
}

/* A step of one piece of work, of another one each time. */
static void accel_timer(struct driver_device *device) {
    bool more = false;
    for (unsigned i = 0; i < CHAR_REQUESTS_MOST; i++) {
        struct job *job = &jobs[(next_job + i) % CHAR_REQUESTS_MOST];
        if (!job->request)
            continue;
        next_job = (unsigned)(job - jobs) + 1;
        if (accel_step(&job->work, ACCEL_STEP))
            job_end(job);
        break;
    }
    for (unsigned i = 0; i < CHAR_REQUESTS_MOST; i++)
        more = more || jobs[i].request;
    device->deadline = more ? AT_ONCE : DEADLINE_NEVER;
}

static void accel_closed(struct driver_device *device, struct driver_link *link) {
    (void)link;
    memory_clear(device);
}

static const struct driver accel = {
    .name = "accel",
    .init = accel_init,
    .session = accel_session,
    .read = accel_read,
    .write = accel_write,
    .ioctl = accel_ioctl,
    .timer = accel_timer,
    .closed = accel_closed,
};

int main(int argc, char **argv) {
    return driver_main(&accel, argc, argv);
}
