/*
 * Input devices in /proc and /sys: /proc/bus/input, /sys/class/input, and the devices themselves below
 * /sys/devices/virtual/input. A reference's fd is the device's number.
 */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/proc_internal.h"
#include "linux/input/input.h"

enum { FILE_R = S_IFREG | 0444, DIRECTORY = S_IFDIR | 0755, LINK = S_IFLNK | 0777, WORD_BITS = 64 };

static struct input_device *device_of(const struct proc_ref *ref) {
    return input_by_number((uint32_t)ref->fd);
}

/* ---- bitmaps and names ---- */

/* The type's codes as Linux prints bitmaps: words from the last that is not 0. */
static void bits_add(struct text *text, const uint64_t *words, unsigned bits) {
    unsigned count = (bits + WORD_BITS - 1) / WORD_BITS;
    while (count > 1 && !words[count - 1])
        count--;
    for (unsigned i = count; i-- > 0;)
        text_add(text, i ? "%llx " : "%llx", (unsigned long long)words[i]);
    text_add(text, "\n");
}

static void type_add(struct text *text, const struct input_device *device, unsigned type) {
    const uint64_t *words;
    unsigned bits = input_bits(device, type, &words);
    static const uint64_t none;
    bits_add(text, bits ? words : &none, bits ? bits : 1);
}

static const struct {
    const char *upper, *lower;
    unsigned type;
} bitmaps[] = {{"EV", "ev", EV_SYN},   {"KEY", "key", EV_KEY}, {"REL", "rel", EV_REL},
               {"ABS", "abs", EV_ABS}, {"MSC", "msc", EV_MSC}, {"LED", "led", EV_LED},
               {"SND", "snd", EV_SND}, {"FF", "ff", EV_FF},    {"SW", "sw", EV_SW}};

/* ---- /proc/bus/input ---- */

static void handlers_add(struct text *text, const struct input_device *device) {
    if (keyboard_is(device))
        text_add(text, "sysrq kbd ");
    else if (device->types >> EV_SND & 1) /* the console makes it sound */
        text_add(text, "kbd ");
    if (device->types >> EV_LED & 1)
        text_add(text, "leds ");
    text_add(text, "event%u \n", device->number);
}

static void device_add(struct text *text, const struct input_device *device) {
    const struct input_ids *ids = &device->ids;
    text_add(text, "I: Bus=%04x Vendor=%04x Product=%04x Version=%04x\n", ids->bus, ids->vendor, ids->product,
             ids->version);
    text_add(text, "N: Name=\"%s\"\nP: Phys=%s\n", device->name, device->place);
    text_add(text, "S: Sysfs=/devices/virtual/input/input%u\nU: Uniq=%s\nH: Handlers=", device->number,
             device->serial);
    handlers_add(text, device);
    text_add(text, "B: PROP=");
    bits_add(text, &device->props, INPUT_PROPS);
    for (unsigned i = 0; i < sizeof(bitmaps) / sizeof(bitmaps[0]); i++)
        if (device->types >> bitmaps[i].type & 1) {
            text_add(text, "B: %s=", bitmaps[i].upper);
            type_add(text, device, bitmaps[i].type);
        }
    text_add(text, "\n");
}

static int show_devices(const struct proc_ref *ref, struct text *text) {
    struct input_device *device;
    (void)ref;
    for (unsigned i = 0; (device = input_at(i)); i++) {
        device_add(text, device);
        input_put(device);
    }
    return 0;
}

static int show_handlers(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "N: Number=0 Name=kbd\nN: Number=1 Name=evdev Minor=64\n");
    return 0;
}

static const struct proc_node input_children[] = {
    {.name = "devices", .mode = FILE_R, .show = show_devices},
    {.name = "handlers", .mode = FILE_R, .show = show_handlers},
};

const struct proc_node proc_bus_children[PROC_BUS_COUNT] = {
    {.name = "input",
     .mode = S_IFDIR | 0555,
     .children = input_children,
     .count = PROC_COUNT(input_children)},
};

/* ---- /sys: a device's files ---- */

enum what { NAME, PLACE, SERIAL, BUS, VENDOR, PRODUCT, VERSION, PROPS, UEVENT, NODE_NUMBER, NODE_UEVENT };

