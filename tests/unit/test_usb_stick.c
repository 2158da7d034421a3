/* sources: drivers/xhci/ring.c drivers/xhci/descriptors.c drivers/xhci/context.c drivers/xhci/scsi.c
 * drivers/xhci/port.c drivers/xhci/device.c drivers/xhci/enumerate.c drivers/xhci/storage.c
 * drivers/xhci/links.c lib/driver/block.c lib/virtqueue/block_link.c lib/virtqueue/block_client.c
 * lib/virtqueue/device.c lib/virtqueue/driver.c */
/*
 * A stick that misbehaves, at a model of a controller: it stalls, answers with the wrong tag, fails commands,
 * reports phase errors, loses packets, and is pulled at any moment. What its client is told to be done, is.
 */
#include <errno.h>
#include <string.h>

#include "drivers/xhci/classes.h"
#include "drivers/xhci/links.h"
#include "drivers/xhci/scsi.h"
#include "lib/virtqueue/block_client.h"
#include "lib/virtqueue/block_ring.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

enum {
    SECTORS = 256,
    BYTES = SECTORS * 512,
    AREA = BLOCK_DATA + 0x20000,
    SLOTS = 4,
    CONTEXT = 32,
    RINGS = 32
};
enum { CODE_TRANSACTION = 4, CODE_STATE = 19 };

const struct usb_class *const usb_classes[] = {&storage_class, NULL};

static uint64_t now;
static unsigned faults, fault_rate; /* one in so many; 0: none */

static bool fault(void) {
    bool happens = fault_rate && random_below(fault_rate) == 0;
    faults += happens;
    return happens;
}

/* ---- the stick ---- */

static const uint8_t identity[] = {18, 1, 0, 2, 0, 0, 0, 64, 0x34, 0x12, 0x78, 0x56, 0, 1, 0, 0, 1, 1};
static const uint8_t configuration[] = {9,    2, 32, 0, 1,    1, 0, 0x80, 50, 9, 4, 0,    0, 2, 8, 6,
                                        0x50, 0, 7,  5, 0x81, 2, 0, 2,    0,  7, 5, 0x02, 2, 0, 2, 0};
static const uint8_t languages[] = {4, 3, 9, 4}, serial[] = {8, 3, 'a', 0, 'b', 0, 'c', 0};

static struct stick {
    bool plugged, changed, confused, halted_in, halted_out;
    enum { STICK_COMMAND, STICK_IN, STICK_OUT, STICK_STATUS } phase;
    uint8_t command[BULK_COMMAND_SIZE], status, key;
    uint32_t length;
} stick;
static uint8_t media[BYTES], shadow[BYTES];

/* Answers a control request: bytes for the host, -1 a stall. */
static int stick_control(const uint8_t setup[8], uint8_t *buffer) {
    static const struct {
        uint8_t kind, number, length;
        const uint8_t *bytes;
    } known[] = {{1, 0, sizeof identity, identity},
                 {2, 0, sizeof configuration, configuration},
                 {3, 0, sizeof languages, languages},
                 {3, 1, sizeof serial, serial}};
    unsigned most = setup[6] | setup[7] << 8;
    if (setup[0] == 0x80 && setup[1] == GET_DESCRIPTOR) {
        for (unsigned i = 0; i < 4; i++)
            if (known[i].kind == setup[3] && known[i].number == setup[2]) {
                unsigned length = known[i].length < most ? known[i].length : most;
                memcpy(buffer, known[i].bytes, length);
                return (int)length;
            }
        return -1;
    }
    if (setup[0] == 2 && setup[1] == CLEAR_FEATURE) {
        *(setup[4] & USB_IN ? &stick.halted_in : &stick.halted_out) = stick.confused;
    } else if (setup[0] == 0x21 && setup[1] == 0xff) {
        stick.confused = false;
        stick.phase = STICK_COMMAND;
    }
    return 0;
}

