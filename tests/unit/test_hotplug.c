/* sources: servers/devices/hotplug.c servers/devices/slot.c servers/devices/pci.c servers/devices/place.c
 * lib/pci/config.c */
/* flags: -iquote tests/host */
/*
 * The slot of a port on a machine made up here: it is taken over when its interrupt can be had, and its card
 * goes; when it cannot, that is said, nothing is held, and everything else goes on.
 */
#include "servers/devices/hotplug.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/native/keel.h"
#include "servers/devices/interrupts.h"
#include "servers/devices/list.h"
#include "servers/devices/machine.h"
#include "servers/devices/slot.h"
#include "tests/unit/check.h"

enum { BRIDGE = 0x0008, CARD = 0x0100, EXPRESS = 0x40, INTERRUPT = 77, PORT = 5 };

struct machine machine;
struct pci_tree pci_tree;
static uint8_t bridge[PCI_CONFIG_SIZE], card[PCI_CONFIG_SIZE];
static bool card_there, holds;
static int64_t bind_result;
static bool no_interrupt;
static unsigned closed, stopped, acknowledged, removed, unused; /* the last: lines of the log that say so */
static uint64_t bound_key, now;

/* ---- the machine ---- */

static uint8_t *space_of(uint32_t address) {
    return address == BRIDGE ? bridge : address == CARD && card_there ? card : NULL;
}

static uint32_t space_read(void *context, uint32_t address, uint32_t offset, unsigned width) {
    const uint8_t *space = space_of(address);
    uint32_t value = UINT32_MAX;
    (void)context;
    if (space) {
        value = 0;
        memcpy(&value, space + offset, width);
    }
    return width == 4 ? value : value & ((1U << 8 * width) - 1);
}

static void space_write(void *context, uint32_t address, uint32_t offset, unsigned width, uint32_t value) {
    uint8_t *space = space_of(address);
    (void)context;
    if (address == BRIDGE && offset == EXPRESS + (uint32_t)EXPRESS_SLOT_STATUS) { /* ones clear */
        uint16_t status;
        memcpy(&status, bridge + offset, 2);
        value = status & ~value;
    }
    if (space)
        memcpy(space + offset, &value, width);
}

uint32_t config_read(uint32_t address, uint32_t offset, unsigned width) {
    return space_read(NULL, address, offset, width);
}
void config_write(uint32_t address, uint32_t offset, unsigned width, uint32_t value) {
    space_write(NULL, address, offset, width, value);
}

uint64_t clock_now(void) {
    return now;
}
int64_t keel_object_bind(uint64_t object, uint64_t port, uint64_t key) {
    CHECK(object == INTERRUPT && port == PORT);
    bound_key = key;
    return bind_result;
}
int64_t keel_interrupt_ack(uint64_t interrupt) {
    CHECK_EQ(interrupt, INTERRUPT);
    acknowledged++;
    return 0;
}
int64_t keel_handle_close(uint64_t handle) {
    CHECK_EQ(handle, INTERRUPT);
    closed++;
    return 0;
}
void interrupts_own(struct grants *grants, struct devices_pci *function) {
    CHECK_EQ(function->address, BRIDGE);
    if (no_interrupt)
        return;
    grants->handles[0].handle = INTERRUPT;
    grants->count = 1;
}
void interrupts_stop(const struct devices_pci *function) {
    CHECK_EQ(function->address, BRIDGE);
    stopped++;
}

/* ---- the drivers ---- */

void list_add(const struct devices_pci *function) {
    (void)function;
}
void list_depart(uint32_t address) {
    (void)address;
}
bool list_used(uint32_t address) {
    (void)address;
    return false;
}
void list_remove(uint32_t address) {
    CHECK_EQ(address, CARD);
    removed++;
    holds = false;
}
bool list_holds(uint32_t address) {
    (void)address;
    return holds;
}
void list_changed(void) {}
void log_line(const char *format, ...) {
    unused += strstr(format, "is not used") != NULL;
}

/* ---- each in a process of its own, as `devices` is ---- */

static void put(uint8_t *space, uint32_t offset, unsigned width, uint32_t value) {
    memcpy(space + offset, &value, width);
}

static void machine_make(void) {
    machine.access = (struct pci_access){space_read, space_write, NULL, PCI_CONFIG_SIZE};
    machine.port = PORT;
    put(bridge, 0, 4, 0x00011af4);
    put(bridge, PCI_HEADER_TYPE, 1, PCI_HEADER_BRIDGE);
    put(bridge, PCI_BUS_SECONDARY, 1, 1);
    put(bridge, PCI_BUS_SUBORDINATE, 1, 1);
    put(bridge, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
    put(bridge, PCI_CAPABILITIES, 1, EXPRESS);
    put(bridge, EXPRESS, 1, PCI_CAP_EXPRESS);
    put(bridge, EXPRESS + EXPRESS_FLAGS, 2, EXPRESS_SLOT | EXPRESS_ROOT_PORT);
    put(bridge, EXPRESS + EXPRESS_SLOT_CAPABILITIES, 4, SLOT_HOT_PLUG | 3 << SLOT_NUMBER_SHIFT);
    put(bridge, EXPRESS + EXPRESS_SLOT_STATUS, 2, SLOT_PRESENT);
    put(card, 0, 4, 0x10411af4);
    card_there = holds = true;
    pci_scan(&pci_tree, &machine.access, 0, 0);
    CHECK_EQ(pci_tree.count, 2);
}

static void in_child(void (*function)(void)) {
    int status = -1;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        machine_make();
        function();
        exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

static void card_pull(void) {
    card_there = false;
    put(bridge, EXPRESS + EXPRESS_SLOT_STATUS, 2, SLOT_PRESENCE_CHANGED);
    hotplug_packet(HOTPLUG_KEY_FIRST);
    for (unsigned i = 0; i < 10; i++, now += 1000000000)
        (void)hotplug_run();
}

static void works(void) {
    CHECK_EQ(hotplug_start(0), 1);
    CHECK(bound_key == HOTPLUG_KEY_FIRST && !closed && !stopped && !unused);
    CHECK(!strcmp(pci_find(&pci_tree, BRIDGE)->driver, "pcieport"));
    card_pull();
    CHECK(acknowledged == 1 && removed == 1 && pci_tree.count == 1);
}

TEST(a_slot) {
    in_child(works);
}

/* The card stays as it was found; whatever comes for the slot meets nobody. */
static void refused(void) {
    CHECK_EQ(hotplug_start(0), 0);
    CHECK(unused == 1 && stopped == 1 && pci_tree.count == 2);
    CHECK(!pci_find(&pci_tree, BRIDGE)->driver[0]);
    CHECK_EQ(hotplug_run(), DEADLINE_NEVER);
    card_pull();
    CHECK(!acknowledged && !removed && pci_tree.count == 2);
}

static void unbound(void) {
    bind_result = -EBUSY;
    refused();
    CHECK_EQ(closed, 1);
}

TEST(an_interrupt_that_cannot_be_bound) {
    in_child(unbound);
}

static void without(void) {
    no_interrupt = true;
    refused();
    CHECK_EQ(closed, 0);
}

TEST(a_port_without_an_interrupt) {
    in_child(without);
}

TEST_MAIN();
