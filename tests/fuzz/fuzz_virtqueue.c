/* sources: lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/console_client.c lib/console/link.c
 */
/*
 * A console link whose shared memory an enemy writes between any two steps of either side: whatever stands
 * there, neither side leaves its memory or loops. Input: records of a step number, an offset and bytes to
 * write.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/console/link.h"
#include "lib/virtqueue/console_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *area;
static struct console_client client;
static struct link link;

static void client_step(unsigned step) {
    static char bytes[3000];
    bool signal;
    if (step == 0)
        (void)console_client_init(&client, area, CONSOLE_AREA_SIZE);
    else if (step == 1)
        (void)console_write(&client, bytes, sizeof bytes, &signal);
    else if (step == 2)
        (void)console_read(&client, bytes, sizeof bytes, &signal);
    else
        (void)(console_drained(&client) + console_readable(&client));
}

static void device_step(unsigned step) {
    uint8_t bytes[16];
    if (step == 0)
        (void)link_follow(&link);
    else if (step == 1 && link_pending(&link))
        (void)(link_chain_done(&link) ? (link_sent(&link), 0) : link_take(&link, bytes, sizeof bytes));
    else if (step == 2 && link_room(&link))
        link_receive(&link, 'x');
    else
        link_deliver(&link);
    (void)link_publish(&link);
    (void)link_await(&link);
}

/* Mostly the rings; now and then anything. */
static void enemy_write(const uint8_t *record) {
    size_t offset = record[1] | (record[2] & 0x3f) << 8;
    area[offset % CONSOLE_AREA_SIZE] = record[3];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    area = aligned_alloc(4096, CONSOLE_AREA_SIZE); /* the heap's red zones stand around it */
    memset(area, 0, CONSOLE_AREA_SIZE);
    link_init(&link, area);
    (void)console_client_init(&client, area, CONSOLE_AREA_SIZE);
    (void)link_follow(&link);
    for (; size >= 4; data += 4, size -= 4) {
        unsigned step = data[0] & 3;
        if (data[0] & 4)
            client_step(step);
        if (data[0] & 8)
            device_step(step);
        if (data[0] & 16)
            enemy_write(data);
    }
    free(area);
    return 0;
}