static void uevent_add(struct text *text, const struct input_device *device) {
    const struct input_ids *ids = &device->ids;
    text_add(text, "PRODUCT=%x/%x/%x/%x\nNAME=\"%s\"\n", ids->bus, ids->vendor, ids->product, ids->version,
             device->name);
    if (device->place[0])
        text_add(text, "PHYS=\"%s\"\n", device->place);
    if (device->serial[0])
        text_add(text, "UNIQ=\"%s\"\n", device->serial);
    text_add(text, "PROP=");
    bits_add(text, &device->props, INPUT_PROPS);
    for (unsigned i = 0; i < sizeof(bitmaps) / sizeof(bitmaps[0]); i++)
        if (device->types >> bitmaps[i].type & 1) {
            text_add(text, "%s=", bitmaps[i].upper);
            type_add(text, device, bitmaps[i].type);
        }
}

static void what_add(struct text *text, const struct input_device *device, enum what what) {
    const uint16_t ids[] = {device->ids.bus, device->ids.vendor, device->ids.product, device->ids.version};
    const char *const texts[] = {device->name, device->place, device->serial};
    unsigned minor = INPUT_EVENT_MINOR + device->number;
    if (what <= SERIAL)
        text_add(text, "%s\n", texts[what]);
    else if (what <= VERSION)
        text_add(text, "%04x\n", ids[what - BUS]);
    else if (what == PROPS)
        bits_add(text, &device->props, INPUT_PROPS);
    else if (what == UEVENT)
        uevent_add(text, device);
    else if (what == NODE_NUMBER)
        text_add(text, "%u:%u\n", INPUT_MAJOR, minor);
    else
        text_add(text, "MAJOR=%u\nMINOR=%u\nDEVNAME=input/event%u\n", INPUT_MAJOR, minor, device->number);
}

static int show(const struct proc_ref *ref, struct text *text, enum what what) {
    struct input_device *device = device_of(ref);
    if (!device)
        return -ENODEV;
    what_add(text, device, what);
    input_put(device);
    return 0;
}

#define SHOW(function, what)                                                                                 \
    static int function(const struct proc_ref *ref, struct text *text) {                                     \
        return show(ref, text, what);                                                                        \
    }
SHOW(show_name, NAME)
SHOW(show_place, PLACE)
SHOW(show_serial, SERIAL)
SHOW(show_bus, BUS)
SHOW(show_vendor, VENDOR)
SHOW(show_product, PRODUCT)
SHOW(show_version, VERSION)
SHOW(show_props, PROPS)
SHOW(show_uevent, UEVENT)
SHOW(show_node_number, NODE_NUMBER)
SHOW(show_node_uevent, NODE_UEVENT)

/* One of the bitmaps, whose name is the file's. */
static int show_bitmap(const struct proc_ref *ref, struct text *text) {
    struct input_device *device = device_of(ref);
    if (!device)
        return -ENODEV;
    for (unsigned i = 0; i < sizeof(bitmaps) / sizeof(bitmaps[0]); i++)
        if (!strcmp(bitmaps[i].lower, ref->node->name))
            type_add(text, device, bitmaps[i].type);
    input_put(device);
    return 0;
}

static const struct proc_node id_children[] = {
    {.name = "bustype", .mode = FILE_R, .show = show_bus},
    {.name = "product", .mode = FILE_R, .show = show_product},
    {.name = "vendor", .mode = FILE_R, .show = show_vendor},
    {.name = "version", .mode = FILE_R, .show = show_version},
};

static const struct proc_node capability_children[] = {
    {.name = "abs", .mode = FILE_R, .show = show_bitmap},
    {.name = "ev", .mode = FILE_R, .show = show_bitmap},
    {.name = "ff", .mode = FILE_R, .show = show_bitmap},
    {.name = "key", .mode = FILE_R, .show = show_bitmap},
    {.name = "led", .mode = FILE_R, .show = show_bitmap},
    {.name = "msc", .mode = FILE_R, .show = show_bitmap},
    {.name = "rel", .mode = FILE_R, .show = show_bitmap},
    {.name = "snd", .mode = FILE_R, .show = show_bitmap},
    {.name = "sw", .mode = FILE_R, .show = show_bitmap},
};

static int64_t link_give(char *to, size_t size, const char *format, const struct proc_ref *ref) {
    char text[64];
    size_t length = format_text(text, sizeof(text), "%s%d", format, ref->fd);
    memcpy(to, text, length < size ? length : size);
    return length < size ? (int64_t)length : (int64_t)size;
}

static int64_t link_device(const struct proc_ref *ref, char *to, size_t size) {
    return link_give(to, size, "../../input", ref);
}

