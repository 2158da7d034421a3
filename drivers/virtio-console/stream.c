/* See stream.h. */
#include "drivers/virtio-console/stream.h"

#include <errno.h>
#include <string.h>

void stream_attach(struct stream *stream, uint8_t *area, uint64_t physical, uint32_t used) {
    const struct link_header *header = (const struct link_header *)area;
    struct virtqueue_memory ring = port_ring(area, stream->receives ? PORT_RX : PORT_TX);
    virtqueue_device_init(&stream->client, &ring, area, PORT_AREA_SIZE, false);
    stream->physical = physical;
    stream->attached = true;
    stream->journal->used = used;
    stream->journal->size = stream->device->ring.size;
    stream->journal->generation = ring_load(header->session_generation);
    ring_store(stream->journal->session, ring_load(header->session));
}

void stream_detach(struct stream *stream) {
    stream->attached = false;
}

/* A chain of one piece with something in it: a device may take an empty one for a mistake. */
static bool chain_fits(const struct stream *stream, const struct virtqueue_chain *chain) {
    return chain->readable == !stream->receives && chain->writable == stream->receives &&
           chain->segments[0].length > 0;
}

static int refuse(struct stream *stream) {
    stream->client.broken = true;
    return -EPROTO;
}

int stream_forward(struct stream *stream) {
    struct virtqueue_chain chain;
    int count = 0, found = 0;
    while (stream->attached && stream->device->free_count &&
           (found = virtqueue_pop(&stream->client, &chain)) == 1) {
        if (!chain_fits(stream, &chain))
            return refuse(stream);
        const struct virtqueue_segment *piece = &chain.segments[0];
        struct virtqueue_buffer buffer = {stream->physical + (uint64_t)(piece->bytes - stream->client.area),
                                          piece->length};
        stream->journal->heads[stream->device->free_head] = chain.head;
        if (virtqueue_add(stream->device, &buffer, !stream->receives, stream->receives, chain.head))
            return count; /* the device's queue is broken, which stream_return tells */
        count++;
    }
    return found < 0 ? found : count;
}

int stream_return(struct stream *stream) {
    uint64_t head;
    uint32_t length;
    int count = 0, found;
    for (; (found = virtqueue_get_used(stream->device, &head, &length)) == 1; count++)
        if (stream->attached)
            virtqueue_push(&stream->client, (uint16_t)head, stream->receives ? length : 0);
    return found < 0 ? found : count;
}

bool stream_publish(struct stream *stream) {
    return stream->attached && virtqueue_device_publish(&stream->client);
}

bool stream_await(struct stream *stream) {
    return stream->attached && stream->device->free_count && virtqueue_device_enable(&stream->client);
}

/* ---- what a predecessor left ---- */

static bool journal_fits(const struct stream_journal *journal, uint64_t dma_length,
                         const struct link_header *header) {
    uint64_t length = sizeof(struct virtq_used) + journal->size * sizeof(struct virtq_used_elem);
    return journal->session && journal->session == ring_load(header->session) &&
           journal->generation == ring_load(header->session_generation) && journal->size > 0 &&
           journal->size <= PORT_QUEUE_SIZE && !(journal->size & (journal->size - 1)) &&
           journal->used % sizeof(uint32_t) == 0 && length <= dma_length &&
           journal->used <= dma_length - length;
}

unsigned stream_settle(const struct stream_journal *place, uint8_t *dma, uint64_t dma_length, uint8_t *area,
                       bool receives) {
    struct virtqueue_memory client = port_ring(area, receives ? PORT_RX : PORT_TX);
    const struct stream_journal journal = *place;
    if (!journal_fits(&journal, dma_length, (const struct link_header *)area))
        return 0;
    struct virtq_used *used = (struct virtq_used *)(dma + journal.used);
    uint16_t told = ring_load(client.used->idx), pending = (uint16_t)(ring_load(used->idx) - told);
    if (pending > journal.size)
        return 0;
    unsigned count = 0;
    for (; count < pending; count++) {
        unsigned at = told + count;
        uint32_t id = ring_load(used->ring[at & (journal.size - 1)].id);
        uint32_t length = ring_load(used->ring[at & (journal.size - 1)].len);
        if (id >= journal.size)
            break;
        struct virtq_used_elem *elem = &client.used->ring[at & (PORT_QUEUE_SIZE - 1)];
        ring_store(elem->id, journal.heads[id]);
        ring_store(elem->len, receives ? length : 0);
    }
    ring_store(client.used->idx, (uint16_t)(told + count));
    return count;
}
