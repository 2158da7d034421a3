/*
 * PCI in /sys, as lspci and others look for it: /sys/bus/pci/devices/ADDRESS, links to the tree of bridges
 * and what is behind them. Everything is asked of `devices` when it is read. A reference's fd is the
 * function's address (DEVICES_ADDRESS).
 */
#include "abi/devices.h"
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/device/functions.h"
#include "linux/device/ipc.h"
#include "linux/device/offers.h"
#include "linux/fs/file.h"
#include "linux/fs/proc_internal.h"
#include "linux/platform.h"
#include "linux/system.h"

enum {
    FILE_R = S_IFREG | 0444,
    FILE_W = S_IFREG | 0200,
    FILE_CONFIG = S_IFREG | 0644,
    DIRECTORY = S_IFDIR | 0755
};
enum { LINK = S_IFLNK | 0777, NAME_LENGTH = 12, CONFIG_FOR_ALL = 64, RESOURCES = 13, ADDRESSES = 1 << 30 };
/* Linux's flags of a resource. */
enum {
    RESOURCE_PORTS = 0x40101,
    RESOURCE_MEMORY = 0x40200,
    RESOURCE_PREFETCH = 0x2008,
    RESOURCE_64 = 0x100004,
    RESOURCE_ROM = 0x46200,
    ROM_INDEX = 6,
};

static int function_of(const struct proc_ref *ref, bool measured, struct devices_pci *function) {
    int error = function_from((uint32_t)ref->fd, measured, function);
    return error ? error : function->address == (uint32_t)ref->fd ? 0 : -ENODEV;
}

/* ---- texts ---- */

enum what { VENDOR, DEVICE, SUB_VENDOR, SUB_DEVICE, CLASS, REVISION, IRQ, MODALIAS, UEVENT, ENABLE };

static int show(const struct proc_ref *ref, struct text *text, enum what what) {
    struct devices_pci function;
    int error = function_of(ref, false, &function);
    if (error)
        return error;
    switch (what) {
    case VENDOR:
        text_add(text, "0x%04x\n", function.vendor);
        break;
    case DEVICE:
        text_add(text, "0x%04x\n", function.device);
        break;
    case SUB_VENDOR:
        text_add(text, "0x%04x\n", function.subsystem_vendor);
        break;
    case SUB_DEVICE:
        text_add(text, "0x%04x\n", function.subsystem);
        break;
    case CLASS:
        text_add(text, "0x%06x\n", function.class_code);
        break;
    case REVISION:
        text_add(text, "0x%02x\n", function.revision);
        break;
    case IRQ:
        text_add(text, "%u\n", function.irq_pin ? function.irq_line : 0);
        break;
    case MODALIAS:
        function_modalias(text, &function);
        break;
    case UEVENT:
        function_describe(text, &function);
        break;
    case ENABLE:
        text_add(text, "%u\n", function.driver[0] != 0);
        break;
    }
    return 0;
}

#define SHOW(function, what)                                                                                 \
    static int function(const struct proc_ref *ref, struct text *text) {                                     \
        return show(ref, text, what);                                                                        \
    }
SHOW(show_vendor, VENDOR)
SHOW(show_device, DEVICE)
SHOW(show_sub_vendor, SUB_VENDOR)
SHOW(show_sub_device, SUB_DEVICE)
SHOW(show_class, CLASS)
SHOW(show_revision, REVISION)
SHOW(show_irq, IRQ)
SHOW(show_modalias, MODALIAS)
SHOW(show_uevent, UEVENT)
SHOW(show_enable, ENABLE)

static uint32_t resource_flags(const struct devices_bar *bar, bool rom) {
    if (rom)
        return RESOURCE_ROM;
    if (bar->flags & DEVICES_BAR_IO)
        return RESOURCE_PORTS;
    return RESOURCE_MEMORY | (bar->flags & DEVICES_BAR_PREFETCH ? RESOURCE_PREFETCH : 0) |
           (bar->flags & DEVICES_BAR_64 ? RESOURCE_64 : 0);
}