static uint32_t big(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The data of a command that brings some; moves of the medium itself are in stick_move. */
static void stick_answer(uint8_t *data) {
    static const uint8_t inquiry[36] = {0, 0x80, 5, 2, 31}, capacity[8] = {0, 0, 0, SECTORS - 1, 0, 0, 2, 0};
    uint8_t sense[18] = {0x70, 0, stick.key};
    const uint8_t *from = stick.command[15] == 0x12 ? inquiry : stick.command[15] == 0x25 ? capacity : sense;
    if (stick.command[15] == 0x1a)
        memset(data, 0, stick.length);
    else
        memcpy(data, from, stick.length);
}

static unsigned stick_take(const uint8_t *bytes, uint32_t length) {
    CHECK(length == BULK_COMMAND_SIZE && !memcmp(bytes, "USBC", 4) && stick.phase == STICK_COMMAND);
    memcpy(stick.command, bytes, BULK_COMMAND_SIZE);
    stick.length = bytes[8] | (uint32_t)bytes[9] << 8 | (uint32_t)bytes[10] << 16;
    stick.phase = stick.length == 0 ? STICK_STATUS : bytes[12] ? STICK_IN : STICK_OUT;
    stick.status = 0;
    return CODE_SUCCESS;
}

/* Moves the data of READ and WRITE, or of others. */
static void stick_move(uint8_t *bytes) {
    uint64_t at = (uint64_t)big(stick.command + 17) * 512;
    bool medium = stick.command[15] == 0x28 || stick.command[15] == 0x2a;
    CHECK(!medium || at + stick.length <= BYTES);
    if (stick.command[15] == 0x28)
        memcpy(bytes, media + at, stick.length);
    else if (stick.command[15] == 0x2a)
        memcpy(media + at, bytes, stick.length);
    else
        stick_answer(bytes);
}

static unsigned stick_status(uint8_t *bytes, uint32_t *moved) {
    uint8_t answer[13] = {'U', 'S', 'B', 'S'};
    memcpy(answer + 4, stick.command + 4, 4);
    answer[12] = stick.status;
    if (fault())
        answer[4] ^= 1;
    else if (fault())
        answer[12] = BULK_PHASE;
    if (answer[12] == BULK_PHASE)
        stick.confused = true;
    memcpy(bytes, answer, sizeof answer);
    *moved = sizeof answer;
    stick.phase = STICK_COMMAND;
    return CODE_SUCCESS;
}

/* A bulk transfer of one piece; the code. What a stick that is confused gets is a stall, until it is reset.
 */
static unsigned stick_bulk(bool in, uint8_t *bytes, uint32_t length, uint32_t *moved) {
    bool *halted = in ? &stick.halted_in : &stick.halted_out;
    *moved = 0;
    if (fault()) {
        stick.confused = true;
        return CODE_TRANSACTION;
    }
    if (*halted || stick.confused) {
        *halted = true;
        return CODE_STALL;
    }
    if (!in && stick.phase == STICK_COMMAND) {
        *moved = length;
        return stick_take(bytes, length);
    }
    if (in && stick.phase == STICK_STATUS && fault()) {
        *halted = true;
        return CODE_STALL;
    }
    if (in && stick.phase == STICK_STATUS)
        return stick_status(bytes, moved);
    CHECK(length == stick.length && stick.phase == (in ? STICK_IN : STICK_OUT));
    stick.phase = STICK_STATUS;
    if (stick.command[15] != 3 && fault()) { /* the command fails, and its data stall */
        stick.status = 1;
        stick.key = random_below(2) ? SCSI_ATTENTION : SCSI_NOT_READY;
        *halted = true;
        return CODE_STALL;
    }
    stick_move(bytes);
    *moved = length;
    return CODE_SUCCESS;
}

/* ---- the controller ---- */

static _Alignas(4096) struct usb_memory memories[USB_DEVICES];
static uint8_t kept[4096];
static struct endpoint {
    uint64_t dequeue; /* 0: closed */
    bool halted, rung;
} endpoints[SLOTS + 1][RINGS];
static bool slots[SLOTS + 1];
static struct command {
    struct usb_device *device;
    uint64_t parameter;
    uint32_t control;
} command;

void controller_command(struct usb_device *device, uint64_t parameter, uint32_t control) {
    CHECK(!command.device); /* one device: one command */
    command = (struct command){device, parameter, control};
}
void controller_doorbell(unsigned slot, unsigned endpoint) {
    CHECK(slots[slot] && endpoints[slot][endpoint].dequeue);
    endpoints[slot][endpoint].rung = true;
}
void controller_slot(unsigned slot, uint64_t context) {
    CHECK(slots[slot] == (context != 0));
}
unsigned controller_slots(void) {
    return SLOTS;
}
unsigned controller_context_size(void) {
    return CONTEXT;
}
unsigned controller_ports(void) {
    return 1;
}
uint32_t controller_port_read(unsigned port) {
    (void)port;
    uint32_t there = stick.plugged ? PORT_CONNECTED | PORT_ENABLED | SPEED_HIGH << 10 : 0;
    return there | (stick.changed ? PORT_CONNECT_CHANGE : 0);
}
void controller_port_write(unsigned port, uint32_t bits) {
    (void)port;
    stick.changed = stick.changed && !(bits & PORT_CONNECT_CHANGE);
}
struct usb_memory *controller_memory(unsigned index, uint64_t *physical) {
    *physical = (uint64_t)&memories[index];
    return &memories[index];
}
void *controller_kept(void) {
    return kept;
}

static void endpoints_add(unsigned slot, const uint8_t *input) {
    const uint32_t *list = (const uint32_t *)input;
    for (unsigned i = 1; i < RINGS; i++) {
        const uint32_t *context = (const uint32_t *)(input + (size_t)(i + 1) * CONTEXT);
        if (list[1] >> i & 1)
            endpoints[slot][i] = (struct endpoint){.dequeue = context[2] | (uint64_t)context[3] << 32};
    }
}

static void command_run(void) {
    struct command now_run = command;
    unsigned slot = TRB_SLOT_OF(now_run.control), code = CODE_SUCCESS;
    struct endpoint *endpoint = &endpoints[slot % (SLOTS + 1)][TRB_TARGET_OF(now_run.control)];
    command.device = NULL;
    switch (TRB_TYPE_OF(now_run.control)) {
    case TRB_ENABLE_SLOT:
        for (slot = 1; slots[slot]; slot++)
            CHECK(slot < SLOTS);
        slots[slot] = true;
        break;
    case TRB_DISABLE_SLOT:
        CHECK(slots[slot]);
        slots[slot] = false;
        memset(endpoints[slot], 0, sizeof endpoints[slot]);
        break;
    case TRB_RESET_ENDPOINT:
        code = endpoint->halted ? (unsigned)CODE_SUCCESS : (unsigned)CODE_STATE;
        endpoint->halted = false;
        break;
    case TRB_SET_DEQUEUE:
        endpoint->dequeue = now_run.parameter;
        break;
    default:
        endpoints_add(slot, (const uint8_t *)now_run.parameter);
        break;
    }
    device_commanded(now_run.device, code, slot);
}

/* The next TRB of a ring, which is taken; NULL: the end. */
static const struct trb *ring_take(struct endpoint *endpoint) {
    const struct trb *trb = (const struct trb *)(endpoint->dequeue & ~15ULL);
    uint64_t cycle = endpoint->dequeue & 1;
    if ((trb->control & TRB_CYCLE) != cycle)
        return NULL;
    if (TRB_TYPE_OF(trb->control) == TRB_LINK) {
        endpoint->dequeue = trb->parameter | (cycle ^ 1);
        return ring_take(endpoint);
    }
    endpoint->dequeue += sizeof *trb;
    return trb;
}

static void event_send(unsigned slot, unsigned index, const struct trb *trb, unsigned code, uint32_t left) {
    endpoints[slot][index].halted = code != CODE_SUCCESS && code != CODE_SHORT;
    device_transferred(
        &(struct trb){(uint64_t)trb, (uint32_t)code << 24 | left, TRB_SLOT(slot) | TRB_TARGET(index)});
}

static void control_run(unsigned slot) {
    const struct trb *setup = ring_take(&endpoints[slot][1]), *next = ring_take(&endpoints[slot][1]),
                     *data = NULL;
    CHECK(setup && next);
    if (TRB_TYPE_OF(next->control) == TRB_DATA) {
        data = next;
        next = ring_take(&endpoints[slot][1]);
    }
    CHECK(next && TRB_TYPE_OF(next->control) == TRB_STATUS);
    int moved = stick_control((const uint8_t *)&setup->parameter, data ? (uint8_t *)data->parameter : NULL);
    if (moved < 0) {
        event_send(slot, 1, data ? data : next, CODE_STALL, data ? data->status & TRB_LENGTH : 0);
        return;
    }
    if (data && (unsigned)moved < (data->status & TRB_LENGTH))
        event_send(slot, 1, data, CODE_SHORT, (data->status & TRB_LENGTH) - (unsigned)moved);
    event_send(slot, 1, next, CODE_SUCCESS, 0);
}

static void bulk_run(unsigned slot, unsigned index) {
    static uint8_t bytes[USB_TRANSFER_MOST];
    const struct trb *parts[RING_MOST];
    unsigned count = 0;
    uint32_t length = 0, moved;
    do {
        parts[count] = ring_take(&endpoints[slot][index]);
        CHECK(parts[count]);
        uint64_t first = parts[count]->parameter, size = parts[count]->status & TRB_LENGTH;
        CHECK(size && first >> 16 == (first + size - 1) >> 16);
        if (!(index & 1))
            memcpy(bytes + length, (const void *)first, size);
        length += (uint32_t)size;
    } while (parts[count++]->control & TRB_CHAIN);
    unsigned code = stick_bulk(index & 1, bytes, length, &moved);
    if (code != CODE_SUCCESS) {
        event_send(slot, index, parts[0], code, parts[0]->status & TRB_LENGTH);
        return;
    }
    for (uint32_t i = 0, at = 0; index & 1 && i < count; at += parts[i++]->status & TRB_LENGTH)
        memcpy((void *)parts[i]->parameter, bytes + at, parts[i]->status & TRB_LENGTH);
    event_send(slot, index, parts[count - 1], CODE_SUCCESS, length - moved);
}

/* ---- the driver's loop, and its client ---- */

static _Alignas(4096) uint8_t area[LINKS_STORAGE_END][AREA];
static struct driver_device host;
static struct block_client client;
static struct driver_link *offered; /* the client's; NULL: none */

uint64_t clock_now(void) {
    return now;
}
void log_line(const char *format, ...) {
    (void)format;
}
_Noreturn void driver_fail(const char *what, int64_t error) {
    fprintf(stderr, "%s (%lld)\n", what, (long long)error);
    exit(1);
}
void driver_call(struct driver_link *link) {
    (void)link;
}

static void client_run(void) {
    if (!offered)
        return;
    (void)block_client_run(&client);
    struct block_header *header = (struct block_header *)offered->area.bytes;
    if (header->link.session != offered->session) {
        offered->session = header->link.session;
        storage_session(offered);
    }
    storage_kick(offered);
    (void)block_client_run(&client);
}

void driver_offer_present(struct driver_device *device, unsigned index, bool present) {
    struct driver_link *link = &device->links[index];
    if (present == !(link->presence & 1))
        return;
    struct link_header *header = (struct link_header *)link->area.bytes;
    header->presence = ++link->presence;
    if (present) {
        CHECK(!offered);
        offered = link;
        header->generation = link_generation(1, link->presence);
        CHECK_EQ(block_client_init(&client, link->area.bytes, AREA), 0);
    } else {
        offered = NULL;
        link->session = 0;
        storage_session(link);
        block_client_fail(&client);
    }
}

static void step(void) {
    if (command.device && random_below(2)) {
        command_run();
    } else {
        unsigned slot = 1 + random_below(SLOTS), index = 1 + random_below(RINGS - 1);
        for (unsigned i = 0; i < SLOTS * RINGS;
             i++, index = index + 1 < RINGS ? index + 1 : 1, slot = i % SLOTS + 1)
            if (endpoints[slot][index].rung && stick.plugged) {
                endpoints[slot][index].rung = false;
                if (index == 1)
                    control_run(slot);
                else
                    bulk_run(slot, index);
                break;
            }
    }
    if (random_below(4) == 0)
        now += 1000000;
    devices_run(now);
    ports_run(now);
    client_run();
}

static void plug(bool in) {
    stick = (struct stick){.plugged = in, .changed = true};
    port_event(1);
}

static void start(void) {
    if (host.link_count)
        return;
    host.link_count = LINKS_STORAGE_END;
    for (unsigned i = 0; i < LINKS_STORAGE_END; i++)
        host.links[i] =
            (struct driver_link){.index = i,
                                 .presence = 1,
                                 .area = {.bytes = area[i], .length = AREA, .physical = (uint64_t)area[i]}};
    devices_open();
    links_open(&host);
    ports_open();
}

static void until_offered(void) {
    for (unsigned i = 0; !offered; i++) {
        CHECK(i < 100000);
        step();
    }
    step();
    CHECK(client.described);
}

static void until_gone(void) {
    for (unsigned i = 0; offered || devices_busy() || command.device; i++) {
        CHECK(i < 100000);
        step();
    }
    for (unsigned i = 1; i <= SLOTS; i++)
        CHECK(!slots[i]);
}

/* One request to its end: 0 or -EIO. */
static int32_t request(uint32_t type, uint64_t sector, uint32_t sectors) {
    struct block_request request = {
        .type = type, .sector = sector, .offset = BLOCK_DATA + 512, .length = sectors * 512};
    uint64_t token;
    int32_t result;
    if (!sectors)
        request.offset = 0;
    CHECK_EQ(block_client_submit(&client, &request), 0);
    for (unsigned i = 0; !block_client_ended(&client, &token, &result); i++) {
        CHECK(i < 100000);
        step();
    }
    return result;
}

static uint8_t *client_data(void) {
    return offered->area.bytes + BLOCK_DATA + 512;
}

/* One random read, write or flush; true when it went well. */
static bool work(void) {
    uint32_t count = 1 + random_below(random_below(4) ? 16 : SECTORS - 16);
    uint64_t sector = random_below(SECTORS - count + 1);
    uint8_t *at = shadow + sector * 512;
    if (random_below(8) == 0)
        return request(BLOCK_FLUSH, 0, 0) == 0;
    if (random_below(2)) {
        memset(client_data(), 0xee, (size_t)count * 512);
        if (request(BLOCK_IN, sector, count))
            return false;
        CHECK(!memcmp(client_data(), at, (size_t)count * 512));
        return true;
    }
    for (uint32_t i = 0; i < count * 512; i++)
        client_data()[i] = (uint8_t)random_below(256);
    memcpy(at, client_data(), (size_t)count * 512);
    bool good = request(BLOCK_OUT, sector, count) == 0;
    if (!good)
        memcpy(at, media + sector * 512, (size_t)count * 512); /* any part of it may be written */
    return good;
}

TEST(a_good_stick) {
    start();
    plug(true);
    until_offered();
    CHECK_EQ(client.disk.sectors, SECTORS);
    CHECK(!strncmp(client.disk.serial, "abc", BLOCK_SERIAL_SIZE));
    for (unsigned i = 0; i < 500; i++)
        CHECK(work());
    CHECK(!memcmp(media, shadow, BYTES));
    plug(false);
    until_gone();
}

TEST(a_bad_stick) {
    unsigned good = 0, bad = 0;
    start();
    fault_rate = 0;
    plug(true);
    until_offered();
    fault_rate = 40;
    for (unsigned i = 0; i < 3000 && offered; i++)
        *(work() ? &good : &bad) += 1;
    printf("# %u requests done, %u failed, %u faults\n", good, bad, faults);
    CHECK(offered); /* it is not given up for single faults */
    CHECK(good > 2900 && faults > 200);
    plug(false);
    until_gone();
}

TEST(a_dying_stick) {
    start();
    fault_rate = 0;
    plug(true);
    until_offered();
    fault_rate = 1; /* nothing works any more */
    CHECK(!work());
    for (unsigned i = 0; offered; i++) {
        CHECK(i < 20); /* then it is given up */
        (void)work();
    }
    fault_rate = 0;
    plug(false);
    until_gone();
}

TEST(pulled_at_any_moment) {
    unsigned found = 0;
    start();
    for (unsigned round = 0; round < 500; round++) {
        unsigned moments = random_below(2000);
        fault_rate = random_below(2) ? 30 : 0;
        plug(true);
        for (unsigned i = 0; i < moments; i++) {
            if (offered && client.described && client.free_slots == UINT64_MAX) {
                struct block_request request = {
                    .type = random_below(2) ? BLOCK_IN : BLOCK_OUT, .offset = BLOCK_DATA, .length = 512};
                CHECK_EQ(block_client_submit(&client, &request), 0);
                found++;
            }
            uint64_t token;
            int32_t result;
            step();
            if (offered)
                (void)block_client_ended(&client, &token, &result);
        }
        plug(false);
        until_gone();
    }
    CHECK(found > 100);
    fault_rate = 0;
    plug(true); /* and it works again */
    until_offered();
    memcpy(shadow, media, BYTES);
    for (unsigned i = 0; i < 100; i++)
        CHECK(work());
}

TEST_MAIN();
