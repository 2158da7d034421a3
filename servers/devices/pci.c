/* See pci.h. */
#include "servers/devices/pci.h"

#include <string.h>

enum { DEVICES_PER_BUS = 32, FUNCTIONS_PER_DEVICE = 8, BUS_SHIFT = 8, SEGMENT_SHIFT = 16 };
enum { BAR_IO = 1, BAR_TYPE = 6, BAR_TYPE_64 = 4, BAR_PREFETCH = 8, ROM_ENABLE = 1 };
enum { BAR_IO_MASK = ~3, BAR_MEMORY_MASK = ~15, BRIDGE_BARS = 2 };

static uint32_t config_read(const struct pci_access *access, uint32_t address, uint32_t offset,
                            unsigned width) {
    return access->read(access->context, address, offset, width);
}

static void config_write(const struct pci_access *access, uint32_t address, uint32_t offset, uint32_t value) {
    access->write(access->context, address, offset, 4, value);
}

/* The size of what decodes at a BAR: the bits that keep a 1. */
static uint32_t bar_probe(const struct pci_access *access, uint32_t address, uint32_t offset,
                          uint32_t value) {
    config_write(access, address, offset, UINT32_MAX);
    uint32_t found = config_read(access, address, offset, 4);
    config_write(access, address, offset, value);
    return found;
}

/* Of a mask as read back, the size that it decodes; 0 when the bits are not those of a size. */
static uint64_t bar_size(uint64_t mask) {
    uint64_t size = mask & -mask;
    return (mask | (size - 1)) == UINT64_MAX ? size : 0;
}

static void bar_take_ports(const struct pci_access *access, uint32_t address, uint32_t offset,
                           struct devices_bar *bar) {
    uint32_t low = config_read(access, address, offset, 4), mask = bar_probe(access, address, offset, low);
    if (mask == UINT32_MAX)
        return;
    bar->flags = DEVICES_BAR_IO;
    bar->base = low & (uint32_t)BAR_IO_MASK & UINT16_MAX;
    bar->length = bar_size((mask & (uint32_t)BAR_IO_MASK) | ~(uint64_t)UINT16_MAX);
}

static void bar_take_memory(const struct pci_access *access, uint32_t address, uint32_t offset, bool wide,
                            struct devices_bar *bar) {
    uint32_t low = config_read(access, address, offset, 4), mask = bar_probe(access, address, offset, low);
    if (mask == 0 || mask == UINT32_MAX)
        return;
    bar->flags = DEVICES_BAR_MEMORY | (low & BAR_PREFETCH ? DEVICES_BAR_PREFETCH : 0);
    bar->base = low & (uint32_t)BAR_MEMORY_MASK;
    uint64_t bits = (mask & (uint32_t)BAR_MEMORY_MASK) | ~(uint64_t)UINT32_MAX;
    if (wide) {
        uint32_t high = config_read(access, address, offset + 4, 4);
        bar->flags |= DEVICES_BAR_64;
        bar->base |= (uint64_t)high << 32;
        bits = (bits & UINT32_MAX) | (uint64_t)bar_probe(access, address, offset + 4, high) << 32;
    }
    bar->length = bar_size(bits);
}

/* The BAR at an offset, if it is of the wanted kinds; how many registers it takes. */
static unsigned bar_take(const struct pci_access *access, uint32_t address, uint32_t offset, bool last,
                         uint32_t kinds, struct devices_bar *bar) {
    uint32_t low = config_read(access, address, offset, 4);
    bool wide = !(low & BAR_IO) && (low & BAR_TYPE) == BAR_TYPE_64 && !last;
    if (low & BAR_IO && kinds & PCI_COMMAND_IO)
        bar_take_ports(access, address, offset, bar);
    else if (!(low & BAR_IO) && kinds & PCI_COMMAND_MEMORY)
        bar_take_memory(access, address, offset, wide, bar);
    return wide ? 2 : 1;
}

static void rom_take(const struct pci_access *access, uint32_t address, uint32_t offset,
                     struct devices_bar *bar) {
    uint32_t value = config_read(access, address, offset, 4);
    uint32_t mask = bar_probe(access, address, offset, value & ~(uint32_t)ROM_ENABLE) & 0xfffff800;
    config_write(access, address, offset, value);
    if (mask == 0)
        return;
    bar->flags = DEVICES_BAR_MEMORY;
    bar->base = value & 0xfffff800;
    bar->length = bar_size(mask | ~(uint64_t)UINT32_MAX);
}