static int show_resource(const struct proc_ref *ref, struct text *text) {
    struct devices_pci function;
    int error = function_of(ref, true, &function);
    for (unsigned i = 0; i < RESOURCES && !error; i++) {
        const struct devices_bar *bar = i <= ROM_INDEX ? &function.bars[i] : NULL;
        bool there = bar && bar->length && bar->base;
        text_add(text, "0x%016llx 0x%016llx 0x%016llx\n", there ? (unsigned long long)bar->base : 0,
                 there ? (unsigned long long)(bar->base + bar->length - 1) : 0,
                 there ? (unsigned long long)resource_flags(bar, i == ROM_INDEX) : 0);
    }
    return error;
}

static int show_node(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "-1\n");
    return 0;
}

/* Ends the driver, and has the function reset and the driver started again. */
static int store_reset(const struct proc_ref *ref, const char *bytes, size_t length) {
    struct ipc_message message;
    if (length == 0 || bytes[0] != '1')
        return -EINVAL;
    return (int)offers_call(DEVICES_RESET, (const uint64_t[3]){(uint32_t)ref->fd}, &message);
}

/* A link out of a function's directory, as deep as that lies below /sys. */
static int64_t link_up(const struct devices_pci *function, const char *place, char *to, size_t size) {
    char path[FUNCTION_PATH];
    struct text text = {0};
    int error = function_path(function, path);
    if (error)
        return error;
    text_add(&text, "../../");
    for (const char *at = path; (at = strchr(at, '/')); at++)
        text_add(&text, "../");
    text_add(&text, "%s", place);
    int64_t length = text.failed ? -ENOMEM : (int64_t)(text.length < size ? text.length : size);
    if (length > 0)
        memcpy(to, text.bytes, (size_t)length);
    text_free(&text);
    return length;
}

static int64_t link_driver(const struct proc_ref *ref, char *to, size_t size) {
    struct devices_pci function;
    char place[DEVICES_NAME + 20];
    int error = function_of(ref, false, &function);
    if (error || !function.driver[0])
        return error ? error : -ENOENT;
    format_text(place, sizeof(place), "bus/pci/drivers/%s", function.driver);
    return link_up(&function, place, to, size);
}

static int64_t link_subsystem(const struct proc_ref *ref, char *to, size_t size) {
    struct devices_pci function;
    int error = function_of(ref, false, &function);
    return error ? error : link_up(&function, "bus/pci", to, size);
}

/* ---- configuration space ---- */

static int64_t config_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    const struct proc_ref *ref = file->path.inode->data;
    struct task *self = task_current();
    uint64_t end = self && self->credentials.fsuid ? CONFIG_FOR_ALL : UINT64_MAX;
    int64_t total = 0;
    while (buffer->length && *offset < end) {
        struct ipc_message message;
        uint8_t bytes[DEVICES_CONFIG_MOST];
        uint64_t wanted = buffer->length < sizeof(bytes) ? buffer->length : sizeof(bytes);
        wanted = wanted < end - *offset ? wanted : end - *offset;
        int64_t error =
            offers_call(DEVICES_CONFIG, (const uint64_t[3]){(uint32_t)ref->fd, *offset, wanted}, &message);
        size_t length = error ? 0 : IPC_LABEL_BYTES(message.label);
        if (error || length > wanted)
            return total ? total : error ? error : -EPROTO;
        if (length == 0)
            break;
        memcpy(bytes, thread_message(), length);
        if (buffer_put(buffer, bytes, length))
            return total ? total : -EFAULT;
        *offset += length;
        total += (int64_t)length;
    }
    return total;
}

static int64_t config_seek(struct file *file, int64_t offset, int whence) {
    if (whence == 1)
        offset += (int64_t)file->offset;
    if (whence > 1 || offset < 0)
        return -EINVAL;
    file->offset = (uint64_t)offset;
    return offset;
}

