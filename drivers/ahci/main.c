/*
 * The AHCI driver: the disks at a controller's first ports that have one, as many as the driver has links.
 * Commands are not queued in the disk (no NCQ); the controller works through the slots of a port in turn.
 *
 * The DMA memory holds a struct memory per disk. A slot's number is the request's tag.
 */
#include <errno.h>
#include <string.h>

#include "drivers/ahci/command.h"
#include "lib/base/list.h"
#include "lib/driver/block.h"
#include "lib/native/keel.h"

enum { ABAR = 5, PORTS = 32, DISKS_MOST = 2, PORT_BASE = 0x100, PORT_SIZE = 0x80 };
enum controller_register { CAPABILITIES = 0x00, CONTROL = 0x04, PENDING = 0x08, IMPLEMENTED = 0x0c };
enum {
    CONTROL_RESET = 1,
    CONTROL_INTERRUPTS = 2,
    CONTROL_AHCI = 1U << 31,
};
enum port_register {
    LIST = 0x00,
    RECEIVED = 0x08,
    PORT_PENDING = 0x10,
    PORT_ENABLED = 0x14,
    COMMAND = 0x18,
    TASK = 0x20,
    SIGNATURE = 0x24,
    LINK_STATUS = 0x28,
    LINK_ERRORS = 0x30,
    ISSUED = 0x38,
};
enum {
    COMMAND_START = 1,
    COMMAND_SPIN_POWER = 2 | 4,
    COMMAND_RECEIVE = 1 << 4,
    COMMAND_RECEIVING = 1 << 14,
    COMMAND_RUNNING = 1 << 15,
    TASK_BUSY = 0x88,
    SIGNATURE_DISK = 0x101,
    LINK_UP = 3,
    PENDING_ANSWER = 1 | 2 | 4 | 8,
    PENDING_ERROR = 1 << 30 | 1 << 29 | 1 << 28 | 1 << 27,
};
#define STEP_NS   50000ULL
#define LINK_NS   20000000ULL
#define ANSWER_NS 5000000000ULL

struct memory {
    struct ahci_header list[AHCI_SLOTS]; /* 1 KB */
    uint8_t received[256];
    uint8_t padding[768];
    uint16_t identify[AHCI_IDENTIFY_SIZE / 2];
    uint8_t more_padding[1536];
    struct ahci_table tables[AHCI_SLOTS];
    uint64_t trims[AHCI_SLOTS][AHCI_TRIM_SIZE / 8];
};

_Static_assert(sizeof(struct memory) == 7 * 4096, "tables are aligned in every one");

struct port {
    unsigned number;
    uint32_t block_size;
    uint32_t entered, issued; /* bit per slot: built and not told, told and not answered */
    bool alone;               /* after an error: one slot at a time, until the one that fails is found */
    struct memory *memory;
    uint64_t address; /* of memory */
    struct block_server server;
};

static struct ahci {
    struct driver_device *device;
    const struct driver_bar *bar;
    unsigned slots, disk_count;
    struct port ports[DISKS_MOST];
} ahci;

/* ---- registers ---- */

static uint32_t port_read(const struct port *port, enum port_register at) {
    return bar_read(ahci.bar, PORT_BASE + port->number * PORT_SIZE + at, 4);
}

static void port_write(const struct port *port, enum port_register at, uint32_t value) {
    bar_write(ahci.bar, PORT_BASE + port->number * PORT_SIZE + at, 4, value);
}

/* Waits until the bits of a port's register are as wanted. */
static bool port_wait(const struct port *port, enum port_register at, uint32_t mask, uint32_t wanted,
                      uint64_t limit) {
    for (uint64_t end = clock_now() + limit; (port_read(port, at) & mask) != wanted;) {
        if (clock_now() >= end)
            return false;
        (void)keel_thread_wait(clock_now() + STEP_NS);
    }
    return true;
}

static void port_stop(const struct port *port) {
    port_write(port, COMMAND, port_read(port, COMMAND) & ~(uint32_t)COMMAND_START);
    if (!port_wait(port, COMMAND, COMMAND_RUNNING, 0, ANSWER_NS))
        driver_fail("a port does not stop", -ETIMEDOUT);
}

