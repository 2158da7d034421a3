/*
 * See usb.h. The list of a controller's driver is copied, checked, and compared with what was known: devices
 * whose serial is gone go, new ones get the next number of their bus. Only the thread of offers.c changes
 * anything; the lock is for those who look.
 */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "lib/virtqueue/ring.h"
#include "linux/abi/stat.h"
#include "linux/device/offers.h"
#include "linux/fs/device.h"
#include "linux/fs/proc.h"
#include "linux/fs/uevent.h"
#include "linux/heap.h"
#include "linux/lock.h"
#include "linux/platform.h"
#include "linux/usb/node.h"
#include "linux/usb/usb.h"

enum { KINDS = 2, READS_MOST = 4, NODE_MODE = S_IFCHR | 0664, NODE_NAME = 24 };

/* A controller: a bus for devices up to USB 2 and one for SuperSpeed. */
struct controller {
    struct list link;
    uint8_t *area;
    uint32_t id, address, sequence; /* of the list as it is known */
    struct controller_bus {
        uint32_t bus, last; /* number; the one that a device got last */
        struct list nodes;
    } buses[KINDS];
    char path[FUNCTION_PATH];
};

static struct mutex lock = MUTEX_INIT(lock);
static struct list controllers = LIST_INIT(controllers);

void usb_lock(void) {
    mutex_lock(&lock);
}

void usb_unlock(void) {
    mutex_unlock(&lock);
}

/* ---- look-up ---- */

const struct usb_node *usb_from(uint32_t bus, uint32_t number) {
    const struct usb_node *best = NULL, *node;
    const struct controller *controller;
    list_for_each(controller, &controllers, link) {
        for (unsigned i = 0; i < KINDS; i++)
            list_for_each(node, &controller->buses[i].nodes, link) {
                bool fits = node->bus > bus || (node->bus == bus && node->number >= number);
                if (fits && (!best || node->bus < best->bus ||
                             (node->bus == best->bus && node->number < best->number)))
                    best = node;
            }
    }
    return best;
}

const struct usb_node *usb_find(uint32_t bus, uint32_t number) {
    const struct usb_node *node = usb_from(bus, number);
    return node && node->bus == bus && node->number == number ? node : NULL;
}

static bool is_hub_of(const struct usb_node *hub, const struct usb_list_entry *entry) {
    return hub->entry.depth + 1 == entry->depth && !memcmp(hub->entry.ports, entry->ports, hub->entry.depth);
}

static const struct usb_node *hub_find(const struct controller_bus *bus, const struct usb_list_entry *entry) {
    const struct usb_node *node;
    list_for_each(node, &bus->nodes, link) {
        if (is_hub_of(node, entry))
            return node;
    }
    return NULL;
}

const struct usb_node *usb_hub_of(const struct usb_node *node) {
    const struct controller *controller;
    list_for_each(controller, &controllers, link) {
        for (unsigned i = 0; i < KINDS; i++)
            if (controller->buses[i].bus == node->bus)
                return hub_find(&controller->buses[i], &node->entry);
    }
    return NULL;
}

/* ---- telling ---- */

static void line_tell(const char *action, const char *path, struct text *text) {
    if (!text->failed)
        uevent_device(action, "/devices/", path, "usb", text->bytes, text->length);
    text_free(text);
}

static void device_tell(const char *action, const struct usb_node *node) {
    struct text text = {0};
    usb_describe(&text, node, false);
    line_tell(action, node->path, &text);
}

static void interfaces_tell(const char *action, const struct usb_node *node) {
    for (unsigned i = 0; i < usb_interface_count(&node->entry); i++) {
        char path[sizeof(node->path) + USB_NAME + 1], name[USB_NAME];
        struct text text = {0};
        usb_interface_name(name, node, i);
        format_text(path, sizeof(path), "%s/%s", node->path, name);
        usb_interface_describe(&text, node, i, false);
        line_tell(action, path, &text);
    }
}

static void file_name(char name[NODE_NAME], const struct usb_node *node) {
    format_text(name, NODE_NAME, "bus/usb/%03u/%03u", node->bus, node->number);
}

/* ---- devices ---- */

/* The next number of the bus that is free, as Linux chooses; 0: none. */
static uint32_t number_choose(struct controller_bus *bus) {
    for (uint32_t tries = 1; tries < USB_BUS_NODES; tries++) {
        uint32_t number = (bus->last + tries - 1) % (USB_BUS_NODES - 1) + 1;
        if (!usb_find(bus->bus, number))
            return bus->last = number;
    }
    return 0;
}

static void device_add(struct controller *controller, const struct usb_list_entry *entry, uint32_t ports) {
    struct controller_bus *bus = &controller->buses[entry->super];
    const struct usb_node *hub = entry->depth ? hub_find(bus, entry) : NULL;
    struct usb_node *node = entry->depth == 0 || hub ? heap_zalloc(sizeof(*node)) : NULL;
    uint32_t number = number_choose(bus);
    char name[NODE_NAME];
    if (!node || !number) {
        heap_free(node);
        return;
    }
    node->bus = bus->bus;
    node->number = number;
    node->address = controller->address;
    node->ports = ports;
    node->found = true;
    node->entry = *entry;
    usb_device_name(node->name, bus->bus, entry);
    format_text(node->path, sizeof(node->path), "%s/%s", hub ? hub->path : controller->path, node->name);
    usb_lock();
    list_push_back(&bus->nodes, &node->link);
    usb_unlock();
    file_name(name, node);
    int error = device_node_place(name, NODE_MODE,
                                  device_number(USB_MAJOR, (bus->bus - 1) * USB_BUS_NODES + number - 1));
    if (error)
        log_line("/dev/%s cannot be made (error %d)", name, -error);
    device_tell("add", node);
    interfaces_tell("add", node);
}

