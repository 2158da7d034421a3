/* sources: drivers/xhci/listing.c linux/usb/bus.c linux/usb/texts.c linux/usb/descriptors.c linux/fs/text.c
 * lib/base/format.c */
/* flags: -iquote tests/host */
/*
 * The list of USB devices from its driver to its client, through the area that they share: devices that come
 * and go, a driver that starts again, one that lies. What programs would hear is written down as a line each.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
#include "drivers/xhci/links.h"
#include "drivers/xhci/listing.h"
#include "linux/abi/stat.h"
#include "linux/device/offers.h"
#include "linux/fs/device.h"
#include "linux/fs/proc.h"
#include "linux/fs/uevent.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/usb/node.h"
#include "linux/usb/usb.h"
#include "tests/unit/check.h"

enum { LINES = 4096, RANDOM_LISTS = 3000 };

static _Alignas(4096) uint8_t area[64 << 10];
static struct driver_device host = {.link_count = LINKS_LIST + 1, .started = true};
static struct usb_device devices[USB_DEVICES];
static struct usb_port port;
static const struct device_kind *kind;
static void *client;
static bool changed = true;
static char lines[LINES];
static int nodes;

/* ---- what the driver's part stands on ---- */

struct usb_device *device_ready(unsigned index) {
    return devices[index].port ? &devices[index] : NULL;
}
bool devices_changed(void) {
    bool was = changed;
    changed = false;
    return was;
}
uint8_t controller_port_place(unsigned root, bool *super) {
    *super = root > 4;
    return (uint8_t)(root > 4 ? root - 4 : root);
}
unsigned controller_port_count(bool super) {
    return super ? 2 : 4;
}
void driver_call(struct driver_link *link) {
    CHECK_EQ(link->index, 0);
    if (client)
        kind->event(client);
}

/* ---- what the client's part stands on ---- */

void *heap_zalloc(size_t size) {
    return calloc(1, size);
}
void *heap_alloc(size_t size) {
    return malloc(size);
}
void heap_free(void *pointer) {
    free(pointer);
}
void mutex_lock_slowly(struct mutex *mutex) {
    (void)mutex;
    abort(); /* there is one thread */
}
void mutex_unlock_slowly(struct mutex *mutex) {
    (void)mutex;
    abort();
}
void log_line(const char *format, ...) {
    (void)format;
}
void offers_use(const struct device_kind *used) {
    kind = used;
}
void usb_nodes_register(void) {}
int function_from(uint64_t address, bool measured, struct devices_pci *function) {
    (void)measured;
    *function = (struct devices_pci){.address = (uint32_t)address};
    return 0;
}
int function_path(const struct devices_pci *function, char path[FUNCTION_PATH]) {
    (void)function;
    strcpy(path, "pci0000:00/0000:00:04.0");
    return 0;
}
int device_node_place(const char *name, uint32_t mode, uint64_t number) {
    CHECK(!strncmp(name, "bus/usb/00", 10) && S_ISCHR(mode) && device_major(number) == USB_MAJOR);
    nodes++;
    return 0;
}
void device_node_take(const char *name) {
    (void)name;
    nodes--;
}
void uevent_device(const char *action, const char *folder, const char *path, const char *subsystem,
                   const char *text, size_t length) {
    CHECK(!strcmp(folder, "/devices/") && !strcmp(subsystem, "usb") && length > 0 &&
          text[length - 1] == '\n');
    const char *last = strrchr(path, '/');
    size_t used = strlen(lines);
    CHECK(used + strlen(last) + 3 < sizeof lines);
    snprintf(lines + used, sizeof lines - used, "%c%s ", *action == 'a' ? '+' : '-', last + 1);
}

/* ---- the world ---- */

static void plug(unsigned index, uint8_t root, uint16_t product) {
    static const uint8_t own[] = {18, 1, 0, 2, 0, 0, 0, 64, 0x27, 6, 0, 0, 0, 0, 1, 2, 3, 1};
    static const uint8_t configuration[] = {9, 2, 18, 0, 1, 1, 0, 0xa0, 50, 9, 4, 0, 0, 0, 3, 1, 1, 0};
    struct usb_device *device = &devices[index];
    *device = (struct usb_device){.port = &port,
                                  .place = {.root = root, .speed = root > 4 ? SPEED_SUPER : SPEED_HIGH},
                                  .configuration_length = sizeof configuration,
                                  .configuration = 1};
    memcpy(device->descriptors, own, sizeof own);
    device->descriptors[10] = (uint8_t)product;
    memcpy(device->descriptors + sizeof own, configuration, sizeof configuration);
    changed = true;
}

static void pull(unsigned index) {
    devices[index].port = NULL;
    changed = true;
}

