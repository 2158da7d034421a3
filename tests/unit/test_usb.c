/* sources: drivers/xhci/ring.c drivers/xhci/descriptors.c drivers/xhci/context.c drivers/xhci/scsi.c
 * drivers/xhci/boot_report.c */
/* What the xHCI driver tells its controller and its devices, field by field, and what it believes of them. */
#include <errno.h>
#include <string.h>

#include "abi/input.h"
#include "drivers/xhci/boot_report.h"
#include "drivers/xhci/context.h"
#include "drivers/xhci/ring.h"
#include "drivers/xhci/scsi.h"
#include "tests/unit/check.h"

enum { RING_AT = 0x10000 };

static _Alignas(4096) struct trb trbs[RING_TRBS];

static struct trb normal(uint64_t parameter, uint32_t more) {
    return (struct trb){parameter, 0, TRB_TYPE(TRB_NORMAL) | more};
}

/* Reads the ring as a controller does: the parameter of the next TRB, 0 when there is none. */
static struct reader {
    unsigned next;
    uint32_t cycle, chain;
} reader;

static uint64_t take(void) {
    const struct trb *trb = &trbs[reader.next];
    if ((trb->control & TRB_CYCLE) != reader.cycle)
        return 0;
    if (TRB_TYPE_OF(trb->control) == TRB_LINK) {
        CHECK_EQ(trb->parameter, RING_AT);
        CHECK_EQ(trb->control & TRB_CHAIN, reader.chain); /* a transfer goes on behind it */
        CHECK(trb->control & TRB_TOGGLE);
        reader.next = 0;
        reader.cycle ^= TRB_CYCLE;
        return take();
    }
    reader.next++;
    reader.chain = trb->control & TRB_CHAIN;
    return trb->parameter;
}

TEST(ring_rounds) {
    struct ring ring;
    uint64_t put = 0, taken = 0;
    ring_init(&ring, trbs, RING_AT);
    reader = (struct reader){.cycle = TRB_CYCLE};
    CHECK_EQ(take(), 0);
    for (unsigned round = 0; round < 2000; round++) {
        struct trb some[RING_MOST];
        unsigned count = round % RING_MOST + 1;
        for (unsigned i = 0; i < count; i++)
            some[i] = normal(++put, i + 1 < count ? TRB_CHAIN : TRB_INTERRUPT);
        unsigned first = ring_put(&ring, some, count);
        CHECK_EQ(trbs[ring_step(first, count - 1)].parameter, put);
        CHECK_EQ(ring_index(&ring, ring_address(&ring, first)), first);
        while (taken < put)
            CHECK_EQ(take(), ++taken);
        CHECK_EQ(take(), 0);
        CHECK_EQ(ring_dequeue(&ring), (RING_AT + ring.next * 16) | ring.cycle);
    }
    CHECK_EQ(ring_index(&ring, RING_AT + 8), -1);
    CHECK_EQ(ring_index(&ring, RING_AT - 16), -1);
    CHECK_EQ(ring_index(&ring, RING_AT + 255 * 16), -1); /* the link */
}

TEST(event_ring) {
    struct event_ring ring;
    struct trb event;
    unsigned at = 0;
    uint32_t cycle = TRB_CYCLE;
    event_ring_init(&ring, trbs, RING_AT);
    for (uint64_t i = 1; i < 1000; i++) {
        CHECK(!event_take(&ring, &event));
        trbs[at] = (struct trb){i, 0, cycle | TRB_TYPE(TRB_EVENT_PORT)};
        CHECK(event_take(&ring, &event));
        CHECK_EQ(event.parameter, i);
        at = (at + 1) % RING_TRBS;
        cycle ^= at == 0 ? TRB_CYCLE : 0;
    }
}

/* ---- descriptors ---- */

static const uint8_t stick[] = {
    9, 2, 44,   0, 1, 1, 0, 0x80, 50,                /* configuration 1 */
    9, 4, 0,    0, 2, 8, 6, 0x50, 0,                 /* interface 0: storage */
    7, 5, 0x81, 2, 0, 4, 0, 6,    0x30, 3,  0, 0, 0, /* bulk in, 1024, burst 3 */
    7, 5, 0x02, 2, 0, 4, 0, 6,    0x30, 99, 0, 0, 0, /* bulk out, a burst out of range */
};

static int changed(struct usb_configuration *configuration, unsigned at, uint8_t value, size_t length) {
    uint8_t bytes[sizeof stick];
    memcpy(bytes, stick, sizeof bytes);
    bytes[at] = value;
    return usb_configuration_read(configuration, bytes, length);
}