/* The device decodes nothing of a kind while its BARs hold sizes; what it decoded before, it does afterwards.
 */
void pci_measure(const struct pci_access *access, struct devices_pci *function, uint32_t kinds) {
    uint32_t address = function->address;
    uint8_t layout = function->header_type & PCI_HEADER_MASK;
    kinds &= ~function->measured;
    if (!kinds || layout > PCI_HEADER_BRIDGE)
        return;
    bool bridge = layout == PCI_HEADER_BRIDGE;
    unsigned count = bridge ? BRIDGE_BARS : PCI_BARS;
    uint32_t command = config_read(access, address, PCI_COMMAND, 2);
    access->write(access->context, address, PCI_COMMAND, 2, command & ~kinds);
    for (unsigned i = 0; i < count;)
        i += bar_take(access, address, PCI_BAR0 + 4 * i, i + 1 == count, kinds, &function->bars[i]);
    if (!function->measured)
        rom_take(access, address, bridge ? PCI_BRIDGE_ROM : PCI_ROM, &function->bars[PCI_BAR_ROM]);
    access->write(access->context, address, PCI_COMMAND, 2, command);
    function->measured |= kinds;
}

uint64_t pci_bar_memory(const struct pci_access *access, const struct devices_pci *function, unsigned index) {
    uint64_t base = 0;
    for (unsigned i = 0; i <= index; i++) {
        uint32_t low = config_read(access, function->address, PCI_BAR0 + 4 * i, 4);
        bool is_64 = !(low & BAR_IO) && (low & BAR_TYPE) == BAR_TYPE_64 && i + 1 < PCI_BARS;
        base = low & BAR_IO ? 0 : low & (uint32_t)BAR_MEMORY_MASK;
        if (is_64 && i == index)
            base |= (uint64_t)config_read(access, function->address, PCI_BAR0 + 4 * i + 4, 4) << 32;
        else if (is_64 && ++i == index)
            base = 0;
    }
    return base;
}

/* ---- the walk ---- */

static void bus_scan(struct pci_tree *tree, uint16_t segment, uint8_t bus);

static struct devices_pci *function_add(struct pci_tree *tree, uint32_t address) {
    unsigned at = tree->count;
    while (at > 0 && tree->functions[at - 1].address > address)
        at--;
    memmove(&tree->functions[at + 1], &tree->functions[at], (tree->count - at) * sizeof tree->functions[0]);
    tree->count++;
    tree->functions[at] = (struct devices_pci){.address = address};
    return &tree->functions[at];
}

/* What capabilities tell: a bridge's subsystem, and whether there is more than 256 bytes. */
static void capabilities_read(const struct pci_tree *tree, struct devices_pci *function) {
    uint8_t bytes[PCI_CONFIG_SIZE];
    struct pci_config config = {bytes, sizeof bytes};
    pci_config_copy(tree->access, function->address, bytes, sizeof bytes);
    uint8_t at = pci_capability_find(&config, PCI_CAP_SUBSYSTEM);
    if (at && (function->header_type & PCI_HEADER_MASK) == PCI_HEADER_BRIDGE) {
        function->subsystem_vendor = pci_read16(&config, at + 4U);
        function->subsystem = pci_read16(&config, at + 6U);
    }
    function->config_length =
        pci_capability_find(&config, PCI_CAP_EXPRESS) ? tree->access->config_length : PCI_CONFIG_SIZE;
}

static void function_read(const struct pci_tree *tree, struct devices_pci *function) {
    uint32_t address = function->address;
    function->vendor = (uint16_t)config_read(tree->access, address, PCI_VENDOR, 2);
    function->device = (uint16_t)config_read(tree->access, address, PCI_DEVICE, 2);
    uint32_t revision = config_read(tree->access, address, PCI_REVISION, 4);
    function->revision = (uint8_t)revision;
    function->class_code = revision >> 8;
    function->header_type = (uint8_t)config_read(tree->access, address, PCI_HEADER_TYPE, 1);
    function->irq_line = (uint8_t)config_read(tree->access, address, PCI_INTERRUPT_LINE, 1);
    function->irq_pin = (uint8_t)config_read(tree->access, address, PCI_INTERRUPT_PIN, 1);
    capabilities_read(tree, function);
    uint8_t layout = function->header_type & PCI_HEADER_MASK;
    if (layout == PCI_HEADER_DEVICE) {
        function->subsystem_vendor = (uint16_t)config_read(tree->access, address, PCI_SUBSYSTEM_VENDOR, 2);
        function->subsystem = (uint16_t)config_read(tree->access, address, PCI_SUBSYSTEM_VENDOR + 2, 2);
    }
    if (layout == PCI_HEADER_BRIDGE) {
        function->bus_first = (uint8_t)config_read(tree->access, address, PCI_BUS_SECONDARY, 1);
        function->bus_last = (uint8_t)config_read(tree->access, address, PCI_BUS_SUBORDINATE, 1);
    }
}