static void port_go(const struct port *port) {
    port_write(port, LINK_ERRORS, UINT32_MAX);
    port_write(port, PORT_PENDING, UINT32_MAX);
    port_write(port, COMMAND, port_read(port, COMMAND) | COMMAND_START);
}

/* ---- requests ---- */

static struct port *port_of(struct block_server *server) {
    return container_of(server, struct port, server);
}

static uint64_t memory_address(const struct port *port, const void *at) {
    return port->address + (uint64_t)((const uint8_t *)at - (const uint8_t *)port->memory);
}

static void start(struct block_server *server, unsigned tag, const struct block_io *io, uint64_t data) {
    struct port *port = port_of(server);
    struct memory *memory = port->memory;
    ahci_translate(&memory->list[tag], &memory->tables[tag], memory_address(port, &memory->tables[tag]), io,
                   data, memory->trims[tag], memory_address(port, memory->trims[tag]), port->block_size);
    port->entered |= 1U << tag;
}

static void doorbell(struct block_server *server) {
    struct port *port = port_of(server);
    uint32_t slots = port->entered;
    if (port->alone) {
        port->alone = slots || port->issued;
        slots = port->issued ? 0 : slots & -slots;
    }
    if (!slots)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    port->entered &= ~slots;
    port->issued |= slots;
    port_write(port, ISSUED, slots);
}

static void slots_complete(struct port *port, uint32_t slots, uint8_t status) {
    port->issued &= ~slots;
    for (; slots; slots &= slots - 1)
        if (!block_server_complete(&port->server, (unsigned)__builtin_ctz(slots), status))
            driver_fail("an answer to no request", -EPROTO);
}

/* Controllers differ in what they say of the slot that failed. When there were several, each is done again by
 * itself. */
static void port_recover(struct port *port) {
    uint32_t slots = port->issued;
    port_stop(port);
    if (slots & (slots - 1)) {
        port->issued = 0;
        port->entered |= slots;
        port->alone = true;
    } else {
        slots_complete(port, slots, BLOCK_STATUS_ERROR);
    }
    port_go(port);
}

static void port_answer(struct port *port) {
    uint32_t pending = port_read(port, PORT_PENDING);
    port_write(port, PORT_PENDING, pending);
    if (pending & PENDING_ERROR)
        port_recover(port);
    else
        slots_complete(port, port->issued & ~port_read(port, ISSUED), BLOCK_STATUS_OK);
    doorbell(&port->server);
    block_server_run(&port->server);
}

static void ahci_interrupt(struct driver_device *device, unsigned index) {
    uint32_t pending;
    (void)device, (void)index;
    while ((pending = bar_read(ahci.bar, PENDING, 4)) != 0) {
        for (unsigned i = 0; i < ahci.disk_count; i++)
            if (pending >> ahci.ports[i].number & 1)
                port_answer(&ahci.ports[i]);
        bar_write(ahci.bar, PENDING, 4, pending);
    }
}

static void ahci_session(struct driver_device *device, struct driver_link *link) {
    (void)device;
    if (link->index < ahci.disk_count)
        block_server_session(&ahci.ports[link->index].server);
}

static void ahci_kick(struct driver_device *device, struct driver_link *link) {
    (void)device;
    if (link->index < ahci.disk_count)
        block_server_run(&ahci.ports[link->index].server);
}

/* ---- start ---- */

static int64_t controller_reset(void) {
    bar_write(ahci.bar, CONTROL, 4, CONTROL_AHCI);
    bar_write(ahci.bar, CONTROL, 4, CONTROL_AHCI | CONTROL_RESET);
    for (uint64_t end = clock_now() + ANSWER_NS; bar_read(ahci.bar, CONTROL, 4) & CONTROL_RESET;) {
        if (clock_now() >= end)
            return -ETIMEDOUT;
        (void)keel_thread_wait(clock_now() + STEP_NS);
    }
    bar_write(ahci.bar, CONTROL, 4, CONTROL_AHCI);
    return 0;
}

