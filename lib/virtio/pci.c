/* The modern virtio transport over PCI. See virtio.h. */
#include <errno.h>
#include <string.h>

#include "lib/native/keel.h"
#include "lib/pci/config.h"
#include "lib/virtio/virtio.h"

/* The vendor-specific capability of virtio 1.x, section 4.1.4. */
enum { CAP_LENGTH = 2, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_BYTES = 12, CAP_MULTIPLIER = 16 };
enum { CAP_SIZE = 16, CAP_NOTIFY_SIZE = 20 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4 };

/* struct virtio_pci_common_cfg, section 4.1.4.3. */
enum common {
    DEVICE_FEATURE_SELECT = 0x00,
    DEVICE_FEATURE = 0x04,
    DRIVER_FEATURE_SELECT = 0x08,
    DRIVER_FEATURE = 0x0c,
    CONFIG_VECTOR = 0x10,
    DEVICE_STATUS = 0x14,
    QUEUE_SELECT = 0x16,
    QUEUE_SIZE = 0x18,
    QUEUE_VECTOR = 0x1a,
    QUEUE_ENABLE = 0x1c,
    QUEUE_NOTIFY = 0x1e,
    QUEUE_DESC = 0x20,
    QUEUE_AVAIL = 0x28,
    QUEUE_USED = 0x30,
    COMMON_SIZE = 0x38,
};

