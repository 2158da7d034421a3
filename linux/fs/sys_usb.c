/*
 * USB in /sys, as lsusb and others look for it: directories of root hubs, devices and their interfaces below
 * the controller's PCI function, and links to all of them in /sys/bus/usb/devices. A reference's fd is bus,
 * device number and interface (from 1; 0: the device itself), eight bits each.
 */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/proc_internal.h"
#include "linux/usb/usb.h"

enum { FILE_R = S_IFREG | 0444, DIRECTORY = S_IFDIR | 0755, LINK = S_IFLNK | 0777 };
enum { CONFIGURATION_BYTES = 9, NEXT_DEVICE = 0x100, NEXT_END = 0x1000000 };

static int32_t place(uint32_t bus, uint32_t number, unsigned interface) {
    return (int32_t)(bus << 16 | number << 8 | interface);
}

/* The device of a reference; the lock is held. */
static const struct usb_node *node_of(const struct proc_ref *ref) {
    return usb_find((uint32_t)ref->fd >> 16, (uint32_t)ref->fd >> 8 & 0xff);
}

static unsigned interface_of(const struct proc_ref *ref) {
    return ((unsigned)ref->fd & 0xff) - 1;
}

/* ---- a device's files ---- */

enum what {
    AUTHORIZED,
    CONFIGURATION,
    CONFIGURATION_NAME,
    CLASS,
    PROTOCOL,
    SUBCLASS,
    PACKET,
    POWER,
    CONFIGURATIONS,
    INTERFACES,
    RELEASE,
    ATTRIBUTES,
    BUS,
    DESCRIPTORS,
    DEVICE,
    NUMBER,
    PATH,
    PRODUCT_ID,
    VENDOR_ID,
    MAKER,
    CHILDREN,
    PRODUCT,
    REMOVABLE,
    LANES,
    SERIAL,
    SPEED,
    UEVENT,
    VERSION,
};

static const char *speed_of(const struct usb_node *node) {
    static const char *const names[] = {[USB_FULL] = "12",
                                        [USB_LOW] = "1.5",
                                        [USB_HIGH] = "480",
                                        [USB_SUPER] = "5000",
                                        [USB_SUPER_PLUS] = "10000"};
    return names[node->entry.speed];
}

static void port_path_add(struct text *text, const struct usb_node *node) {
    for (unsigned i = 0; i < node->entry.depth; i++)
        text_add(text, "%s%u", i ? "." : "", node->entry.ports[i]);
    text_add(text, "%s\n", node->entry.depth ? "" : "0");
}

/* In mA: told in units of 2, from SuperSpeed on of 8. */
static unsigned power_of(const struct usb_node *node, const uint8_t *configuration) {
    return configuration[8] * (node->entry.speed >= USB_SUPER ? 8U : 2U);
}

/* What the descriptor of its configuration says. */
static void configuration_add(struct text *text, const struct usb_node *node, enum what what) {
    const uint8_t *bytes = node->entry.descriptors + USB_DEVICE_BYTES;
    if (node->entry.length < USB_DEVICE_BYTES + CONFIGURATION_BYTES)
        return;
    if (what == POWER)
        text_add(text, "%umA\n", power_of(node, bytes));
    else if (what == INTERFACES)
        text_add(text, "%2u\n", bytes[4]);
    else if (what == ATTRIBUTES)
        text_add(text, "%02x\n", bytes[7]);
    else
        text_add(text, "%u\n", bytes[5]);
}

static void number_add(struct text *text, const struct usb_node *node, enum what what) {
    const uint8_t *bytes = node->entry.descriptors;
    switch (what) {
    case CLASS:
        text_add(text, "%02x\n", bytes[4]);
        break;
    case SUBCLASS:
        text_add(text, "%02x\n", bytes[5]);
        break;
    case PROTOCOL:
        text_add(text, "%02x\n", bytes[6]);
        break;
    case PACKET:
        text_add(text, "%u\n", bytes[7]);
        break;
    case VENDOR_ID:
        text_add(text, "%02x%02x\n", bytes[9], bytes[8]);
        break;
    case PRODUCT_ID:
        text_add(text, "%02x%02x\n", bytes[11], bytes[10]);
        break;
    case RELEASE:
        text_add(text, "%02x%02x\n", bytes[13], bytes[12]);
        break;
    case CONFIGURATIONS:
        text_add(text, "%u\n", bytes[17]);
        break;
    case VERSION:
        text_add(text, "%2x.%02x\n", bytes[3], bytes[2]);
        break;
    default:
        configuration_add(text, node, what);
        break;
    }
}

