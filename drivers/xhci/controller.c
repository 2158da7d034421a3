/* See controller.h. */
#include "drivers/xhci/controller.h"

#include <errno.h>
#include <string.h>

#include "drivers/xhci/device.h"
#include "drivers/xhci/port.h"
#include "lib/native/keel.h"

/* Capability registers (5.3). */
enum capability {
    CAP_LENGTH = 0x00,
    CAP_STRUCTURE_1 = 0x04, /* slots (8 bits), interrupters, ports (highest 8 bits) */
    CAP_STRUCTURE_2 = 0x08,
    CAP_PARAMETERS = 0x10,
    CAP_DOORBELLS = 0x14,
    CAP_RUNTIME = 0x18,
};
enum { PARAMETERS_LARGE_CONTEXTS = 4, CAPABILITIES_MOST = 64 };
enum { CAPABILITY_LEGACY = 1, CAPABILITY_PROTOCOL = 2, PROTOCOL_PORTS = 8, PROTOCOL_SIZE = 12 };
enum { LEGACY_FIRMWARE = 1 << 16, LEGACY_SYSTEM = 1 << 24, LEGACY_CONTROL = 4, LEGACY_STATUSES = 7U << 29 };
/* Operational registers (5.4). */
enum operational {
    OP_COMMAND = 0x00,
    OP_STATUS = 0x04,
    OP_PAGE_SIZE = 0x08,
    OP_RING = 0x18,
    OP_CONTEXTS = 0x30,
    OP_CONFIG = 0x38,
    OP_PORTS = 0x400,
    OP_PORT_SIZE = 0x10,
};
enum { COMMAND_RUN = 1, COMMAND_RESET = 2, COMMAND_INTERRUPTS = 4 };
enum {
    STATUS_HALTED = 1,
    STATUS_HOST_ERROR = 4,
    STATUS_INTERRUPT = 8,
    STATUS_NOT_READY = 1 << 11,
    STATUS_INTERNAL_ERROR = 1 << 12,
};
/* The first interrupter's runtime registers (5.5.2). */
enum interrupter {
    INT_MANAGEMENT = 0x20,
    INT_MODERATION = 0x24,
    INT_TABLE_SIZE = 0x28,
    INT_TABLE = 0x30,
    INT_DEQUEUE = 0x38,
};
enum { MANAGEMENT_PENDING = 1, MANAGEMENT_ENABLED = 2, DEQUEUE_BUSY = 8, PAGE_BYTES = 4096 };
enum { SCRATCHPADS_MOST = PAGE_BYTES / 8, SLOTS_MOST = 255, EVENTS_AT_ONCE = 16 };
#define STEP_NS    50000ULL
#define RESET_NS   2000000000ULL
#define COMMAND_NS 3000000000ULL

struct controller_memory {
    uint8_t kept[PAGE_BYTES];          /* outlives the driver */
    uint64_t contexts[SLOTS_MOST + 1]; /* addresses by slot; 0: of the scratchpads' */
    uint64_t segments[2];              /* the event ring: its address, its size */
    uint8_t padding[2032];
    struct trb commands[RING_TRBS], events[RING_TRBS];
    uint64_t scratchpads[SCRATCHPADS_MOST];
    struct usb_memory devices[USB_DEVICES];
    uint8_t rest[][PAGE_BYTES]; /* the scratchpads */
};

_Static_assert(sizeof(struct usb_memory) % PAGE_BYTES == 0, "rings and contexts begin at pages");
_Static_assert(sizeof(struct controller_memory) % PAGE_BYTES == 0, "scratchpads are pages");

static struct controller {
    const struct driver_bar *bar;
    uint64_t operational, runtime, doorbells;
    unsigned slots, ports, context_size;
    unsigned counts[2];              /* of ports up to USB 2, and of SuperSpeed */
    uint8_t places[ROOT_PORTS_MOST]; /* of each port among those of its kind */
    bool supers[ROOT_PORTS_MOST];
    struct controller_memory *memory;
    uint64_t physical; /* of memory */
    struct ring commands;
    struct event_ring events;
    struct usb_device *owners[RING_TRBS]; /* of the commands under way */
    unsigned outstanding;
    uint64_t deadline; /* of what is outstanding */
} xhci;

