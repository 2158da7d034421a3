/*
 * Who may use the machine's disk and its network card (abi/devices.h): whoever sends a RESOURCE_LINK with
 * FILE for the one, with NETWORK for the other. Here every other handle is tried, and the devices are used
 * with the right ones.
 */
#include <errno.h>
#include <string.h>

#include "lib/virtqueue/block_client.h"
#include "lib/virtqueue/net_client.h"
#include "tests/native/dtest.h"

enum { KIND_SHIFT = 56, FRAME_BYTES = 60, EXPERIMENTAL = 0x88b5, TOKEN = 7, HELD = 3 };

static const char disk[] = "vda", card[] = "eth0";

static uint32_t id_of(const char *name) {
    struct devices_device device = {0};
    CHECK(device_await(name, 1, &device));
    return device.id;
}

/* ---- handles to send ---- */

static handle_t made(int64_t handle) {
    CHECK(handle > 0);
    return handle > 0 ? (handle_t)handle : HANDLE_NONE;
}

/* Our own authority with some of its rights. */
static handle_t with(uint64_t rights) {
    return made(keel_handle_duplicate(handle_find("devices.right"), rights | RIGHT_GRANT));
}

/* What is derived from a handle, which is closed: authority over some classes. */
static handle_t derived(handle_t parent, uint64_t first, uint64_t count) {
    handle_t narrow = made(
        keel_handle_create(OBJECT_RESOURCE, parent, (uint64_t)RESOURCE_LINK << KIND_SHIFT | first, count));
    (void)keel_handle_close(parent);
    return narrow;
}

/* ---- links ---- */

struct taken {
    void *area;
    uint64_t length;
    handle_t kick, call;
};

static int64_t link_take_with(const char *name, const handle_t *sent, unsigned count, struct taken *link) {
    struct ipc_message message = {.label = IPC_LABEL(DEVICES_LINK, 0, 0), .words = {id_of(name)}};
    int64_t result = ask_with(&message, sent, count);
    if (result < 0) {
        CHECK(IPC_LABEL_HANDLES(message.label) == 0);
        return result;
    }
    CHECK(IPC_LABEL_HANDLES(message.label) == HELD);
    handle_t vmo = utcb_own()->handles[0];
    *link = (struct taken){.length = message.words[1],
                           .kick = utcb_own()->handles[1],
                           .call = utcb_own()->handles[2],
                           .area = memory_map(vmo, 0, message.words[1], MAP_READ | MAP_WRITE)};
    (void)keel_handle_close(vmo);
    CHECK(link->area);
    return link->area ? 0 : -ENOMEM;
}

static void link_drop(const struct taken *link) {
    memory_unmap(link->area, link->length);
    (void)keel_handle_close(link->kick);
    (void)keel_handle_close(link->call);
}

/* Gives the handle away. The link is not used. */
static int64_t link_try(const char *name, handle_t sent) {
    struct taken link;
    int64_t result = link_take_with(name, &sent, 1, &link);
    if (result == 0)
        link_drop(&link);
    return result;
}

static bool disk_read(const struct taken *link) {
    const struct block_request request = {
        .type = BLOCK_IN, .length = BLOCK_SECTOR, .offset = BLOCK_DATA, .token = TOKEN};
    static struct block_client client;
    uint64_t deadline = clock_now() + PATIENT, token = 0;
    uint8_t *bytes = (uint8_t *)link->area + BLOCK_DATA;
    int32_t result = -EIO;
    if (block_client_init(&client, link->area, link->length) || block_client_submit(&client, &request))
        return false;
    memset(bytes, 0xff, BLOCK_SECTOR);
    for (;;) {
        if (block_client_run(&client))
            (void)keel_event_signal(link->kick);
        if (block_client_ended(&client, &token, &result))
            break;
        if (keel_event_wait(link->call, deadline) < 0)
            return false;
    }
    for (unsigned i = 0; i < BLOCK_SECTOR; i++)
        if (bytes[i])
            return false;
    return result == 0 && token == TOKEN;
}

/* Sends a frame that nobody answers. */
static bool card_send(const struct taken *link) {
    static struct net_client client;
    uint64_t deadline = clock_now() + PATIENT;
    if (net_client_init(&client, link->area, link->length))
        return false;
    uint8_t *frame = net_client_buffer(&client);
    memset(frame, 0xff, FRAME_BYTES);
    frame[2 * NET_ADDRESS] = EXPERIMENTAL >> 8;
    frame[2 * NET_ADDRESS + 1] = EXPERIMENTAL & 0xff;
    net_client_send(&client, FRAME_BYTES);
    for (;;) {
        if (net_client_run(&client))
            (void)keel_event_signal(link->kick);
        if (client.described && client.oldest == client.next)
            return true;
        if (!net_client_await(&client, true) && keel_event_wait(link->call, deadline) < 0)
            return false;
    }
}