/* A text that the device need not have. */
static int text_show(struct text *text, const char *string) {
    if (!*string)
        return -ENOENT;
    text_add(text, "%s\n", string);
    return 0;
}

static int node_show(const struct usb_node *node, struct text *text, enum what what) {
    switch (what) {
    case AUTHORIZED:
    case LANES:
        text_add(text, "1\n");
        break;
    case BUS:
        text_add(text, "%u\n", node->bus);
        break;
    case NUMBER:
        text_add(text, "%u\n", node->number);
        break;
    case DEVICE:
        text_add(text, "%u:%u\n", USB_MAJOR, (node->bus - 1) * USB_BUS_NODES + node->number - 1);
        break;
    case PATH:
        port_path_add(text, node);
        break;
    case CHILDREN:
        text_add(text, "%u\n", node->ports);
        break;
    case REMOVABLE:
        text_add(text, "unknown\n");
        break;
    case SPEED:
        text_add(text, "%s\n", speed_of(node));
        break;
    case DESCRIPTORS:
        text_bytes(text, node->entry.descriptors, node->entry.length);
        break;
    case UEVENT:
        usb_describe(text, node, true);
        break;
    case CONFIGURATION_NAME:
        text_add(text, "%s%s", node->entry.name, *node->entry.name ? "\n" : "");
        break;
    case MAKER:
        return text_show(text, node->entry.manufacturer);
    case PRODUCT:
        return text_show(text, node->entry.product);
    case SERIAL:
        return text_show(text, node->entry.number);
    default:
        number_add(text, node, what);
        break;
    }
    return 0;
}

static int show(const struct proc_ref *ref, struct text *text, enum what what) {
    usb_lock();
    const struct usb_node *node = node_of(ref);
    int error = node ? node_show(node, text, what) : -ENODEV;
    usb_unlock();
    return error;
}

#define SHOW(function, what)                                                                                 \
    static int function(const struct proc_ref *ref, struct text *text) {                                     \
        return show(ref, text, what);                                                                        \
    }
SHOW(show_authorized, AUTHORIZED)
SHOW(show_configuration, CONFIGURATION)
SHOW(show_configuration_name, CONFIGURATION_NAME)
SHOW(show_class, CLASS)
SHOW(show_protocol, PROTOCOL)
SHOW(show_subclass, SUBCLASS)
SHOW(show_packet, PACKET)
SHOW(show_power, POWER)
SHOW(show_configurations, CONFIGURATIONS)
SHOW(show_interfaces, INTERFACES)
SHOW(show_release, RELEASE)
SHOW(show_attributes, ATTRIBUTES)
SHOW(show_bus, BUS)
SHOW(show_descriptors, DESCRIPTORS)
SHOW(show_device, DEVICE)
SHOW(show_number, NUMBER)
SHOW(show_path, PATH)
SHOW(show_product_id, PRODUCT_ID)
SHOW(show_vendor_id, VENDOR_ID)
SHOW(show_maker, MAKER)
SHOW(show_children, CHILDREN)
SHOW(show_product, PRODUCT)
SHOW(show_removable, REMOVABLE)
SHOW(show_lanes, LANES)
SHOW(show_serial, SERIAL)
SHOW(show_speed, SPEED)
SHOW(show_uevent, UEVENT)
SHOW(show_version, VERSION)

/* ---- an interface's files ---- */

enum interface_what {
    SETTING,
    INTERFACE_CLASS,
    INTERFACE_NUMBER,
    INTERFACE_PROTOCOL,
    INTERFACE_SUBCLASS,
    ENDPOINTS
};

static int interface_show(const struct proc_ref *ref, struct text *text, enum interface_what what) {
    struct usb_interface_facts facts;
    usb_lock();
    const struct usb_node *node = node_of(ref);
    bool there = node && usb_interface_at(&node->entry, interface_of(ref), &facts);
    usb_unlock();
    if (!there)
        return -ENODEV;
    uint8_t values[] = {facts.setting,  facts.class_code, facts.number,
                        facts.protocol, facts.subclass,   facts.endpoints};
    text_add(text, what == SETTING ? "%2u\n" : "%02x\n", values[what]);
    return 0;
}

#define SHOW_INTERFACE(function, what)                                                                       \
    static int function(const struct proc_ref *ref, struct text *text) {                                     \
        return interface_show(ref, text, what);                                                              \
    }
SHOW_INTERFACE(show_setting, SETTING)
SHOW_INTERFACE(show_interface_class, INTERFACE_CLASS)
SHOW_INTERFACE(show_interface_number, INTERFACE_NUMBER)
SHOW_INTERFACE(show_interface_protocol, INTERFACE_PROTOCOL)
SHOW_INTERFACE(show_interface_subclass, INTERFACE_SUBCLASS)
SHOW_INTERFACE(show_endpoints, ENDPOINTS)