static const struct proc_node event_children[] = {
    {.name = "dev", .mode = FILE_R, .show = show_node_number},
    {.name = "device", .mode = LINK, .link = link_device},
    {.name = "uevent", .mode = FILE_R, .show = show_node_uevent},
};
static const struct proc_node event_node = {
    .name = "event", .mode = DIRECTORY, .children = event_children, .count = PROC_COUNT(event_children)};

static void child_make(struct proc_child *child, const struct proc_node *node, const char *name,
                       int32_t number) {
    child->ref = (struct proc_ref){.node = node, .fd = number};
    format_text(child->name, sizeof(child->name), "%s%d", name, number);
}

/* The number of a device behind a name like "event3"; -1: there is none. */
static int32_t number_find(const char *prefix, const char *name, size_t length) {
    size_t skip = strlen(prefix);
    int32_t number =
        length > skip && !memcmp(name, prefix, skip) ? proc_number(name + skip, length - skip) : -1;
    struct input_device *device = number < 0 ? NULL : input_by_number((uint32_t)number);
    if (device)
        input_put(device);
    return device ? number : -1;
}

static int find_event(const struct proc_ref *directory, const char *name, size_t length,
                      struct proc_child *child) {
    if (number_find("event", name, length) != directory->fd)
        return -ENOENT;
    child_make(child, &event_node, "event", directory->fd);
    return 0;
}

static bool next_event(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    if (*number)
        return false;
    child_make(child, &event_node, "event", directory->fd);
    return true;
}

static const struct proc_node device_children[] = {
    {.name = "capabilities",
     .mode = DIRECTORY,
     .children = capability_children,
     .count = PROC_COUNT(capability_children)},
    {.name = "id", .mode = DIRECTORY, .children = id_children, .count = PROC_COUNT(id_children)},
    {.name = "name", .mode = FILE_R, .show = show_name},
    {.name = "phys", .mode = FILE_R, .show = show_place},
    {.name = "properties", .mode = FILE_R, .show = show_props},
    {.name = "uevent", .mode = FILE_R, .show = show_uevent},
    {.name = "uniq", .mode = FILE_R, .show = show_serial},
};
static const struct proc_node device_node = {.name = "input-device",
                                             .mode = DIRECTORY,
                                             .children = device_children,
                                             .count = PROC_COUNT(device_children),
                                             .find = find_event,
                                             .next = next_event};

/* ---- /sys/devices/virtual/input and /sys/class/input ---- */

/* The n-th device's number, -1 behind the last. */
static int32_t number_at(uint64_t index) {
    struct input_device *device = index < INPUT_DEVICES_MOST ? input_at((unsigned)index) : NULL;
    if (!device)
        return -1;
    int32_t number = (int32_t)device->number;
    input_put(device);
    return number;
}

int sysfs_input_find(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child) {
    int32_t number = number_find("input", name, length);
    (void)directory;
    if (number < 0)
        return -ENOENT;
    child_make(child, &device_node, "input", number);
    return 0;
}

bool sysfs_input_next(const struct proc_ref *directory, uint64_t *index, struct proc_child *child) {
    int32_t number = number_at(*index);
    (void)directory;
    if (number < 0)
        return false;
    child_make(child, &device_node, "input", number);
    return true;
}

static int64_t link_class_device(const struct proc_ref *ref, char *to, size_t size) {
    return link_give(to, size, "../../devices/virtual/input/input", ref);
}
static int64_t link_class_event(const struct proc_ref *ref, char *to, size_t size) {
    char place[64];
    format_text(place, sizeof(place), "../../devices/virtual/input/input%d/event", ref->fd);
    return link_give(to, size, place, ref);
}
static const struct proc_node class_device = {.name = "input-link", .mode = LINK, .link = link_class_device};
static const struct proc_node class_event = {.name = "event-link", .mode = LINK, .link = link_class_event};

int sysfs_input_link_find(const struct proc_ref *directory, const char *name, size_t length,
                          struct proc_child *child) {
    int32_t event = number_find("event", name, length), number = number_find("input", name, length);
    (void)directory;
    if (event < 0 && number < 0)
        return -ENOENT;
    if (event >= 0)
        child_make(child, &class_event, "event", event);
    else
        child_make(child, &class_device, "input", number);
    return 0;
}

/* Two for each device. */
bool sysfs_input_link_next(const struct proc_ref *directory, uint64_t *index, struct proc_child *child) {
    int32_t number = number_at(*index / 2);
    (void)directory;
    if (number < 0)
        return false;
    child_make(child, *index & 1 ? &class_device : &class_event, *index & 1 ? "input" : "event", number);
    return true;
}
