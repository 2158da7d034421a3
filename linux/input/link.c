/*
 * Input devices that drivers offer (abi/devices.h): a link whose description says that a device is there
 * makes one. A driver that starts again and describes the same device goes on with it: whoever has it open
 * keeps it.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "lib/virtqueue/input_client.h"
#include "linux/abi/stat.h"
#include "linux/device/offers.h"
#include "linux/fs/device.h"
#include "linux/heap.h"
#include "linux/input/input.h"
#include "linux/platform.h"

struct input_link {
    struct input_client client; /* input_lock */
    handle_t kick;
    char name[DEVICES_NAME];
    struct input_device *device; /* the one registered; changes on the offers' thread only */
    struct input_description current, read;
};

static void kick(struct input_link *link) {
    keel_event_signal(link->kick);
}

static void link_send(struct input_device *device, const struct input_event *event) {
    struct input_link *link = device->source;
    bool signal;
    input_client_send(&link->client, event, &signal);
    if (signal)
        kick(link);
}

static void device_drop(struct input_link *link) {
    struct input_device *device = link->device;
    link->device = NULL;
    if (device)
        input_unregister(device);
}

static bool same(const struct input_description *left, const struct input_description *right) {
    return left->count == right->count &&
           !memcmp(left->configs, right->configs, left->count * sizeof(left->configs[0]));
}

/* Of "event3": `devices` numbers what it finds in the same order each time, whichever driver is ready first.
 */
static uint32_t number_of(const char *name) {
    static const char prefix[] = "event";
    uint32_t number = 0;
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return UINT32_MAX;
    for (const char *at = name + sizeof(prefix) - 1; *at >= '0' && *at <= '9' && number < INPUT_DEVICES_MOST;
         at++)
        number = number * 10 + (uint32_t)(*at - '0');
    return number;
}

/* No locks held: devices come and go with their nodes. */
static void description_follow(struct input_link *link) {
    mutex_lock(&input_lock);
    bool changed = input_client_description(&link->client, &link->read);
    mutex_unlock(&input_lock);
    if (!changed || (link->device && same(&link->read, &link->current)))
        return;
    device_drop(link);
    link->current = link->read;
    if (link->current.count == 0)
        return;
    link->device = input_create(&link->current);
    if (!link->device) {
        log_line("no memory for an input device of %s", link->name);
        return;
    }
    link->device->source = link;
    link->device->send = link_send;
    input_register(link->device, number_of(link->name));
}

static void events_take(struct input_link *link) {
    struct input_event event;
    int found;
    mutex_lock(&input_lock);
    while ((found = input_client_take(&link->client, &event)) == 1)
        if (link->device)
            input_take(link->device, event.type, event.code, (int32_t)event.value);
    bool signal = input_client_offer(&link->client);
    input_unlock();
    if (found < 0)
        log_line("%s: its driver broke the protocol", link->name);
    if (signal)
        kick(link);
}

static void session_begin(struct input_link *link) {
    mutex_lock(&input_lock);
    if (link->device)
        input_release_keys(link->device);
    input_client_begin(&link->client);
    bool served = link->client.generation;
    input_unlock();
    if (served)
        kick(link);
}

static void link_event(void *state) {
    struct input_link *link = state;
    events_take(link);
    if (input_client_stale(&link->client))
        session_begin(link);
    description_follow(link);
}

static void *link_appear(const struct device_offer *offer) {
    struct input_link *link = offer->length < INPUT_AREA_SIZE ? NULL : heap_zalloc(sizeof(*link));
    if (!link)
        return NULL;
    link->kick = offer->kick;
    memcpy(link->name, offer->device.name, sizeof(link->name));
    input_client_init(&link->client, offer->area);
    link_event(link);
    return link;
}

static void link_gone(void *state) {
    struct input_link *link = state;
    device_drop(link);
    heap_free(link);
}

extern const struct device evdev_device, mice_device;

void input_start(void) {
    static const struct device_kind kind = {
        .device_class = DEVICES_INPUT, .appear = link_appear, .event = link_event, .gone = link_gone};
    device_register(&mice_device);
    device_register(&evdev_device);
    int error =
        device_node_make("input/mice", S_IFCHR | 0600, device_number(mice_device.major, mice_device.minor));
    if (error)
        log_line("/dev/input/mice cannot be made (error %d)", -error);
    offers_use(&kind);
}