static int show_modalias(const struct proc_ref *ref, struct text *text) {
    usb_lock();
    const struct usb_node *node = node_of(ref);
    if (node)
        usb_interface_modalias(text, node, interface_of(ref));
    usb_unlock();
    return node ? 0 : -ENODEV;
}

static int show_interface_uevent(const struct proc_ref *ref, struct text *text) {
    usb_lock();
    const struct usb_node *node = node_of(ref);
    if (node)
        usb_interface_describe(text, node, interface_of(ref), true);
    usb_unlock();
    return node ? 0 : -ENODEV;
}

/* ---- links ---- */

/* Out of a directory as deep below /sys as a path has slashes, and two more for what is before it. */
static int64_t link_subsystem(const struct proc_ref *ref, char *to, size_t size) {
    struct text text = {0};
    usb_lock();
    const struct usb_node *node = node_of(ref);
    text_add(&text, interface_of(ref) < UINT8_MAX ? "../../../" : "../../");
    for (const char *at = node ? node->path : ""; (at = strchr(at, '/')); at++)
        text_add(&text, "../");
    usb_unlock();
    text_add(&text, "bus/usb");
    int64_t length = !node         ? -ENODEV
                     : text.failed ? -ENOMEM
                                   : (int64_t)(text.length < size ? text.length : size);
    if (length > 0)
        memcpy(to, text.bytes, (size_t)length);
    text_free(&text);
    return length;
}

static int64_t link_device(const struct proc_ref *ref, char *to, size_t size) {
    char name[USB_NAME];
    size_t length = 0;
    usb_lock();
    const struct usb_node *node = node_of(ref);
    if (node && interface_of(ref) < UINT8_MAX) {
        usb_interface_name(name, node, interface_of(ref));
        length = format_text(to, size, "../../../devices/%s/%s", node->path, name);
    } else if (node) {
        length = format_text(to, size, "../../../devices/%s", node->path);
    }
    usb_unlock();
    return !node ? -ENOENT : (int64_t)(length < size ? length : size);
}

/* ---- the tree ---- */

static int find_part(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child);
static bool next_part(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);

static const struct proc_node interface_children[] = {
    {.name = "authorized", .mode = FILE_R, .show = show_authorized},
    {.name = "bAlternateSetting", .mode = FILE_R, .show = show_setting},
    {.name = "bInterfaceClass", .mode = FILE_R, .show = show_interface_class},
    {.name = "bInterfaceNumber", .mode = FILE_R, .show = show_interface_number},
    {.name = "bInterfaceProtocol", .mode = FILE_R, .show = show_interface_protocol},
    {.name = "bInterfaceSubClass", .mode = FILE_R, .show = show_interface_subclass},
    {.name = "bNumEndpoints", .mode = FILE_R, .show = show_endpoints},
    {.name = "modalias", .mode = FILE_R, .show = show_modalias},
    {.name = "subsystem", .mode = LINK, .link = link_subsystem},
    {.name = "uevent", .mode = FILE_R, .show = show_interface_uevent},
};

static const struct proc_node interface_node = {.name = "usb-interface",
                                                .mode = DIRECTORY,
                                                .children = interface_children,
                                                .count = PROC_COUNT(interface_children)};

static const struct proc_node device_children[] = {
    {.name = "authorized", .mode = FILE_R, .show = show_authorized},
    {.name = "bConfigurationValue", .mode = FILE_R, .show = show_configuration},
    {.name = "bDeviceClass", .mode = FILE_R, .show = show_class},
    {.name = "bDeviceProtocol", .mode = FILE_R, .show = show_protocol},
    {.name = "bDeviceSubClass", .mode = FILE_R, .show = show_subclass},
    {.name = "bMaxPacketSize0", .mode = FILE_R, .show = show_packet},
    {.name = "bMaxPower", .mode = FILE_R, .show = show_power},
    {.name = "bNumConfigurations", .mode = FILE_R, .show = show_configurations},
    {.name = "bNumInterfaces", .mode = FILE_R, .show = show_interfaces},
    {.name = "bcdDevice", .mode = FILE_R, .show = show_release},
    {.name = "bmAttributes", .mode = FILE_R, .show = show_attributes},
    {.name = "busnum", .mode = FILE_R, .show = show_bus},
    {.name = "configuration", .mode = FILE_R, .show = show_configuration_name},
    {.name = "descriptors", .mode = FILE_R, .show = show_descriptors},
    {.name = "dev", .mode = FILE_R, .show = show_device},
    {.name = "devnum", .mode = FILE_R, .show = show_number},
    {.name = "devpath", .mode = FILE_R, .show = show_path},
    {.name = "idProduct", .mode = FILE_R, .show = show_product_id},
    {.name = "idVendor", .mode = FILE_R, .show = show_vendor_id},
    {.name = "manufacturer", .mode = FILE_R, .show = show_maker},
    {.name = "maxchild", .mode = FILE_R, .show = show_children},
    {.name = "product", .mode = FILE_R, .show = show_product},
    {.name = "removable", .mode = FILE_R, .show = show_removable},
    {.name = "rx_lanes", .mode = FILE_R, .show = show_lanes},
    {.name = "serial", .mode = FILE_R, .show = show_serial},
    {.name = "speed", .mode = FILE_R, .show = show_speed},
    {.name = "subsystem", .mode = LINK, .link = link_subsystem},
    {.name = "tx_lanes", .mode = FILE_R, .show = show_lanes},
    {.name = "uevent", .mode = FILE_R, .show = show_uevent},
    {.name = "version", .mode = FILE_R, .show = show_version},
};

