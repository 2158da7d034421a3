/* sources: lib/driver/char_link.c lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/char_client.c
 */
/*
 * A character device's link whose shared memory an enemy writes between any two steps of either side: neither
 * side leaves its memory or loops, a driver's requests lie in the area, and a request that it kept for later
 * is completed once at the most. Input: records of a step number, an offset and a byte to write.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/driver/internal.h"
#include "lib/virtqueue/char_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *area;
static struct driver_request *later;
static struct char_client client;

void driver_call(struct driver_link *link) {
    (void)link;
}

_Noreturn void driver_fail(const char *what, int64_t error) {
    (void)what, (void)error;
    abort();
}

void log_line(const char *format, ...) {
    (void)format;
}

static void require(bool condition) {
    if (!condition)
        abort();
}

/* Touches all of the client's bytes; every fourth request is kept for later. */
static int64_t serve(struct driver_device *device, struct driver_request *request) {
    static unsigned count;
    (void)device;
    if (request->length) {
        require(request->bytes >= area && request->length <= CHAR_AREA_SIZE &&
                request->bytes + request->length <= area + CHAR_AREA_SIZE);
        require(request->physical == (uint64_t)(request->bytes - area));
        memset(request->bytes, request->bytes[0] + 1, request->length);
    }
    if (++count % 4 || later)
        return request->length;
    later = request;
    return DRIVER_LATER;
}

static void closed(struct driver_device *device, struct driver_link *link) {
    (void)device, (void)link;
}

static const struct driver driver = {
    .name = "fuzz", .read = serve, .write = serve, .ioctl = serve, .closed = closed};
static struct driver_device device = {.driver = &driver, .link_count = 1, .generation = 1};

static void complete(void) {
    struct driver_request *request = later;
    later = NULL;
    if (request)
        driver_complete(request, 0);
}

static void session(uint32_t number) {
    later = NULL; /* forgotten, as drivers do */
    device.links[0].session = number;
    char_session(&device, &device.links[0]);
}

static void submit(unsigned number) {
    const struct char_request head = {.kind = CHAR_READ + number / 8 % CHAR_CLOSE, .control = number};
    unsigned slot = number % CHAR_REQUESTS_MOST;
    bool signal;
    if (!(client.outstanding >> slot & 1))
        (void)char_client_submit(&client, slot, &head, slot % 4 == 3 ? CHAR_DATA_SIZE : number * 16U,
                                 &signal);
}

static void results_take(void) {
    int64_t result;
    unsigned slot;
    for (unsigned i = 0; char_client_completed(&client, &slot, &result) == 1; i++)
        require(i < CHAR_QUEUE_SIZE && slot < CHAR_REQUESTS_MOST);
}

static void step(unsigned number) {
    switch (number % 8) {
    case 0:
    case 1:
        submit(number / 8);
        break;
    case 2:
    case 3:
        char_kick(&device, &device.links[0]);
        break;
    case 4:
        results_take();
        break;
    case 5:
        complete();
        break;
    case 6:
        char_client_begin(&client);
        session(1);
        break;
    default:
        driver_char_ready(&device.links[0], number / 8);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!area)
        area = malloc(CHAR_AREA_SIZE);
    memset(area, 0, CHAR_AREA_SIZE);
    device.links[0] = (struct driver_link){.area = {.bytes = area, .length = CHAR_AREA_SIZE}};
    driver_char_features(&device.links[0], CHAR_POLLS | CHAR_CLOSES);
    ((uint32_t *)(void *)area)[2] = 1; /* the generation */
    char_client_init(&client, area);
    char_client_begin(&client);
    session(1);
    for (; size >= 4; data += 4, size -= 4) {
        step(data[0]);
        area[(data[1] | data[2] << 8) % CHAR_AREA_SIZE] = data[3];
    }
    return 0;
}
