/* sources: servers/devices/pci.c servers/devices/place.c lib/pci/config.c */
/* The walk over PCI on machines made up here: bridges, loops of buses, devices with every kind of BAR. */
#include "servers/devices/pci.h"
#include "servers/devices/place.h"

#include <string.h>

#include "tests/unit/check.h"

enum { SPACES = 300 };

/* Functions with 64 bytes each; a BAR keeps the bits of its mask. */
static struct space {
    uint32_t address;
    uint8_t bytes[64];
    uint32_t masks[16];
} spaces[SPACES];
static unsigned space_count;

static struct space *space_find(uint32_t address) {
    for (unsigned i = 0; i < space_count; i++)
        if (spaces[i].address == address)
            return &spaces[i];
    return NULL;
}

static uint32_t fake_read(void *context, uint32_t address, uint32_t offset, unsigned width) {
    struct space *space = space_find(address);
    uint32_t value = UINT32_MAX;
    (void)context;
    if (space && offset + width <= sizeof space->bytes) {
        value = 0;
        memcpy(&value, space->bytes + offset, width);
        return value;
    }
    return width == 4 ? value : value >> (32 - 8 * width);
}

static void fake_write(void *context, uint32_t address, uint32_t offset, unsigned width, uint32_t value) {
    struct space *space = space_find(address);
    uint32_t old;
    (void)context;
    CHECK(space != NULL);
    if (offset >= 0x10 && offset < 0x28 && width == 4) {
        memcpy(&old, space->bytes + offset, 4);
        uint32_t mask = space->masks[offset / 4];
        value = (value & mask) | (old & ~mask);
        if (!mask)
            value = old;
    }
    if (offset == PCI_ROM && width == 4)
        value &= space->masks[offset / 4];
    memcpy(space->bytes + offset, &value, width);
}

static const struct pci_access access = {fake_read, fake_write, NULL, PCI_CONFIG_SIZE};
static struct pci_tree tree;

static struct space *space_add(uint32_t address, uint8_t header) {
    struct space *space = &spaces[space_count++];
    memset(space, 0, sizeof *space);
    space->address = address;
    space->bytes[0] = 0xf4;
    space->bytes[1] = 0x1a;
    space->bytes[PCI_HEADER_TYPE] = header;
    return space;
}

static void bridge_add(uint32_t address, uint8_t secondary) {
    struct space *space = space_add(address, PCI_HEADER_BRIDGE);
    space->bytes[PCI_BUS_SECONDARY] = space->bytes[PCI_BUS_SUBORDINATE] = secondary;
}

static void bar_put(struct space *space, unsigned bar, uint32_t value, uint32_t mask) {
    memcpy(space->bytes + PCI_BAR0 + 4 * bar, &value, 4);
    space->masks[(PCI_BAR0 + 4 * bar) / 4] = mask;
}

static void begin(void) {
    space_count = 0;
    memset(&tree, 0, sizeof tree);
}

TEST(functions_behind_bridges) {
    begin();
    (void)space_add(DEVICES_ADDRESS(0, 0, 0, 0), 0);
    bridge_add(DEVICES_ADDRESS(0, 0, 1, 0), 5);
    (void)space_add(DEVICES_ADDRESS(0, 0, 31, 0), PCI_HEADER_MULTIPLE);
    (void)space_add(DEVICES_ADDRESS(0, 0, 31, 3), 0);
    (void)space_add(DEVICES_ADDRESS(0, 0, 30, 2), 0); /* without function 0: not there */
    bridge_add(DEVICES_ADDRESS(0, 5, 0, 0), 6);
    (void)space_add(DEVICES_ADDRESS(0, 6, 2, 0), 0);
    pci_scan(&tree, &access, 0, 0);
    CHECK_EQ(tree.count, 6);
    for (unsigned i = 1; i < tree.count; i++)
        CHECK(tree.functions[i - 1].address < tree.functions[i].address);
    CHECK(pci_find(&tree, DEVICES_ADDRESS(0, 6, 2, 0)) != NULL);
    CHECK(pci_find(&tree, DEVICES_ADDRESS(0, 30, 2, 0)) == NULL);
    CHECK_EQ(tree.functions[1].bus_first, 5);
    CHECK_EQ(pci_find(&tree, DEVICES_ADDRESS(0, 0, 31, 3))->parent, DEVICES_NO_ADDRESS);
    CHECK_EQ(pci_find(&tree, DEVICES_ADDRESS(0, 6, 2, 0))->parent, DEVICES_ADDRESS(0, 5, 0, 0));
    uint32_t serial = pci_find(&tree, DEVICES_ADDRESS(0, 6, 2, 0))->serial;
    pci_forget(&tree, 0, 6, 6);
    pci_scan(&tree, &access, 0, 6); /* another card */
    CHECK_EQ(pci_find(&tree, DEVICES_ADDRESS(0, 6, 2, 0))->parent, DEVICES_ADDRESS(0, 5, 0, 0));
    CHECK(pci_find(&tree, DEVICES_ADDRESS(0, 6, 2, 0))->serial > serial);
}