TEST(configuration) {
    struct usb_configuration configuration;
    CHECK_EQ(sizeof stick, 44);
    CHECK_EQ(usb_configuration_length(stick, 9), 44);
    CHECK_EQ(usb_configuration_read(&configuration, stick, sizeof stick), 0);
    CHECK_EQ(configuration.value, 1);
    CHECK_EQ(configuration.interface_count, 1);
    const struct usb_interface *interface = &configuration.interfaces[0];
    CHECK_EQ(interface->interface_class, 8);
    CHECK_EQ(interface->endpoint_count, 2);
    const struct usb_endpoint *in = usb_endpoint_find(interface, USB_BULK, USB_IN);
    const struct usb_endpoint *out = usb_endpoint_find(interface, USB_BULK, 0);
    CHECK_EQ(in->address, 0x81);
    CHECK_EQ(in->packet, 1024);
    CHECK_EQ(in->burst, 3);
    CHECK_EQ(out->burst, 15);
    CHECK(!usb_endpoint_find(interface, USB_INTERRUPT, USB_IN));
}

TEST(configuration_refused) {
    struct usb_configuration configuration;
    CHECK_EQ(changed(&configuration, 0, 9, 43), -EPROTO);               /* not all of it came */
    CHECK_EQ(changed(&configuration, 9, 0, sizeof stick), -EPROTO);     /* no length: no end */
    CHECK_EQ(changed(&configuration, 9, 200, sizeof stick), -EPROTO);   /* beyond the end */
    CHECK_EQ(changed(&configuration, 9, 8, sizeof stick), -EPROTO);     /* too short for its type */
    CHECK_EQ(changed(&configuration, 20, 0x80, sizeof stick), -EPROTO); /* endpoint 0 */
    CHECK_EQ(changed(&configuration, 23, 5, sizeof stick), -EPROTO);    /* packets of 1,280 bytes */
    CHECK_EQ(changed(&configuration, 2, 8, sizeof stick), -EPROTO);
    CHECK_EQ(changed(&configuration, 12, 1, sizeof stick), 0); /* another setting of the interface */
    CHECK_EQ(configuration.interface_count, 0);
    CHECK_EQ(usb_configuration_length(stick, 8), 0);
}

TEST(texts) {
    char text[USB_TEXT];
    static const uint8_t good[] = {10, 3, 'k', 0, 'e', 0, 0xe9, 0, 'l', 0}, odd[] = {200, 3, 'a', 0, 'b'};
    usb_text_read(text, good, sizeof good);
    CHECK(!strcmp(text, "ke?l"));
    usb_text_read(text, odd, sizeof odd);
    CHECK(!strcmp(text, "a"));
    usb_text_read(text, good, 1);
    CHECK(!strcmp(text, ""));
}

/* ---- contexts ---- */

TEST(contexts) {
    static uint32_t input[INPUT_SIZE / 4];
    uint8_t *bytes = (uint8_t *)input;
    struct usb_place place = {.root = 5, .speed = SPEED_LOW};
    for (unsigned size = 32; size <= 64; size += 32) {
        const uint32_t *slot = input + size / 4, *control = slot + size / 4, *key = control + 2 * size / 4;
        struct usb_endpoint endpoint = {.address = 0x81, .kind = USB_INTERRUPT, .interval = 10, .packet = 8};
        input_clear(bytes, size, 9, 8);
        input_slot(bytes, size, &place, 3);
        input_control(bytes, size, 8, 0x5001);
        input_endpoint(bytes, size, &endpoint, SPEED_LOW, 0x6001);
        CHECK_EQ(input[0], 8);
        CHECK_EQ(input[1], 9);
        CHECK_EQ(slot[0], 2 << 20 | 3 << 27);
        CHECK_EQ(slot[1], 5 << 16);
        CHECK_EQ(slot[2], 0);
        CHECK_EQ(control[1], 3 << 1 | 4 << 3 | 8 << 16);
        CHECK_EQ(control[2], 0x5001);
        CHECK_EQ(key[0], 6 << 16); /* 10 ms: every 64 microframes */
        CHECK_EQ(key[1], 3 << 1 | 7 << 3 | 8 << 16);
        CHECK_EQ(key[2], 0x6001);
        CHECK_EQ(key[4], 8 << 16 | 64);
        endpoint = (struct usb_endpoint){.address = 0x81, .kind = USB_INTERRUPT, .interval = 7, .packet = 8};
        input_endpoint(bytes, size, &endpoint, SPEED_HIGH, 0x6001);
        CHECK_EQ(key[0], 6 << 16);
    }
}

/* ---- SCSI ---- */

TEST(commands) {
    struct block_io io = {.type = BLOCK_IN, .sector = 0x1234560, .sectors = 16, .length = 8192};
    struct scsi_command command = scsi_request(&io, 512);
    CHECK(!memcmp(command.bytes, "\x28\0\x01\x23\x45\x60\0\0\x10\0", 10));
    CHECK_EQ(command.length, 10);
    CHECK(command.in);
    io.type = BLOCK_OUT;
    command = scsi_request(&io, 4096);
    CHECK(!memcmp(command.bytes, "\x2a\0\0\x24\x68\xac\0\0\x02\0", 10));
    CHECK(!command.in);
    io.sector = 0x123456780ULL;
    command = scsi_request(&io, 512);
    CHECK(!memcmp(command.bytes, "\x8a\0\0\0\0\x01\x23\x45\x67\x80\0\0\0\x10\0\0", 16));
    CHECK_EQ(command.length, 16);
    io.sector = UINT32_MAX - 15; /* the last that ten bytes reach, and the first that they do not */
    CHECK_EQ(scsi_request(&io, 512).length, 16);
    io.sector--;
    CHECK_EQ(scsi_request(&io, 512).length, 10);
    io.type = BLOCK_FLUSH;
    CHECK_EQ(scsi_request(&io, 512).bytes[0], 0x35);
    CHECK_EQ(scsi_request(&io, 512).data, 0);
}

