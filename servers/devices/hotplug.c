/* See hotplug.h. */
#include "servers/devices/hotplug.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/native/keel.h"
#include "servers/devices/interrupts.h"
#include "servers/devices/list.h"
#include "servers/devices/place.h"
#include "servers/devices/slot.h"

enum { LOOKS_MOST = 8, FUNCTIONS = 8, VENDOR_NOT_YET = 1 };

/* A port with its slot. */
static struct port_slot {
    struct slot slot;
    uint32_t port; /* address */
    uint16_t segment;
    uint8_t first, last; /* buses behind */
    uint8_t express;     /* offset of the capability */
    handle_t interrupt;
    bool due; /* something happened that has not been looked at */
} slots[HOTPLUG_SLOTS];
static unsigned slot_count;

static unsigned number_of(const struct port_slot *at) {
    return at->slot.capabilities >> SLOT_NUMBER_SHIFT;
}

/* ---- registers ---- */

static uint32_t express_read(const struct port_slot *at, uint32_t offset, unsigned width) {
    return config_read(at->port, at->express + offset, width);
}

/* The status with all events since the last look, which are cleared. The port sends its message when the
 * first event comes, so none may be left. */
static struct slot_view view_take(const struct port_slot *at) {
    struct slot_view view = {0};
    uint32_t events = 0, status = 0;
    for (unsigned looks = 0; looks < LOOKS_MOST; looks++) {
        status = express_read(at, EXPRESS_SLOT_STATUS, 2);
        if (!(status & SLOT_EVENTS))
            break;
        events |= status & SLOT_EVENTS;
        config_write(at->port, at->express + (uint32_t)EXPRESS_SLOT_STATUS, 2, status & SLOT_EVENTS);
    }
    uint32_t vendor = config_read(DEVICES_ADDRESS(at->segment, at->first, 0, 0), PCI_VENDOR, 2);
    view.status = (uint16_t)(status | events);
    view.link = express_read(at, EXPRESS_LINK_STATUS, 2) & LINK_ACTIVE;
    view.answers = vendor != UINT16_MAX && vendor != VENDOR_NOT_YET && vendor != 0;
    return view;
}

/* ---- cards ---- */

static bool behind(const struct port_slot *at, uint32_t address) {
    uint8_t bus = (uint8_t)(address >> 8);
    return address >> 16 == at->segment && bus >= at->first && bus <= at->last;
}

/* The functions behind a port. */
static unsigned card_functions(const struct port_slot *at, struct devices_pci *functions[FUNCTIONS]) {
    unsigned count = 0;
    for (unsigned i = 0; i < pci_tree.count && count < FUNCTIONS; i++)
        if (behind(at, pci_tree.functions[i].address))
            functions[count++] = &pci_tree.functions[i];
    return count;
}

static void card_begin(struct port_slot *at) {
    struct devices_pci *functions[FUNCTIONS];
    struct place_windows windows;
    pci_scan(&pci_tree, &machine.access, at->segment, at->first);
    unsigned count = card_functions(at, functions);
    for (unsigned i = 0; i < count; i++)
        config_write(functions[i]->address, PCI_COMMAND, 2, PCI_COMMAND_NO_INTX);
    place_windows_read(&windows, &machine.access, at->port);
    unsigned missing = place_functions(&windows, &machine.access, functions, count);
    if (missing)
        log_line("slot %u: %u BARs have no place in the windows that the firmware gave port %02x:%02x.%u",
                 number_of(at), missing, at->port >> 8 & 0xff, at->port >> 3 & 0x1f, at->port & 7);
    for (unsigned i = 0; i < count; i++) {
        log_line("slot %u: %04x:%04x has arrived", number_of(at), functions[i]->vendor, functions[i]->device);
        list_add(functions[i]);
    }
    list_changed();
}

static void card_ask(struct port_slot *at) {
    log_line("slot %u: its card is to go", number_of(at));
    for (unsigned i = 0; i < pci_tree.count; i++)
        if (behind(at, pci_tree.functions[i].address))
            list_depart(pci_tree.functions[i].address);
}

/* Whether one of the card's functions is such; the slot has waited for its drivers, or users. */
static bool card_any(const struct port_slot *at, bool (*is)(uint32_t address)) {
    for (unsigned i = 0; i < pci_tree.count; i++)
        if (behind(at, pci_tree.functions[i].address) && is(pci_tree.functions[i].address))
            return true;
    return false;
}

/* What the slot waits for has happened. */
static bool wait_ended(const struct port_slot *at) {
    return (at->slot.state == SLOT_STOPPING && !card_any(at, list_holds)) ||
           (at->slot.state == SLOT_ASKING && !card_any(at, list_used));
}

static void card_end(struct port_slot *at) {
    log_line("slot %u: its card goes%s", number_of(at), card_any(at, list_used) ? " while it is used" : "");
    for (unsigned i = 0; i < pci_tree.count; i++)
        if (behind(at, pci_tree.functions[i].address))
            list_remove(pci_tree.functions[i].address);
}

/* ---- the slots ---- */

static void commands_send(struct port_slot *at) {
    uint16_t control;
    while (slot_command(&at->slot, clock_now(), &control))
        config_write(at->port, at->express + (uint32_t)EXPRESS_SLOT_CONTROL, 2, control);
}