/* What was heard since the last call. */
static bool heard(const char *wanted) {
    listing_follow(&host);
    bool same = !strcmp(lines, wanted);
    if (!same)
        fprintf(stderr, "heard %s\n", lines);
    lines[0] = 0;
    return same;
}

static void client_come(void) {
    struct device_offer offer = {.device = {.id = 7, .address = 0x20}, .area = area, .length = sizeof area};
    client = kind->appear(&offer);
    CHECK(client != NULL);
}

static void client_go(void) {
    kind->gone(client);
    client = NULL;
    lines[0] = 0;
    CHECK_EQ(nodes, 0);
    CHECK(!usb_from(0, 0));
}

static void begin(void) {
    memset(area, 0, sizeof area);
    memset(devices, 0, sizeof devices);
    host.links[LINKS_LIST].area = (struct driver_memory){.bytes = area, .length = sizeof area};
    usb_use();
    client_come();
    changed = true;
    CHECK(heard("+usb1 +1-0:1.0 +usb2 +2-0:1.0 "));
}

TEST(devices_come_and_go) {
    begin();
    plug(0, 2, 1);
    plug(3, 5, 2);
    CHECK(heard("+1-2 +1-2:1.0 +2-1 +2-1:1.0 "));
    CHECK_EQ(nodes, 4);
    CHECK(!strcmp(usb_find(1, 2)->path, "pci0000:00/0000:00:04.0/usb1/1-2"));
    CHECK(usb_hub_of(usb_find(2, 2)) == usb_find(2, 1));
    pull(0);
    CHECK(heard("-1-2:1.0 -1-2 "));
    plug(0, 2, 1);
    CHECK(heard("+1-2 +1-2:1.0 "));
    CHECK(usb_find(1, 3) && !usb_find(1, 2)); /* another number */
    pull(0);
    plug(0, 2, 1); /* between two looks: the same kind, but another one */
    CHECK(heard("-1-2:1.0 -1-2 +1-2 +1-2:1.0 "));
    changed = true;
    CHECK(heard(""));
    client_go();
}

TEST(numbers_are_used_again_late) {
    begin();
    for (unsigned i = 0; i < 300; i++) {
        plug(i % 2, (uint8_t)(1 + i % 2), 1);
        listing_follow(&host);
        lines[0] = 0;
        const struct usb_node *last = usb_find(1, i % 126 + 2);
        CHECK(i >= 126 || (last && last->entry.ports[0] == 1 + i % 2));
    }
    client_go();
}

TEST(more_interfaces_than_there_may_be) {
    static struct usb_list_entry entry = {.serial = 1, .depth = 1, .speed = USB_HIGH, .ports = {1}};
    struct usb_interface_facts facts;
    entry.descriptors[0] = entry.length = 18;
    for (unsigned i = 0; i < 200; i++, entry.length += 9)
        memcpy(entry.descriptors + entry.length, (uint8_t[]){9, 4, (uint8_t)i, 0, 1, 3, 1, 2, 0}, 9);
    CHECK(usb_entry_check(&entry));
    CHECK_EQ(usb_interface_count(&entry), USB_INTERFACES_MOST);
    CHECK(usb_interface_at(&entry, 31, &facts) && facts.number == 31 && facts.protocol == 2);
    entry.descriptors[18 + 9] = 0; /* the second one has no length */
    CHECK_EQ(usb_interface_count(&entry), 1);
}

/* Whatever is written there: it is none, or a device that programs can look at. */
TEST(a_driver_that_lies) {
    struct usb_list_header *header = (struct usb_list_header *)area;
    srand(3);
    begin();
    for (unsigned i = 0; i < RANDOM_LISTS; i++) {
        struct usb_list_entry *entry =
            (struct usb_list_entry *)(area + USB_LIST_ENTRIES) + rand() % USB_LIST_DEVICES;
        for (size_t at = 0; at < sizeof *entry; at++)
            ((uint8_t *)entry)[at] = (uint8_t)(rand() % 4 ? rand() % 8 : rand());
        entry->descriptors[0] = 18;
        entry->serial %= 6;
        entry->length %= USB_LIST_DESCRIPTORS + 8;
        header->sequence += 2;
        kind->event(client);
        for (const struct usb_node *node = usb_from(0, 0); node;
             node = usb_from(node->bus, node->number + 1)) {
            struct text text = {0};
            CHECK(node->bus <= 2 && node->number < USB_BUS_NODES &&
                  node->entry.length <= USB_LIST_DESCRIPTORS);
            usb_describe(&text, node, true);
            text_free(&text);
        }
        lines[0] = 0;
    }
    header->sequence |= 1; /* it never ends to write */
    kind->event(client);
    client_go();
}

TEST_MAIN();