static void device_remove(struct usb_node *node) {
    char name[NODE_NAME];
    interfaces_tell("remove", node);
    usb_lock();
    list_remove(&node->link);
    usb_unlock();
    file_name(name, node);
    device_node_take(name);
    device_tell("remove", node);
    heap_free(node);
}

/* Those behind a hub came after it, and go before it. */
static void devices_drop(struct controller_bus *bus, bool all) {
    struct list *at = bus->nodes.prev;
    while (at != &bus->nodes) {
        struct usb_node *node = list_entry(at, struct usb_node, link);
        at = at->prev;
        if (all || !node->found)
            device_remove(node);
    }
}

/* ---- the list ---- */

static struct usb_node *known_find(struct controller *controller, const struct usb_list_entry *entry) {
    struct usb_node *node;
    list_for_each(node, &controller->buses[entry->super].nodes, link) {
        if (node->entry.depth && node->entry.serial == entry->serial)
            return node;
    }
    return NULL;
}

static void roots_add(struct controller *controller, const uint32_t ports[KINDS]) {
    for (unsigned i = 0; i < KINDS; i++) {
        struct usb_list_entry root;
        const char *slash = strrchr(controller->path, '/');
        usb_root_hub(&root, i, slash ? slash + 1 : controller->path);
        if (ports[i] && list_empty(&controller->buses[i].nodes))
            device_add(controller, &root, ports[i] < UINT8_MAX ? ports[i] : UINT8_MAX);
    }
}

/* Copies the list as it is at one moment: false when it is being written, after which the driver calls. */
static bool list_copy(struct controller *controller, struct usb_list_entry entries[USB_LIST_DEVICES],
                      uint32_t ports[KINDS]) {
    const struct usb_list_header *header = (const struct usb_list_header *)controller->area;
    for (unsigned tries = 0; tries < READS_MOST; tries++) {
        uint32_t sequence = ring_load(header->sequence);
        if (sequence & 1 || sequence == controller->sequence)
            return false;
        for (unsigned i = 0; i < KINDS; i++)
            ports[i] = ring_load(header->ports[i]);
        memcpy(entries, controller->area + USB_LIST_ENTRIES, USB_LIST_DEVICES * sizeof(entries[0]));
        ring_fence();
        if (ring_load(header->sequence) == sequence) {
            controller->sequence = sequence;
            return true;
        }
    }
    return false;
}

static void controller_event(void *state) {
    static struct usb_list_entry entries[USB_LIST_DEVICES];
    struct controller *controller = state;
    uint32_t ports[KINDS];
    struct usb_node *node;
    if (!list_copy(controller, entries, ports))
        return;
    roots_add(controller, ports);
    for (unsigned i = 0; i < KINDS; i++)
        list_for_each(node, &controller->buses[i].nodes, link) {
            node->found = node->entry.depth == 0;
        }
    for (unsigned i = 0; i < USB_LIST_DEVICES; i++)
        if (usb_entry_check(&entries[i]) && (node = known_find(controller, &entries[i])))
            node->found = true;
    for (unsigned i = 0; i < KINDS; i++)
        devices_drop(&controller->buses[i], false);
    for (unsigned depth = 1; depth <= USB_LIST_DEPTH; depth++) /* hubs before what is behind them */
        for (unsigned i = 0; i < USB_LIST_DEVICES; i++)
            if (usb_entry_check(&entries[i]) && entries[i].depth == depth &&
                !known_find(controller, &entries[i]))
                device_add(controller, &entries[i], 0);
}

/* ---- controllers ---- */

static bool bus_taken(uint32_t bus) {
    const struct controller *controller;
    list_for_each(controller, &controllers, link) {
        for (unsigned i = 0; i < KINDS; i++)
            if (controller->buses[i].bus == bus)
                return true;
    }
    return false;
}

static bool buses_choose(struct controller *controller) {
    uint32_t bus = 1;
    for (unsigned i = 0; i < KINDS; i++, bus++) {
        while (bus <= USB_BUSES && bus_taken(bus))
            bus++;
        controller->buses[i].bus = bus;
        list_init(&controller->buses[i].nodes);
    }
    return bus <= USB_BUSES + 1;
}

static void *controller_appear(const struct device_offer *offer) {
    struct devices_pci function;
    struct controller *controller = offer->length < USB_LIST_AREA ? NULL : heap_zalloc(sizeof(*controller));
    if (!controller)
        return NULL;
    controller->area = offer->area;
    controller->id = offer->device.id;
    controller->address = offer->device.address;
    if (function_from(controller->address, false, &function) || function.address != controller->address ||
        function_path(&function, controller->path) || !buses_choose(controller)) {
        heap_free(controller);
        return NULL;
    }
    usb_lock();
    list_push_back(&controllers, &controller->link);
    usb_unlock();
    controller_event(controller);
    return controller;
}

static void controller_gone(void *state) {
    struct controller *controller = state;
    for (unsigned i = 0; i < KINDS; i++)
        devices_drop(&controller->buses[i], true);
    usb_lock();
    list_remove(&controller->link);
    usb_unlock();
    heap_free(controller);
}

void usb_use(void) {
    static const struct device_kind kind = {.device_class = DEVICES_USB,
                                            .appear = controller_appear,
                                            .event = controller_event,
                                            .gone = controller_gone};
    usb_nodes_register();
    offers_use(&kind);
}
