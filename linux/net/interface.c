/* See interface.h. A received frame is looked at where the device put it, and copied from there by each
 * socket that wants it; its buffer then goes back to the driver. */
#include "linux/net/interface.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/device/offers.h"
#include "linux/fs/uevent.h"
#include "linux/heap.h"
#include "linux/io/poll.h"
#include "linux/net/packet.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

struct mutex net_lock = MUTEX_INIT(net_lock);
struct waitq net_room = WAITQ_INIT(net_room);
static struct list interfaces = LIST_INIT(interfaces); /* net_lock */
static int32_t last_index = LOOPBACK_INDEX;            /* of the thread that learns of devices */
static struct interface loopback;

/* ---- look-up ---- */

void interface_put(struct interface *interface) {
    if (interface && interface->references-- == 1)
        heap_free(interface);
}

struct interface *interface_after(int32_t index) {
    struct interface *interface, *found = NULL;
    mutex_lock(&net_lock);
    list_for_each(interface, &interfaces, link) {
        if (interface->index > index && (!found || interface->index < found->index))
            found = interface;
    }
    if (found)
        found->references++;
    mutex_unlock(&net_lock);
    return found;
}

struct interface *interface_by_index(int32_t index) {
    struct interface *interface = index > 0 ? interface_after(index - 1) : NULL;
    if (interface && interface->index != index) {
        interface_put(interface);
        interface = NULL;
    }
    return interface;
}

struct interface *interface_by_name(const char *name, size_t length) {
    struct interface *interface, *found = NULL;
    mutex_lock(&net_lock);
    list_for_each(interface, &interfaces, link) {
        if (strlen(interface->name) == length && !memcmp(interface->name, name, length)) {
            found = interface;
            found->references++;
            break;
        }
    }
    mutex_unlock(&net_lock);
    return found;
}

/* ---- state; the lock is held ---- */

uint32_t interface_flags(const struct interface *interface) {
    uint32_t flags = interface->loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST;
    flags |= interface->flags | (interface->up ? IFF_UP : 0);
    if (interface->up && interface->carrier)
        flags |= IFF_RUNNING | IFF_LOWER_UP;
    return flags;
}

static void kick(const struct interface *interface) {
    keel_event_signal(interface->kick);
}

/* What the card is asked to receive. Every frame is looked at again. */
static void mode_tell(struct interface *interface) {
    uint32_t mode = (interface->promiscuous ? NET_MODE_ALL : 0) |
                    (interface->allmulti || interface->groups ? NET_MODE_MULTICAST : 0);
    if (interface->loopback || interface->gone)
        return;
    net_client_mode(&interface->client, interface->up ? mode : 0);
    kick(interface);
}

void interface_membership(struct interface *interface, uint16_t type, int change) {
    uint32_t *count = type == PACKET_MR_PROMISC    ? &interface->promiscuous
                      : type == PACKET_MR_ALLMULTI ? &interface->allmulti
                                                   : &interface->groups;
    *count += (uint32_t)change;
    mode_tell(interface);
}

int interface_flags_set(struct interface *interface, uint32_t flags) {
    int error = 0;
    mutex_lock(&interface->lock);
    uint32_t changed = (interface->flags ^ flags) & (IFF_PROMISC | IFF_ALLMULTI);
    if (interface->gone) {
        error = -ENODEV;
    } else {
        interface->flags ^= changed;
        if (changed & IFF_PROMISC)
            interface_membership(interface, PACKET_MR_PROMISC, flags & IFF_PROMISC ? 1 : -1);
        if (changed & IFF_ALLMULTI)
            interface_membership(interface, PACKET_MR_ALLMULTI, flags & IFF_ALLMULTI ? 1 : -1);
        if (interface->up != ((flags & IFF_UP) != 0)) {
            interface->up = flags & IFF_UP;
            mode_tell(interface);
            packets_state(interface, interface->up, false);
            waitq_wake_all(&net_room);
        }
    }
    mutex_unlock(&interface->lock);
    return error;
}