static void slot_look(struct port_slot *at) {
    struct slot_view view = view_take(at);
    view.used = card_any(at, list_used);
    bool failed = at->slot.failed;
    enum slot_action action = slot_step(&at->slot, &view, clock_now());
    if (action == SLOT_BEGIN)
        card_begin(at);
    if (action == SLOT_ASK)
        card_ask(at);
    if (action == SLOT_END)
        card_end(at);
    if (at->slot.state == SLOT_STOPPING && wait_ended(at)) {
        pci_forget(&pci_tree, at->segment, at->first, at->last);
        list_changed();
        slot_drivers_ended(&at->slot, clock_now());
    }
    if (at->slot.failed && !failed)
        log_line("slot %u: the card has no power, or does not answer", number_of(at));
    commands_send(at);
    at->due = false;
}

uint64_t hotplug_run(void) {
    uint64_t next = DEADLINE_NEVER;
    for (unsigned i = 0; i < slot_count; i++) {
        struct port_slot *at = &slots[i];
        uint64_t now = clock_now();
        if (at->due || wait_ended(at) || slot_deadline(&at->slot, now) <= now ||
            at->slot.state == SLOT_POWERING)
            slot_look(at);
        uint64_t deadline = slot_deadline(&at->slot, clock_now());
        next = deadline < next ? deadline : next;
    }
    return next;
}

void hotplug_packet(uint64_t key) {
    uint64_t index = key - HOTPLUG_KEY_FIRST;
    if (index >= slot_count)
        return;
    slots[index].due = true;
    (void)keel_interrupt_ack(slots[index].interrupt);
}

/* ---- finding them ---- */

static bool slot_find(struct port_slot *at, const struct devices_pci *function) {
    uint8_t bytes[PCI_CONFIG_SIZE];
    struct pci_config config = {bytes, sizeof bytes};
    if ((function->header_type & PCI_HEADER_MASK) != PCI_HEADER_BRIDGE)
        return false;
    pci_config_copy(&machine.access, function->address, bytes, sizeof bytes);
    uint8_t express = pci_capability_find(&config, PCI_CAP_EXPRESS);
    uint16_t flags = pci_read16(&config, express + (uint32_t)EXPRESS_FLAGS), type = flags & EXPRESS_TYPE;
    uint32_t capabilities = pci_read32(&config, express + (uint32_t)EXPRESS_SLOT_CAPABILITIES);
    if (!express || express > PCI_CONFIG_SIZE - EXPRESS_SIZE || !(flags & EXPRESS_SLOT) ||
        !(capabilities & SLOT_HOT_PLUG) || (type != EXPRESS_ROOT_PORT && type != EXPRESS_DOWNSTREAM_PORT))
        return false;
    *at = (struct port_slot){
        .slot.capabilities = capabilities,
        .slot.link_reported =
            pci_read32(&config, express + (uint32_t)EXPRESS_LINK_CAPABILITIES) & LINK_ACTIVE_REPORTED,
        .port = function->address,
        .segment = (uint16_t)(function->address >> 16),
        .first = function->bus_first,
        .last = function->bus_last,
        .express = express,
    };
    if (at->first > (uint8_t)(function->address >> 8) && at->last >= at->first)
        return true;
    log_line("slot %u: the firmware gave its port no bus; it is not used", number_of(at));
    return false;
}

/* The port sends the slot's events as a message to the server's own port. */
static int64_t slot_listen(struct port_slot *at, struct devices_pci *function) {
    static struct grants grants;
    grants = (struct grants){0};
    uint32_t command = config_read(at->port, PCI_COMMAND, 2);
    config_write(at->port, PCI_COMMAND, 2,
                 command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    interrupts_own(&grants, function);
    int64_t error = -ENODEV;
    if (grants.count) {
        at->interrupt = grants.handles[0].handle;
        error = keel_object_bind(at->interrupt, machine.port, (uint64_t)(at - slots) + HOTPLUG_KEY_FIRST);
    }
    if (error)
        interrupts_stop(function);
    if (error && grants.count)
        (void)keel_handle_close(at->interrupt);
    return error;
}

static void slot_start(struct port_slot *at, struct devices_pci *function, uint64_t patience) {
    struct devices_pci *functions[FUNCTIONS];
    bool in_use = card_functions(at, functions) > 0;
    int64_t error = slot_listen(at, function);
    if (error) {
        log_line("slot %u: its port has no interrupt for it (%s); it is not used", number_of(at),
                 strerror((int)-error));
        return;
    }
    snprintf(function->driver, sizeof function->driver, "pcieport");
    struct slot_view view = view_take(at);
    slot_open(&at->slot, at->slot.capabilities, at->slot.link_reported, &view,
              (uint16_t)express_read(at, EXPRESS_SLOT_CONTROL, 2), in_use, clock_now());
    at->slot.patience = patience;
    slot_count++;
    commands_send(at);
}

unsigned hotplug_start(uint64_t patience) {
    for (unsigned i = 0; i < pci_tree.count && slot_count < HOTPLUG_SLOTS; i++)
        if (slot_find(&slots[slot_count], &pci_tree.functions[i]))
            slot_start(&slots[slot_count], &pci_tree.functions[i], patience);
    return slot_count;
}