static const struct file_operations config_operations = {.read = config_read, .seek = config_seek};

static int config_open(const struct proc_ref *ref, struct file *file) {
    (void)ref;
    file->operations = &config_operations;
    return 0;
}

/* ---- the tree ---- */

static const struct proc_node function_children[] = {
    {.name = "class", .mode = FILE_R, .show = show_class},
    {.name = "config", .mode = FILE_CONFIG, .open = config_open},
    {.name = "device", .mode = FILE_R, .show = show_device},
    {.name = "driver", .mode = LINK, .link = link_driver},
    {.name = "enable", .mode = FILE_R, .show = show_enable},
    {.name = "irq", .mode = FILE_R, .show = show_irq},
    {.name = "modalias", .mode = FILE_R, .show = show_modalias},
    {.name = "numa_node", .mode = FILE_R, .show = show_node},
    {.name = "reset", .mode = FILE_W, .store = store_reset},
    {.name = "resource", .mode = FILE_R, .show = show_resource},
    {.name = "revision", .mode = FILE_R, .show = show_revision},
    {.name = "subsystem", .mode = LINK, .link = link_subsystem},
    {.name = "subsystem_device", .mode = FILE_R, .show = show_sub_device},
    {.name = "subsystem_vendor", .mode = FILE_R, .show = show_sub_vendor},
    {.name = "uevent", .mode = FILE_R, .show = show_uevent},
    {.name = "vendor", .mode = FILE_R, .show = show_vendor},
};

static int find_behind(const struct proc_ref *directory, const char *name, size_t length,
                       struct proc_child *child);
static bool next_behind(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);

static const struct proc_node function_node = {.name = "pci",
                                               .mode = DIRECTORY,
                                               .children = function_children,
                                               .count = PROC_COUNT(function_children),
                                               .find = find_behind,
                                               .next = next_behind};

static int64_t link_function(const struct proc_ref *ref, char *to, size_t size) {
    struct devices_pci function;
    char path[FUNCTION_PATH];
    int error = function_of(ref, false, &function);
    if (!error)
        error = function_path(&function, path);
    if (error)
        return error;
    size_t length = format_text(to, size, "../../../devices/%s", path);
    return length < size ? (int64_t)length : (int64_t)size;
}

static const struct proc_node link_node = {.name = "pci-link", .mode = LINK, .link = link_function};