TEST(buses_that_loop) {
    begin();
    bridge_add(DEVICES_ADDRESS(0, 0, 1, 0), 0);
    bridge_add(DEVICES_ADDRESS(0, 0, 2, 0), 3);
    bridge_add(DEVICES_ADDRESS(0, 0, 3, 0), 3);
    bridge_add(DEVICES_ADDRESS(0, 3, 0, 0), 2);
    bridge_add(DEVICES_ADDRESS(0, 3, 1, 0), 3);
    pci_scan(&tree, &access, 0, 0);
    CHECK_EQ(tree.count, 5);
    for (unsigned i = 0; i < tree.count; i++) {
        uint32_t parent = tree.functions[i].parent;
        CHECK(parent == DEVICES_NO_ADDRESS || (parent >> 8 & 0xff) < (tree.functions[i].address >> 8 & 0xff));
    }
}

TEST(more_functions_than_room) {
    begin();
    for (uint32_t bus = 0; bus < 2; bus++)
        for (uint32_t at = 0; at < 130; at++)
            (void)space_add(DEVICES_ADDRESS(0, bus, 0, 0) + (at / 8 * 8 + at % 8), PCI_HEADER_MULTIPLE);
    spaces[1].bytes[PCI_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    spaces[1].bytes[PCI_BUS_SECONDARY] = 1;
    pci_scan(&tree, &access, 0, 0);
    CHECK_EQ(tree.count, PCI_FUNCTIONS_MOST);
    CHECK(tree.full);
}

TEST(bars) {
    begin();
    struct space *space = space_add(DEVICES_ADDRESS(0, 0, 4, 0), 0);
    space->bytes[PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_IO;
    bar_put(space, 0, 0xc001, 0xffffffe0);     /* ports, 32 */
    bar_put(space, 1, 0xfe000000, 0xfffff000); /* memory, 4 KB */
    bar_put(space, 2, 0x0000000c, 0xffffc000); /* 64 bits, prefetchable, 16 KB at 4 GB */
    bar_put(space, 3, 0x00000001, 0xffffffff);
    bar_put(space, 4, 0, 0);
    bar_put(space, 5, 0xfd00000c, 0xff000000); /* says 64 bits where no register follows */
    space->masks[PCI_ROM / 4] = 0xffff0001;
    pci_scan(&tree, &access, 0, 0);
    CHECK_EQ(pci_bar_memory(&access, &tree.functions[0], 0), 0);
    CHECK_EQ(pci_bar_memory(&access, &tree.functions[0], 1), 0xfe000000);
    CHECK_EQ(pci_bar_memory(&access, &tree.functions[0], 2), 0x100000000);
    CHECK_EQ(pci_bar_memory(&access, &tree.functions[0], 3), 0);
    CHECK_EQ(pci_bar_memory(&access, &tree.functions[0], 5), 0xfd000000);
    CHECK_EQ(tree.functions[0].bars[1].length, 0);
    pci_measure(&access, &tree.functions[0], PCI_COMMAND_IO);
    CHECK_EQ(tree.functions[0].bars[0].length, 32);
    CHECK_EQ(tree.functions[0].bars[1].length, 0);
    pci_measure(&access, &tree.functions[0], PCI_COMMAND_MEMORY);
    const struct devices_bar *found = tree.functions[0].bars;
    CHECK_EQ(found[0].base, 0xc000);
    CHECK_EQ(found[0].length, 32);
    CHECK_EQ(found[0].flags, DEVICES_BAR_IO);
    CHECK_EQ(found[1].base, 0xfe000000);
    CHECK_EQ(found[1].length, 4096);
    CHECK_EQ(found[2].base, 0x100000000);
    CHECK_EQ(found[2].length, 0x4000);
    CHECK_EQ(found[2].flags, DEVICES_BAR_MEMORY | DEVICES_BAR_64 | DEVICES_BAR_PREFETCH);
    CHECK_EQ(found[3].length, 0);
    CHECK_EQ(found[4].length, 0);
    CHECK_EQ(found[5].length, 0x1000000);
    CHECK_EQ(found[PCI_BAR_ROM].length, 0x10000);
    CHECK_EQ(space->bytes[PCI_COMMAND], PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    uint32_t value;
    memcpy(&value, space->bytes + PCI_BAR0 + 4, 4);
    CHECK_EQ(value, 0xfe000000);
}

/* ---- places behind a port ---- */

static void put(struct space *space, unsigned offset, uint32_t value, unsigned width) {
    memcpy(space->bytes + offset, &value, width);
}

/* A port as QEMU's firmware leaves it: 2 MB each at 0xfe200000 and, for what may be prefetched, at `upper` GB
 * more. */
static struct place_windows port_windows(uint32_t upper) {
    struct place_windows windows;
    struct space *port = space_add(DEVICES_ADDRESS(0, 0, 2, 0), PCI_HEADER_BRIDGE);
    put(port, 0x1c, 0xd1c1, 2); /* ports 0x1c000 to 0x1dfff */
    put(port, 0x30, 0x00010001, 4);
    put(port, 0x20, 0xfe30fe20, 4);
    put(port, 0x24, 0xfe91fe81, 4);
    put(port, 0x28, upper, 4);
    put(port, 0x2c, upper, 4);
    place_windows_read(&windows, &access, port->address);
    return windows;
}

TEST(windows_of_a_port) {
    begin();
    struct place_windows windows = port_windows(8);
    CHECK_EQ(windows.free[PLACE_PORTS].base, 0x1c000);
    CHECK_EQ(windows.free[PLACE_PORTS].end, 0x1e000);
    CHECK_EQ(windows.free[PLACE_MEMORY].base, 0xfe200000);
    CHECK_EQ(windows.free[PLACE_MEMORY].end, 0xfe400000);
    CHECK_EQ(windows.free[PLACE_PREFETCH].base, 0x8fe800000);
    CHECK_EQ(windows.free[PLACE_PREFETCH].end, 0x8fea00000);
    put(&spaces[0], 0x20, 0xfe20fe30, 4); /* the end before the beginning: nothing is forwarded */
    put(&spaces[0], 0x24, 0x0000fff0, 4);
    put(&spaces[0], 0x1c, 0x00f0, 2);
    place_windows_read(&windows, &access, spaces[0].address);
    for (unsigned i = 0; i < PLACE_KINDS; i++)
        CHECK_EQ(windows.free[i].base, windows.free[i].end);
}

TEST(places_for_a_card) {
    begin();
    struct place_windows windows = port_windows(8);
    for (uint32_t i = 0; i < 2; i++) {
        struct space *space = space_add(DEVICES_ADDRESS(0, 5, 0, i), PCI_HEADER_MULTIPLE);
        bar_put(space, 0, 1, 0xffffff80);   /* ports */
        bar_put(space, 1, 0, 0xfffffe00);   /* 512 bytes: a page of its own */
        bar_put(space, 2, 0xc, 0xffffc000); /* 64 bits, prefetchable, 16 KB */
        bar_put(space, 3, 0, 0xffffffff);
        bar_put(space, 4, 4, 0xfff80000); /* 64 bits, not prefetchable, 512 KB */
        bar_put(space, 5, 0, 0xffffffff);
    }
    pci_scan(&tree, &access, 0, 5);
    CHECK_EQ(tree.count, 2);
    struct devices_pci *functions[] = {&tree.functions[0], &tree.functions[1]};
    CHECK_EQ(place_functions(&windows, &access, functions, 2), 0);
    const struct devices_bar *one = functions[0]->bars, *two = functions[1]->bars;
    CHECK_EQ(one[4].base, 0xfe200000);
    CHECK_EQ(two[4].base, 0xfe280000);
    CHECK_EQ(one[1].base, 0xfe300000);
    CHECK_EQ(two[1].base, 0xfe301000);
    CHECK_EQ(one[2].base, 0x8fe800000);
    CHECK_EQ(two[2].base, 0x8fe804000);
    CHECK_EQ(pci_bar_memory(&access, functions[1], 2), 0x8fe804000);
    CHECK_EQ(pci_bar_memory(&access, functions[1], 4), 0xfe280000);
    pci_forget(&tree, 0, 5, 7);
    CHECK_EQ(tree.count, 0);
}

TEST(cards_that_do_not_fit) {
    begin();
    struct place_windows windows = port_windows(8);
    struct space *space = space_add(DEVICES_ADDRESS(0, 5, 0, 0), 0);
    bar_put(space, 0, 0, 0xffc00000); /* 4 MB where there are 2 */
    bar_put(space, 1, 8,
            0xfffff000); /* prefetchable of 32 bits: its window is too high, the other one will do */
    bar_put(space, 2, 0xc, 0x00000000); /* 2^63 bytes */
    bar_put(space, 3, 0, 0x80000000);
    pci_scan(&tree, &access, 0, 5);
    struct devices_pci *functions[] = {&tree.functions[0]};
    CHECK_EQ(place_functions(&windows, &access, functions, 1), 2);
    CHECK_EQ(functions[0]->bars[0].base, 0);
    CHECK_EQ(functions[0]->bars[1].base, 0xfe200000);
}

TEST_MAIN();
