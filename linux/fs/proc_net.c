/* What /proc and /sys tell of network interfaces: /proc/net, /sys/class/net/NAME. A reference's fd is the
 * interface's index. */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/device/ipc.h"
#include "linux/device/offers.h"
#include "linux/fs/proc_internal.h"
#include "linux/net/interface.h"
#include "linux/net/packet.h"

enum { FILE_R = S_IFREG | 0444, FILE_RW = S_IFREG | 0644, DIRECTORY = S_IFDIR | 0755 };

/* ---- /proc/net ---- */

static void add_counters(struct text *text, const struct interface *interface) {
    const struct interface_statistics *now = &interface->statistics;
    text_add(text, "%6s: %7llu %7llu    0 %4llu    0     0          0 %9llu ", interface->name,
             (unsigned long long)now->rx_bytes, (unsigned long long)now->rx_packets,
             (unsigned long long)now->rx_dropped, (unsigned long long)now->multicast);
    text_add(text, "%8llu %7llu    0    0    0     0       0          0\n", (unsigned long long)now->tx_bytes,
             (unsigned long long)now->tx_packets);
}

static int show_dev(const struct proc_ref *ref, struct text *text) {
    struct interface *interface;
    (void)ref;
    text_add(text, "Inter-|   Receive                                                |  Transmit\n"
                   " face |bytes    packets errs drop fifo frame compressed multicast|"
                   "bytes    packets errs drop fifo colls carrier compressed\n");
    for (int32_t index = 0; (interface = interface_after(index));) {
        mutex_lock(&interface->lock);
        add_counters(text, interface);
        mutex_unlock(&interface->lock);
        index = interface->index;
        interface_put(interface);
    }
    return 0;
}

const struct proc_node proc_net_children[PROC_NET_COUNT] = {
    {.name = "dev", .mode = FILE_R, .show = show_dev},
    {.name = "packet", .mode = FILE_R, .show = proc_show_packet},
};

/* ---- /sys/class/net ---- */

enum {
    ADDRESS,
    ADDRESS_LENGTH,
    BROADCAST,
    CARRIER,
    FLAGS,
    INDEX,
    MTU,
    STATE,
    QUEUE,
    TYPE,
    UEVENT,
    ZERO,
    RX_BYTES,
    RX_DROPPED,
    RX_PACKETS,
    GROUPS,
    TX_BYTES,
    TX_PACKETS
};

static void add_address(struct text *text, const uint8_t *address) {
    text_add(text, "%02x:%02x:%02x:%02x:%02x:%02x\n", address[0], address[1], address[2], address[3],
             address[4], address[5]);
}

static const char *state_name(const struct interface *interface) {
    if (interface->loopback)
        return "unknown";
    return interface->up && interface->carrier ? "up" : "down";
}

/* A number; what is no number is text already. */
static uint64_t number(const struct interface *interface, unsigned what) {
    const struct interface_statistics *now = &interface->statistics;
    switch (what) {
    case ADDRESS_LENGTH:
        return ETH_ALEN;
    case CARRIER:
        return interface->carrier;
    case INDEX:
        return (uint64_t)interface->index;
    case MTU:
        return interface->mtu;
    case QUEUE:
        return TRANSMIT_QUEUE;
    case TYPE:
        return interface_type(interface);
    case RX_BYTES:
        return now->rx_bytes;
    case RX_DROPPED:
        return now->rx_dropped;
    case RX_PACKETS:
        return now->rx_packets;
    case GROUPS:
        return now->multicast;
    case TX_BYTES:
        return now->tx_bytes;
    case TX_PACKETS:
        return now->tx_packets;
    default:
        return 0;
    }
}