/* ---- registers ---- */

static uint32_t op_read(uint64_t at) {
    return bar_read(xhci.bar, xhci.operational + at, 4);
}

static void op_write(uint64_t at, uint32_t value) {
    bar_write(xhci.bar, xhci.operational + at, 4, value);
}

static void write64(uint64_t at, uint64_t value) {
    bar_write(xhci.bar, at, 4, (uint32_t)value);
    bar_write(xhci.bar, at + 4, 4, (uint32_t)(value >> 32));
}

static uint64_t memory_address(const void *at) {
    return xhci.physical + (uint64_t)((const uint8_t *)at - (const uint8_t *)xhci.memory);
}

/* Waits until the bits of a register are as wanted. */
static bool register_wait(uint64_t at, uint32_t mask, uint32_t wanted) {
    for (uint64_t end = clock_now() + RESET_NS; (bar_read(xhci.bar, at, 4) & mask) != wanted;) {
        if (clock_now() >= end)
            return false;
        (void)keel_thread_wait(clock_now() + STEP_NS);
    }
    return true;
}

void controller_doorbell(unsigned slot, unsigned endpoint) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    bar_write(xhci.bar, xhci.doorbells + 4ULL * slot, 4, endpoint);
}

unsigned controller_ports(void) {
    return xhci.ports;
}

static uint64_t port_register(unsigned port) {
    return OP_PORTS + (uint64_t)(port - 1) * OP_PORT_SIZE;
}

uint8_t controller_port_place(unsigned port, bool *super) {
    bool known = port >= 1 && port <= ROOT_PORTS_MOST && xhci.places[port - 1];
    *super = known && xhci.supers[port - 1];
    return known ? xhci.places[port - 1] : (uint8_t)port;
}

unsigned controller_port_count(bool super) {
    return xhci.counts[super];
}

uint32_t controller_port_read(unsigned port) {
    return op_read(port_register(port));
}

void controller_port_write(unsigned port, uint32_t bits) {
    op_write(port_register(port), (op_read(port_register(port)) & PORT_KEPT) | bits);
}

unsigned controller_slots(void) {
    return xhci.slots;
}

unsigned controller_context_size(void) {
    return xhci.context_size;
}

void controller_slot(unsigned slot, uint64_t context) {
    __atomic_store_n(&xhci.memory->contexts[slot], context, __ATOMIC_RELEASE);
}

void *controller_kept(void) {
    return xhci.memory->kept;
}

struct usb_memory *controller_memory(unsigned index, uint64_t *physical) {
    *physical = memory_address(&xhci.memory->devices[index]);
    return &xhci.memory->devices[index];
}

/* ---- commands and events ---- */

void controller_command(struct usb_device *device, uint64_t parameter, uint32_t control) {
    unsigned index = ring_put(&xhci.commands, &(struct trb){.parameter = parameter, .control = control}, 1);
    xhci.owners[index] = device;
    if (xhci.outstanding++ == 0)
        xhci.deadline = clock_now() + COMMAND_NS;
    controller_doorbell(0, 0);
}

uint64_t controller_deadline(void) {
    return xhci.outstanding ? xhci.deadline : DEADLINE_NEVER;
}

static void command_event(const struct trb *event) {
    int index = ring_index(&xhci.commands, event->parameter);
    struct usb_device *owner = index < 0 ? NULL : xhci.owners[index];
    if (owner) {
        xhci.owners[index] = NULL;
        xhci.outstanding--;
        xhci.deadline = clock_now() + COMMAND_NS;
        device_commanded(owner, TRB_CODE_OF(event->status), TRB_SLOT_OF(event->control));
    } else {
        driver_fail("an answer to no command", -EPROTO);
    }
}

static void event_serve(const struct trb *event) {
    unsigned port = (unsigned)(event->parameter >> 24 & 0xff);
    switch (TRB_TYPE_OF(event->control)) {
    case TRB_EVENT_COMMAND:
        command_event(event);
        break;
    case TRB_EVENT_TRANSFER:
        device_transferred(event);
        break;
    case TRB_EVENT_PORT:
        if (port >= 1 && port <= xhci.ports)
            port_event(port);
        break;
    default: /* bandwidth, doorbells of guests, microframes: none that is used */
        break;
    }
}

