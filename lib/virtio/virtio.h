/*
 * Virtio devices on PCI, the modern interface of virtio 1.x (no legacy one): a driver of lib/driver opens the
 * transport, negotiates features, places its queues in DMA memory, and goes. The queues themselves are
 * lib/virtqueue/driver.h with physical addresses in the descriptors.
 *
 *     virtio_open → virtio_negotiate → virtio_queue_open … → virtio_ready
 *
 * What the device says (places of its registers, queue sizes) is checked; its registers are reached through
 * bar_read and bar_write, which stay inside the BARs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/driver/driver.h"
#include "lib/virtqueue/driver.h"

#define VIRTIO_F_VERSION_1 (1ULL << 32)
/* Addresses go through the platform's IOMMU like those of other devices (servers/devices/iommu.h). */
#define VIRTIO_F_ACCESS_PLATFORM (1ULL << 33)

enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

/* Registers in a BAR. */
struct virtio_region {
    const struct driver_bar *bar; /* NULL: none */
    uint32_t offset, length;
};

struct virtio {
    struct driver_device *device;
    struct virtio_region common, notify, isr, config;
    uint32_t notify_multiplier;
    uint64_t features; /* negotiated */
    uint64_t dma_used; /* bytes of device->dma taken by queues */
};

struct virtio_queue {
    struct virtio *virtio;
    uint16_t index;
    uint32_t notify_offset; /* into the notify region */
    struct virtqueue_driver ring;
};

/* Where the device's registers are, from its configuration space; a reset; ACKNOWLEDGE and DRIVER. 0, -ENODEV
 * no modern interface, -EPROTO its description is wrong, -ETIMEDOUT it does not reset. */
int64_t virtio_open(struct virtio *virtio, struct driver_device *device);

/* Accepts of the offered features those in wanted, VIRTIO_F_VERSION_1 and VIRTIO_F_ACCESS_PLATFORM. -ENOTSUP
 * when one of required is not offered or the device refuses. */
int64_t virtio_negotiate(struct virtio *virtio, uint64_t wanted, uint64_t required);

/* Lays queue index in the driver's DMA memory: the largest power of two of entries up to size that the device
 * takes. Interrupts come at device->irqs[irq] when it has vectors, else all at irqs[0]. 0, -ENOENT no such
 * queue, -ENOMEM no DMA memory left, -EIO the device refuses the vector. */
int64_t virtio_queue_open(struct virtio *virtio, struct virtio_queue *queue, uint16_t index, uint16_t size,
                          unsigned irq);

/* Takes a piece of the DMA memory that the queues leave, for requests: NULL when there is too little. Aligned
 * to 16 bytes. */
uint8_t *virtio_dma_take(struct virtio *virtio, uint64_t length, uint64_t *physical);

/* DRIVER_OK: from here on the device works. */
void virtio_ready(struct virtio *virtio);

/* Makes added chains visible and tells the device when it wants to know. */
void virtio_publish(struct virtio_queue *queue);

/* Reads and clears the interrupt's cause (VIRTIO_ISR_…); with vectors there is none to read: both. */
uint32_t virtio_cause(struct virtio *virtio);

/* The device's own configuration. Beyond its end: all ones. */
uint32_t virtio_config(const struct virtio *virtio, uint32_t offset, unsigned width);
uint64_t virtio_config64(const struct virtio *virtio, uint32_t offset);
void virtio_config_set(const struct virtio *virtio, uint32_t offset, unsigned width, uint32_t value);

/* Whether the device asks for a reset: it met something it cannot go on from. */
bool virtio_broken(const struct virtio *virtio);