/* Gives a port its memory and lets it receive; true when a disk is there and ready. */
static bool port_open(struct port *port, uint64_t link_end) {
    uint64_t now = clock_now();
    if (!port_wait(port, LINK_STATUS, 15, LINK_UP, link_end > now ? link_end - now : 0))
        return false;
    memset(port->memory, 0, sizeof *port->memory);
    port_write(port, LIST, (uint32_t)port->address);
    port_write(port, LIST + 4, (uint32_t)(port->address >> 32));
    uint64_t received = memory_address(port, port->memory->received);
    port_write(port, RECEIVED, (uint32_t)received);
    port_write(port, RECEIVED + 4, (uint32_t)(received >> 32));
    port_write(port, LINK_ERRORS, UINT32_MAX);
    port_write(port, COMMAND, COMMAND_SPIN_POWER | COMMAND_RECEIVE);
    return port_wait(port, TASK, TASK_BUSY, 0, ANSWER_NS) && port_read(port, SIGNATURE) == SIGNATURE_DISK;
}

/* Asks the disk what it is, before there are interrupts. */
static int64_t disk_identify(struct port *port, struct block_identity *identity) {
    struct memory *memory = port->memory;
    ahci_identify(&memory->list[0], &memory->tables[0], memory_address(port, &memory->tables[0]),
                  memory_address(port, memory->identify));
    port_go(port);
    port_write(port, ISSUED, 1);
    if (!port_wait(port, ISSUED, 1, 0, ANSWER_NS))
        return -ETIMEDOUT;
    return ahci_identify_read(identity, memory->identify);
}

static void port_try(unsigned number, uint64_t link_end) {
    struct port *port = &ahci.ports[ahci.disk_count];
    struct block_identity identity;
    *port = (struct port){.number = number,
                          .memory = (struct memory *)ahci.device->dma.bytes + ahci.disk_count,
                          .address = ahci.device->dma.physical + ahci.disk_count * sizeof(struct memory)};
    if (!port_open(port, link_end))
        return;
    int64_t error = disk_identify(port, &identity);
    if (error) {
        log_line("port %u: the disk cannot be used: %s", number, strerror((int)-error));
        port_stop(port);
        return;
    }
    port->block_size = identity.block_size;
    port->server.start = start;
    port->server.doorbell = doorbell;
    block_server_init(&port->server, ahci.device, ahci.disk_count, &identity, ahci.slots);
    port_write(port, PORT_PENDING, UINT32_MAX);
    port_write(port, PORT_ENABLED, PENDING_ANSWER | PENDING_ERROR);
    ahci.disk_count++;
}

static int64_t ahci_init(struct driver_device *device) {
    ahci.device = device;
    ahci.bar = &device->bars[ABAR];
    if (device->dma.length < DISKS_MOST * sizeof(struct memory))
        return -ENOMEM;
    int64_t error = controller_reset();
    if (error)
        return error;
    ahci.slots = (bar_read(ahci.bar, CAPABILITIES, 4) >> 8 & (AHCI_SLOTS - 1)) + 1;
    uint32_t implemented = bar_read(ahci.bar, IMPLEMENTED, 4);
    /* All links come up at the same time. */
    for (unsigned number = 0; number < PORTS; number++)
        if (implemented >> number & 1)
            port_write(&(struct port){.number = number}, COMMAND, COMMAND_SPIN_POWER);
    uint64_t link_end = clock_now() + LINK_NS;
    for (unsigned number = 0; number < PORTS; number++)
        if (implemented >> number & 1 && ahci.disk_count < DISKS_MOST && ahci.disk_count < device->link_count)
            port_try(number, link_end);
    /* A disk that an earlier driver described is looked for again. */
    for (unsigned i = ahci.disk_count; i < device->link_count; i++)
        if (((struct block_header *)device->links[i].area.bytes)->sectors)
            return -EIO;
    for (unsigned i = 0; i < ahci.disk_count; i++) /* a port without a disk takes no name */
        driver_offer_present(device, i, true);
    bar_write(ahci.bar, PENDING, 4, UINT32_MAX);
    bar_write(ahci.bar, CONTROL, 4, CONTROL_AHCI | CONTROL_INTERRUPTS);
    return 0;
}

int main(int argc, char **argv) {
    static const struct driver driver = {
        .name = "ahci",
        .init = ahci_init,
        .interrupt = ahci_interrupt,
        .session = ahci_session,
        .kick = ahci_kick,
    };
    return driver_main(&driver, argc, argv);
}
