/* See net_client.h. The token of a chain in either queue is the number of its buffer. */
#include "lib/virtqueue/net_client.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "lib/virtqueue/net_ring.h"

enum { WORD_BITS = 64, NO_BUFFER = NET_RECEIVE_BUFFERS };

_Static_assert((NET_TRANSMIT_BUFFERS & (NET_TRANSMIT_BUFFERS - 1)) == 0, "buffers are used in turn");
_Static_assert(NET_RECEIVE_BUFFERS <= NET_QUEUE_SIZE && NET_TRANSMIT_BUFFERS <= NET_QUEUE_SIZE,
               "descriptors never run out before buffers");

int net_client_init(struct net_client *client, void *area, uint64_t length) {
    if (length < NET_AREA_MIN)
        return -EINVAL;
    memset(client, 0, sizeof(*client));
    client->area = area;
    client->taken = NO_BUFFER;
    client->receive.broken = client->transmit.broken = true; /* until a session begins */
    struct link_header *header = &net_header(client->area)->link;
    client->session = ring_load(header->session);
    ring_store(header->session, 0);
    ring_store(net_header(client->area)->mode, 0);
    return 0;
}

static uint64_t receive_offset(unsigned buffer) {
    return NET_BUFFERS + (uint64_t)buffer * NET_BUFFER;
}

static uint64_t transmit_offset(unsigned buffer) {
    return receive_offset(NET_RECEIVE_BUFFERS + buffer);
}

static bool session_works(const struct net_client *client) {
    return !client->receive.broken && !client->transmit.broken;
}

void net_client_fail(struct net_client *client) {
    client->gone = true;
    client->link_up = false;
    client->receive.broken = client->transmit.broken = true;
}

/* ---- the rings ---- */

static void room_give(struct net_client *client, unsigned buffer) {
    struct virtqueue_buffer room = {receive_offset(buffer), NET_BUFFER};
    if (virtqueue_add(&client->receive, &room, 0, 1, buffer) == 0)
        client->rooms_given = true;
}

static void taken_give(struct net_client *client) {
    if (client->taken != NO_BUFFER)
        room_give(client, client->taken);
    client->taken = NO_BUFFER;
}

static uint64_t *ended_word(struct net_client *client, unsigned buffer) {
    return &client->ended[buffer / WORD_BITS];
}

static uint64_t ended_bit(unsigned buffer) {
    return 1ULL << buffer % WORD_BITS;
}

static void frame_enter(struct net_client *client, unsigned buffer) {
    struct virtqueue_buffer frame = {transmit_offset(buffer), (uint32_t)NET_FRAME + client->lengths[buffer]};
    memset(client->area + frame.address, 0, NET_FRAME);
    if (virtqueue_add(&client->transmit, &frame, 1, 0, buffer) == 0)
        client->dirty = true;
}

/* ---- sessions ---- */

/* Reads what the driver says of the card, once. */
static bool card_read(struct net_client *client) {
    const struct net_header *header = net_header(client->area);
    uint16_t mtu = ring_load(header->mtu);
    uint8_t address[NET_ADDRESS], any = 0;
    for (unsigned i = 0; i < NET_ADDRESS; i++)
        any |= address[i] = ring_load(header->address[i]);
    if (!any || address[0] & 1 || mtu < NET_MTU_MIN || mtu > NET_MTU_MAX)
        return false;
    memcpy(client->address, address, NET_ADDRESS);
    client->mtu = mtu;
    return true;
}

static void session_begin(struct net_client *client) {
    struct link_header *header = &net_header(client->area)->link;
    struct virtqueue_memory receive = net_ring(client->area, NET_RECEIVE);
    struct virtqueue_memory transmit = net_ring(client->area, NET_TRANSMIT);
    ring_store(header->session, 0);
    virtqueue_driver_init(&client->receive, &receive);
    virtqueue_driver_init(&client->transmit, &transmit);
    virtqueue_driver_disable(&client->transmit);
    client->taken = NO_BUFFER;
    for (unsigned buffer = 0; buffer < NET_RECEIVE_BUFFERS; buffer++)
        room_give(client, buffer);
    for (uint32_t i = client->oldest; i != client->next; i++) {
        unsigned buffer = i % NET_TRANSMIT_BUFFERS;
        if (!(*ended_word(client, buffer) & ended_bit(buffer)))
            frame_enter(client, buffer);
    }
    (void)virtqueue_publish(&client->receive);
    (void)virtqueue_publish(&client->transmit);
    client->dirty = client->rooms_given = false;
    client->session = client->session + 1 ? client->session + 1 : 1;
    ring_store(header->session_generation, client->generation);
    ring_store(header->session, client->session);
}