static int add(struct text *text, const struct interface *interface, unsigned what) {
    static const uint8_t all[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[ETH_ALEN];
    if (what == ADDRESS)
        add_address(text, interface->address);
    else if (what == BROADCAST)
        add_address(text, interface->loopback ? none : all);
    else if (what == CARRIER && !interface->up)
        return -EINVAL;
    else if (what == FLAGS) /* without what is only a state */
        text_add(text, "0x%x\n", interface_flags(interface) & ~(unsigned)(IFF_RUNNING | IFF_LOWER_UP));
    else if (what == STATE)
        text_add(text, "%s\n", state_name(interface));
    else if (what == UEVENT)
        text_add(text, "INTERFACE=%s\nIFINDEX=%d\n", interface->name, interface->index);
    else
        text_add(text, "%llu\n", (unsigned long long)number(interface, what));
    return 0;
}

static int show(const struct proc_ref *ref, struct text *text, unsigned what) {
    struct interface *interface = interface_by_index(ref->fd);
    if (!interface)
        return -ENODEV;
    mutex_lock(&interface->lock);
    int error = add(text, interface, what);
    mutex_unlock(&interface->lock);
    interface_put(interface);
    return error;
}

#define SHOW(function, what)                                                                                 \
    static int function(const struct proc_ref *ref, struct text *text) {                                     \
        return show(ref, text, what);                                                                        \
    }
SHOW(show_address, ADDRESS)
SHOW(show_address_length, ADDRESS_LENGTH)
SHOW(show_broadcast, BROADCAST)
SHOW(show_carrier, CARRIER)
SHOW(show_flags, FLAGS)
SHOW(show_index, INDEX)
SHOW(show_mtu, MTU)
SHOW(show_state, STATE)
SHOW(show_queue, QUEUE)
SHOW(show_type, TYPE)
SHOW(show_uevent, UEVENT)
SHOW(show_zero, ZERO)
SHOW(show_rx_bytes, RX_BYTES)
SHOW(show_rx_dropped, RX_DROPPED)
SHOW(show_rx_packets, RX_PACKETS)
SHOW(show_groups, GROUPS)
SHOW(show_tx_bytes, TX_BYTES)
SHOW(show_tx_packets, TX_PACKETS)

static int64_t number_read(const char *bytes, size_t length) {
    while (length && (bytes[length - 1] == '\n' || bytes[length - 1] == ' '))
        length--;
    return proc_number(bytes, length);
}

static int store_mtu(const struct proc_ref *ref, const char *bytes, size_t length) {
    struct interface *interface = interface_by_index(ref->fd);
    if (!interface)
        return -ENODEV;
    int error = interface_mtu_set(interface, number_read(bytes, length));
    interface_put(interface);
    return error;
}

/* Anything written to device/reset ends the driver, which starts again with a device that was reset. */
static int store_reset(const struct proc_ref *ref, const char *bytes, size_t length) {
    struct interface *interface = interface_by_index(ref->fd);
    struct ipc_message message;
    (void)bytes, (void)length;
    if (!interface)
        return -ENODEV;
    int64_t error = offers_call(DEVICES_RESET, (const uint64_t[3]){interface->device}, &message);
    interface_put(interface);
    return (int)error;
}

static const struct proc_node device_children[] = {
    {.name = "reset", .mode = S_IFREG | 0200, .store = store_reset},
};

static const struct proc_node statistics_children[] = {
    {.name = "collisions", .mode = FILE_R, .show = show_zero},
    {.name = "multicast", .mode = FILE_R, .show = show_groups},
    {.name = "rx_bytes", .mode = FILE_R, .show = show_rx_bytes},
    {.name = "rx_dropped", .mode = FILE_R, .show = show_rx_dropped},
    {.name = "rx_errors", .mode = FILE_R, .show = show_zero},
    {.name = "rx_packets", .mode = FILE_R, .show = show_rx_packets},
    {.name = "tx_bytes", .mode = FILE_R, .show = show_tx_bytes},
    {.name = "tx_dropped", .mode = FILE_R, .show = show_zero},
    {.name = "tx_errors", .mode = FILE_R, .show = show_zero},
    {.name = "tx_packets", .mode = FILE_R, .show = show_tx_packets},
};

#define INTERFACE_FILES                                                                                      \
    {.name = "addr_len", .mode = FILE_R, .show = show_address_length},                                       \
        {.name = "address", .mode = FILE_R, .show = show_address},                                           \
        {.name = "broadcast", .mode = FILE_R, .show = show_broadcast},                                       \
        {.name = "carrier", .mode = FILE_R, .show = show_carrier},                                           \
        {.name = "flags", .mode = FILE_R, .show = show_flags},                                               \
        {.name = "ifindex", .mode = FILE_R, .show = show_index},                                             \
        {.name = "iflink", .mode = FILE_R, .show = show_index},                                              \
        {.name = "mtu", .mode = FILE_RW, .show = show_mtu, .store = store_mtu},                              \
        {.name = "operstate", .mode = FILE_R, .show = show_state},                                           \
        {.name = "statistics",                                                                               \
         .mode = DIRECTORY,                                                                                  \
         .children = statistics_children,                                                                    \
         .count = PROC_COUNT(statistics_children)},                                                          \
        {.name = "tx_queue_len", .mode = FILE_R, .show = show_queue},                                        \
        {.name = "type", .mode = FILE_R, .show = show_type}, {                                               \
        .name = "uevent", .mode = FILE_R, .show = show_uevent                                                \
    }

static const struct proc_node loopback_children[] = {INTERFACE_FILES};
static const struct proc_node card_children[] = {
    {.name = "device", .mode = DIRECTORY, .children = device_children, .count = PROC_COUNT(device_children)},
    INTERFACE_FILES};

static const struct proc_node loopback_node = {
    .name = "lo", .mode = DIRECTORY, .children = loopback_children, .count = PROC_COUNT(loopback_children)};
static const struct proc_node card_node = {
    .name = "card", .mode = DIRECTORY, .children = card_children, .count = PROC_COUNT(card_children)};

static void child_make(struct proc_child *child, struct interface *interface) {
    child->ref =
        (struct proc_ref){.node = interface->loopback ? &loopback_node : &card_node, .fd = interface->index};
    format_text(child->name, sizeof(child->name), "%s", interface->name);
    interface_put(interface);
}

int sysfs_net_find(const struct proc_ref *directory, const char *name, size_t length,
                   struct proc_child *child) {
    struct interface *interface = interface_by_name(name, length);
    (void)directory;
    if (!interface)
        return -ENOENT;
    child_make(child, interface);
    return 0;
}

bool sysfs_net_next(const struct proc_ref *directory, uint64_t *number_at, struct proc_child *child) {
    struct interface *interface = *number_at < INT32_MAX ? interface_after((int32_t)*number_at - 1) : NULL;
    (void)directory;
    if (!interface)
        return false;
    *number_at = (uint64_t)interface->index;
    child_make(child, interface);
    return true;
}
