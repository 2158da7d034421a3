/* See driver.h. */
#include "lib/virtqueue/driver.h"

#include "abi/errors.h"

void virtqueue_driver_init(struct virtqueue_driver *queue, const struct virtqueue_memory *ring) {
    queue->ring = *ring;
    queue->free_head = 0;
    queue->free_count = ring->size;
    queue->avail_idx = queue->used_idx = 0;
    queue->broken = false;
    for (uint16_t i = 0; i < ring->size; i++) {
        queue->next[i] = (uint16_t)(i + 1);
        queue->count[i] = 0;
    }
    ring_store(ring->avail->flags, 0);
    ring_store(ring->avail->idx, 0);
    ring_store(ring->used->flags, 0);
    ring_store(ring->used->idx, 0);
}

int virtqueue_add(struct virtqueue_driver *queue, const struct virtqueue_buffer *buffers, unsigned readable,
                  unsigned writable, uint64_t token) {
    unsigned count = readable + writable;
    if (queue->broken)
        return -EPROTO;
    if (count == 0 || count > queue->ring.size)
        return -EINVAL;
    if (count > queue->free_count)
        return -EAGAIN;
    uint16_t head = queue->free_head, slot = head;
    uint32_t room = 0;
    for (unsigned i = 0; i < count; i++) {
        uint16_t flags = i < readable ? 0 : VIRTQ_DESC_WRITE;
        if (i + 1 < count)
            flags |= VIRTQ_DESC_NEXT;
        if (i >= readable)
            room += buffers[i].length;
        queue->ring.desc[slot] = (struct virtq_desc){buffers[i].address, buffers[i].length, flags,
                                                     flags & VIRTQ_DESC_NEXT ? queue->next[slot] : 0};
        slot = queue->next[slot];
    }
    queue->free_head = slot;
    queue->free_count -= count;
    queue->count[head] = (uint16_t)count;
    queue->writable[head] = room;
    queue->token[head] = token;
    ring_store(queue->ring.avail->ring[queue->avail_idx & (queue->ring.size - 1)], head);
    queue->avail_idx++;
    return 0;
}

bool virtqueue_publish(struct virtqueue_driver *queue) {
    ring_store(queue->ring.avail->idx, queue->avail_idx);
    ring_fence();
    return !(ring_load(queue->ring.used->flags) & VIRTQ_USED_NO_NOTIFY);
}

static int driver_refuse(struct virtqueue_driver *queue) {
    queue->broken = true;
    return -EPROTO;
}

static void chain_free(struct virtqueue_driver *queue, uint16_t head) {
    uint16_t last = head;
    for (unsigned i = 1; i < queue->count[head]; i++)
        last = queue->next[last];
    queue->next[last] = queue->free_head;
    queue->free_head = head;
    queue->free_count += queue->count[head];
    queue->count[head] = 0;
}

int virtqueue_get_used(struct virtqueue_driver *queue, uint64_t *token, uint32_t *length) {
    if (queue->broken)
        return -EPROTO;
    uint16_t pending = (uint16_t)(ring_load(queue->ring.used->idx) - queue->used_idx);
    if (pending == 0)
        return 0;
    if (pending > queue->ring.size)
        return driver_refuse(queue);
    struct virtq_used_elem *elem = &queue->ring.used->ring[queue->used_idx & (queue->ring.size - 1)];
    uint32_t id = ring_load(elem->id), written = ring_load(elem->len);
    if (id >= queue->ring.size || queue->count[id] == 0 || written > queue->writable[id])
        return driver_refuse(queue);
    queue->used_idx++;
    *token = queue->token[id];
    *length = written;
    chain_free(queue, (uint16_t)id);
    return 1;
}

bool virtqueue_driver_enable(struct virtqueue_driver *queue) {
    ring_store(queue->ring.avail->flags, 0);
    ring_fence();
    return ring_load(queue->ring.used->idx) != queue->used_idx;
}

void virtqueue_driver_disable(struct virtqueue_driver *queue) {
    ring_store(queue->ring.avail->flags, VIRTQ_AVAIL_NO_INTERRUPT);
}