/* Nothing new begins before the controller has the places of events back, an access that waits for whatever
 * it is doing: QEMU never answers a disk's status that it finds asked for while it still tells of the data's
 * end. */
static unsigned events_take(struct trb *events) {
    unsigned count = 0;
    while (count < EVENTS_AT_ONCE && event_take(&xhci.events, &events[count]))
        count++;
    write64(xhci.runtime + INT_DEQUEUE,
            (xhci.events.physical + xhci.events.next * sizeof(struct trb)) | DEQUEUE_BUSY);
    return count;
}

void controller_events(void) {
    struct trb events[EVENTS_AT_ONCE];
    uint32_t status = op_read(OP_STATUS);
    if (status & (STATUS_HOST_ERROR | STATUS_INTERNAL_ERROR))
        driver_fail("the controller has failed", -EIO);
    op_write(OP_STATUS, STATUS_INTERRUPT);
    bar_write(xhci.bar, xhci.runtime + INT_MANAGEMENT, 4, MANAGEMENT_PENDING | MANAGEMENT_ENABLED);
    /* At most a ring at once: a controller that never ends is not listened to forever. */
    for (unsigned served = 0, count = EVENTS_AT_ONCE; count == EVENTS_AT_ONCE && served < RING_TRBS;
         served += count) {
        count = events_take(events);
        for (unsigned i = 0; i < count; i++)
            event_serve(&events[i]);
    }
}

/* ---- start ---- */

/* Takes the controller over from the firmware (7.1.1). */
static void legacy_end(uint64_t at, uint32_t head) {
    bar_write(xhci.bar, at, 4, head | LEGACY_SYSTEM);
    if (!register_wait(at, LEGACY_FIRMWARE, 0))
        log_line("the firmware does not let go of the controller");
    bar_write(xhci.bar, at + LEGACY_CONTROL, 4, LEGACY_STATUSES); /* no more interrupts to it */
}

/* Which ports are of a kind (7.2). */
static void protocol_take(uint64_t at, uint32_t head) {
    uint32_t ports = bar_read(xhci.bar, at + PROTOCOL_PORTS, 4);
    bool super = head >> 24 >= 3;
    for (unsigned first = ports & 0xff, count = ports >> 8 & 0xff; first && count--; first++)
        if (first <= ROOT_PORTS_MOST) {
            xhci.supers[first - 1] = super;
            xhci.places[first - 1] = (uint8_t)++xhci.counts[super];
        }
}

/* Does what the list of capabilities asks for. */
static void capabilities_follow(uint32_t parameters) {
    uint64_t at = (uint64_t)(parameters >> 16) * 4;
    for (unsigned i = 0; at && at + PROTOCOL_SIZE <= xhci.bar->length && i < CAPABILITIES_MOST; i++) {
        uint32_t head = bar_read(xhci.bar, at, 4);
        if ((head & 0xff) == CAPABILITY_LEGACY)
            legacy_end(at, head);
        else if ((head & 0xff) == CAPABILITY_PROTOCOL)
            protocol_take(at, head);
        at = head >> 8 & 0xff ? at + (uint64_t)(head >> 8 & 0xff) * 4 : 0;
    }
}

static int64_t reset(void) {
    op_write(OP_COMMAND, op_read(OP_COMMAND) & ~(uint32_t)(COMMAND_RUN | COMMAND_INTERRUPTS));
    if (!register_wait(xhci.operational + OP_STATUS, STATUS_HALTED, STATUS_HALTED))
        return -ETIMEDOUT;
    op_write(OP_COMMAND, COMMAND_RESET);
    if (!register_wait(xhci.operational + OP_COMMAND, COMMAND_RESET, 0) ||
        !register_wait(xhci.operational + OP_STATUS, STATUS_NOT_READY, 0))
        return -ETIMEDOUT;
    return 0;
}

