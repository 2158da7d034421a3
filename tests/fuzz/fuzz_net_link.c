/* sources: lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/net_client.c
 * lib/virtqueue/net_link.c
 */
/*
 * A net link whose shared memory an enemy writes between any two steps of either side: whatever stands there,
 * neither side leaves its memory or loops, and what the driver would hand to a device lies behind the rings
 * in the area. Input: records of a step number, an offset and a byte to write.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/virtqueue/net_client.h"
#include "lib/virtqueue/net_link.h"
#include "lib/virtqueue/net_ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *area;
static struct net_client client;
static struct net_link link;
static const struct net_identity identity = {.address = {2, 0, 0, 0, 0, 1}, .mtu = 1500};

static void require(bool condition) {
    if (!condition)
        abort();
}

static void client_step(unsigned step, uint8_t length) {
    const uint8_t *bytes;
    uint32_t count;
    uint8_t *place = net_client_buffer(&client);
    if (step == 0 && place) {
        require(place >= area + NET_BUFFERS && place + NET_FRAME_MOST <= area + NET_AREA_MIN);
        memset(place, length, NET_FRAME_MOST);
        net_client_send(&client, NET_ETHERNET + length * 6U);
    }
    if (step == 1)
        (void)net_client_run(&client);
    for (unsigned i = 0; step >= 2 && i < length && net_client_take(&client, &bytes, &count); i++) {
        require(count >= NET_ETHERNET && count <= NET_FRAME_MOST);
        require(bytes >= area + NET_BUFFERS && bytes + count <= area + NET_AREA_MIN);
    }
    (void)net_client_await(&client, step == 3);
}

static void driver_step(unsigned step, uint8_t length) {
    struct net_buffer buffer;
    if (step == 0)
        net_link_session(&link, net_header(area)->link.session != 0);
    if (step == 1) {
        net_link_init(&link, area, NET_AREA_MIN, &identity);
        net_header(area)->link.generation++;
    }
    for (unsigned i = 0; step >= 2 && i <= length && net_link_take_room(&link, &buffer); i++) {
        require(buffer.offset >= NET_BUFFERS + NET_FRAME && buffer.length >= NET_FRAME_MOST);
        require(buffer.offset + buffer.length <= NET_AREA_MIN);
        memset(area + buffer.offset, 0x55, NET_FRAME_MOST);
        net_link_received(&link, buffer.head, length ? length * 6U : 0);
    }
    if (step >= 2 && net_link_take_frame(&link, &buffer)) {
        require(buffer.offset >= NET_BUFFERS + NET_FRAME && buffer.offset + buffer.length <= NET_AREA_MIN);
        require(buffer.length >= NET_ETHERNET && buffer.length <= NET_FRAME_MOST);
        net_link_sent(&link, buffer.head);
    }
    (void)net_link_publish(&link);
    (void)net_link_await(&link, true, step == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    area = aligned_alloc(4096, NET_AREA_MIN); /* the heap's red zones stand around it */
    memset(area, 0, NET_AREA_MIN);
    (void)net_client_init(&client, area, NET_AREA_MIN);
    net_link_init(&link, area, NET_AREA_MIN, &identity);
    net_header(area)->link.generation = 1;
    (void)net_client_run(&client);
    net_link_session(&link, true);
    for (; size >= 4; data += 4, size -= 4) {
        unsigned step = data[0] & 3;
        if (data[0] & 4)
            client_step(step, data[3]);
        if (data[0] & 8)
            driver_step(step, data[3]);
        if (data[0] & 16) /* the header and the rings */
            area[(data[1] | (data[2] & 0x7f) << 8) % NET_BUFFERS] = data[3];
    }
    free(area);
    return 0;
}
