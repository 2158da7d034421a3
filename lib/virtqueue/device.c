/* See device.h. */
#include "lib/virtqueue/device.h"

#include "abi/errors.h"

void virtqueue_device_init(struct virtqueue_device *queue, const struct virtqueue_memory *ring, void *area,
                           uint64_t area_length, bool resume) {
    queue->ring = *ring;
    queue->area = area;
    queue->area_length = area_length;
    queue->avail_idx = queue->used_idx = queue->published = resume ? ring_load(ring->used->idx) : 0;
    queue->broken = false;
}

static int device_refuse(struct virtqueue_device *queue) {
    queue->broken = true;
    return -EPROTO;
}

/* Adds one descriptor to the chain; false when it is not acceptable. */
static bool chain_add(const struct virtqueue_device *queue, struct virtqueue_chain *chain,
                      const struct virtq_desc *desc) {
    unsigned count = chain->readable + chain->writable;
    if (count == VIRTQUEUE_CHAIN_MAX || (desc->flags & VIRTQ_DESC_INDIRECT))
        return false;
    if (desc->addr > queue->area_length || desc->len > queue->area_length - desc->addr)
        return false;
    if (!(desc->flags & VIRTQ_DESC_WRITE) && chain->writable != 0)
        return false;
    chain->segments[count] = (struct virtqueue_segment){queue->area + desc->addr, desc->len};
    if (desc->flags & VIRTQ_DESC_WRITE)
        chain->writable++;
    else
        chain->readable++;
    return true;
}

static struct virtq_desc desc_load(struct virtq_desc *desc) {
    return (struct virtq_desc){ring_load(desc->addr), ring_load(desc->len), ring_load(desc->flags),
                               ring_load(desc->next)};
}

/* VIRTQUEUE_CHAIN_MAX ends a chain that loops. */
static bool chain_walk(const struct virtqueue_device *queue, struct virtqueue_chain *chain, uint16_t head) {
    uint16_t slot = head;
    *chain = (struct virtqueue_chain){.head = head};
    for (;;) {
        if (slot >= queue->ring.size)
            return false;
        struct virtq_desc desc = desc_load(&queue->ring.desc[slot]);
        if (!chain_add(queue, chain, &desc))
            return false;
        if (!(desc.flags & VIRTQ_DESC_NEXT))
            return true;
        slot = desc.next;
    }
}

int virtqueue_pop(struct virtqueue_device *queue, struct virtqueue_chain *chain) {
    if (queue->broken)
        return -EPROTO;
    uint16_t offered = ring_load(queue->ring.avail->idx);
    if (offered == queue->avail_idx)
        return 0;
    /* No more can be under way than there are descriptors: so a loop over pop ends, whoever adds meanwhile.
     */
    if ((uint16_t)(offered - queue->published) > queue->ring.size)
        return device_refuse(queue);
    uint16_t head = ring_load(queue->ring.avail->ring[queue->avail_idx & (queue->ring.size - 1)]);
    if (!chain_walk(queue, chain, head))
        return device_refuse(queue);
    queue->avail_idx++;
    return 1;
}

void virtqueue_push(struct virtqueue_device *queue, uint16_t head, uint32_t written) {
    struct virtq_used_elem *elem = &queue->ring.used->ring[queue->used_idx & (queue->ring.size - 1)];
    ring_store(elem->id, head);
    ring_store(elem->len, written);
    queue->used_idx++;
}

bool virtqueue_device_publish(struct virtqueue_device *queue) {
    if (queue->published == queue->used_idx)
        return false;
    queue->published = queue->used_idx;
    ring_store(queue->ring.used->idx, queue->published);
    ring_fence();
    return !(ring_load(queue->ring.avail->flags) & VIRTQ_AVAIL_NO_INTERRUPT);
}

bool virtqueue_device_enable(struct virtqueue_device *queue) {
    ring_store(queue->ring.used->flags, 0);
    ring_fence();
    return !queue->broken && ring_load(queue->ring.avail->idx) != queue->avail_idx;
}

void virtqueue_device_disable(struct virtqueue_device *queue) {
    ring_store(queue->ring.used->flags, VIRTQ_USED_NO_NOTIFY);
}