/* "0000:00:1f.2" as an address; UINT32_MAX: it is none. */
static uint32_t address_read(const char *name, size_t length) {
    uint32_t address = 0;
    char again[16];
    for (size_t i = 0; length == NAME_LENGTH && i < length; i++) {
        char c = name[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                                                : 0;
        if (i < 4 || i == 5 || i == 6)
            address = address << 4 | digit;
        else if (i == 8 || i == 9)
            address = i == 8 ? address << 1 | (digit & 1) : address << 4 | digit;
        else if (i == 11)
            address = address << 3 | (digit & 7);
    }
    function_name(again, address);
    return length == NAME_LENGTH && !memcmp(again, name, length) ? address : UINT32_MAX;
}

static void child_make(struct proc_child *child, const struct proc_node *node, uint32_t address) {
    child->ref = (struct proc_ref){.node = node, .fd = (int32_t)address};
    function_name(child->name, address);
}

/* Functions behind one bridge (DEVICES_NO_ADDRESS: behind none), or all. */
#define ALL UINT64_MAX

static bool is_behind(const struct devices_pci *function, uint64_t parent) {
    return parent == ALL || function->parent == parent;
}

static int find(const struct proc_node *node, uint64_t parent, const char *name, size_t length,
                struct proc_child *child) {
    struct devices_pci function;
    uint32_t address = address_read(name, length);
    if (address >= ADDRESSES || function_from(address, false, &function) || function.address != address ||
        !is_behind(&function, parent))
        return -ENOENT;
    child_make(child, node, address);
    return 0;
}

static bool next(const struct proc_node *node, uint64_t parent, uint64_t *number, struct proc_child *child) {
    struct devices_pci function;
    for (; *number < ADDRESSES && !function_from(*number, false, &function);
         *number = function.address + 1ULL) {
        if (!is_behind(&function, parent))
            continue;
        *number = function.address;
        child_make(child, node, function.address);
        return true;
    }
    return false;
}

int sysfs_pci_find(const struct proc_ref *directory, const char *name, size_t length,
                   struct proc_child *child) {
    (void)directory;
    return find(&function_node, DEVICES_NO_ADDRESS, name, length, child);
}
bool sysfs_pci_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    (void)directory;
    return next(&function_node, DEVICES_NO_ADDRESS, number, child);
}
static int find_behind(const struct proc_ref *directory, const char *name, size_t length,
                       struct proc_child *child) {
    uint32_t address = (uint32_t)directory->fd;
    int error = find(&function_node, address, name, length, child);
    return error ? sysfs_usb_root_find(address, name, length, child) : 0;
}
static bool next_behind(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    uint32_t address = (uint32_t)directory->fd;
    if (next(&function_node, address, number, child))
        return true;
    uint64_t usb = *number < ADDRESSES ? 0 : *number - ADDRESSES; /* numbered behind all functions */
    bool found = sysfs_usb_root_next(address, &usb, child);
    *number = ADDRESSES + usb;
    return found;
}
static int find_link(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child) {
    (void)directory;
    return find(&link_node, ALL, name, length, child);
}
static bool next_link(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    (void)directory;
    return next(&link_node, ALL, number, child);
}

/* ---- /sys/bus/pci/drivers ---- */

static const struct proc_node driver_node = {.name = "pci-driver", .mode = DIRECTORY};

/* The first function that a driver serves. */
static uint32_t driver_function(const char *name) {
    struct devices_pci function;
    for (uint64_t next = 0; !function_from(next, false, &function); next = function.address + 1ULL)
        if (!strncmp(function.driver, name, sizeof(function.driver)))
            return function.address;
    return UINT32_MAX;
}

static void driver_make(struct proc_child *child, uint32_t address, const char *name) {
    child->ref = (struct proc_ref){.node = &driver_node, .fd = (int32_t)address};
    format_text(child->name, sizeof(child->name), "%s", name);
}

static int find_driver(const struct proc_ref *directory, const char *name, size_t length,
                       struct proc_child *child) {
    char wanted[DEVICES_NAME] = {0};
    (void)directory;
    if (length == 0 || length >= sizeof(wanted))
        return -ENOENT;
    memcpy(wanted, name, length);
    uint32_t address = driver_function(wanted);
    if (address == UINT32_MAX)
        return -ENOENT;
    driver_make(child, address, wanted);
    return 0;
}

static bool next_driver(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    struct devices_pci function;
    (void)directory;
    for (; *number < ADDRESSES && !function_from(*number, false, &function);
         *number = function.address + 1ULL)
        if (function.driver[0] && driver_function(function.driver) == function.address) {
            *number = function.address;
            driver_make(child, function.address, function.driver);
            return true;
        }
    return false;
}

static const struct proc_node pci_children[] = {
    {.name = "devices", .mode = DIRECTORY, .find = find_link, .next = next_link},
    {.name = "drivers", .mode = DIRECTORY, .find = find_driver, .next = next_driver},
};

static const struct proc_node usb_children[] = {
    {.name = "devices", .mode = DIRECTORY, .find = sysfs_usb_find, .next = sysfs_usb_next},
};

const struct proc_node sysfs_bus_children[SYSFS_BUS_COUNT] = {
    {.name = "pci", .mode = DIRECTORY, .children = pci_children, .count = PROC_COUNT(pci_children)},
    {.name = "usb", .mode = DIRECTORY, .children = usb_children, .count = PROC_COUNT(usb_children)},
};
