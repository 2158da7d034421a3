/* sources: drivers/virtio-console/stream.c drivers/virtio-console/control.c lib/virtqueue/driver.c
 * lib/virtqueue/device.c lib/virtqueue/port_client.c */
/*
 * A console port whose link, rings and journals an enemy writes between any two steps of client and driver:
 * neither leaves its memory or loops, whatever a device and a predecessor left there. Input: records of a
 * step, an offset and a byte to write; all of it is a control message, too.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/virtio-console/control.h"
#include "drivers/virtio-console/stream.h"
#include "lib/virtqueue/port_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DMA_SIZE = 8192, RING_AVAIL = 512, RING_USED = 1024, RING = 2048, RECORD = 4 };

static uint8_t *area, *dma;
static struct port_client client;
static struct virtqueue_driver rings[2];
static struct stream streams[2];
static uint32_t generation;

static void require(bool condition) {
    if (!condition)
        abort();
}

static void driver_start(void) {
    for (unsigned i = 0; i < 2; i++) {
        struct stream_journal *journal = (struct stream_journal *)dma + i;
        uint8_t *place = dma + 2048 + (size_t)i * RING;
        struct virtqueue_memory ring = {.desc = (struct virtq_desc *)place,
                                        .avail = (struct virtq_avail *)(place + RING_AVAIL),
                                        .used = (struct virtq_used *)(place + RING_USED),
                                        .size = 16};
        require(stream_settle(journal, dma, DMA_SIZE, area, i == 0) <= PORT_QUEUE_SIZE);
        journal->session = 0;
        virtqueue_driver_init(&rings[i], &ring);
        streams[i] = (struct stream){.device = &rings[i], .journal = journal, .receives = i == 0};
    }
    ((struct link_header *)area)->generation = ++generation;
}

static void session_follow(void) {
    for (unsigned i = 0; i < 2; i++)
        stream_attach(&streams[i], area, 0, (uint32_t)(2048 + i * RING + RING_USED));
}

static void client_look(void) {
    uint8_t bytes[PORT_RX_BUFFER_SIZE];
    bool signal;
    (void)port_collect(&client);
    require(client.filled_count <= PORT_QUEUE_SIZE);
    require(port_read(&client, bytes, sizeof bytes, &signal) <= sizeof bytes);
    require(memchr(port_state_read(&client).name, 0, PORT_NAME_SIZE));
}

static void step(unsigned number) {
    struct stream *stream = &streams[number >> 3 & 1];
    bool signal;
    switch (number % 8) {
    case 0:
        if (stream_return(stream) < 0) /* the driver ends */
            driver_start();
        break;
    case 1:
        (void)stream_publish(stream);
        break;
    case 2:
        (void)stream_forward(stream);
        (void)stream_await(stream);
        break;
    case 3:
        driver_start();
        break;
    case 4:
        session_follow();
        break;
    case 5:
        client_look();
        break;
    case 6:
        if (port_stale(&client))
            port_begin(&client);
        break;
    default:
        (void)port_write(&client, area, number, &signal);
        port_discard(&client, &signal);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct control_message message;
    if (!area) {
        area = calloc(1, PORT_AREA_SIZE);
        dma = malloc(DMA_SIZE);
    }
    if (control_parse(data, (uint32_t)size, &message))
        require(memchr(message.name, 0, PORT_NAME_SIZE));
    memset(area, 0, PORT_RX_BUFFERS);
    memset(dma, 0, DMA_SIZE);
    generation = 0;
    port_client_init(&client, area);
    driver_start();
    port_begin(&client);
    session_follow();
    for (; size >= RECORD; data += RECORD, size -= RECORD) {
        unsigned at = data[1] | (unsigned)data[2] << 8;
        step(data[0]);
        if (data[0] & 0x80)
            dma[at % DMA_SIZE] = data[3];
        else
            area[at % (data[0] & 0x40 ? PORT_AREA_SIZE : 0x300)] = data[3];
    }
    return 0;
}