/* Gives the handle away. Whether it gives the device's link, and that is one by which the device works. */
static bool works(const char *name, handle_t sent) {
    struct taken link;
    if (link_take_with(name, &sent, 1, &link) != 0)
        return false;
    bool good = name == disk ? disk_read(&link) : card_send(&link);
    link_drop(&link);
    return good;
}

/* How many of a type there are in the system. */
static uint64_t objects(enum object_type type) {
    struct system_info info = {0};
    (void)keel_object_info(handle_find("info"), keel_pointer(&info), sizeof info);
    return info.objects[type];
}

/* ---- tests ---- */

/* Without a handle, and with handles to other things, whatever their rights. */
void test_links_refused(void) {
    struct taken link;
    for (unsigned i = 0; i < 2; i++) {
        const char *name = i ? card : disk;
        CHECK(link_take_with(name, NULL, 0, &link) == -EACCES);
        CHECK(link_try(name, made(keel_handle_create(OBJECT_EVENT, 0, 0, 0))) == -EACCES);
        CHECK(link_try(name, made(keel_vmo_create(1, 0))) == -EACCES);
        CHECK(link_try(name, made(keel_handle_duplicate(handle_find("info"), RIGHT_ALL))) == -EACCES);
        CHECK(link_try(name, made(keel_handle_duplicate(handle_find("debug"), RIGHT_ALL))) == -EACCES);
        CHECK(link_try(name, with(RIGHT_NONE)) == -EACCES);
        handle_t behind[] = {with(RIGHT_NONE), with(RIGHT_ALL)}; /* the first counts */
        CHECK(link_take_with(name, behind, 2, &link) == -EACCES);
    }
    /* What needs no right is given whatever comes along. */
    CHECK(link_try("edu0", made(keel_handle_create(OBJECT_EVENT, 0, 0, 0))) == 0);
}

/* One right is not the other, one class not the other, and nothing that is derived has more. */
void test_rights_divided(void) {
    uint64_t before = objects(OBJECT_RESOURCE);
    CHECK(works(disk, with(RIGHT_ALL)) && works(card, with(RIGHT_ALL)));
    CHECK(works(card, with(RIGHT_NETWORK)) && link_try(disk, with(RIGHT_NETWORK)) == -EACCES);
    CHECK(works(disk, with(RIGHT_FILE)) && link_try(card, with(RIGHT_FILE)) == -EACCES);
    CHECK(link_try(disk, derived(with(RIGHT_NETWORK), 0, DEVICES_PCI_CLASSES)) == -EACCES);
    CHECK(link_try(card, derived(with(RIGHT_FILE), DEVICES_PCI_NETWORK, 1)) == -EACCES);
    CHECK(works(disk, derived(with(RIGHT_ALL), DEVICES_PCI_STORAGE, 1)));
    CHECK(link_try(card, derived(with(RIGHT_ALL), DEVICES_PCI_STORAGE, 1)) == -EACCES);
    CHECK(works(card, derived(with(RIGHT_ALL), DEVICES_PCI_NETWORK, 1)));
    CHECK(link_try(disk, derived(with(RIGHT_ALL), DEVICES_PCI_NETWORK, 1)) == -EACCES);
    CHECK(objects(OBJECT_RESOURCE) == before); /* what was derived to find out is gone, too */
}

static int64_t call_with(enum devices_call call, uint64_t word, handle_t first, handle_t second) {
    struct ipc_message message = {.label = IPC_LABEL(call, 0, 0), .words = {word}};
    int64_t result = ask_with(&message, (handle_t[]){first, second}, second ? 2 : 1);
    for (unsigned i = 0; result == 0 && i < IPC_LABEL_HANDLES(message.label); i++)
        (void)keel_handle_close(utcb_own()->handles[i]);
    return result;
}

static handle_t debug(void) {
    return made(keel_handle_duplicate(handle_find("debug"), RIGHT_ALL));
}