/* No sessions more with this driver: what is under way waits for the next one. */
static void driver_refuse(struct net_client *client) {
    client->refused = true;
    client->receive.broken = client->transmit.broken = true;
    client->dirty = client->rooms_given = false;
    if (++client->refusals == NET_CLIENT_PATIENCE)
        net_client_fail(client);
}

/* Whether another driver than that of the session announces itself. */
static bool driver_changed(const struct net_client *client, uint32_t *generation) {
    *generation = ring_load(net_header(client->area)->link.generation);
    return *generation && *generation != client->generation;
}

/* A session with a driver that has just come; false when it gets none. What the last one still handed over is
 * taken before, by net_client_take. */
static bool session_open(struct net_client *client, uint32_t generation) {
    client->generation = generation;
    if (!card_read(client)) {
        driver_refuse(client);
        return false;
    }
    client->described = true;
    client->refused = false;
    client->failures = 0;
    session_begin(client);
    return true;
}

/* ---- frames ---- */

uint8_t *net_client_buffer(const struct net_client *client) {
    if (client->next - client->oldest == NET_TRANSMIT_BUFFERS)
        return NULL;
    return client->area + transmit_offset(client->next % NET_TRANSMIT_BUFFERS) + NET_FRAME;
}

void net_client_send(struct net_client *client, uint32_t length) {
    unsigned buffer = client->next % NET_TRANSMIT_BUFFERS;
    if (client->gone)
        return;
    client->next++;
    client->lengths[buffer] = (uint16_t)length;
    if (session_works(client))
        frame_enter(client, buffer);
}

bool net_client_take(struct net_client *client, const uint8_t **bytes, uint32_t *length) {
    uint64_t buffer;
    uint32_t written;
    taken_give(client);
    while (virtqueue_get_used(&client->receive, &buffer, &written) == 1) {
        client->taken = (uint32_t)buffer;
        if (written >= NET_FRAME + NET_ETHERNET && written <= NET_FRAME + NET_FRAME_MOST) {
            *bytes = client->area + receive_offset((unsigned)buffer) + NET_FRAME;
            *length = written - NET_FRAME;
            client->failures = client->refusals = 0;
            return true;
        }
        taken_give(client);
    }
    return false;
}

static void sent_collect(struct net_client *client) {
    uint64_t buffer;
    uint32_t written;
    while (virtqueue_get_used(&client->transmit, &buffer, &written) == 1) {
        *ended_word(client, (unsigned)buffer) |= ended_bit((unsigned)buffer);
        client->failures = client->refusals = 0;
    }
    while (client->oldest != client->next) {
        unsigned oldest = client->oldest % NET_TRANSMIT_BUFFERS;
        if (!(*ended_word(client, oldest) & ended_bit(oldest)))
            break;
        *ended_word(client, oldest) &= ~ended_bit(oldest);
        client->oldest++;
    }
}

/* A ring that the driver broke is given up, for a fresh one. */
static bool session_renew(struct net_client *client) {
    if (++client->failures < NET_CLIENT_PATIENCE)
        session_begin(client);
    else
        driver_refuse(client);
    return true;
}

bool net_client_run(struct net_client *client) {
    uint32_t generation;
    bool kick = false;
    if (client->gone)
        return false;
    taken_give(client);
    if (!client->transmit.broken)
        sent_collect(client);
    if (driver_changed(client, &generation))
        kick = session_open(client, generation);
    else if (client->generation && !client->refused && !session_works(client))
        kick = session_renew(client);
    client->link_up = !client->refused && ring_load(net_header(client->area)->link_up);
    if (kick || client->refused)
        return kick;
    if (client->dirty)
        kick = virtqueue_publish(&client->transmit);
    if (client->rooms_given)
        kick = virtqueue_publish(&client->receive) || kick;
    client->dirty = client->rooms_given = false;
    return kick;
}

bool net_client_await(struct net_client *client, bool room) {
    if (client->gone || !session_works(client))
        return false;
    bool received = virtqueue_driver_enable(&client->receive);
    bool sent = room && virtqueue_driver_enable(&client->transmit);
    return received || sent;
}

void net_client_busy(struct net_client *client) {
    if (client->gone || !session_works(client))
        return;
    virtqueue_driver_disable(&client->receive);
    virtqueue_driver_disable(&client->transmit);
}

void net_client_mode(struct net_client *client, uint32_t mode) {
    if (!client->gone)
        ring_store(net_header(client->area)->mode, mode);
}
