/* sources: lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/block_client.c
 * lib/virtqueue/block_link.c
 */
/*
 * A block link whose shared memory an enemy writes between any two steps of either side: whatever stands
 * there, neither side leaves its memory or loops, a request ends once, and what the driver would hand to a
 * device lies in the area and on the disk. Input: records of a step number, an offset and a byte to write.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/virtqueue/block_client.h"
#include "lib/virtqueue/block_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECTORS = 64, TOKENS = 256 };

static uint8_t *area;
static struct block_client client;
static struct block_link link;
static unsigned submitted[TOKENS];
static const struct block_identity identity = {
    .sectors = SECTORS, .block_size = 1024, .features = BLOCK_FEATURE_FLUSH | BLOCK_FEATURE_DISCARD};

static void require(bool condition) {
    if (!condition)
        abort();
}

static void client_step(unsigned step, uint8_t token) {
    static const uint8_t types[] = {BLOCK_IN, BLOCK_OUT, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_GET_ID};
    static const uint16_t lengths[] = {1024, 2048, 0, sizeof(struct block_range), BLOCK_SERIAL_SIZE};
    uint64_t ended;
    int32_t result;
    struct block_request request = {.type = types[token % 5],
                                    .length = lengths[token % 5],
                                    .sector = token % SECTORS,
                                    .offset = BLOCK_DATA + token % 8 * 4096U,
                                    .token = token};
    if (step < 2 && block_client_submit(&client, &request) == 0)
        submitted[token]++;
    if (step > 0)
        (void)block_client_run(&client);
    while (step == 3 && block_client_ended(&client, &ended, &result)) {
        require(ended < TOKENS && submitted[ended] > 0);
        submitted[ended]--;
    }
}

static void driver_step(unsigned step) {
    struct block_io io;
    struct link_header *header = (struct link_header *)area;
    if (step == 0)
        block_link_session(&link, header->session != 0);
    if (step == 1) {
        block_link_init(&link, area, BLOCK_AREA_MIN, &identity);
        header->generation++;
    }
    if (step >= 2 && block_link_take(&link, &io)) {
        require(io.sector <= SECTORS && io.sectors <= SECTORS - io.sector && io.sectors % 2 == 0);
        if (io.type == BLOCK_IN || io.type == BLOCK_OUT) {
            require(io.offset >= BLOCK_DATA && io.offset + io.length <= BLOCK_AREA_MIN);
            require(io.length == io.sectors * BLOCK_SECTOR);
            if (io.type == BLOCK_IN)
                memset(area + io.offset, 0x55, io.length);
        }
        block_link_done(&link, &io, BLOCK_STATUS_OK);
    }
    (void)block_link_publish(&link);
    (void)block_link_await(&link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    area = aligned_alloc(4096, BLOCK_AREA_MIN); /* the heap's red zones stand around it */
    memset(area, 0, BLOCK_AREA_MIN);
    memset(submitted, 0, sizeof submitted);
    (void)block_client_init(&client, area, BLOCK_AREA_MIN);
    block_link_init(&link, area, BLOCK_AREA_MIN, &identity);
    ((struct link_header *)area)->generation = 1;
    (void)block_client_run(&client);
    block_link_session(&link, true);
    for (; size >= 4; data += 4, size -= 4) {
        unsigned step = data[0] & 3;
        if (data[0] & 4)
            client_step(step, data[3]);
        if (data[0] & 8)
            driver_step(step);
        if (data[0] & 16) /* mostly the rings; now and then anything */
            area[(data[1] | (data[2] & 0x7f) << 8) % BLOCK_AREA_MIN] = data[3];
    }
    free(area);
    return 0;
}