/* Looks at every driver: how many may be looked at, and how many not. */
static void inspect_all(uint64_t rights, unsigned *seen, unsigned *refused) {
    *seen = *refused = 0;
    for (uint64_t index = 0;; index++) {
        int64_t result = call_with(DEVICES_INSPECT, index, with(rights), debug());
        if (result == -ENOENT)
            return;
        *seen += result == 0;
        *refused += result == -EACCES;
    }
}

/* Its driver may be ended, and it may be given up, by who may use the device; and looked at, by who may debug
 * as well. */
void test_calls_refused(void) {
    static const struct {
        const char *name;
        uint64_t right, other;
    } both[] = {{disk, RIGHT_FILE, RIGHT_NETWORK}, {card, RIGHT_NETWORK, RIGHT_FILE}};
    unsigned all, none, seen, refused;
    for (unsigned i = 0; i < 2; i++) {
        struct devices_device before = {0}, after = {0};
        CHECK(device_await(both[i].name, 1, &before));
        CHECK(ask(DEVICES_RESET, before.address, 0, 0, NULL, 0) == -EACCES);
        CHECK(call_with(DEVICES_RESET, before.address, with(both[i].other), HANDLE_NONE) == -EACCES);
        CHECK(ask(DEVICES_LEFT, before.id, 0, 0, NULL, 0) == -EACCES);
        CHECK(call_with(DEVICES_LEFT, before.id, with(both[i].other), HANDLE_NONE) == -EACCES);
        CHECK(call_with(DEVICES_LEFT, before.id, with(both[i].right), HANDLE_NONE) == 0);
        CHECK(device_await(both[i].name, 1, &after) && after.generation == before.generation);
        CHECK(call_with(DEVICES_RESET, before.address, with(both[i].right), HANDLE_NONE) == 0);
        CHECK(device_await(both[i].name, before.generation + 1, &after));
        CHECK(works(both[i].name, with(both[i].right)));
    }
    CHECK(call_with(DEVICES_INSPECT, 0, with(RIGHT_ALL), HANDLE_NONE) == -EACCES);
    CHECK(call_with(DEVICES_INSPECT, 0, debug(), HANDLE_NONE) == -EACCES);
    CHECK(call_with(DEVICES_INSPECT, 0, with(RIGHT_ALL), with(RIGHT_ALL)) == -EACCES);
    inspect_all(RIGHT_ALL, &all, &none);
    CHECK(all >= 4 && none == 0);
    inspect_all(RIGHT_NETWORK, &seen, &refused);
    CHECK(refused >= 1 && seen + refused == all);
    unsigned disks = refused;
    inspect_all(RIGHT_FILE, &seen, &refused);
    CHECK(refused == 1 && seen + refused == all);
    inspect_all(RIGHT_NONE, &seen, &refused);
    CHECK(refused == disks + 1 && seen + refused == all);
}

/* A call with as many timers as fit; whether they are gone afterwards. */
static bool drops(uint32_t call, uint64_t word, int64_t expected) {
    struct ipc_message message = {.label = IPC_LABEL(call, 0, 0), .words = {word}};
    handle_t sent[IPC_HANDLES];
    uint64_t before = objects(OBJECT_TIMER);
    for (unsigned i = 0; i < IPC_HANDLES; i++)
        sent[i] = made(keel_handle_create(OBJECT_TIMER, 0, 0, 0));
    CHECK(objects(OBJECT_TIMER) == before + IPC_HANDLES);
    CHECK(ask_with(&message, sent, IPC_HANDLES) == expected);
    return objects(OBJECT_TIMER) == before;
}

/* Whatever comes along is closed, with good requests and with bad ones. */
void test_handles_closed(void) {
    uint32_t there = id_of(disk);
    struct devices_device edu = {0};
    CHECK(device_await("edu0", 1, &edu));
    CHECK(drops(DEVICES_NEXT, 0, 0));
    CHECK(drops(DEVICES_LINK, there, -EACCES));
    CHECK(drops(DEVICES_LINK, 77, -ENOENT));
    CHECK(drops(DEVICES_WATCH, 0, -EINVAL));
    CHECK(drops(DEVICES_PCI, 0, 0));
    CHECK(drops(DEVICES_CONFIG, UINT64_MAX, -ENOENT));
    CHECK(drops(DEVICES_RESET, 0xfffe, -ENODEV));
    CHECK(drops(DEVICES_INSPECT, 0, -EACCES));
    CHECK(drops(DEVICES_LEFT, there, -EACCES));
    CHECK(drops(DEVICES_LEFT, edu.id, 0));
    CHECK(drops(99, 0, -EOPNOTSUPP));
}
