/*
 * The virtio entropy device (virtio 1.x, section 5.4): one queue of buffers that the device fills. A read of
 * /dev/hwrng is a buffer in the client's area, which the device fills there: nothing is copied.
 */
#include <errno.h>

#include "lib/virtio/virtio.h"

enum { QUEUE_SIZE = 32 };

static struct virtio virtio;
static struct virtio_queue queue;

static int64_t rng_init(struct driver_device *device) {
    int64_t error = virtio_open(&virtio, device);
    if (!error)
        error = virtio_negotiate(&virtio, 0, 0);
    if (!error)
        error = virtio_queue_open(&virtio, &queue, 0, QUEUE_SIZE, 0);
    if (!error)
        virtio_ready(&virtio);
    return error;
}

/* The buffers of an old session must not be filled any more. */
static void rng_session(struct driver_device *device, struct driver_link *link) {
    int64_t error = rng_init(device);
    (void)link;
    if (error)
        driver_fail("the device does not start again", error);
}

static int64_t rng_read(struct driver_device *device, struct driver_request *request) {
    const struct virtqueue_buffer buffer = {request->physical, request->length};
    (void)device;
    if (request->length == 0)
        return 0;
    int error = virtqueue_add(&queue.ring, &buffer, 0, 1, (uintptr_t)request);
    if (error)
        return error;
    virtio_publish(&queue);
    return DRIVER_LATER;
}

static void rng_interrupt(struct driver_device *device, unsigned index) {
    uint64_t token;
    uint32_t length;
    int result;
    (void)device, (void)index;
    (void)virtio_cause(&virtio);
    while ((result = virtqueue_get_used(&queue.ring, &token, &length)) == 1)
        driver_complete((struct driver_request *)(uintptr_t)token, length);
    if (result < 0)
        driver_fail("the device's used ring", result);
}

static const struct driver rng = {
    .name = "virtio-rng",
    .init = rng_init,
    .session = rng_session,
    .read = rng_read,
    .interrupt = rng_interrupt,
};

int main(int argc, char **argv) {
    return driver_main(&rng, argc, argv);
}