TEST(capacities) {
    struct block_identity identity = {0};
    static const uint8_t small[] = {0, 0, 0x7f, 0xff, 0, 0, 2, 0}, large[] = {255, 255, 255, 255, 0, 0, 2, 0};
    static const uint8_t bad[] = {0, 0, 0x7f, 0xff, 0, 0, 2, 1};
    static const uint8_t far[12] = {0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 16, 0};
    CHECK_EQ(scsi_capacity_read(&identity, small, 8), 0);
    CHECK_EQ(identity.sectors, 0x8000);
    CHECK_EQ(scsi_capacity_read(&identity, large, 8), -EOVERFLOW);
    CHECK_EQ(scsi_capacity_read(&identity, bad, 8), -ENOTSUP);
    CHECK_EQ(scsi_capacity_read(&identity, small, 7), -ENOTSUP);
    CHECK_EQ(scsi_capacity_long_read(&identity, far, 12), 0);
    CHECK_EQ(identity.sectors, (0x200000000ULL + 1) * 8);
    CHECK_EQ(identity.block_size, 4096);
}

TEST(wrappers) {
    uint8_t bytes[BULK_COMMAND_SIZE], status[BULK_STATUS_SIZE] = "USBS\x07\0\0\0\x10\0\0\0";
    struct scsi_command command = scsi_capacity();
    uint32_t left;
    bulk_wrap(bytes, &command, 7);
    CHECK(!memcmp(bytes, "USBC\x07\0\0\0\x08\0\0\0\x80\0\x0a\x25", 16));
    CHECK_EQ(bulk_answer(status, 13, 7, 16, &left), BULK_PASSED);
    CHECK_EQ(left, 16);
    CHECK_EQ(bulk_answer(status, 13, 8, 16, &left), BULK_INVALID); /* another command's */
    CHECK_EQ(bulk_answer(status, 12, 7, 16, &left), BULK_INVALID);
    CHECK_EQ(bulk_answer(status, 13, 7, 15, &left), BULK_INVALID); /* more left than there was */
    status[12] = 1;
    CHECK_EQ(bulk_answer(status, 13, 7, 16, &left), BULK_FAILED);
    status[12] = 3;
    CHECK_EQ(bulk_answer(status, 13, 7, 16, &left), BULK_INVALID);
    CHECK_EQ(scsi_sense_read((const uint8_t *)"\x70\0\x06", 3), SCSI_ATTENTION);
    CHECK_EQ(scsi_sense_read((const uint8_t *)"\x72\x05\0", 3), SCSI_ILLEGAL);
    CHECK_EQ(scsi_sense_read((const uint8_t *)"\x70\0", 2), 0);
}

/* ---- keyboards ---- */

static uint8_t held[KEYBOARD_REPORT];
static struct key_change changes[KEYBOARD_CHANGES];

static unsigned report(const char *bytes) {
    return keyboard_changes(held, (const uint8_t *)bytes, changes);
}

TEST(keyboard_reports) {
    CHECK_EQ(report("\x02\0\x04\0\0\0\0"), 2); /* shift, a */
    CHECK(changes[0].key == KEY_LEFT_SHIFT && changes[0].pressed);
    CHECK(changes[1].key == KEY_A && changes[1].usage == 4 && changes[1].pressed);
    CHECK_EQ(report("\x02\0\x04\0\0\0\0"), 0);
    CHECK_EQ(report("\0\0\x05\x04\0\0\0"), 2); /* another place is no change */
    CHECK(changes[0].key == KEY_LEFT_SHIFT && !changes[0].pressed);
    CHECK(changes[1].usage == 5 && changes[1].pressed);
    CHECK_EQ(report("\0\0\x01\x01\x01\x01\x01\x01"), 0); /* too many at once: nothing is known */
    CHECK_EQ(report("\0\0\x06\x06\x06\xff\0\0"), 3);     /* told twice; one that is no key */
    CHECK(!changes[0].pressed && !changes[1].pressed && changes[2].usage == 6);
    CHECK_EQ(report("\xff\0\x07\x08\x09\x0a\x0b\x0c"), 15);
    CHECK_EQ(report("\0\0\x0d\x0e\x0f\x10\x11\x12"), KEYBOARD_CHANGES);
    CHECK_EQ(report("\0\0\0\0\0\0\0"), 6);
    CHECK_EQ(keyboard_key(0x28), KEY_ENTER);
    CHECK_EQ(keyboard_key(0x52), KEY_UP);
    CHECK_EQ(keyboard_key(0x65), KEY_MENU);
    CHECK_EQ(keyboard_key(0xff), KEY_NONE);
}

TEST_MAIN();