int interface_mtu_set(struct interface *interface, int64_t mtu) {
    int error = -EINVAL;
    mutex_lock(&interface->lock);
    if (interface->loopback ? mtu >= 0 && mtu <= LOOPBACK_MTU
                            : mtu >= NET_MTU_MIN && mtu <= interface->client.mtu) {
        interface->mtu = (uint32_t)mtu;
        error = 0;
    }
    mutex_unlock(&interface->lock);
    return error;
}

/* ---- receiving; the lock is held ---- */

static uint16_t big_endian16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* The protocol that a header tells; lengths are those of 802.3. */
static uint16_t header_protocol(const uint8_t *header, const uint8_t *data, uint32_t length) {
    uint16_t type = big_endian16(header + 2 * ETH_ALEN);
    if (type >= ETH_P_802_3_MIN)
        return type;
    return length >= 2 && data[0] == 0xff && data[1] == 0xff ? ETH_P_802_3 : ETH_P_802_2;
}

static uint8_t frame_type(const struct interface *interface, const uint8_t *to) {
    static const uint8_t all[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (!interface->loopback && !memcmp(to, all, ETH_ALEN)) /* lo has no such address on Linux */
        return PACKET_BROADCAST;
    if (to[0] & 1)
        return PACKET_MULTICAST;
    return memcmp(to, interface->address, ETH_ALEN) ? PACKET_OTHERHOST : PACKET_HOST;
}

/* Whether a card that filters by address would have received it. */
static bool frame_wanted(const struct interface *interface, const struct packet_frame *frame) {
    if (interface->loopback || interface->promiscuous || frame->type == PACKET_HOST ||
        frame->type == PACKET_BROADCAST)
        return true;
    if (frame->type == PACKET_MULTICAST)
        return interface->allmulti || (interface->groups && packets_want_group(interface, frame->header));
    return false;
}

static void frame_receive(struct interface *interface, const uint8_t *bytes, uint32_t length) {
    struct packet_frame frame = {.bytes = bytes, .length = length};
    memcpy(frame.header, bytes, ETH_HLEN);
    frame.protocol = header_protocol(frame.header, bytes + ETH_HLEN, length - ETH_HLEN);
    frame.type = frame_type(interface, frame.header);
    if (!interface->up || !frame_wanted(interface, &frame))
        return;
    interface->statistics.rx_packets++;
    interface->statistics.rx_bytes += length;
    interface->statistics.multicast += frame.type == PACKET_MULTICAST;
    packets_show(interface, &frame);
}

/* ---- the link ---- */

static void described(struct interface *interface);

static void state_follow(struct interface *interface) {
    const struct net_client *client = &interface->client;
    if (client->described && !interface->listed)
        described(interface);
    if (interface->carrier != client->link_up && client->described) {
        interface->carrier = client->link_up;
        log_line("%s: link %s", interface->name, interface->carrier ? "up" : "down");
    }
}

/* Takes what came, gives what was sent, until there is nothing more to do. */
static void link_run(struct interface *interface) {
    struct net_client *client = &interface->client;
    const uint8_t *bytes;
    uint32_t length;
    bool signal = false;
    do {
        net_client_busy(client);
        while (net_client_take(client, &bytes, &length))
            frame_receive(interface, bytes, length);
        signal = net_client_run(client) || signal;
    } while (net_client_await(client, interface->room_wanted));
    state_follow(interface);
    if (signal)
        kick(interface);
    if (interface->room_wanted && (client->gone || net_client_buffer(client))) {
        interface->room_wanted = false;
        waitq_wake_all(&net_room);
    }
}

static void net_event(void *state) {
    struct interface *interface = state;
    mutex_lock(&interface->lock);
    link_run(interface);
    bool comes = interface->listed && !interface->told;
    interface->told |= comes;
    mutex_unlock(&interface->lock);
    if (comes)
        uevent_interface("add", interface->name, interface->index);
}

/* ---- sending ---- */

/* What may be sent now: 0, or an error. The lock is held. */
static int64_t send_check(const struct interface *interface, const struct frame_request *request,
                          uint32_t length) {
    uint32_t most = interface->mtu + ETH_HLEN;
    if (interface->gone)
        return -ENXIO;
    if (!interface->up || interface->client.gone)
        return -ENETDOWN;
    if (request->protocol == ETH_P_8021Q && !interface->loopback)
        most += VLAN_HLEN;
    return length > most ? -EMSGSIZE : length < ETH_HLEN ? -EINVAL : 0;
}

static int64_t frame_fill(uint8_t *to, struct buffer *buffer, const struct frame_request *request) {
    size_t length = buffer->length;
    if (request->header)
        memcpy(to, request->header, ETH_HLEN);
    return buffer_get(buffer, to + (request->header ? ETH_HLEN : 0), length);
}

/* Shows a frame that goes out, and counts it. */
static void frame_leaves(struct interface *interface, const uint8_t *bytes, uint32_t length,
                         const struct frame_request *request) {
    interface->statistics.tx_packets++;
    interface->statistics.tx_bytes += length;
    if (!packets_watch_outgoing(interface, request->sender))
        return;
    struct packet_frame frame = {.bytes = bytes,
                                 .length = length,
                                 .type = PACKET_OUTGOING,
                                 .protocol = request->protocol,
                                 .sender = request->sender};
    memcpy(frame.header, bytes, ETH_HLEN);
    if (frame.protocol == 0 || frame.protocol == ETH_P_ALL)
        frame.protocol = big_endian16(frame.header + 2 * ETH_ALEN);
    packets_show(interface, &frame);
}

static int64_t loopback_send(struct interface *interface, struct buffer *buffer,
                             const struct frame_request *request, uint32_t length) {
    uint8_t *bytes = heap_alloc(length);
    if (!bytes)
        return -ENOMEM;
    int64_t error = frame_fill(bytes, buffer, request);
    mutex_lock(&interface->lock);
    if (!error)
        error = send_check(interface, request, length);
    if (!error) {
        frame_leaves(interface, bytes, length, request);
        frame_receive(interface, bytes, length);
    }
    mutex_unlock(&interface->lock);
    heap_free(bytes);
    return error;
}

/* Waits until there is a free buffer, the lock held at the end as before. */
static int64_t room_wait(struct interface *interface) {
    struct waiter waiter = {.exclusive = false};
    int64_t error = 0;
    waitq_add(&net_room, &waiter);
    while (!interface->client.gone && interface->up && !net_client_buffer(&interface->client) && !error) {
        interface->room_wanted = true;
        if (net_client_await(&interface->client, true))
            link_run(interface);
        else
            error = task_wait(&interface->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
    }
    waitq_remove(&net_room, &waiter);
    return error;
}

static int64_t card_send(struct interface *interface, struct buffer *buffer,
                         const struct frame_request *request, uint32_t length) {
    int64_t error;
    uint8_t *to;
    mutex_lock(&interface->lock);
    while (!(error = send_check(interface, request, length))) {
        to = net_client_buffer(&interface->client);
        if (to)
            break;
        if (net_client_run(&interface->client))
            kick(interface);
        if (net_client_buffer(&interface->client))
            continue;
        error = request->nonblocking ? -EAGAIN : room_wait(interface);
        if (error)
            break;
    }
    if (!error)
        error = frame_fill(to, buffer, request);
    if (!error) {
        frame_leaves(interface, to, length, request);
        net_client_send(&interface->client, length);
        if (net_client_run(&interface->client))
            kick(interface);
    }
    mutex_unlock(&interface->lock);
    return error;
}

int64_t interface_send(struct interface *interface, struct buffer *buffer,
                       const struct frame_request *request) {
    int64_t bytes = (int64_t)buffer->length;
    uint64_t length = buffer->length + (request->header ? ETH_HLEN : 0);
    mutex_lock(&interface->lock);
    int64_t error = send_check(interface, request, length > UINT32_MAX ? UINT32_MAX : (uint32_t)length);
    mutex_unlock(&interface->lock);
    if (!error)
        error = interface->loopback ? loopback_send(interface, buffer, request, (uint32_t)length)
                                    : card_send(interface, buffer, request, (uint32_t)length);
    return error ? error : bytes;
}

bool interface_writable(struct interface *interface, struct poll_watch *watch) {
    if (interface->loopback)
        return true;
    if (watch)
        poll_watch(watch, &net_room);
    mutex_lock(&interface->lock);
    if (!interface->gone && !net_client_buffer(&interface->client)) {
        interface->room_wanted = true;
        if (net_client_await(&interface->client, true))
            link_run(interface);
    }
    bool writable = interface->gone || net_client_buffer(&interface->client);
    mutex_unlock(&interface->lock);
    return writable;
}

/* ---- coming and going ---- */

static void interface_list(struct interface *interface) {
    mutex_lock(&net_lock);
    list_push_back(&interfaces, &interface->link);
    mutex_unlock(&net_lock);
}

/* Once the driver has said what the card is like, programs see it. */
static void described(struct interface *interface) {
    const uint8_t *address = interface->client.address;
    memcpy(interface->address, address, ETH_ALEN);
    interface->mtu = interface->client.mtu;
    interface->listed = true;
    interface_list(interface);
    log_line("%s: %02x:%02x:%02x:%02x:%02x:%02x, frames of up to %u bytes", interface->name, address[0],
             address[1], address[2], address[3], address[4], address[5], interface->mtu);
}

static void interface_init(struct interface *interface) {
    interface->references = 1;
    mutex_init(&interface->lock);
}

static void *net_appear(const struct device_offer *offer) {
    struct interface *interface = heap_zalloc(sizeof(*interface));
    if (!interface)
        return NULL;
    interface_init(interface);
    interface->device = offer->device.address;
    interface->kick = offer->kick;
    format_text(interface->name, sizeof(interface->name), "%s", offer->device.name);
    if (net_client_init(&interface->client, offer->area, offer->length)) {
        heap_free(interface);
        return NULL;
    }
    interface->index = ++last_index;
    net_event(interface);
    return interface;
}

/* The area must not be touched after the return: nobody sends on a gone interface, nor waits for it. */
static void net_gone(void *state) {
    struct interface *interface = state;
    mutex_lock(&interface->lock);
    net_client_fail(&interface->client);
    interface->gone = true;
    interface->up = interface->carrier = false;
    if (interface->listed) {
        mutex_lock(&net_lock);
        list_remove(&interface->link);
        mutex_unlock(&net_lock);
        packets_state(interface, false, true);
    }
    mutex_unlock(&interface->lock);
    waitq_wake_all(&net_room);
    if (interface->told)
        uevent_interface("remove", interface->name, interface->index);
    log_line("%s: gone", interface->name);
    interface_put(interface);
}

void interfaces_use(void) {
    static const struct device_kind kind = {
        .device_class = DEVICES_NET, .appear = net_appear, .event = net_event, .gone = net_gone};
    interface_init(&loopback);
    loopback.index = LOOPBACK_INDEX;
    loopback.loopback = loopback.listed = loopback.carrier = true;
    loopback.mtu = LOOPBACK_MTU;
    format_text(loopback.name, sizeof(loopback.name), "lo");
    interface_list(&loopback);
    offers_use(&kind);
}

static unsigned cards(void) {
    unsigned count = 0;
    struct interface *interface;
    for (int32_t index = LOOPBACK_INDEX; (interface = interface_after(index)); count++) {
        index = interface->index;
        interface_put(interface);
    }
    return count;
}

void interfaces_wait(void) {
    offers_await(DEVICES_NET, "nets=", cards);
}
