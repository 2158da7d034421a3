/* sources: lib/pci/config.c servers/devices/pci.c servers/devices/place.c */
/* Any configuration space: the walk ends, and every capability lies in it and is seen once. And any card
 * behind any port: its BARs get places inside the port's windows, none twice. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pci/config.h"
#include "servers/devices/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEADER = 64,
    MASKS = 4 * PCI_BARS,
    FUNCTIONS = 4,
    PORT = DEVICES_ADDRESS(0, 0, 1, 0),
    CARD = DEVICES_ADDRESS(0, 1, 0, 0)
};

static void capabilities_walk(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1); /* so that a read beyond the end is seen */
    if (!copy)
        return;
    memcpy(copy, data, size);
    struct pci_config config = {copy, (uint32_t)size};
    struct pci_capabilities walk;
    struct pci_msix msix;
    uint8_t id, offset, seen[PCI_CONFIG_SIZE] = {0};
    pci_capabilities_begin(&walk, &config);
    while (pci_capability_next(&walk, &id, &offset) == 1)
        if (offset < 0x40 || seen[offset]++)
            abort();
    if (pci_msix_find(&config, &msix) == 0 && (msix.bar > 5 || msix.count == 0 || msix.count > 2048))
        abort();
    free(copy);
}

/* A port and four functions on the bus behind it; BARs keep the bits of their masks. */
static struct space { uint8_t header[HEADER], masks[MASKS]; } port, card[FUNCTIONS];

static struct space *space_find(uint32_t address) {
    return address == PORT ? &port : address - CARD < FUNCTIONS ? &card[address - CARD] : NULL;
}

static uint32_t fake_read(void *context, uint32_t address, uint32_t offset, unsigned width) {
    const struct space *space = space_find(address);
    uint32_t value = UINT32_MAX >> (32 - 8 * width);
    (void)context;
    if (!space || offset > HEADER - width)
        return value;
    value = 0;
    memcpy(&value, space->header + offset, width);
    return value;
}

static void fake_write(void *context, uint32_t address, uint32_t offset, unsigned width, uint32_t value) {
    struct space *space = space_find(address);
    uint8_t bytes[4];
    (void)context;
    if (!space || offset > HEADER - width)
        abort();
    memcpy(bytes, &value, sizeof bytes);
    for (unsigned i = 0; i < width; i++) {
        uint8_t mask = offset + i >= PCI_BAR0 && offset + i < PCI_BAR0 + MASKS
                           ? space->masks[offset + i - PCI_BAR0]
                           : 0xff;
        space->header[offset + i] = (uint8_t)((space->header[offset + i] & ~mask) | (bytes[i] & mask));
    }
}

static bool inside(const struct place_window *window, uint64_t base, uint64_t length) {
    return base >= window->base && base < window->end && length <= window->end - base;
}

static void place_check(const struct place_windows *windows, const struct pci_tree *tree) {
    const struct devices_bar *placed[FUNCTIONS * PCI_BARS];
    unsigned count = 0;
    for (unsigned i = 0; i < tree->count; i++)
        for (unsigned k = 0; k < PCI_BARS; k++) {
            const struct devices_bar *bar = &tree->functions[i].bars[k];
            if (!bar->length || !bar->base ||
                (tree->functions[i].header_type & PCI_HEADER_MASK) != PCI_HEADER_DEVICE)
                continue;
            bool ports = bar->flags & DEVICES_BAR_IO;
            if (ports ? !inside(&windows->free[PLACE_PORTS], bar->base, bar->length)
                      : !inside(&windows->free[PLACE_MEMORY], bar->base, bar->length) &&
                            (!(bar->flags & DEVICES_BAR_PREFETCH) ||
                             !inside(&windows->free[PLACE_PREFETCH], bar->base, bar->length)))
                abort();
            if (bar->base & (bar->length - 1))
                abort();
            placed[count++] = bar;
        }
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < i; k++)
            if ((placed[i]->flags & DEVICES_BAR_IO) == (placed[k]->flags & DEVICES_BAR_IO) &&
                placed[i]->base < placed[k]->base + placed[k]->length &&
                placed[k]->base < placed[i]->base + placed[i]->length)
                abort();
}

/* The windows must not lie in each other, as no firmware lets them. */
static bool windows_sane(const struct place_windows *windows) {
    const struct place_window *a = &windows->free[PLACE_MEMORY], *b = &windows->free[PLACE_PREFETCH];
    return a->base >= b->end || b->base >= a->end;
}

static void card_place(const uint8_t *data, size_t size) {
    static const struct pci_access access = {fake_read, fake_write, NULL, PCI_CONFIG_SIZE};
    static struct pci_tree tree;
    struct devices_pci *functions[FUNCTIONS];
    struct place_windows windows, all;
    uint8_t *to[] = {port.header, (uint8_t *)&card[0], (uint8_t *)&card[1], (uint8_t *)&card[2],
                     (uint8_t *)&card[3]};
    memset(&port, 0, sizeof port);
    memset(card, 0xff, sizeof card);
    for (unsigned i = 0; i < 1 + FUNCTIONS && size; i++) {
        size_t part = i ? sizeof(struct space) : HEADER, length = size < part ? size : part;
        memcpy(to[i], data, length);
        data += length;
        size -= length;
    }
    memset(&tree, 0, sizeof tree);
    place_windows_read(&windows, &access, PORT);
    pci_scan(&tree, &access, 0, 1);
    if (!windows_sane(&windows))
        return;
    all = windows;
    for (unsigned i = 0; i < tree.count; i++)
        functions[i] = &tree.functions[i];
    (void)place_functions(&windows, &access, functions, tree.count);
    place_check(&all, &tree);
    pci_forget(&tree, 0, 1, 1);
    if (tree.count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    capabilities_walk(data, size);
    card_place(data, size);
    return 0;
}
