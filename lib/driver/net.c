/* See net.h. */
#include "lib/driver/net.h"

#include <errno.h>

#include "lib/native/keel.h"

#define LOOK_AGAIN_NS 10000000ULL

void net_server_status(struct net_server *server) {
    net_link_status(&server->ring, server->link_up(server));
    driver_call(server->link);
}

void net_server_init(struct net_server *server, struct driver_device *device, unsigned link,
                     const struct net_identity *identity) {
    if (link >= device->link_count || device->links[link].area.length < NET_AREA_MIN)
        driver_fail("the link's area", -EINVAL);
    server->device = device;
    server->link = &device->links[link];
    server->receiving = server->transmitting = 0;
    net_link_init(&server->ring, server->link->area.bytes, server->link->area.length, identity);
    net_server_status(server);
}

void net_server_session(struct net_server *server) {
    int64_t error = server->receiving || server->transmitting ? server->start(server) : 0;
    if (error)
        driver_fail("the device does not start again", error);
    server->receiving = server->transmitting = 0;
    server->mode = 0;
    net_link_session(&server->ring, server->link->session != 0);
    net_server_status(server);
}

static bool rooms_give(struct net_server *server) {
    struct net_buffer buffer;
    bool given = false;
    while (server->receiving < server->receive_depth && net_link_take_room(&server->ring, &buffer)) {
        server->receive(server, buffer.head, server->link->area.physical + buffer.offset, buffer.length);
        server->receiving++;
        given = true;
    }
    return given;
}

static bool frames_give(struct net_server *server) {
    struct net_buffer buffer;
    bool given = false;
    while (server->transmitting < server->transmit_depth && net_link_take_frame(&server->ring, &buffer)) {
        server->transmit(server, buffer.head, server->link->area.physical + buffer.offset, buffer.length);
        server->transmitting++;
        given = true;
    }
    return given;
}

static void filter_follow(struct net_server *server) {
    uint32_t mode = net_link_mode(&server->ring);
    if (!server->filter || mode == server->mode)
        return;
    server->mode = mode;
    server->filter(server, mode);
}

/* What has been sent is looked for again, if nothing else makes the driver look. */
static void timer_set(struct net_server *server) {
    if (server->transmitting && server->device->deadline == DEADLINE_NEVER)
        server->device->deadline = clock_now() + LOOK_AGAIN_NS;
}

void net_server_run(struct net_server *server) {
    bool receive = false, transmit = false;
    filter_follow(server);
    do {
        net_link_busy(&server->ring);
        receive = rooms_give(server) || receive;
        transmit = frames_give(server) || transmit;
    } while (net_link_await(&server->ring, server->transmitting < server->transmit_depth,
                            server->receiving < server->receive_depth / 2));
    if (receive || transmit)
        server->doorbell(server, receive, transmit);
    timer_set(server);
    if (net_link_publish(&server->ring))
        driver_call(server->link);
}

void net_server_received(struct net_server *server, uint16_t head, uint32_t length) {
    server->receiving--;
    net_link_received(&server->ring, head, length >= NET_ETHERNET && length <= NET_FRAME_MOST ? length : 0);
}

void net_server_sent(struct net_server *server, uint16_t head) {
    server->transmitting--;
    net_link_sent(&server->ring, head);
}

bool net_server_pressed(const struct net_server *server) {
    return server->transmitting > server->transmit_depth / 2;
}