enum status { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
enum { NO_VECTOR = 0xffff, DMA_ALIGN = 16, RESET_STEP_NS = 1000000, RESET_TRIES = 1000 };

static uint32_t region_read(const struct virtio_region *region, uint32_t offset, unsigned width) {
    if (offset > region->length || width > region->length - offset)
        return UINT32_MAX;
    return bar_read(region->bar, (uint64_t)region->offset + offset, width);
}

static void region_write(const struct virtio_region *region, uint32_t offset, unsigned width,
                         uint32_t value) {
    if (offset <= region->length && width <= region->length - offset)
        bar_write(region->bar, (uint64_t)region->offset + offset, width, value);
}

static uint32_t common_read(const struct virtio *virtio, enum common offset, unsigned width) {
    return region_read(&virtio->common, offset, width);
}

static void common_write(const struct virtio *virtio, enum common offset, unsigned width, uint32_t value) {
    region_write(&virtio->common, offset, width, value);
}

static void common_write64(const struct virtio *virtio, enum common offset, uint64_t value) {
    region_write(&virtio->common, offset, 4, (uint32_t)value);
    region_write(&virtio->common, offset + 4U, 4, (uint32_t)(value >> 32));
}

static void status_add(const struct virtio *virtio, enum status bits) {
    common_write(virtio, DEVICE_STATUS, 1, common_read(virtio, DEVICE_STATUS, 1) | bits);
}

/* ---- finding the registers ---- */

static struct virtio_region *region_of(struct virtio *virtio, uint8_t type) {
    switch (type) {
    case TYPE_COMMON:
        return &virtio->common;
    case TYPE_NOTIFY:
        return &virtio->notify;
    case TYPE_ISR:
        return &virtio->isr;
    case TYPE_DEVICE:
        return &virtio->config;
    default:
        return NULL;
    }
}

/* The first capability of each type counts, when its BAR is there and holds it. */
static int64_t region_take(struct virtio *virtio, const struct pci_config *config, uint32_t at) {
    uint8_t type = pci_read8(config, at + CAP_TYPE), bar = pci_read8(config, at + CAP_BAR);
    uint32_t offset = pci_read32(config, at + CAP_OFFSET), length = pci_read32(config, at + CAP_BYTES);
    uint32_t size = type == TYPE_NOTIFY ? CAP_NOTIFY_SIZE : CAP_SIZE;
    struct virtio_region *region = region_of(virtio, type);
    if (!region || region->bar || bar >= DRIVER_BARS)
        return 0;
    if (pci_read8(config, at + CAP_LENGTH) < size || at + size > PCI_CONFIG_SIZE)
        return -EPROTO;
    const struct driver_bar *place = &virtio->device->bars[bar];
    if (offset > place->length || length > place->length - offset)
        return -EPROTO;
    *region = (struct virtio_region){place, offset, length};
    if (type == TYPE_NOTIFY)
        virtio->notify_multiplier = pci_read32(config, at + CAP_MULTIPLIER);
    return 0;
}

static int64_t regions_find(struct virtio *virtio) {
    struct pci_config config = {virtio->device->config, (uint32_t)virtio->device->config_length};
    struct pci_capabilities walk;
    uint8_t id, offset;
    int result;
    pci_capabilities_begin(&walk, &config);
    while ((result = pci_capability_next(&walk, &id, &offset)) == 1) {
        int64_t error = id == PCI_CAP_VENDOR ? region_take(virtio, &config, offset) : 0;
        if (error < 0)
            return error;
    }
    if (result < 0)
        return result;
    if (!virtio->common.bar || !virtio->notify.bar || !virtio->isr.bar)
        return -ENODEV;
    return virtio->common.length < COMMON_SIZE || virtio->isr.length < 1 ? -EPROTO : 0;
}

/* ---- start ---- */

static int64_t device_reset(const struct virtio *virtio) {
    common_write(virtio, DEVICE_STATUS, 1, 0);
    for (unsigned tries = 0; common_read(virtio, DEVICE_STATUS, 1) != 0; tries++) {
        if (tries == RESET_TRIES)
            return -ETIMEDOUT;
        (void)keel_thread_wait(clock_now() + RESET_STEP_NS);
    }
    return 0;
}

int64_t virtio_open(struct virtio *virtio, struct driver_device *device) {
    *virtio = (struct virtio){.device = device};
    int64_t error = device->config ? regions_find(virtio) : -ENODEV;
    if (error == 0)
        error = device_reset(virtio);
    if (error < 0)
        return error;
    status_add(virtio, ACKNOWLEDGE);
    status_add(virtio, DRIVER);
    common_write(virtio, CONFIG_VECTOR, 2, device->irq_mode == DRIVER_IRQ_MSIX ? 0 : NO_VECTOR);
    return 0;
}

static uint64_t features_offered(const struct virtio *virtio) {
    common_write(virtio, DEVICE_FEATURE_SELECT, 4, 1);
    uint64_t high = common_read(virtio, DEVICE_FEATURE, 4);
    common_write(virtio, DEVICE_FEATURE_SELECT, 4, 0);
    return high << 32 | common_read(virtio, DEVICE_FEATURE, 4);
}

int64_t virtio_negotiate(struct virtio *virtio, uint64_t wanted, uint64_t required) {
    uint64_t offered = features_offered(virtio);
    required |= VIRTIO_F_VERSION_1;
    if ((offered & required) != required)
        return -ENOTSUP;
    virtio->features = offered & (wanted | required | VIRTIO_F_ACCESS_PLATFORM);
    common_write(virtio, DRIVER_FEATURE_SELECT, 4, 1);
    common_write(virtio, DRIVER_FEATURE, 4, (uint32_t)(virtio->features >> 32));
    common_write(virtio, DRIVER_FEATURE_SELECT, 4, 0);
    common_write(virtio, DRIVER_FEATURE, 4, (uint32_t)virtio->features);
    status_add(virtio, FEATURES_OK);
    return common_read(virtio, DEVICE_STATUS, 1) & FEATURES_OK ? 0 : -ENOTSUP;
}

void virtio_ready(struct virtio *virtio) {
    status_add(virtio, DRIVER_OK);
}

bool virtio_broken(const struct virtio *virtio) {
    return common_read(virtio, DEVICE_STATUS, 1) & NEEDS_RESET;
}

/* ---- queues ---- */

uint8_t *virtio_dma_take(struct virtio *virtio, uint64_t length, uint64_t *physical) {
    const struct driver_memory *dma = &virtio->device->dma;
    uint64_t at = (virtio->dma_used + DMA_ALIGN - 1) & ~(uint64_t)(DMA_ALIGN - 1);
    if (!dma->bytes || at > dma->length || length > dma->length - at)
        return NULL;
    virtio->dma_used = at + length;
    *physical = dma->physical + at;
    return dma->bytes + at;
}

static int64_t queue_vector(const struct virtio *virtio, unsigned irq) {
    if (virtio->device->irq_mode != DRIVER_IRQ_MSIX) {
        common_write(virtio, QUEUE_VECTOR, 2, NO_VECTOR);
        return 0;
    }
    uint32_t vector = irq < virtio->device->irq_count ? irq : 0;
    common_write(virtio, QUEUE_VECTOR, 2, vector);
    return common_read(virtio, QUEUE_VECTOR, 2) == vector ? 0 : -EIO;
}

static int64_t queue_place(struct virtio *virtio, struct virtio_queue *queue, uint16_t size) {
    struct virtqueue_memory ring = {.size = size};
    uint64_t desc = 0, avail = 0, used = 0;
    ring.desc = (struct virtq_desc *)virtio_dma_take(virtio, sizeof *ring.desc * size, &desc);
    ring.avail = (struct virtq_avail *)virtio_dma_take(
        virtio, sizeof *ring.avail + sizeof ring.avail->ring[0] * size + 2, &avail);
    ring.used = (struct virtq_used *)virtio_dma_take(
        virtio, sizeof *ring.used + sizeof ring.used->ring[0] * size + 2, &used);
    if (!ring.desc || !ring.avail || !ring.used)
        return -ENOMEM;
    virtqueue_driver_init(&queue->ring, &ring);
    common_write(virtio, QUEUE_SIZE, 2, size);
    common_write64(virtio, QUEUE_DESC, desc);
    common_write64(virtio, QUEUE_AVAIL, avail);
    common_write64(virtio, QUEUE_USED, used);
    return 0;
}

int64_t virtio_queue_open(struct virtio *virtio, struct virtio_queue *queue, uint16_t index, uint16_t size,
                          unsigned irq) {
    common_write(virtio, QUEUE_SELECT, 2, index);
    uint32_t most = common_read(virtio, QUEUE_SIZE, 2);
    if (most == 0 || most > 32768)
        return -ENOENT;
    if (size > VIRTQUEUE_MAX_SIZE)
        size = VIRTQUEUE_MAX_SIZE;
    while (size > most)
        size /= 2;
    *queue = (struct virtio_queue){.virtio = virtio, .index = index};
    queue->notify_offset = common_read(virtio, QUEUE_NOTIFY, 2) * virtio->notify_multiplier;
    if (queue->notify_offset > virtio->notify.length || virtio->notify.length - queue->notify_offset < 2)
        return -EPROTO;
    int64_t error = queue_place(virtio, queue, size);
    if (error == 0)
        error = queue_vector(virtio, irq);
    if (error == 0)
        common_write(virtio, QUEUE_ENABLE, 2, 1);
    return error;
}

void virtio_publish(struct virtio_queue *queue) {
    if (virtqueue_publish(&queue->ring))
        region_write(&queue->virtio->notify, queue->notify_offset, 2, queue->index);
}

/* ---- running ---- */

uint32_t virtio_cause(struct virtio *virtio) {
    if (virtio->device->irq_mode == DRIVER_IRQ_MSIX)
        return VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG;
    return region_read(&virtio->isr, 0, 1);
}

uint32_t virtio_config(const struct virtio *virtio, uint32_t offset, unsigned width) {
    return virtio->config.bar ? region_read(&virtio->config, offset, width) : UINT32_MAX;
}

uint64_t virtio_config64(const struct virtio *virtio, uint32_t offset) {
    return virtio_config(virtio, offset, 4) | (uint64_t)virtio_config(virtio, offset + 4, 4) << 32;
}

void virtio_config_set(const struct virtio *virtio, uint32_t offset, unsigned width, uint32_t value) {
    if (virtio->config.bar)
        region_write(&virtio->config, offset, width, value);
}
