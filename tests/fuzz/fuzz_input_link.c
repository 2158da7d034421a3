/* sources: lib/driver/input.c lib/virtqueue/driver.c lib/virtqueue/device.c lib/virtqueue/input_client.c */
/*
 * An input link whose shared memory an enemy writes between any two steps of either side: neither side leaves
 * its memory or loops, and a description that the client takes has sizes in range. Input: records of a step
 * number, an offset and a byte to write.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/driver/input.h"
#include "lib/virtqueue/input_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *area;
static struct driver_device device = {.link_count = 1, .generation = 1};
static struct input_server server;
static struct input_client client;
static struct input_description description;

void driver_call(struct driver_link *link) {
    (void)link;
}

_Noreturn void driver_fail(const char *what, int64_t error) {
    (void)what, (void)error;
    abort();
}

static void require(bool condition) {
    if (!condition)
        abort();
}

static void description_look(void) {
    if (!input_client_description(&client, &description))
        return;
    require(description.count <= INPUT_CONFIGS);
    for (uint32_t i = 0; i < description.count; i++)
        require(description.configs[i].size <= sizeof description.configs[i].data);
}

static void step(unsigned number) {
    struct input_event event = {EV_LED, LED_CAPSL, 1};
    bool signal;
    switch (number % 8) {
    case 0:
        input_report(&server, EV_KEY, number, 1);
        break;
    case 1:
        input_sync(&server);
        break;
    case 2:
        input_server_run(&server);
        break;
    case 3:
        for (unsigned i = 0; i <= INPUT_QUEUE_SIZE && input_client_take(&client, &event) == 1; i++)
            require(i < INPUT_QUEUE_SIZE);
        (void)input_client_offer(&client);
        break;
    case 4:
        input_client_send(&client, &event, &signal);
        break;
    case 5:
        description_look();
        break;
    case 6:
        input_client_begin(&client);
        break;
    default:
        input_server_session(&server);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!area)
        area = malloc(INPUT_AREA_SIZE);
    memset(area, 0, INPUT_AREA_SIZE);
    device.links[0] = (struct driver_link){.area = {.bytes = area, .length = INPUT_AREA_SIZE}, .session = 1};
    memset(&server, 0, sizeof server);
    input_server_init(&server, &device, 0);
    input_describe_text(&server, INPUT_CONFIG_NAME, "fuzz");
    input_describe_codes(&server, EV_KEY, 0, 255);
    input_server_offer(&server);
    ((uint32_t *)(void *)area)[2] = 1; /* the generation */
    input_client_init(&client, area);
    input_client_begin(&client);
    input_server_session(&server);
    for (; size >= 4; data += 4, size -= 4) {
        step(data[0]);
        area[(data[1] | data[2] << 8) % INPUT_AREA_SIZE] = data[3];
    }
    return 0;
}