/* The first bridge to a function's bus; only lower buses lead to it. */
static uint32_t parent_find(const struct pci_tree *tree, uint32_t address) {
    uint8_t bus = (uint8_t)(address >> BUS_SHIFT);
    for (unsigned i = 0; i < tree->count; i++) {
        const struct devices_pci *bridge = &tree->functions[i];
        if (bridge->bus_first == bus && (uint8_t)(bridge->address >> BUS_SHIFT) < bus &&
            bridge->address >> SEGMENT_SHIFT == address >> SEGMENT_SHIFT)
            return bridge->address;
    }
    return DEVICES_NO_ADDRESS;
}

/* True when there is a function. Behind a bridge lie only buses with higher numbers. */
static bool function_scan(struct pci_tree *tree, uint32_t address) {
    uint32_t vendor = config_read(tree->access, address, PCI_VENDOR, 2);
    if (vendor == UINT16_MAX || vendor == 0)
        return false;
    if (tree->count == PCI_FUNCTIONS_MOST) {
        tree->full = true;
        return true;
    }
    struct devices_pci *function = function_add(tree, address);
    function_read(tree, function);
    function->parent = parent_find(tree, address);
    function->serial = ++tree->found;
    uint8_t behind = function->bus_first;
    if ((function->header_type & PCI_HEADER_MASK) == PCI_HEADER_BRIDGE &&
        behind > (uint8_t)(address >> BUS_SHIFT))
        bus_scan(tree, (uint16_t)(address >> SEGMENT_SHIFT), behind);
    return true;
}

static void bus_scan(struct pci_tree *tree, uint16_t segment, uint8_t bus) {
    if (tree->visited[bus / 8] & 1 << bus % 8)
        return;
    tree->visited[bus / 8] |= (uint8_t)(1 << bus % 8);
    for (uint32_t device = 0; device < DEVICES_PER_BUS; device++) {
        uint32_t address = DEVICES_ADDRESS(segment, bus, device, 0);
        if (!function_scan(tree, address) ||
            !(config_read(tree->access, address, PCI_HEADER_TYPE, 1) & PCI_HEADER_MULTIPLE))
            continue;
        for (uint32_t function = 1; function < FUNCTIONS_PER_DEVICE; function++)
            (void)function_scan(tree, address + function);
    }
}

void pci_scan(struct pci_tree *tree, const struct pci_access *access, uint16_t segment, uint8_t bus) {
    tree->access = access;
    memset(tree->visited, 0, sizeof tree->visited);
    bus_scan(tree, segment, bus);
}

void pci_forget(struct pci_tree *tree, uint16_t segment, uint8_t first, uint8_t last) {
    unsigned kept = 0;
    for (unsigned i = 0; i < tree->count; i++) {
        uint32_t address = tree->functions[i].address;
        uint8_t bus = (uint8_t)(address >> BUS_SHIFT);
        if (address >> SEGMENT_SHIFT != segment || bus < first || bus > last)
            tree->functions[kept++] = tree->functions[i];
    }
    tree->count = kept;
}

struct devices_pci *pci_find(struct pci_tree *tree, uint32_t address) {
    for (unsigned i = 0; i < tree->count; i++)
        if (tree->functions[i].address == address)
            return &tree->functions[i];
    return NULL;
}

void pci_config_copy(const struct pci_access *access, uint32_t address, uint8_t *to, uint32_t length) {
    for (uint32_t at = 0; at + 4 <= length; at += 4) {
        uint32_t word = access->read(access->context, address, at, 4);
        memcpy(to + at, &word, sizeof word);
    }
}