/* Pages that the controller wants for itself. */
static int64_t scratchpads_give(uint64_t length) {
    uint32_t wanted = bar_read(xhci.bar, CAP_STRUCTURE_2, 4);
    unsigned count = (wanted >> 27) | (wanted >> 21 & 31) << 5;
    uint64_t room = (length - sizeof *xhci.memory) / PAGE_BYTES;
    if (!(op_read(OP_PAGE_SIZE) & 1) || count > room || count > SCRATCHPADS_MOST) {
        log_line("the controller wants %u pages for itself; there are %llu", count, (unsigned long long)room);
        return -ENOMEM;
    }
    memset(xhci.memory->rest, 0, (size_t)count * PAGE_BYTES);
    for (unsigned i = 0; i < count; i++)
        xhci.memory->scratchpads[i] = memory_address(xhci.memory->rest[i]);
    xhci.memory->contexts[0] = count ? memory_address(xhci.memory->scratchpads) : 0;
    return 0;
}

static void memory_give(void) {
    struct controller_memory *memory = xhci.memory;
    ring_init(&xhci.commands, memory->commands, memory_address(memory->commands));
    event_ring_init(&xhci.events, memory->events, memory_address(memory->events));
    memory->segments[0] = xhci.events.physical;
    memory->segments[1] = RING_TRBS;
    op_write(OP_CONFIG, xhci.slots);
    write64(xhci.operational + OP_CONTEXTS, memory_address(memory->contexts));
    write64(xhci.operational + OP_RING, ring_dequeue(&xhci.commands));
    bar_write(xhci.bar, xhci.runtime + INT_TABLE_SIZE, 4, 1);
    write64(xhci.runtime + INT_DEQUEUE, xhci.events.physical | DEQUEUE_BUSY);
    write64(xhci.runtime + INT_TABLE, memory_address(memory->segments));
    bar_write(xhci.bar, xhci.runtime + INT_MODERATION, 4, 0);
    bar_write(xhci.bar, xhci.runtime + INT_MANAGEMENT, 4, MANAGEMENT_PENDING | MANAGEMENT_ENABLED);
}

/* Where the registers are, and that they lie in the BAR. */
static int64_t registers_find(const struct driver_bar *bar) {
    xhci.bar = bar;
    if (!bar->at || bar->length < PAGE_BYTES)
        return -ENODEV;
    uint32_t structure = bar_read(bar, CAP_STRUCTURE_1, 4), parameters = bar_read(bar, CAP_PARAMETERS, 4);
    xhci.operational = bar_read(bar, CAP_LENGTH, 1);
    xhci.runtime = bar_read(bar, CAP_RUNTIME, 4) & ~31U;
    xhci.doorbells = bar_read(bar, CAP_DOORBELLS, 4) & ~3U;
    xhci.slots = (structure & 0xff) < USB_DEVICES ? structure & 0xff : USB_DEVICES;
    xhci.ports = structure >> 24 < ROOT_PORTS_MOST ? structure >> 24 : ROOT_PORTS_MOST;
    xhci.context_size = parameters & PARAMETERS_LARGE_CONTEXTS ? 64 : 32;
    if (xhci.slots == 0 || xhci.ports == 0 ||
        xhci.operational + OP_PORTS + (uint64_t)xhci.ports * OP_PORT_SIZE > bar->length ||
        xhci.runtime + INT_DEQUEUE + 8 > bar->length ||
        xhci.doorbells + 4ULL * (xhci.slots + 1) > bar->length)
        return -ENODEV;
    capabilities_follow(parameters);
    return 0;
}

int64_t controller_open(struct driver_device *device) {
    int64_t error = registers_find(&device->bars[0]);
    if (!error && device->dma.length < sizeof(struct controller_memory))
        error = -ENOMEM;
    if (!error)
        error = reset();
    if (error)
        return error;
    xhci.memory = (struct controller_memory *)device->dma.bytes;
    xhci.physical = device->dma.physical;
    memset(xhci.memory->contexts, 0, sizeof *xhci.memory - sizeof xhci.memory->kept);
    error = scratchpads_give(device->dma.length);
    if (error)
        return error;
    memory_give();
    op_write(OP_COMMAND, COMMAND_RUN | COMMAND_INTERRUPTS);
    return register_wait(xhci.operational + OP_STATUS, STATUS_HALTED, 0) ? 0 : -ETIMEDOUT;
}