static const struct proc_node device_node = {.name = "usb",
                                             .mode = DIRECTORY,
                                             .children = device_children,
                                             .count = PROC_COUNT(device_children),
                                             .find = find_part,
                                             .next = next_part};

static const struct proc_node link_node = {.name = "usb-link", .mode = LINK, .link = link_device};

/* A place is a device, or an interface: the first at a number or behind it that a directory has. */
struct wanted {
    bool all;         /* else what is directly in the directory of a device, or of a function: */
    int32_t device;   /* 0: of a function */
    uint32_t address; /* that has this address */
};

static bool is_wanted(const struct wanted *wanted, const struct usb_node *node, unsigned interface) {
    if (wanted->all)
        return true;
    if (wanted->device == 0)
        return !interface && node->entry.depth == 0 && node->address == wanted->address;
    if (interface)
        return place(node->bus, node->number, 0) == wanted->device;
    const struct usb_node *hub = node->entry.depth ? usb_hub_of(node) : NULL;
    return hub && place(hub->bus, hub->number, 0) == wanted->device;
}

static void child_fill(struct proc_child *child, const struct usb_node *node, unsigned interface, bool link) {
    child->ref = (struct proc_ref){.node = link        ? &link_node
                                           : interface ? &interface_node
                                                       : &device_node,
                                   .fd = place(node->bus, node->number, interface)};
    if (interface)
        usb_interface_name(child->name, node, interface - 1);
    else
        memcpy(child->name, node->name, sizeof(node->name));
}

static bool next_of(const struct wanted *wanted, uint64_t *number, struct proc_child *child) {
    bool found = false;
    usb_lock();
    while (*number < NEXT_END && !found) {
        uint32_t bus = (uint32_t)*number >> 16, device = (uint32_t)*number >> 8 & 0xff;
        const struct usb_node *node = usb_from(bus, device);
        if (!node) {
            *number = NEXT_END;
            break;
        }
        if (node->bus != bus || node->number != device)
            *number = (uint32_t)place(node->bus, node->number, 0);
        unsigned interface = *number & 0xff;
        if (interface > usb_interface_count(&node->entry)) {
            *number = (*number | (NEXT_DEVICE - 1)) + 1;
        } else if (is_wanted(wanted, node, interface)) {
            child_fill(child, node, interface, wanted->all);
            found = true;
        } else {
            ++*number;
        }
    }
    usb_unlock();
    return found;
}

static int find_of(const struct wanted *wanted, const char *name, size_t length, struct proc_child *child) {
    for (uint64_t number = 0; next_of(wanted, &number, child); number++)
        if (strlen(child->name) == length && !memcmp(child->name, name, length))
            return 0;
    return -ENOENT;
}

static int find_part(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child) {
    return find_of(&(struct wanted){.device = directory->fd}, name, length, child);
}

static bool next_part(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    return next_of(&(struct wanted){.device = directory->fd}, number, child);
}

int sysfs_usb_root_find(uint32_t address, const char *name, size_t length, struct proc_child *child) {
    return find_of(&(struct wanted){.address = address}, name, length, child);
}

bool sysfs_usb_root_next(uint32_t address, uint64_t *number, struct proc_child *child) {
    return next_of(&(struct wanted){.address = address}, number, child);
}

int sysfs_usb_find(const struct proc_ref *directory, const char *name, size_t length,
                   struct proc_child *child) {
    (void)directory;
    return find_of(&(struct wanted){.all = true}, name, length, child);
}

bool sysfs_usb_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    (void)directory;
    return next_of(&(struct wanted){.all = true}, number, child);
}
